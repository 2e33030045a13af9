"""What a training leaves in MLflow: runs, data, figures, cards, registered models, and aliases that follow ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from features.events import DAY
from features.journey import JOURNEY
from features.log.contract import EventLog
from models.bundle import answers as estimates
from models.bundle.promotion_log import Move
from tests.training.shop import log_of
from tests.worlds import OPENING, shop
from training.evaluation.probabilities import ProbabilityTest
from training.rows.slices import SLICES, digest_of
from training.run.cards import summary
from training.run.pipeline import train
from training.run.result import TrainingResult
from training.tracking import follow

STARTED = OPENING + 1_000 * DAY
TARGETS = ("churn_28d", "lifetime_value_90d", "next_stage_28d")


@dataclass
class Recorded:
    """A training in a folder of its own, and the client of its store."""

    log: EventLog
    result: TrainingResult
    client: MlflowClient

    def aliases(self, name: str) -> dict[str, str]:
        """The versions that the aliases of a registered model name."""
        return {alias: str(number) for alias, number in self.client.get_registered_model(name).aliases.items()}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with log_of(shop(customers=250, days=260), tmp_path_factory.mktemp("shop"), parameters_at_once=5) as log:
        result = train(log, TARGETS, started=STARTED, seed=5)
        yield Recorded(log, result, MlflowClient(result.recorded.store))


def frame(rows: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Features as a data scientist has them: in doubles."""
    return pd.DataFrame(rows.astype(np.float64), columns=list(JOURNEY.names))


def probability(recorded: Recorded, name: str) -> ProbabilityTest:
    """The test of a target that answers with a probability."""
    test = recorded.result.section("targets")[name].test
    assert isinstance(test, ProbabilityTest)
    return test


def rows_of(recorded: Recorded) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(probability(recorded, "churn_28d").rows.features[:40])


def test_every_registered_model_says_what_the_server_says(recorded: Recorded) -> None:
    bundle, rows = recorded.result.bundle, rows_of(recorded)
    told = [
        {
            name: estimates.estimate_fields(bundle.manifest.targets[name].form, bundle.models[name].estimate(row))
            for name in TARGETS
        }
        for row in rows
    ]
    for name in TARGETS:
        answers = mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(frame(rows))
        for said, answer in zip(told, answers.to_dict("records"), strict=True):
            expected = said[name]
            if name == "next_stage_28d":
                assert answer == {**expected["stages"], "days": expected["expected_days"]}
            else:
                value = "probability" if name == "churn_28d" else "amount"
                assert (answer[value], answer["rank_percentile"]) == (expected[value], expected["rank_percentile"])
                assert {"low": answer["low"], "high": answer["high"]} == expected["interval"]
                assert answer["rank_band"] == expected["rank_band"]
    whole = mlflow.pyfunc.load_model("models:/waypost@champion").predict(frame(rows))
    probabilities = bundle.scorers["churn_28d"].score_many(rows)
    assert whole["churn_28d.probability"].to_numpy().tobytes() == probabilities.tobytes()


def test_the_trees_are_loaded_by_lightgbm(recorded: Recorded) -> None:
    rows = rows_of(recorded)
    booster = mlflow.lightgbm.load_model("models:/churn_28d@champion")
    raw = recorded.result.bundle.scorers["churn_28d"].raw_many(rows)
    assert booster.predict(rows).tobytes() == raw.tobytes()
    assert booster.feature_name() == list(JOURNEY.names)


def test_models_have_signature_example_and_needs(recorded: Recorded) -> None:
    for name in (*TARGETS, "waypost"):
        described: Any = mlflow.models.get_model_info(f"models:/{name}@champion")
        assert described.signature.inputs.input_names() == list(JOURNEY.names)
        assert described.saved_input_example_info is not None
        needs = Path(mlflow.artifacts.download_artifacts(f"models:/{name}@champion/requirements.txt")).read_text()
        assert {line.partition("==")[0] for line in needs.split()} >= {"lightgbm", "numpy", "pandas"}


