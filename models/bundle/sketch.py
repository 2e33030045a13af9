"""A sketch of a distribution: counts and sums in cells that were cut once, from a reference, so that its size is fixed.

The cells hold about equally many values of the reference (`CELLS` quantiles). A value so frequent that it would fill a
cell by itself, such as 0, is an *atom* and has a cell of its own, and so has NaN. Sketches over the same cells are
merged by addition, in any order, so that parts of a shop can be sketched separately.

Two distances compare a live sketch with the reference. The *population stability index* (PSI; Siddiqi, 2006), the
symmetrised relative entropy of the cells, responds to any change of shape, and to values that become or cease to be
NaN. The *Wasserstein distance* (the mean distance that values must move to turn one distribution into the other;
Vallender, 1974) measures how far values moved. Its unit is the *mean deviation*, the mean distance of the reference
from its own median, so that a feature replaced by any constant is at a distance of at least one.

A sketch does not know whether all values of a cell are the same; `sameness` reads the values themselves.

Two samples of one distribution differ by chance; `psi_noise` and `wasserstein_noise` say by how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

CELLS = 20
"""Quantiles that the reference is cut at; there are at most twice as many edges."""

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Sketch:
    """How many values fell into each cell, and their sum.

    `edges`, float64[e], rise strictly. Of the e + 2 cells the first holds what is below every edge, cell i what is in
    [edges[i - 1], edges[i]), the last but one what is at or above the last edge, and the last NaN. `counts` are
    int64[e + 2], `sums` float64[e + 1]; infinities count as the largest float32.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]

    @staticmethod
    def of(values: ArrayLike, edges: NDArray[np.float64]) -> Sketch:
        """The sketch of `values` in the cells between `edges`."""
        flat = np.clip(np.asarray(values, np.float64).ravel(), -_LARGEST, _LARGEST)
        defined = flat[~np.isnan(flat)]
        cells = np.searchsorted(edges, defined, side="right")
        counts = np.bincount(cells, minlength=len(edges) + 2)
        counts[-1] = len(flat) - len(defined)
        sums = np.bincount(cells, weights=defined, minlength=len(edges) + 1).astype(np.float64)
        return Sketch(edges, counts, sums)

    @staticmethod
    def reference(values: ArrayLike) -> Sketch:
        """The sketch of `values` in cells cut from themselves."""
        return Sketch.of(values, edges_of(values))

    @property
    def total(self) -> int:
        """How many values there are, NaN included."""
        return int(self.counts.sum())

    @property
    def undefined(self) -> float:
        """The share of NaN; NaN when there are no values at all."""
        return float(self.counts[-1]) / self.total if self.total else float("nan")

    @property
    def mean(self) -> float:
        """The mean of the values that are numbers; NaN when there are none."""
        defined = int(self.counts[:-1].sum())
        return float(self.sums.sum()) / defined if defined else float("nan")

    @property
    def median(self) -> float:
        """The mean of the cell that the median is in; NaN when no value is a number."""
        points, shares = self._points()
        return float(points[np.searchsorted(np.cumsum(shares), 0.5 - 1e-12)]) if len(points) else float("nan")

    @property
    def mean_deviation(self) -> float:
        """The mean distance of the values from the median, each value counted as the mean of its cell."""
        points, shares = self._points()
        return float(shares @ np.abs(points - self.median)) if len(points) else float("nan")

    def merged(self, other: Sketch) -> Sketch:
        """The sketch of both samples together. ValueError when the cells differ."""
        _check_same_cells(self, other)
        return Sketch(self.edges, self.counts + other.counts, self.sums + other.sums)

    def _points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The mean of each cell that holds numbers, in rising order, and its share of them."""
        counts = self.counts[:-1]
        held = counts > 0
        return self.sums[held] / counts[held], counts[held] / max(int(counts.sum()), 1)


def edges_of(values: ArrayLike) -> NDArray[np.float64]:
    """The edges of cells for these values, float64[at most 2 x CELLS]: the quantiles, and both sides of each atom."""
    flat = np.clip(np.asarray(values, np.float64).ravel(), -_LARGEST, _LARGEST)
    flat = flat[~np.isnan(flat)]
    distinct, counts = np.unique(flat, return_counts=True)
    frequent = counts * CELLS > len(flat)
    atoms, rest = distinct[frequent], np.repeat(distinct[~frequent], counts[~frequent])
    parts = -(-CELLS * len(rest) // len(flat)) if len(flat) else 0
    inner = rest[np.arange(1, parts) * len(rest) // parts] if parts else rest
    return np.unique(np.concatenate([inner, atoms, np.nextafter(atoms, np.inf)]))


def sameness(values: ArrayLike) -> float:
    """The share of the most frequent value, where NaN counts as a value; 0 when there are no values."""
    flat = np.asarray(values).ravel()
    return float(np.unique(flat, return_counts=True)[1].max() / len(flat)) if len(flat) else 0.0


def psi(reference: Sketch, live: Sketch) -> float:
    """The population stability index, from 0. ValueError when the cells differ.

    Half a value is added to every cell that either sketch has values in, so that an empty cell does not make the
    index infinite.
    """
    before, after = _held(reference, live)
    if not len(before):
        return 0.0
    expected = (before + 0.5) / (before + 0.5).sum()
    observed = (after + 0.5) / (after + 0.5).sum()
    return float(((observed - expected) * np.log(observed / expected)).sum())


def psi_noise(reference: Sketch, live: Sketch, deviations: float) -> float:
    """The index to expect by chance if both are samples of one distribution: its mean plus so many `deviations`.

    With B cells, n and m values the index is (1/n + 1/m) times a chi-squared variable of B - 1 degrees of freedom
    (Yurdakul, 2018). `deviations` are standard deviations.
    """
    freedom = max(len(_held(reference, live)[0]) - 1, 0)
    return (freedom + deviations * float(np.sqrt(2.0 * freedom))) * _noise_of(reference.total, live.total)


def wasserstein(reference: Sketch, live: Sketch) -> float:
    """The distance between the numbers in both, in mean deviations of the reference; 0 when either has no numbers.

    NaN when the reference is a constant, whose mean deviation is 0: then only the index can tell a change. ValueError
    when the cells differ.
    """
    _check_same_cells(reference, live)
    widths, before, after = _steps(reference, live)
    return _in_mean_deviations(float(widths @ np.abs(before - after)), reference)


def wasserstein_noise(reference: Sketch, live: Sketch, deviations: float) -> float:
    """The distance to expect by chance if both are samples of one distribution, in mean deviations.

    At every value, the shares of the two samples below it are assumed to differ by so many standard deviations.
    """
    widths, before, after = _steps(reference, live)
    n, m = int(reference.counts[:-1].sum()), int(live.counts[:-1].sum())
    if not len(widths):
        return 0.0
    below = (n * before + m * after) / (n + m)
    return _in_mean_deviations(deviations * float(widths @ np.sqrt(below * (1.0 - below) * _noise_of(n, m))), reference)


def _held(reference: Sketch, live: Sketch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The counts of the cells in which either sketch has values."""
    _check_same_cells(reference, live)
    held = reference.counts + live.counts > 0
    return reference.counts[held], live.counts[held]


