"""Registered models: the answers of a bundle through `mlflow.pyfunc`, in any Python that has Waypost installed.

A registered model holds a bundle, of one target or of all. Where its only target has trees, they are stored beside it
in LightGBM's own text form, so that `mlflow.lightgbm` loads the same registered model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import Model, infer_signature
from numpy.typing import NDArray

from features.events import Stage
from models.bundle.bundle import Bundle, read_manifest
from models.bundle.bundle import Model as Answers
from models.prediction.amount import AmountScorer, AmountTrees
from models.prediction.next_stage import StageTrees
from models.prediction.scorer import Scorer
from models.prediction.tiers import Trees
from models.recommenders.item_item import ItemItem

BUNDLE, TREES = "bundle", "trees.txt"
STAGES = (*(stage.name.lower() for stage in Stage), "stays")
NEEDS = tuple(f"{name}=={version(name)}" for name in ("lightgbm", "numpy", "pandas"))
"""The packages that a registered model needs besides Waypost; MLflow would take four seconds to determine them."""


class Predictor:
    """From features, one per column, as numbers of any type, to the answers of a bundle's targets for each row.

    For one target the columns are those of `answers`; for several, each name begins with `TARGET.`.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """A row of answers for each row of features, in their order; there are no `params`."""
        rows = model_input[list(self.bundle.manifest.features)].to_numpy(dtype=np.float32)
        columns = {name: answers(model, np.ascontiguousarray(rows)) for name, model in self.bundle.models.items()}
        if len(columns) == 1:
            return pd.DataFrame(next(iter(columns.values())))
        return pd.DataFrame({f"{name}.{key}": column for name, by in columns.items() for key, column in by.items()})


def answers(model: Answers, rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """The numbers of `/v1/scores` for float32[n, features], by name.

    `probability` or `amount`, with `low`, `high`, `rank_percentile` and `rank_band`; for a stage the chance of each and
    `days`.
    """
    if not isinstance(model, Scorer | AmountScorer):
        chances = dict(zip(STAGES, model.chances_many(rows).T, strict=True))
        return {**chances, "days": model.days_many(rows)}
    estimates = model.estimate_many(rows)
    parts = {"low": estimates.low, "high": estimates.high, "rank_percentile": estimates.rank_percentile}
    return {model.form: estimates.value, **parts, "rank_band": estimates.rank_band.astype(object)}


def log_bundle(bundle: Bundle, name: str, example: NDArray[np.float32]) -> str:
    """Log a bundle as a model of the open run; returns the model's URI."""
    # The example is predicted for the signature already: MLflow need not load the model to validate it again.
    logged = Model.log(None, _Flavour, name=name, bundle=bundle, example=example, validate_serving_input=False)
    return str(logged.model_uri)


def of_one(bundle: Bundle, target: str) -> Bundle:
    """The bundle with this target only."""
    manifest = replace(bundle.manifest, targets={target: bundle.manifest.targets[target]}, recommender={})
    return Bundle({target: bundle.models[target]}, [ItemItem.without_neighbours()], manifest)


class _Flavour:
    """The MLflow flavour with which `Model.log` writes a bundle."""

    @staticmethod
    def save_model(
        path: str, mlflow_model: Model, bundle: Bundle, example: NDArray[np.float32], validate_serving_input: bool
    ) -> None:
        # The signature is of doubles: MLflow does not convert doubles to floats, and most data frames hold doubles.
        table = pd.DataFrame(example.astype(np.float64), columns=list(bundle.manifest.features))
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "model"
            place.mkdir()
            bundle.save(place / BUNDLE)
            trees = _trees(next(iter(bundle.models.values()))) if len(bundle.models) == 1 else ""
            if trees:
                (place / TREES).write_text(trees, encoding="utf-8")
                data = f"data/{place.name}/{TREES}"
                mlflow_model.add_flavor("lightgbm", data=data, model_class="lightgbm.basic.Booster", code=None)
            mlflow.pyfunc.save_model(
                path,
                loader_module=__name__,
                data_path=str(place),
                mlflow_model=mlflow_model,
                signature=infer_signature(table, Predictor(bundle).predict(table)),
                input_example=table,
                pip_requirements=list(NEEDS),
            )


def _load_pyfunc(path: str) -> Predictor:
    """The function that MLflow calls to load a registered model: the bundle, whatever fold it was made with."""
    place = Path(path) / BUNDLE
    manifest = read_manifest(place)
    return Predictor(Bundle.load(place, manifest.fingerprint, manifest.features))


def _trees(model: Answers) -> str:
    """The text of the model's trees, before calibration; empty where there are none."""
    if isinstance(model.tier, Trees):
        return model.tier.text
    return model.tier.texts[0] if isinstance(model.tier, AmountTrees | StageTrees) else ""