def test_the_runs_of_the_targets_are_nested_in_experiments_of_their_own(recorded: Recorded) -> None:
    parent = recorded.client.get_run(recorded.result.recorded.run_id)
    whole = recorded.client.get_experiment_by_name("waypost")
    assert whole is not None and parent.info.experiment_id == whole.experiment_id
    assert set(recorded.result.recorded.targets) == set(TARGETS)
    for name, run_id in recorded.result.recorded.targets.items():
        run = recorded.client.get_run(run_id)
        own = recorded.client.get_experiment_by_name(f"waypost/{name}")
        assert own is not None and run.info.experiment_id == own.experiment_id
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.tags["bundle"] == recorded.result.bundle.version
        assert run.data.params["tier"] == recorded.result.bundle.manifest.targets[name].tier


def test_the_rows_are_inputs_with_a_digest_for_every_slice(recorded: Recorded) -> None:
    for name, run_id in recorded.result.recorded.targets.items():
        inputs: Any = recorded.client.get_run(run_id).inputs
        digests = {each.tags[0].value: each.dataset.digest for each in inputs.dataset_inputs}
        parted = not recorded.result.bundle.manifest.targets[name].missing
        assert set(digests) == (set(SLICES) if parted else set()) and len(set(digests.values())) == len(digests)
        if name == "churn_28d":
            assert digests["test"] == digest_of(probability(recorded, name).rows)


def test_every_figure_is_there_with_its_interval(recorded: Recorded) -> None:
    run = recorded.client.get_run(recorded.result.recorded.targets["churn_28d"])
    evaluation = probability(recorded, "churn_28d").evaluation
    for model, figures in evaluation.figures.items():
        for metric, figure in figures.items():
            prefix = metric if model == "model" else f"{model}/{metric}"
            found = [run.data.metrics[f"{prefix}{end}"] for end in ("_low", "", "_high")]
            assert found == [figure.low, figure.value, figure.high]
    assert run.data.metrics["over_rfm_logistic/roc_auc"] == evaluation.over["rfm_logistic"]["roc_auc"].value
    parent = recorded.client.get_run(recorded.result.recorded.run_id)
    assert parent.data.metrics["churn_28d/roc_auc"] == evaluation.figures["model"]["roc_auc"].value


def test_pictures_and_cards_are_artifacts_and_the_version_is_described(recorded: Recorded) -> None:
    run_id, cards = recorded.result.recorded.targets["churn_28d"], recorded.result.bundle.manifest.targets
    plots = {Path(each.path).stem for each in recorded.client.list_artifacts(run_id, "plots")}
    assert plots == {"calibration", "lift", "drift", "learning_curve", "importance"}
    for name, run_id in recorded.result.recorded.targets.items():
        card = Path(recorded.client.download_artifacts(run_id, "card.md")).read_text(encoding="utf-8")
        assert card.startswith(f"# {name}\n") and cards[name].definition in card
        version = recorded.client.get_model_version_by_alias(name, "champion")
        assert version.description == summary(cards[name])


def move(alias: str, version: str) -> Move:
    return Move(STARTED, alias, version, "", "promote", "asked")  # type: ignore[arg-type]


def test_aliases_move_together_and_follow_ours(recorded: Recorded) -> None:
    first = {name: recorded.aliases(name)["champion"] for name in (*TARGETS, "waypost")}
    recorded.client.create_registered_model("somebody_elses")
    recorded.client.create_model_version("somebody_elses", "models:/waypost/1")
    recorded.client.set_registered_model_alias("somebody_elses", "champion", "1")
    challenger = train(recorded.log, ["churn_28d"], started=STARTED + DAY, seed=6, challenger=True, pictures=False)
    assert challenger.recorded.alias == "challenger" and not challenger.promoted
    assert {name: recorded.aliases(name)["champion"] for name in first} == first
    for alias in ("challenger", "shadow"):
        assert recorded.aliases("churn_28d")[alias] == str(int(first["churn_28d"]) + 1)
        # What was not trained is the same version of its registered model.
        assert recorded.aliases("lifetime_value_90d")[alias] == first["lifetime_value_90d"]
    follow(move("champion", challenger.bundle.version))
    assert recorded.aliases("churn_28d")["champion"] == str(int(first["churn_28d"]) + 1)
    assert recorded.aliases("waypost")["champion"] == challenger.recorded.version
    follow(move("champion", recorded.result.bundle.version))
    assert {name: recorded.aliases(name)["champion"] for name in first} == first
    follow(move("shadow", "never recorded"))
    assert all("shadow" not in recorded.aliases(name) for name in first)
    assert recorded.aliases("somebody_elses") == {"champion": "1"}
