"""`waypost models` and `waypost retrain`: what was live, what is put in its place, and what is done when it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from features.journey import JOURNEY
from models.bundle.bundle import Bundle
from models.bundle.promotion_log import Cause
from tests.serving.shop import bundle
from training.monitoring import Action
from waypost import app
from waypost.models import governed
from waypost.retrain import carry_out

Run = Callable[..., Result]
SERVED = {"churn_28d": "logistic, evidence B. lightgbm was held back: calibration error was 0.05."}


@pytest.fixture(scope="module")
def made() -> list[Bundle]:
    """Three bundles, one after the other."""
    first = bundle(JOURNEY, rounds=2)
    manifests = [replace(first.manifest, seed=each, created=f"2026-07-0{each}T12:00:00Z") for each in (1, 2, 3)]
    return [first.changed(manifest) for manifest in manifests]


@pytest.fixture
def place(tmp_path: Path, made: list[Bundle], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the second bundle is the champion, the first was, and the third is watched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("WAYPOST_BUNDLE", str(tmp_path / "data" / "champion"))
    for each, passed in zip(made, (True, True, False), strict=True):
        governed().install(each, champion=passed, cause=Cause("train", "so it was"), targets=SERVED)
    return tmp_path


@pytest.fixture
def waypost(place: Path) -> Run:
    """Runs a command line in that folder."""
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def answered(result: Result) -> Any:
    """The JSON of a command that succeeded."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def live(place: Path) -> str:
    """The version in the folder that the server reads."""
    return Bundle.load(place / "data" / "champion", JOURNEY.fingerprint, JOURNEY.names).version


def test_the_list_says_which_is_which(waypost: Run, made: list[Bundle], place: Path) -> None:
    found = answered(waypost("models", "list", "--json"))["bundles"]
    assert [(each["version"], each["aliases"]) for each in found] == [
        (made[2].version, ["challenger", "shadow"]),
        (made[1].version, ["champion"]),
        (made[0].version, []),
    ]
    assert {each["state"] for each in found} == {"usable"}
    (place / "data" / "bundles" / made[0].version / "recommender.npz").write_bytes(b"")
    damaged = answered(waypost("models", "list", "--json"))["bundles"][-1]
    assert "damaged" in damaged["state"]
    people = waypost("models", "list")
    assert people.exit_code == 0 and made[0].version[:6] in people.stdout


def test_one_is_shown_by_alias_or_beginning(waypost: Run, made: list[Bundle]) -> None:
    shown = answered(waypost("models", "show", "--json"))
    assert shown["manifest"]["version"] == made[1].version
    assert [move["alias"] for move in shown["moves"]] == ["champion"]
    by_beginning = answered(waypost("models", "show", made[2].version[:8], "--json"))
    assert by_beginning == answered(waypost("models", "show", "shadow", "--json"))
    text = waypost("models", "show", "champion").stdout
    assert f"bundle {made[1].version}, trained on the log up to 2026-05-28" in text
    unknown = waypost("models", "show", "f00d")
    assert unknown.exit_code == 1 and "waypost models list" in unknown.stderr


def test_history_knows_what_was_live(waypost: Run, made: list[Bundle]) -> None:
    moves = answered(waypost("models", "history", "--json"))["moves"]
    assert [move["alias"] for move in moves] == ["champion", "champion", "challenger", "shadow"]
    assert moves[1]["previous"] == moves[0]["version"] == made[0].version
    told = " ".join(waypost("models", "history").stdout.replace("│", " ").split())
    assert all(each.version in told for each in made)
    assert answered(waypost("models", "history", "--at", "2001-01-01", "--json")) == {"moves": []}
    now = answered(waypost("models", "history", "--at", "2199-01-01", "--json"))["moves"]
    assert {move["alias"]: move["version"] for move in now} == {
        "champion": made[1].version,
        "challenger": made[2].version,
        "shadow": made[2].version,
    }


def test_promoting_and_going_back(waypost: Run, made: list[Bundle], place: Path) -> None:
    moved = answered(waypost("models", "promote", made[2].version[:6], "--reason", "it is better", "--json"))
    assert (moved["version"], moved["by"], moved["reason"]) == (made[2].version, "promote", "it is better")
    assert moved["targets"] == {} and live(place) == made[2].version
    back = waypost("models", "rollback", "--reason", "it is not")
    assert f"{made[1].version} is the champion in the place of {made[2].version}: it is not" in back.stdout
    assert live(place) == made[1].version
    assert answered(waypost("models", "promote", made[0].version, "--to", "shadow", "--json"))["alias"] == "shadow"
    assert live(place) == made[1].version
    assert answered(waypost("models", "rollback", "--json"))["version"] == made[0].version
    nothing = waypost("models", "rollback")
    assert nothing.exit_code == 1 and "Retrain with `waypost train`" in nothing.stderr


def test_what_cannot_answer_is_not_promoted(waypost: Run, made: list[Bundle], place: Path) -> None:
    archive = governed().archive
    cards = {name: replace(card, scope="customers with moods > 3") for name, card in made[0].manifest.targets.items()}
    manifests = [replace(made[0].manifest, fingerprint="0" * 16), replace(made[0].manifest, targets=cards)]
    strange = [made[0].changed(manifest) for manifest in manifests]
    for each in strange:
        archive.keep(each)
    (archive.place(made[0].version) / "recommender.npz").write_bytes(b"")
    for version, expected in (
        (strange[0].version, "waypost train"),
        (strange[1].version, "moods"),
        (made[0].version, "damaged"),
        (made[1].version + "0", "There is no bundle"),
    ):
        refused = waypost("models", "promote", version)
        assert refused.exit_code == 1 and expected in refused.stderr, refused.output
    assert waypost("models", "promote", made[2].version, "--to", "king").exit_code == 2
    assert live(place) == made[1].version


def test_a_damaged_champion_is_put_back_and_the_reason_is_kept(waypost: Run, made: list[Bundle], place: Path) -> None:
    (place / "data" / "champion" / "recommender.npz").write_bytes(b"nonsense")
    done = answered(waypost("retrain", "--if-needed", "--json"))
    assert done["step"] == "roll back" and "recommender.npz" in done["reason"]
    assert live(place) == made[1].version == done["move"]["version"]
    last = governed().promotions.moves()[-1]
    assert (last.by, last.reason) == ("rollback", done["reason"])
    assert last.reason.startswith("bundle: The bundle") and "is damaged" in last.reason


@pytest.mark.parametrize(
    ("action", "champion", "trained"),
    [
        (Action("nothing", "", "Nothing is beyond its limits."), 1, []),
        (Action("roll back", "quality", "conversion_7d lost to the previous champion."), 0, []),
        (Action("retrain", "drift", "basket_90d drifted."), 1, [Cause("retrain", "drift: basket_90d drifted.")]),
    ],
)
def test_what_the_monitor_asks_for_is_done(
    place: Path, made: list[Bundle], action: Action, champion: int, trained: list[Cause]
) -> None:
    causes: list[Cause] = []
    done = carry_out(action, governed(), causes.append)  # type: ignore[arg-type]
    assert (causes, live(place)) == (trained, made[champion].version)
    assert done.step == action.step and action.words in done.reason


def test_a_training_is_what_is_left_when_there_is_no_way_back(place: Path) -> None:
    governed().roll_back("the first one is the only one left")
    causes: list[Cause] = []
    done = carry_out(Action("roll back", "quality", "It fell."), governed(), causes.append)  # type: ignore[arg-type]
    assert done.step == "retrain"
    assert causes == [Cause("retrain", "quality: It fell. There was no earlier champion to go back to.")]
