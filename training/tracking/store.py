"""The store of runs: `sqlite:///mlruns/mlflow.db` with artifacts in `mlruns/artifacts`, or `MLFLOW_TRACKING_URI`."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

STORE = Path("mlruns") / "mlflow.db"
ARTIFACTS = Path("mlruns") / "artifacts"
WHOLE = "waypost"
"""The experiment of whole runs; the names of targets' experiments begin with it."""

PARAMETERS_AT_ONCE, METRICS_AT_ONCE = 100, 1000
"""The most that MLflow accepts in one call."""


def open_store() -> str:
    """Point MLflow at the store, whose folder is created if need be; returns the store's URI."""
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    chosen = os.environ.get("MLFLOW_TRACKING_URI")
    if not chosen:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
    # MLflow caches stores by URI, so that a relative one would keep the working folder of its first use.
    mlflow.set_tracking_uri(chosen or f"sqlite:///{STORE.resolve()}")
    return mlflow.get_tracking_uri()


def experiment(target: str = "") -> str:
    """The id of a target's experiment, or of that of whole runs; it is created if need be."""
    name = f"{WHOLE}/{target}" if target else WHOLE
    existing = mlflow.get_experiment_by_name(name)
    if existing is not None:
        return str(existing.experiment_id)
    place = None if os.environ.get("MLFLOW_TRACKING_URI") else ARTIFACTS.resolve().as_uri()
    return str(mlflow.create_experiment(name, place))


@contextmanager
def running(name: str, target: str = "", *, nested: bool = False) -> Iterator[str]:
    """Open a run in its experiment, under the open run if it is `nested`, and give its id.

    Without a `target` it is the run that `mlflow run` opened, if there is one.
    """
    with warnings.catch_warnings():
        # MLflow's advice on integer columns and on pickles does not apply here.
        warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
        if not target and "MLFLOW_RUN_ID" in os.environ:
            opened = mlflow.start_run()
        else:
            opened = mlflow.start_run(experiment_id=experiment(target), run_name=name, nested=nested)
        with opened as run:
            yield str(run.info.run_id)


def write_numbers(
    run_id: str, parameters: Mapping[str, object], metrics: Mapping[str, float], tags: Mapping[str, str], at: int
) -> None:
    """Write parameters, metrics and tags of a run at the time `at`, microseconds; metrics not finite are left out."""
    measured = [Metric(key, float(value), at // 1000, 0) for key, value in metrics.items() if np.isfinite(value)]
    given = [Param(key, str(value)) for key, value in parameters.items()]
    client = MlflowClient()
    for start in range(0, len(measured), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=measured[start : start + METRICS_AT_ONCE])
    for start in range(0, len(given), PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=given[start : start + PARAMETERS_AT_ONCE])
    client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])


def write_files(run_id: str, files: Mapping[str, bytes]) -> None:
    """Write artifacts by name; a name may hold folders."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        MlflowClient().log_artifacts(run_id, folder)
