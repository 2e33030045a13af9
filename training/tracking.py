"""MLflow: what a training run leaves behind. The only file that knows MLflow.

The store is `sqlite:///mlruns/mlflow.db` with artifacts in `mlruns/artifacts`, or wherever `MLFLOW_TRACKING_URI`
points. `mlflow run` opens a run before it calls us; that run is used. An alias has no history in MLflow, so every
move of one is also written to `promotions.jsonl` beside the store.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

# MLflow reads these when it is imported: no calls to its makers, nothing but warnings in the log.
for _setting, _value in (
    ("MLFLOW_DISABLE_TELEMETRY", "true"),
    ("DO_NOT_TRACK", "true"),
    ("MLFLOW_DISABLE_AGENT_HINT", "1"),
    ("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"),
    ("GIT_PYTHON_REFRESH", "quiet"),
):
    os.environ.setdefault(_setting, _value)

import lightgbm  # noqa: E402
import mlflow  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from mlflow.data.code_dataset_source import CodeDatasetSource  # noqa: E402
from mlflow.data.meta_dataset import MetaDataset  # noqa: E402
from mlflow.entities import Metric, Param, RunTag  # noqa: E402
from mlflow.models import infer_signature  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from models.bundle import Bundle, read_manifest  # noqa: E402

STORE = "sqlite:///mlruns/mlflow.db"
ARTIFACTS = Path("mlruns") / "artifacts"
EXPERIMENT = "waypost"
MODEL = "waypost"
PROMOTIONS = "promotions.jsonl"
PARAMETERS_AT_ONCE, METRICS_AT_ONCE = 100, 1000
"""What MLflow takes in one call."""
CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True, eq=False)
class Run:
    """What one training run has to say.

    `log_digest` names the data, `files` are artifacts by name, `example` is a few rows of features, float32[n, f];
    `gates` are as in the report, `at` is microseconds.
    """

    name: str
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    log_digest: str
    files: Mapping[str, bytes]
    example: NDArray[np.float32]
    bundle: Bundle
    targets: tuple[str, ...]
    gates: Sequence[Mapping[str, Any]]
    champion: bool
    at: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where a run was recorded, and as which version of the registered model, under which alias."""

    store: str
    run_id: str
    version: str
    alias: str


class BundleModel:
    """The registered model: features in (a column each), the calibrated probability of every target out."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """A frame with a column for every target, in the order of the rows; there are no `params`."""
        rows = model_input[list(self.bundle.manifest.features)].to_numpy(dtype=np.float32)
        return pd.DataFrame({name: scorer.score_many(rows) for name, scorer in self.bundle.scorers.items()})


def _load_pyfunc(path: str) -> BundleModel:
    """What MLflow calls to load the registered model: the bundle in `path`, whatever fold it was made with."""
    manifest = read_manifest(path)
    return BundleModel(Bundle.load(path, manifest.fingerprint, manifest.features))


def record(run: Run) -> Recorded:
    """Write the run, its models and its bundle to MLflow, register the bundle and move the alias."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    store = _open_store()
    with warnings.catch_warnings():
        # Advice about columns of integers and pickles, which there are none of.
        warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
        with _start(run) as active:
            run_id = active.info.run_id
            # Numbers last: MLflow copies the history of every metric there is so far to every model it logs.
            _write_files(run)
            uri = _write_models(run)
            _write_numbers(run, run_id)
        registered = _register(run, run_id, uri, promotions_of(store))
    return Recorded(store, run_id, registered, CHAMPION if run.champion else CHALLENGER)


def _open_store() -> str:
    """Point MLflow at the store, whose folder is made if need be."""
    chosen = os.environ.get("MLFLOW_TRACKING_URI")
    if not chosen:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(chosen or STORE)
    return mlflow.get_tracking_uri()


