"""A whole run: from a log to a champion that loads, with its record in MLflow, and the same again to the digit."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from rich.console import Console

from features.events import DAY, Stage
from features.journey import JOURNEY
from features.log import open_log
from features.log.contract import EventLog
from insights.segments import SEGMENTS
from models.bundle.bundle import Bundle, read_manifest
from models.bundle.promotion_log import Promotions
from models.prediction.tiers import TIERS
from tests.training.shop import log_of
from tests.worlds import OPENING, shop
from training.evaluation.probabilities import ProbabilityTest
from training.fitting import candidates
from training.recommenders import selection
from training.recommenders.item_item import NeighbourSettings
from training.run import pipeline
from training.run.result import TrainingResult
from training.targets import TARGETS as CATALOGUE
from training.tracking import Recorded, Run, store
from waypost.demonstration import key_words, print_calls, report_shop
from waypost.learning import report_training
from waypost.server import check_keys, set_clock
from waypost.tables import table as beside

STARTED = OPENING + 1_000 * DAY
TARGETS = ("conversion_7d", "churn_28d")
STAGES = [stage.name.lower() for stage in Stage]
train = partial(pipeline.train, pictures=False)
"""A training as any other; `test_mlflow_run.py` has the pictures."""


@dataclass
class Trained:
    """A run in a folder of its own."""

    log: EventLog
    result: TrainingResult
    steps: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with log_of(shop(customers=300, days=240), tmp_path_factory.mktemp("shop"), parameters_at_once=10) as log:
        steps: list[tuple[str, int, int]] = []
        result = train(log, TARGETS, started=STARTED, seed=5, progress=lambda *step: steps.append(step))
        yield Trained(log, result, steps)


def test_the_champion_is_made_as_what_was_judged(trained: Trained) -> None:
    result = trained.result
    assert result.promoted and result.folder == Path("data/champion"), [g for g in result.gates if not g.passed]
    loaded = Bundle.load(result.folder, JOURNEY.fingerprint, JOURNEY.names)
    assert loaded.version == result.bundle.version
    for name, target in result.section("targets").items():
        test = target.test
        assert isinstance(test, ProbabilityTest)
        rows, said = test.rows, test.predictions["model"]
        judged, scores = target.fitted.judged, loaded.scorers[name].score_many(rows.features)
        assert scores.tobytes() == target.model.score_many(rows.features).tobytes()
        # The champion has learnt from the test as well; what was judged had not, and is otherwise made the same way.
        assert judged is not None and judged.tier.name == loaded.scorers[name].tier.name
        assert judged.score_many(rows.features).tobytes() == said.tobytes()
        assert scores.tobytes() != said.tobytes()
        card = loaded.manifest.targets[name]
        assert card.metrics["roc_auc"] == target.figures["model"]["roc_auc"].value
        assert 0 < card.base_rate < 1 and card.scope == target.target.scope_text
        assert (card.tier, card.form, card.evidence) == ("lightgbm", "probability", "A")
        assert card.coverage == test.coverage > 0.8 and set(card.losses) == set(TIERS)
        assert card.counts["customers"] > 200 and not card.missing
        parts = card.reliability["stage"]
        assert sum(part["rows"] for part in parts.values()) <= test.evaluation.rows and parts.keys() <= set(STAGES)
        assert all(part["low"] <= part["share"] <= part["high"] for part in parts.values()) and parts
        assert result.to_json()["targets"][name]["reliability"]["stage"] == parts
    titles = [table.title for table in result.tables()]
    assert sum("by stage and channel" in title for title in titles) == len(result.section("targets"))
    assert loaded.recommender.items and loaded.manifest.recommender["ndcg_at_20"] > 0
    assert loaded.manifest.log_offset == trained.log.offset() and loaded.manifest.seed == 5


def test_the_log_knows_what_was_trained_on_it(trained: Trained) -> None:
    noted, span = trained.log.trainings()[0], trained.log.span()
    assert span is not None
    assert (noted.version, noted.until, noted.at) == (trained.result.bundle.version, span[1], STARTED)


def test_the_steps_are_told(trained: Trained) -> None:
    assert [done for _, done, _ in trained.steps] == list(range(trained.steps[-1][2] + 1))
    assert trained.steps[0][0] == "reading the log" and trained.steps[-1][0] == ""


def test_the_run_is_in_mlflow(trained: Trained) -> None:
    """As a whole; `test_tracking.py` has what is under it."""
    result = trained.result
    assert result.ranking is not None
    run = MlflowClient(result.recorded.store).get_run(result.recorded.run_id)
    assert run.data.metrics["recommender/ratio_to_popularity"] == pytest.approx(result.ranking.ratio.value)
    assert run.data.params["recommender.near"] == str(result.ranking.settings.near)
    assert len(run.data.params) > store.PARAMETERS_AT_ONCE
    assert run.data.params["seed"] == "5" and run.data.params["fingerprint"] == JOURNEY.fingerprint
    assert run.data.tags["log_offset"] == str(trained.log.offset()) and "mlflow.source.git.commit" in run.data.tags
    assert run.inputs is not None
    (data,) = run.inputs.dataset_inputs
    assert data.dataset.digest == run.data.params["log_digest"] == run.data.tags["log_digest"]


def test_the_same_seed_gives_the_same_figures_in_a_run_that_mlflow_opened(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient()
    opened = client.create_run(client.create_experiment("elsewhere")).info.run_id
    for name, value in {"targets": "''", "now": "''", "seed": "5"}.items():
        client.log_param(opened, name, value)
    monkeypatch.setenv("MLFLOW_RUN_ID", opened)
    again = train(trained.log, TARGETS, started=STARTED + DAY, seed=5)
    assert again.recorded.run_id == opened
    assert client.get_run(opened).data.metrics["conversion_7d/roc_auc"] > 0.5
    first, second = trained.result.to_json(), again.to_json()
    assert first.pop("mlflow") != second.pop("mlflow")
    # The champion has learnt the answers of this test, so that it is no rival in it.
    assert first == second and again.promoted
    moves = Promotions(Path("data/promotions.jsonl")).moves()
    assert [(move.alias, move.previous) for move in moves] == [
        ("champion", ""),
        ("champion", trained.result.bundle.version),
    ]
    assert moves[0].targets == trained.result.served == trained.result.to_json()["served"]
    assert moves[0].targets.keys() == {*CATALOGUE, "recommender"} and "gates" not in moves[0].to_json()


def test_the_report_is_tables_and_json(trained: Trained) -> None:
    tables = trained.result.tables()
    subjects = ["the", *["conversion_7d"] * 3, *["churn_28d"] * 3, "recommender", "gates", "targets"]
    assert [table.title.replace(":", "").split()[0] for table in tables] == subjects
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    summary = trained.result.summary()
    assert {row[0] for row in summary[0].rows} == set(CATALOGUE)
    for each in (*tables, *summary):
        written = io.StringIO()
        Console(file=written, width=80).print(beside(each.columns, each.rows, 80))
        assert [line for line in written.getvalue().splitlines() if len(line) > 80] == [], each.title
    assert json.loads(json.dumps(trained.result.to_json(), allow_nan=False))["promoted"] is True


def test_the_demo_reports_in_120_lines_of_80_columns(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("WAYPOST_BUNDLE", "WAYPOST_SCOREBOARD", "WAYPOST_KEYS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    report_training(trained.result)
    report_shop("sqlite:///data/shop.db", trained.result.bundle.manifest.now)
    print_calls(3000, key_words(STARTED))
    set_clock("sqlite:///data/shop.db", True)
    check_keys("127.0.0.1", "http://localhost:3000")
    lines = capsys.readouterr().out.splitlines()
    reported = {line.split("  ")[0] for line in lines}
    assert {*CATALOGUE, *STAGES, *(each.title for each in SEGMENTS.values())} <= reported
    # What was imported and where is served are a line each; a call longer than the terminal goes on in the next.
    assert 2 + sum(max(1, -(-len(line) // 80)) for line in lines) <= 120


def test_one_target_is_trained_and_the_other_kept(trained: Trained) -> None:
    early = OPENING + 230 * DAY
    result = train(trained.log, ["conversion_7d"], started=STARTED, now=early, seed=6, challenger=True)
    assert not result.promoted and result.folder == Path("data/challenger") and result.recorded.alias == "challenger"
    challenger = Bundle.load(result.folder, JOURNEY.fingerprint, JOURNEY.names)
    assert challenger.scorers["churn_28d"].files() == trained.result.bundle.scorers["churn_28d"].files()
    assert challenger.scorers["conversion_7d"].files() != trained.result.bundle.scorers["conversion_7d"].files()
    assert challenger.manifest.now <= OPENING + 230 * DAY
    champion = Bundle.load("data/champion", JOURNEY.fingerprint, JOURNEY.names)
    assert champion.version == trained.result.bundle.version
    assert MlflowClient().get_model_version_by_alias("waypost", "champion").tags["bundle"] == champion.version


def test_a_target_that_cannot_be_tested_yet_is_answered_on_the_tier_it_has(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "record", lambda run: Recorded("nowhere", "none", "0", "none"))
    early = OPENING + 120 * DAY
    result = train(trained.log, TARGETS, started=STARTED, now=early, folder=Path("data/early/champion"))
    assert set(result.section("targets")) == {"conversion_7d"} and set(result.section("untested")) == {"churn_28d"}
    card = result.bundle.manifest.targets["churn_28d"]
    assert "192 days" in card.missing == result.skipped["churn_28d"] and card.coverage is None
    assert card.evidence in {"C", "D"} and card.tier in {"logistic", "stage_rate"}
    assert result.tables()[-2].title == "not tested" and json.loads(json.dumps(result.to_json(), allow_nan=False))
    # What was tested is not replaced by what cannot be.
    beside = train(trained.log, TARGETS, started=STARTED, now=early + DAY, folder=Path("data/early/champion"))
    assert beside.promoted is result.promoted is True
    champion = Bundle.load(Path("data/champion"), JOURNEY.fingerprint, JOURNEY.names)
    kept = train(trained.log, ["churn_28d"], started=STARTED, now=early, folder=Path("data/champion"))
    assert kept.bundle.manifest.targets["churn_28d"].goes_on.startswith("The previous model was tested")
    assert kept.bundle.models["churn_28d"].files() == champion.models["churn_28d"].files()
    assert replace(kept.bundle.manifest.targets["churn_28d"], goes_on="") == champion.manifest.targets["churn_28d"]


def test_an_empty_shop_has_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "record", lambda run: Recorded("nowhere", "none", "0", "none"))
    log = open_log(str(tmp_path / "empty.db"))
    result = train(log, started=STARTED, folder=tmp_path / "champion")
    log.close()
    assert result.promoted and not result.section("targets")
    loaded = Bundle.load(tmp_path / "champion", JOURNEY.fingerprint, JOURNEY.names)
    row = np.full(len(JOURNEY.names), np.nan, np.float32)
    for name, scorer in loaded.scorers.items():
        said, card = scorer.estimate(row), loaded.manifest.targets[name]
        assert said.value == pytest.approx(card.prior) and said.low < said.value < said.high
        assert card.evidence == "E" and card.counts["rows"] == 0


def test_what_came_after_now_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "ROUNDS", 5)
    runs: list[Run] = []

    def keep(run: Run) -> Recorded:
        runs.append(run)
        return Recorded("nowhere", "none", "0", "none")

    monkeypatch.setattr(pipeline, "record", keep)
    now, rows = OPENING + 130 * DAY, shop(customers=100, days=140).rows()
    for name, events in {"longer": rows, "shorter": [row for row in rows if row.received <= now]}.items():
        log = open_log(str(tmp_path / f"{name}.db"))
        log.append(events, history=True)
        train(log, ["conversion_7d"], started=STARTED, now=now, folder=tmp_path / name / "champion")
        log.close()
    longer, shorter = runs
    assert longer.bundle.version == shorter.bundle.version and longer.log_digest == shorter.log_digest
    used = sum(row.received <= now for row in rows)
    assert longer.bundle.manifest.log_offset == used < len(rows) and longer.parameters["events"] == used
    assert longer.bundle.manifest.now == max(row.received for row in rows if row.received <= now)


def test_a_bundle_is_on_disk_before_it_is_registered(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the settings that was tuned is recorded although there was nothing to judge it by."""
    monkeypatch.setattr(candidates, "ROUNDS", 5)
    settings = NeighbourSettings(near=0.7, prior=0.2)
    monkeypatch.setattr(selection, "best_settings", lambda *asked: settings)
    monkeypatch.setattr(selection, "evaluate_recommender", lambda *asked: None)

    def refuse(run: Run) -> Recorded:
        versions = {read_manifest(place).version for place in (tmp_path / "bundles").iterdir()}
        assert versions == {run.bundle.version}
        assert (run.parameters["recommender.near"], run.parameters["recommender.prior"]) == (0.7, 0.2)
        raise ConnectionError("the registry is away")

    monkeypatch.setattr(pipeline, "record", refuse)
    with pytest.raises(ConnectionError, match="away"):
        train(trained.log, ["conversion_7d"], started=STARTED, folder=tmp_path / "champion")
