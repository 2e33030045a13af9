"""Studies: folds that lie in time, trials that are kept, and settings that the next training finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest

from tests.tracking import empty_store
from tests.training.shop import rows
from training.fitting import tuned
from training.fitting.calibration import settings
from training.fitting.tuned import SPACE, BadStudy, TunedSettings, place_of, read_study
from training.rows.dataset import Dataset, joined
from training.rows.schedule import NotEnoughHistory
from training.run import tuning
from training.run.tuning import folds_of, study
from training.tracking import Trials
from training.tracking.store import STORE

AT = 1_700_000_000_000_000
CHAMPION = Path("data/champion")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, and trials of a few trees."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    empty_store(STORE)
    monkeypatch.setattr(tuning, "ROUNDS", 5)
    return tmp_path


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials that are not written to MLflow, whose store takes seconds to make."""

    class Nowhere:
        def __enter__(self) -> Nowhere:
            return self

        def __exit__(self, *_: object) -> None: ...

        def write(self, trial: object) -> None: ...

        def conclude(self, *_: object) -> None: ...

    monkeypatch.setattr(Trials, "of", lambda *_: Nowhere())


@pytest.fixture(scope="module")
def data() -> Dataset:
    return rows("conversion_7d")


def sitting(data: Dataset, seed: int = 1, folder: Path = CHAMPION) -> TunedSettings:
    """One trial."""
    return study(data, minutes=0.0, seed=seed, at=AT, folder=folder, storage=folder.with_name("studies.db"))


def test_no_answer_that_is_learnt_reaches_into_the_rows_that_judge_it(data: Dataset) -> None:
    folds = folds_of(data)
    known = joined([data.fit, data.stop])
    assert len(folds) == len(tuning.EDGES) - 1
    for earlier, later in folds:
        assert earlier.cutoff.max() + data.target.horizon <= later.cutoff.min()
        assert np.isin(later.cutoff, known.cutoff).all()
    judged = np.concatenate([later.cutoff for _, later in folds])
    assert (np.diff(judged[np.argsort(judged, kind="stable")]) >= 0).all() and judged.max() == known.cutoff.max()
    assert judged.max() + data.target.horizon <= data.calibrate.cutoff.min()


def test_rows_that_make_no_fold_are_refused(data: Dataset) -> None:
    none = data.fit.where(np.zeros(len(data.fit), bool))
    with pytest.raises(NotEnoughHistory, match="make no fold"):
        folds_of(replace(data, fit=none, stop=data.stop.where(data.stop.labels == 0)))


def test_a_study_is_recorded_and_left_for_the_next_training(data: Dataset) -> None:
    found = sitting(data)
    assert found == read_study(CHAMPION, "conversion_7d")
    assert found.parameters == {name: settings(1, 1)[name] for name in SPACE}
    assert found.log_loss == found.usual_log_loss and (found.trials, found.pruned) == (1, 0)
    runs = mlflow.search_runs(experiment_names=["waypost/conversion_7d"], output_format="list")
    trial, whole = sorted(runs, key=lambda run: "mlflow.parentRunId" not in run.data.tags)
    assert trial.data.tags["mlflow.parentRunId"] == whole.info.run_id and trial.data.tags["pruned"] == "false"
    assert whole.data.metrics["log_loss"] == trial.data.metrics["log_loss"] == pytest.approx(found.log_loss)
    folds = [trial.data.metrics[f"fold_{number}/log_loss"] for number in (1, 2, 3)]
    assert np.mean(folds) == pytest.approx(found.log_loss)


@pytest.mark.usefixtures("silent")
def test_a_study_goes_on_where_it_stopped_and_the_seed_decides(data: Dataset, tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "champion", tmp_path / "other" / "champion"
    for folder in (one, other):
        folder.parent.mkdir()
    sittings = [[sitting(data, seed=4, folder=folder) for _ in range(3)] for folder in (one, other)]
    assert [each.trials for each in sittings[0]] == [1, 2, 3]
    assert sittings[0] == sittings[1]
    losses = [each.log_loss for each in sittings[0]]
    assert losses == sorted(losses, reverse=True) and losses[-1] <= sittings[0][-1].usual_log_loss


@pytest.mark.usefixtures("silent")
def test_a_study_of_new_rows_begins_with_the_best_before(data: Dataset) -> None:
    usual = {name: settings(1, 1)[name] for name in SPACE}
    before = TunedSettings("conversion_7d", {**usual, "num_leaves": 4}, 0.5, 0.6, 9, 2, 1, "other rows")  # type: ignore[dict-item]
    tuned.write_study(CHAMPION, before)
    sitting(data)
    second = sitting(data)
    assert second.trials == 2 and second.parameters["num_leaves"] in (4, usual["num_leaves"])


@pytest.mark.parametrize("content", ["", "[]", '{"target": "conversion_7d"}'])
def test_a_damaged_study_says_which_file_and_what_to_run(content: str) -> None:
    place = place_of(CHAMPION, "conversion_7d")
    assert read_study(CHAMPION, "conversion_7d") is None
    place.parent.mkdir(parents=True)
    place.write_text(content)
    with pytest.raises(BadStudy, match=r"studies/conversion_7d\.json .* `waypost train --study MINUTES conversion_7d`"):
        read_study(CHAMPION, "conversion_7d")
