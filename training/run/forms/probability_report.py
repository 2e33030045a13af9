"""Tables and plots of the test of a probability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from features.grammar import duration_text
from features.times import iso
from models.bundle.manifest import KINDS
from training.evaluation.curves import partial_dependence
from training.evaluation.evaluation import Figure
from training.evaluation.metrics import TITLES
from training.evaluation.probabilities import AT_CUTOFFS, OWN, ProbabilityTest
from training.fitting.tier_selection import FittedScorer
from training.run.plots import calibration_picture, drift_picture, importance_picture, learning_picture, lift_picture
from training.run.tables import CLASSIC, Table
from training.targets import Target


def target_table(target: Target, test: ProbabilityTest) -> Table:
    """The figures of a target's model and of the baselines."""
    evaluation = test.evaluation
    title = (
        f"{target.name}: {target.definition}, for {target.scope_text}; base rate {evaluation.base_rate:.1%}; "
        f"{evaluation.rows:,} rows of {evaluation.customers:,} customers, horizon {duration_text(target.horizon)}"
    )
    metrics = list(next(iter(evaluation.figures.values())))
    rows: list[tuple[str | int, ...]] = [
        (model, *(str(figures[metric]) for metric in metrics)) for model, figures in evaluation.figures.items()
    ]
    return Table(title, ("model", *(TITLES[metric] for metric in metrics)), rows)


def cutoff_table(name: str, test: ProbabilityTest, figures: Mapping[int, Mapping[str, Mapping[str, float]]]) -> Table:
    """Ranking at each cutoff of the test, of the model and of the classic baseline."""
    rows: list[tuple[str | int, ...]] = []
    for cutoff, by_model in figures.items():
        shown = [f"{by_model[model][metric]:.3f}" for model in (OWN, CLASSIC) for metric in AT_CUTOFFS]
        rows.append((iso(cutoff), int((test.rows.cutoff == cutoff).sum()), *shown))
    columns = ("cutoff", "rows", "ROC-AUC", "PR-AUC", f"ROC-AUC {CLASSIC}", f"PR-AUC {CLASSIC}")
    return Table(f"{name} at each cutoff of the test", columns, rows)


def reliability_table(name: str, test: ProbabilityTest) -> Table:
    """The reliability of the probabilities in each stage and channel."""
    rows: list[tuple[str | int, ...]] = [
        (
            f"{feature} {value}", part.rows, part.customers, f"{part.given:.1%}",
            str(Figure(part.share, part.low, part.high)), "" if part.holds else "off",
        )
        for feature, parts in test.reliability.items()
        for value, part in parts.items()
    ]  # fmt: skip
    columns = ("part", "rows", "customers", "mean probability", "share of yes", "")
    title = f"{name} by stage and channel: mean probability and share of yes with its 95 % interval"
    return Table(title, columns, rows)


def pictures(name: str, fitted: FittedScorer, test: ProbabilityTest, seed: int) -> dict[str, bytes]:
    """The plots of a test by file name."""
    importance, labels = fitted.importance, test.rows.labels
    drawn = {
        "calibration": calibration_picture(name, test.predictions, labels, _parts(test)),
        "lift": lift_picture(name, test.predictions, labels),
        "drift": drift_picture(name, test.drifts),
    }
    if any(importance.values()):
        dependences = partial_dependence(fitted.scorer, test.rows.features, importance, seed)
        drawn["importance"] = importance_picture(name, importance, dependences)
    if test.curve is not None:
        drawn["learning_curve"] = learning_picture(name, test.curve)
    return {f"plots/{kind}.png": content for kind, content in drawn.items()}


def _parts(test: ProbabilityTest) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The rows of the test by stage and by channel, where there are such features."""
    masks: dict[str, dict[str, NDArray[np.bool_]]] = {}
    for feature, values in KINDS.items():
        if feature in test.names:
            column = test.rows.features[:, test.names.index(feature)]
            masks[feature] = {value.name.lower(): column == float(value) for value in values}
    return masks