def _start(run: Run) -> mlflow.ActiveRun:
    """The run that `mlflow run` opened for us, else a new one in our experiment, which is made if need be."""
    if "MLFLOW_RUN_ID" in os.environ:
        return mlflow.start_run()
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return mlflow.start_run(experiment_id=experiment.experiment_id, run_name=run.name)
    place = None if os.environ.get("MLFLOW_TRACKING_URI") else ARTIFACTS.resolve().as_uri()
    return mlflow.start_run(experiment_id=mlflow.create_experiment(EXPERIMENT, place), run_name=run.name)


def _write_numbers(run: Run, run_id: str) -> None:
    metrics = [Metric(key, float(value), run.at // 1000, 0) for key, value in run.metrics.items() if np.isfinite(value)]
    parameters = [Param(key, str(value)) for key, value in run.parameters.items()]
    tags = [RunTag(key, value) for key, value in run.tags.items()]
    client = MlflowClient()
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS_AT_ONCE])
    for start in range(0, len(parameters), PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=parameters[start : start + PARAMETERS_AT_ONCE])
    client.log_batch(run_id, tags=tags)
    source = CodeDatasetSource({"log_digest": run.log_digest})
    events = MetaDataset(source, name="event log", digest=run.log_digest)  # type: ignore[abstract]
    mlflow.log_input(events, context="training")


def _write_files(run: Run) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in run.files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        mlflow.log_artifacts(folder)


def _write_models(run: Run) -> str:
    """Log each scorer's trees and the whole bundle; the URI of the bundle's model."""
    bundle = run.bundle
    example = pd.DataFrame(run.example, columns=list(bundle.manifest.features))
    needs = [f"lightgbm=={version('lightgbm')}", f"numpy=={version('numpy')}", f"pandas=={version('pandas')}"]
    for name in run.targets:
        scorer = bundle.scorers[name]
        mlflow.lightgbm.log_model(
            lightgbm.Booster(model_str=scorer.rung.to_bytes().decode()),
            name=name,
            signature=infer_signature(example, scorer.raw_many(run.example)),
            input_example=example,
            pip_requirements=needs,
        )
    answers = pd.DataFrame({name: scorer.score_many(run.example) for name, scorer in bundle.scorers.items()})
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "bundle"
        bundle.save(place)
        mlflow.log_artifacts(str(place), "bundle")
        logged = mlflow.pyfunc.log_model(
            name=MODEL,
            loader_module=__name__,
            data_path=str(place),
            signature=infer_signature(example, answers),
            input_example=example,
            pip_requirements=needs,
        )
    return str(logged.model_uri)


def promotions_of(store: str) -> Path:
    """The log of promotions of this store: beside its database, among its files, or in `mlruns` for a server."""
    scheme, _, path = store.partition("://")
    if scheme == "sqlite":
        return Path(path.removeprefix("/")).parent / PROMOTIONS
    if scheme == "file":
        return Path(path) / PROMOTIONS
    return ARTIFACTS.parent / PROMOTIONS


def _register(run: Run, run_id: str, uri: str, promotions: Path) -> str:
    """A new version of the registered model, with the alias that it earned; both are written to `promotions`."""
    client = MlflowClient()
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL, description="Waypost: scorers and recommender of a shop's customers.")
    made = client.create_model_version(MODEL, uri, run_id, description=json.dumps(dict(run.tags), indent=2))
    number = str(made.version)
    client.set_model_version_tag(MODEL, number, "bundle", run.bundle.version)
    alias = CHAMPION if run.champion else CHALLENGER
    previous = client.get_registered_model(MODEL).aliases.get(CHAMPION)
    client.set_registered_model_alias(MODEL, alias, number)
    line = {
        "started": run.at,
        "version": number,
        "bundle": run.bundle.version,
        "run_id": run_id,
        "alias": alias,
        "previous_champion": None if previous is None else str(previous),
        "gates": list(run.gates),
    }
    promotions.parent.mkdir(parents=True, exist_ok=True)
    with promotions.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return number
