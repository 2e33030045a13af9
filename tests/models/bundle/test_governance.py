"""Champion, challenger and shadow: what is moved, what is kept, and what is refused."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from features.journey import JOURNEY
from models.bundle import archive
from models.bundle.archive import UnknownVersion
from models.bundle.bundle import Bundle, BundleError, StaleBundle, read_manifest
from models.bundle.governance import Governance, NothingToFallBackTo
from models.bundle.promotion_log import Cause, Move, live_at, named
from tests.serving.shop import bundle

SERVED = {"churn_28d": "logistic, evidence B. lightgbm was held back: calibration error was 0.05."}
TRAINED = Cause("train", "passed every gate")
ASKED = Cause("promote", "the shop asked for it")


@pytest.fixture(scope="module")
def trained() -> Bundle:
    """A bundle from training."""
    return bundle(JOURNEY, rounds=2)


def another(made: Bundle, number: int) -> Bundle:
    """A bundle of another version, made later."""
    manifest = replace(made.manifest, seed=100 + number, created=f"2026-07-01T12:00:{number:02}Z")
    return made.changed(manifest)


@pytest.fixture
def followed() -> list[Move]:
    """What a registry was told."""
    return []


@pytest.fixture
def governance(tmp_path: Path, followed: list[Move]) -> Iterator[Governance]:
    """An empty place, whose clock moves on by one at each look."""
    clock = itertools.count(1_000)
    yield Governance(tmp_path / "champion", JOURNEY, lambda: next(clock), followed.append)


def live(governance: Governance) -> str:
    """The version in the folder that the server reads."""
    return Bundle.load(governance.places["champion"], JOURNEY.fingerprint, JOURNEY.names).version


def test_what_passed_answers_and_what_failed_is_watched(
    governance: Governance, trained: Bundle, followed: list[Move]
) -> None:
    assert governance.install(trained, champion=True, cause=TRAINED, targets=SERVED) == governance.places["champion"]
    failed = another(trained, 1)
    assert governance.install(failed, champion=False, cause=TRAINED) == governance.places["shadow"]
    assert live(governance) == trained.version
    assert read_manifest(governance.places["shadow"]).version == failed.version
    log = governance.promotions.moves()
    assert named(log) == {"champion": trained.version, "challenger": failed.version, "shadow": failed.version}
    assert log == followed
    assert (log[0].by, log[0].reason, log[0].targets, log[0].previous) == ("train", "passed every gate", SERVED, "")
    assert governance.archive.versions() == [failed.version, trained.version]


def test_any_archived_bundle_can_be_promoted(governance: Governance, trained: Bundle) -> None:
    governance.install(trained, champion=True, cause=TRAINED, targets=SERVED)
    governance.install(another(trained, 1), champion=True, cause=TRAINED)
    move = governance.promote(trained.version[:6], ASKED)
    assert (move.version, move.by, move.targets) == (trained.version, "promote", {})
    assert live(governance) == trained.version
    moved = governance.promote(another(trained, 1).version, ASKED, "shadow")
    assert (moved.alias, moved.previous) == ("shadow", "")
    assert read_manifest(governance.places["shadow"]).version == moved.version
    assert live(governance) == trained.version


def test_going_back_again_and_again(governance: Governance, trained: Bundle) -> None:
    made = [trained, another(trained, 1), another(trained, 2)]
    for each in made:
        governance.install(each, champion=True, cause=TRAINED)
    assert governance.roll_back("decay").version == made[1].version == live(governance)
    assert governance.roll_back("decay again").version == made[0].version == live(governance)
    with pytest.raises(NothingToFallBackTo, match="no earlier champion"):
        governance.roll_back("and again")
    log = governance.promotions.moves()
    assert [move.reason for move in log[3:]] == ["decay", "decay again"]
    for number, move in enumerate(log):
        assert live_at(log, move.at) == move
        assert move.previous == (log[number - 1].version if number else "")


def test_who_moves_waits_for_who_is_moving(tmp_path: Path, trained: Bundle) -> None:
    made = [another(trained, number) for number in range(6)]
    ticks = itertools.count()

    def install(each: Bundle) -> None:
        governed = Governance(tmp_path / "champion", JOURNEY, lambda: next(ticks))
        governed.install(each, champion=True, cause=TRAINED)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(install, made))
    governance = Governance(tmp_path / "champion", JOURNEY, lambda: next(ticks))
    log = governance.promotions.moves()
    assert {move.version for move in log} == {each.version for each in made}
    assert [move.previous for move in log] == ["", *(move.version for move in log[:-1])]
    assert live(governance) == log[-1].version


def test_a_damaged_champion_is_restored(governance: Governance, trained: Bundle) -> None:
    governance.install(trained, champion=True, cause=TRAINED)
    governance.install(another(trained, 1), champion=True, cause=TRAINED)
    place = governance.places["champion"]
    for damage in (
        lambda: (place / "recommender.npz").write_bytes(b"nonsense"),
        (place / "bundle.json").unlink,
        lambda: shutil.rmtree(place),
    ):
        damage()
        with pytest.raises(BundleError):
            live(governance)
        assert governance.restore("the bundle is damaged").by == "rollback"
        assert live(governance) == another(trained, 1).version
    (governance.archive.place(another(trained, 1).version) / "recommender.npz").write_bytes(b"nonsense")
    assert governance.restore("damaged in the archive, too").version == trained.version == live(governance)


def test_a_bundle_put_there_by_hand_is_taken_up(governance: Governance, trained: Bundle) -> None:
    trained.save(governance.places["champion"])
    governance.install(another(trained, 1), champion=True, cause=TRAINED)
    first, second = governance.promotions.moves()
    assert (first.by, first.version, second.previous) == ("hand", trained.version, trained.version)
    assert governance.roll_back("the new one is worse").version == trained.version


def test_from_a_bundle_put_there_by_hand_the_way_back_is_the_champion_of_the_log(
    governance: Governance, trained: Bundle
) -> None:
    governance.install(trained, champion=True, cause=TRAINED)
    assert governance.fallbacks() == []
    another(trained, 1).save(governance.places["champion"])
    assert governance.fallbacks() == [trained.version] and len(governance.promotions.moves()) == 1
    assert governance.roll_back("nobody knows where it came from").version == trained.version == live(governance)
    assert [move.by for move in governance.promotions.moves()] == ["train", "hand", "rollback"]


def test_what_cannot_be_used_is_refused(governance: Governance, trained: Bundle) -> None:
    governance.install(trained, champion=True, cause=TRAINED)
    stale = trained.changed(replace(trained.manifest, fingerprint="0" * 16))
    governance.archive.keep(stale)
    broken = another(trained, 3)
    governance.archive.keep(broken)
    manifest = governance.archive.place(broken.version) / "bundle.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "seed": 0}))
    before = governance.promotions.moves()
    for version, error in ((stale.version, StaleBundle), (broken.version, BundleError), ("ffff", UnknownVersion)):
        with pytest.raises(error):
            governance.promote(version, ASKED)
    assert governance.promotions.moves() == before
    assert live(governance) == trained.version
    with pytest.raises(UnknownVersion, match="There is no bundle"):
        governance.archive.find("")


def test_an_archived_bundle_is_never_written_again(governance: Governance, trained: Bundle) -> None:
    governance.install(trained, champion=True, cause=TRAINED)
    place = governance.archive.place(trained.version)
    before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    governance.install(trained, champion=True, cause=TRAINED)
    assert {path.name: path.stat().st_mtime_ns for path in place.iterdir()} == before
    (place / "recommender.npz").write_bytes(b"nonsense")
    governance.install(trained, champion=True, cause=TRAINED)
    assert governance.archive.load(trained.version, JOURNEY).version == trained.version


def test_the_newest_are_kept_and_what_is_named(
    governance: Governance, trained: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "KEPT", 3)
    made = [another(trained, number) for number in range(8)]
    governance.install(made[0], champion=True, cause=TRAINED)
    governance.install(made[1], champion=True, cause=TRAINED)
    for each in made[2:]:
        governance.install(each, champion=False, cause=TRAINED)
    kept = {made[number].version for number in (0, 1, 5, 6, 7)}  # the champion, the one before it, the newest three
    assert set(governance.archive.versions()) == kept
    governance.roll_back("to the oldest of all")
    assert live(governance) == made[0].version
