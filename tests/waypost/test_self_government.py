"""Self-government from end to end: a shop trained by the pipeline, a fault, time that goes on, and the command.

What is noticed, within how many events or ripened rows, what is done about it, what the promotion log says of it, and
that a server answers from a good bundle afterwards. `tests/training/monitoring/test_faults.py` has the clean periods.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from features.events import DAY, Event, Kind
from features.journey import JOURNEY
from features.log import open_log
from models.bundle.bundle import Bundle
from models.bundle.promotion_log import Cause
from models.prediction.calibration import Calibration
from models.prediction.scorer import Scorer
from tests.serving.conftest import Place, serve
from tests.tracking import empty_store
from tests.worlds import OPENING, World, shop
from training.fitting import candidates
from training.fitting.intervals import log_odds
from training.fitting.tier_selection import select_tier
from training.monitoring.alarms import NOTICED_ANSWERS, NOTICED_DRIFT
from training.rows.dataset import gathered
from training.rows.shop import read_shop
from training.run.pipeline import train
from training.targets import TARGETS, declared
from waypost import app
from waypost.models import governed

TRAINED = OPENING + 200 * DAY
ASKED = {name: TARGETS[name] for name in ("conversion_7d", "churn_28d")}
RIPE = 38
"""Days after the training when there are answers of both targets, and of neither more than `NOTICED_ANSWERS`."""

PATIENCE_SECONDS = 20.0
"""How long a server may take to look at its bundle again, on a busy machine."""

Fault = Callable[[Event], Event | None]
"""What a broken source makes of an event; None when it does not send it."""


@dataclass(frozen=True)
class Simulated:
    """A shop in a folder of its own: its store, its bundles, and the world that its events come from."""

    folder: Path
    world: World

    @property
    def store(self) -> str:
        """URL of the store."""
        return f"sqlite:///{self.folder}/data/waypost.db"

    @property
    def champion(self) -> Path:
        """The folder that servers read."""
        return self.folder / "data" / "champion"

    def goes_on(self, start: int, end: int, fault: Fault = lambda event: event) -> list[Event]:
        """What happens from a day after the training to another comes in, through this fault. What came."""
        since, until = TRAINED + start * DAY, TRAINED + end * DAY
        sent = [fault(event) for event in self.world.rows() if since < event.received <= until]
        came = [event for event in sent if event is not None]
        append(self.store, came)
        return came

    def live(self) -> Bundle:
        """The bundle that servers read."""
        return Bundle.load(self.champion, JOURNEY.fingerprint, JOURNEY.names)

    def governs_itself(self) -> dict[str, Any]:
        """What `waypost retrain --if-needed` says that it did."""
        return waypost("retrain", "--if-needed", "--json")

    def report(self) -> dict[str, Any]:
        """What the monitor found then."""
        found: dict[str, Any] = json.loads((self.folder / "data" / "monitor.json").read_text())
        return found

    def alarms(self, kind: str) -> set[str]:
        """What its alarms of one kind are about."""
        return {each["subject"] for each in self.report()["alarms"] if each["kind"] == kind}


def waypost(*words: str) -> dict[str, Any]:
    """The answer of a command, as JSON."""
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def append(store: str, events: Sequence[Event]) -> None:
    """Append events to a store."""
    log = open_log(store)
    log.append(events, history=True)
    log.close()


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """A shop with a champion of two targets that the pipeline trained."""
    folder = tmp_path_factory.mktemp("settled")
    made = Simulated(folder, shop(customers=300, days=240))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        empty_store(folder / "mlflow.db")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        patch.setattr(candidates, "ROUNDS", 40)
        patch.setattr(declared, "TARGETS", ASKED)
        patch.setattr("waypost.retrain.step_back", lambda: None)  # it would slow the tests that come after
        made.champion.parent.mkdir()
        append(made.store, [event for event in made.world.rows() if event.received <= TRAINED])
        log = open_log(made.store)
        result = train(
            log, started=TRAINED, seed=5, folder=made.champion, cause=Cause("train", "the first"), pictures=False
        )
        log.close()
        assert result.promoted and set(result.section("targets")) == set(ASKED)
        yield made


@pytest.fixture
def shopping(settled: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulated:
    """The same shop as it was after the training, for one test alone."""
    shutil.copytree(settled.folder / "data", tmp_path / "data")
    copied = replace(settled, folder=tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYPOST_STORE", copied.store)
    monkeypatch.setenv("WAYPOST_BUNDLE", str(copied.champion))
    return copied


def flipped(settled: Simulated) -> Bundle:
    """The champion that the same rows give when yes is taken for no."""
    log = open_log(settled.store)
    known = read_shop(log, TRAINED, TRAINED, JOURNEY)
    log.close()
    scorers = {}
    for name, target in ASKED.items():
        found = gathered(target, JOURNEY, known.past, known.start, known.end, seed=5)
        turned = replace(found, rows=replace(found.rows, labels=1 - found.rows.labels))
        scorers[name] = select_tier(turned, 5).scorer
    return with_scorers(settled.live(), scorers)


def shifted(settled: Simulated) -> Bundle:
    """The champion with every log-odds too high by one."""
    good = settled.live()
    raw = 1.0 / (1.0 + np.exp(-np.linspace(-9.0, 9.0, 181)))
    scorers = {}
    for name, each in good.scorers.items():
        values = 1.0 / (1.0 + np.exp(-log_odds(each.calibration.apply_many(raw)) - 1.0))
        scorers[name] = Scorer(name, each.tier, Calibration.isotonic(raw.tolist(), values.tolist()), each.intervals)
    return with_scorers(good, scorers)


def with_scorers(bundle: Bundle, scorers: Mapping[str, Scorer]) -> Bundle:
    """A bundle with other scorers."""
    cards = {
        name: replace(card, tier=scorers[name].tier.name, calibration=scorers[name].shape.kind)
        for name, card in bundle.manifest.targets.items()
    }
    return bundle.changed(replace(bundle.manifest, targets=cards), scorers)


def judged(shopping: Simulated) -> int:
    """Ripened rows of the target that has most of them."""
    return max(int(each["rows"]) for each in shopping.report()["realised"].values())


def test_a_clean_month_is_no_reason_for_anything(shopping: Simulated) -> None:
    shopping.goes_on(0, RIPE)
    before = governed().promotions.moves()
    assert shopping.governs_itself()["step"] == "nothing"
    assert shopping.report()["alarms"] == [] and governed().promotions.moves() == before
    assert set(shopping.report()["realised"]) == set(ASKED)


def test_amounts_that_become_a_constant_are_trained_away(shopping: Simulated) -> None:
    """Every order is of the same amount: noticed once `NOTICED_DRIFT` customers had an event since, at the latest."""
    good = shopping.live().version
    shopping.goes_on(0, 8)
    came = shopping.goes_on(8, 26, lambda event: replace(event, amount=20.0))
    assert len({event.customer for event in came}) <= NOTICED_DRIFT
    done = shopping.governs_itself()
    assert done["step"] == "retrain" and done["reason"].startswith("drift: The feature ")
    assert "spend_gross_28d" in shopping.alarms("drift") or "basket_value_latest" in shopping.alarms("drift")
    moves = waypost("models", "history", "--json")["moves"]
    assert [move["by"] for move in moves] == ["train", "retrain"]
    made = done["training"]["bundle"]["version"]
    assert (moves[-1]["version"], moves[-1]["previous"], moves[-1]["reason"]) == (made, good, done["reason"])
    assert (
        done["training"]["promoted"]
        and set(moves[-1]["targets"]) == {*ASKED, "recommender"}
        and shopping.live().version == made
    )
    assert shopping.governs_itself()["step"] == "nothing"


def test_orders_that_stop_coming_are_not_learnt(shopping: Simulated) -> None:
    """A week without them is enough; nothing is moved, and nothing trained."""
    shopping.goes_on(0, 8)
    shopping.goes_on(8, 15, lambda event: None if event.kind == Kind.PURCHASE else event)
    before = governed().promotions.moves()
    done = shopping.governs_itself()
    assert done["step"] == "nothing" and "Repair the source first" in done["reason"]
    assert done["reason"].startswith("volume: ") and shopping.alarms("volume") == {"purchase"}
    assert governed().promotions.moves() == before


@pytest.mark.parametrize(("made", "by"), [(flipped, "hand"), (shifted, "promote")])
def test_a_wrong_champion_is_rolled_back_while_a_server_runs(
    settled: Simulated, shopping: Simulated, made: Callable[[Simulated], Bundle], by: str
) -> None:
    """Yes taken for no, or log-odds too high by one: noticed within `NOTICED_ANSWERS` ripened rows of a target."""
    good, wrong = shopping.live().version, made(settled)
    shopping.goes_on(0, RIPE)
    with served(shopping) as client:
        before = answered_by(client, good)
        if by == "hand":
            wrong.save(shopping.champion)
        else:
            governed().archive.keep(wrong)
            waypost("models", "promote", wrong.version, "--reason", "it looked better", "--json")
        assert answered_by(client, wrong.version)["results"] != before["results"]
        done = shopping.governs_itself()
        assert answered_by(client, good)["results"] == before["results"]
    assert done["step"] == "roll back" and done["reason"].startswith("quality: The previous champion answers ")
    assert judged(shopping) <= NOTICED_ANSWERS and shopping.alarms("calibration")
    assert history() == [("train", good), (by, wrong.version), ("rollback", good)]
    assert (done["move"]["version"], done["move"]["previous"]) == (good, wrong.version)
    assert waypost("models", "history", "--json")["moves"][-1]["reason"] == done["reason"]
    assert shopping.governs_itself()["step"] == "nothing" and shopping.live().version == good


def test_the_level_follows_the_shop_without_a_training(shopping: Simulated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three orders stop coming: the models stay, their levels move, and the log says why."""
    monkeypatch.setattr("waypost.recalibrate.step_back", lambda: None)
    good, draw = shopping.live(), np.random.default_rng(4)
    lost: dict[int, bool] = {}
    shopping.goes_on(0, 30, lambda event: None if lost.setdefault(event.at, bool(draw.random() < 0.67)) else event)
    done = waypost("recalibrate", "--json")
    after = shopping.live()
    assert after.version == done["version"] != good.version and done["reason"].startswith("The level of c")
    for name, sign in (("conversion_7d", -1), ("churn_28d", 1)):
        level = after.scorers[name].level
        assert (level.shift - good.scorers[name].level.shift) * sign > 0.1
        assert done["levels"][name]["after"] == level.to_fields()
        assert after.scorers[name].at(good.scorers[name].level).files() == good.scorers[name].files()
    assert history() == [("train", good.version), ("recalibrate", after.version)]
    assert governed().fallbacks() == [], "the same models are no way back"
    again = waypost("recalibrate", "--json")
    assert again["version"] is None and history()[-1] == ("recalibrate", after.version)