def _steps(reference: Sketch, live: Sketch) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The gaps between neighbouring points of both sketches, and the share of each sketch below each gap.

    Three arrays of the same length, which are empty when either sketch is.
    """
    (first, before), (second, after) = reference._points(), live._points()
    if not len(first) or not len(second):
        nothing = np.empty(0)
        return nothing, nothing, nothing
    points = np.concatenate([first, second])
    order = np.argsort(points, kind="stable")
    weights = np.zeros((2, len(points)))
    weights[0, : len(first)], weights[1, len(first) :] = before, after
    below = np.clip(np.cumsum(weights[:, order], axis=1)[:, :-1], 0.0, 1.0)
    return np.diff(points[order]), below[0], below[1]


def _in_mean_deviations(distance: float, reference: Sketch) -> float:
    scale = reference.mean_deviation
    if distance == 0.0:
        return 0.0
    return distance / scale if scale > 0.0 else float("nan")


def _noise_of(n: int, m: int) -> float:
    return 1.0 / n + 1.0 / m if n and m else 0.0


def _check_same_cells(one: Sketch, other: Sketch) -> None:
    if not np.array_equal(one.edges, other.edges):
        raise ValueError(
            f"The sketches have {len(one.edges)} and {len(other.edges)} edges, or the same number elsewhere; expected "
            "the same cells. Sketch the live values with the edges of the reference."
        )
