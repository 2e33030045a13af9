"""The evaluation of a model: metrics with intervals, and the differences from the baselines on the same rows.

All intervals are 95 % percentile intervals of a bootstrap over customers. The models of one evaluation use the same
resamplings, so that the sampling error that two of them share cancels in their difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from training.evaluation.metrics import METRICS, Ranked

REPLICATES = 1000
LEVEL = 0.95
_CELLS = 4_000_000
_MOST = 8_000_000


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its interval from a bootstrap."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    @staticmethod
    def of(value: float, replicates: NDArray[np.float64]) -> Figure:
        """The interval that holds the middle `LEVEL` of the replicates."""
        tail = 50.0 * (1.0 - LEVEL)
        low, high = np.nanpercentile(replicates, [tail, 100.0 - tail])
        return Figure(float(value), float(low), float(high))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The result of one test.

    `figures` are by model and metric; `over[baseline][metric]` is the first model's figure minus that of the baseline.
    """

    rows: int
    customers: int
    base_rate: float
    figures: Mapping[str, Mapping[str, Figure]]
    over: Mapping[str, Mapping[str, Figure]]


def resamplings(clusters: NDArray[np.int32], seed: int, replicates: int = REPLICATES) -> Iterator[NDArray[np.float64]]:
    """Numbers of copies of each row, float64[some replicates, n], `replicates` in all, drawing whole clusters.

    A replicate draws as many clusters as there are, with replacement. The replicates come in blocks, to bound memory.
    """
    index = np.unique(clusters, return_inverse=True)[1]
    number = int(index.max()) + 1
    random = np.random.default_rng(seed)
    at_once = max(1, _CELLS // len(clusters))
    for start in range(0, replicates, at_once):
        size = min(at_once, replicates - start)
        drawn = random.integers(number, size=(size, number))
        offsets = np.arange(size)[:, None] * number
        copies = np.bincount((drawn + offsets).ravel(), minlength=size * number).reshape(size, number)
        yield copies[:, index].astype(np.float64)


def clustered(values: NDArray[np.float64], clusters: NDArray[np.int32]) -> Figure:
    """The mean of the values with its `LEVEL` interval, where the rows of a cluster count as one observation."""
    mean = float(values.mean())
    place = np.unique(clusters, return_inverse=True)[1]
    error = float(np.sqrt((np.bincount(place, values - mean) ** 2).sum())) / len(values)
    far = float(norm.isf((1.0 - LEVEL) / 2.0)) * error
    return Figure(mean, mean - far, mean + far)


def evaluate(
    predictions: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int8], customer: NDArray[np.int32],
    seed: int, replicates: int | None = None,
) -> Evaluation:  # fmt: skip
    """Every metric of every model on the same rows; the first model is the one compared with the others.

    `predictions` are probabilities by model, each float64[n]. There are `REPLICATES` replicates unless `replicates` is
    given, and fewer where that makes more than `_MOST` rows: a large test has narrow intervals, for which fewer do.
    """
    number = replicates or int(np.clip(_MOST // max(len(labels), 1), 200, REPLICATES))
    ranked = {name: Ranked.of(predicted, labels) for name, predicted in predictions.items()}
    values = {name: plain_figures(predicted, labels, tuple(METRICS)) for name, predicted in predictions.items()}
    drawn: dict[str, dict[str, list[NDArray[np.float64]]]] = {name: {key: [] for key in METRICS} for name in ranked}
    # A replicate in which all labels are the same has no ranking metrics: they are NaN, and left out.
    with np.errstate(divide="ignore", invalid="ignore"):
        for weights in resamplings(customer, seed, number):
            for name, rows in ranked.items():
                ordered = weights[:, rows.order]
                for key, metric in METRICS.items():
                    drawn[name][key].append(metric(rows, ordered))
    samples = {name: {key: np.concatenate(parts) for key, parts in by.items()} for name, by in drawn.items()}
    model, *baselines = ranked
    figures = {name: {key: Figure.of(values[name][key], samples[name][key]) for key in METRICS} for name in ranked}
    over = {
        name: {
            key: Figure.of(values[model][key] - values[name][key], samples[model][key] - samples[name][key])
            for key in METRICS
        }
        for name in baselines
    }
    return Evaluation(len(labels), len(np.unique(customer)), float(labels.mean()), figures, over)


def plain_figures(
    probabilities: NDArray[np.float64], labels: NDArray[np.int8], metrics: Sequence[str]
) -> dict[str, float]:
    """The figures of these names, without intervals."""
    rows, ones = Ranked.of(probabilities, labels), np.ones((1, len(labels)))
    return {name: float(METRICS[name](rows, ones)[0]) for name in metrics}


def reliability(
    probabilities: NDArray[np.float64], labels: NDArray[np.int8], bins: int = 10
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean probability and share of positives in `bins` bins of equal numbers of rows, least probable first."""
    parts = [part for part in np.array_split(np.argsort(probabilities, kind="stable"), bins) if len(part)]
    return (
        np.array([probabilities[part].mean() for part in parts]),
        np.array([labels[part].mean() for part in parts]),
    )


def lift_curve(
    probabilities: NDArray[np.float64], labels: NDArray[np.int8]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The lift of the top k rows, for every k: k as a share of all rows, and the lift."""
    positives = np.cumsum(labels[np.argsort(-probabilities, kind="stable")])
    rows = np.arange(1, len(labels) + 1)
    return rows / len(labels), positives / rows / max(float(labels.mean()), 1e-15)