def test_a_damaged_champion_is_put_back_while_a_server_runs(shopping: Simulated) -> None:
    """Noticed before another event: the files are not what was written. No answer is of anything else meanwhile."""
    good = shopping.live().version
    with served(shopping) as client:
        before = answered_by(client, good)
        damaged = shopping.champion / "recommender.npz"
        damaged.write_bytes(damaged.read_bytes()[:-100])
        until(lambda: "recommender.npz" in client.get("/readyz").text)
        assert answered_by(client, good)["results"] == before["results"]
        done = shopping.governs_itself()
        until(lambda: "recommender.npz" not in client.get("/readyz").text)
        assert answered_by(client, good)["results"] == before["results"]
    assert done["step"] == "roll back" and "recommender.npz is not the file that was written" in done["reason"]
    assert history() == [("train", good), ("rollback", good)] and shopping.live().version == good


def served(shopping: Simulated) -> TestClient:
    """A server at the shop, where it is the end of the month after the training."""
    return serve(Place(shopping.folder, shopping.champion, TRAINED + RIPE * DAY))


def answered_by(client: TestClient, version: str) -> dict[str, Any]:
    """Scores that the bundle of this version answers, as soon as it does."""

    def ask() -> dict[str, Any]:
        response = client.post("/v1/scores", json={"customers": ["c1", "c2", "c3"]})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    until(lambda: ask()["model"]["version"] == version)
    return ask()


def until(holds: Callable[[], bool]) -> None:
    """Return once this holds; a server looks at its bundle once a second."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def history() -> list[tuple[str, str]]:
    """Who moved the champion, and to which version, as `waypost models history` has it."""
    moves = waypost("models", "history", "--json")["moves"]
    return [(move["by"], move["version"]) for move in moves if move["alias"] == "champion"]
