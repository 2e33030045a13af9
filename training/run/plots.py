"""Plots of a training run, as PNG: the quality of a scorer, overall and by group, and its most important features.

An image takes a tenth of a second, so that several panels share one.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.evaluation.curves import Curve, Dependence, Drift
from training.evaluation.evaluation import lift_curve, reliability

INK, QUIET = "#1f4e79", "#9aa5b1"
SHOWN = 20
"""The number of features in the plot of importance."""

POINTS = 200
"""The number of points of a curve of lift or gain."""

LEAST = 200
"""The least number of rows for a group of customers to have its own line."""

Probabilities = NDArray[np.float64]


def calibration_picture(
    target: str,
    predictions: Mapping[str, Probabilities],
    labels: NDArray[np.int8],
    groups: Mapping[str, Mapping[str, NDArray[np.bool_]]],
) -> bytes:
    """Mean probability against share of positives, in ten bins of equal numbers of customers.

    The first panel has every model, the tested one first. Each feature of `groups` has a further panel, with the tested
    model in each group of rows.
    """
    figure, (whole, *parts) = _page(f"{target}: calibration", 1 + len(groups))
    for number, (name, probabilities) in enumerate(predictions.items()):
        _line(whole, *reliability(probabilities, labels), name, number, marker="o")
    whole.set_title("all customers", fontsize=9)
    own = next(iter(predictions.values()))
    for axes, (feature, rows) in zip(parts, groups.items(), strict=True):
        axes.set_title(f"by {feature}", fontsize=9)
        for name, chosen in rows.items():
            if chosen.sum() >= LEAST:
                axes.plot(*reliability(own[chosen], labels[chosen], 5), label=name, marker="o", markersize=3)
    for axes in (whole, *parts):
        furthest = max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([0, furthest], [0, furthest], color=QUIET, linestyle=":", linewidth=1)
        _named(axes, "mean probability", "share of positives")
    return _png(figure)


def lift_picture(target: str, predictions: Mapping[str, Probabilities], labels: NDArray[np.int8]) -> bytes:
    """Lift and gain: the positives among the most probable customers, relative to the mean and as a share of all."""
    figure, (left, right) = _page(f"{target}: lift and gain", 2)
    first = max(0, len(labels) // 100 - 1)
    shown = np.unique(np.linspace(first, len(labels) - 1, POINTS).astype(np.int64))
    for number, (name, probabilities) in enumerate(predictions.items()):
        shares, lift = (curve[shown] for curve in lift_curve(probabilities, labels))
        _line(left, shares, lift, name, number)
        _line(right, shares, shares * lift, name, number)
    right.plot([0, 1], [0, 1], color=QUIET, linestyle=":", linewidth=1)
    across = "share of customers, most probable first"
    _named(left, across, "lift")
    _named(right, across, "share of the positives")
    return _png(figure)


def learning_picture(target: str, curve: Curve) -> bytes:
    """Log loss in the test against the number of training rows, and that of the base rate."""
    figure, (axes,) = _page(f"{target}: learning curve", 1)
    axes.plot(curve.rows, curve.losses, color=INK, marker="o", linewidth=2.2, label=curve.tier)
    axes.axhline(curve.base, color=QUIET, linestyle=":", label="base rate")
    axes.set_xscale("log")
    _named(axes, "training rows", "log loss in the test")
    return _png(figure)


def drift_picture(target: str, drifts: Sequence[Drift]) -> bytes:
    """The distances of the columns of the test from those of the training rows, by two measures."""
    figure, panels = _page(f"{target}: drift from the training rows to the test", 2)
    names = [drift.column for drift in drifts][::-1]
    measured = {
        "population stability index": [drift.psi for drift in drifts],
        "Wasserstein distance, in mean deviations": [drift.wasserstein for drift in drifts],
    }
    for axes, (distance, values) in zip(panels, measured.items(), strict=True):
        _bars(axes, names, np.nan_to_num(values[::-1]), distance)
    return _png(figure)


def importance_picture(target: str, importance: Mapping[str, float], dependences: Sequence[Dependence]) -> bytes:
    """The most important features, and the partial dependence of the mean probability on the first of them."""
    figure, (bars, *panels) = _page(f"{target}: importance and partial dependence", 1 + len(dependences))
    shown = sorted(importance.items(), key=lambda pair: pair[1])[-SHOWN:]
    _bars(bars, [name for name, _ in shown], [share for _, share in shown], "share of the model")
    for axes, dependence in zip(panels, dependences, strict=True):
        axes.plot(dependence.values, dependence.means, color=INK, marker="o", markersize=3)
        _named(axes, dependence.feature, "mean probability", legend=False)
    return _png(figure)


def _page(title: str, panels: int) -> tuple[Figure, list[Axes]]:
    """A page with so many panels, at most three in a row."""
    across = min(panels, 3)
    down = -(-panels // across)
    figure = Figure(figsize=(1.5 + 4.0 * across, 0.7 + 3.2 * down))
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.02, ha="left")
    figure.subplots_adjust(
        left=0.2 / across, right=0.98, bottom=0.18 / down, top=1 - 0.2 / down, wspace=0.3, hspace=0.3
    )
    axes = [figure.add_subplot(down, across, place + 1) for place in range(panels)]
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=7)
    return figure, axes


def _bars(axes: Axes, names: Sequence[str], values: Sequence[float] | Probabilities, across: str) -> None:
    """A bar for each name, the first at the bottom, with the name at its end."""
    drawn = axes.barh(range(len(names)), values, color=INK)
    axes.bar_label(drawn, names, padding=2, fontsize=6)
    axes.set_xlim(0.0, 1.6 * axes.get_xlim()[1])
    axes.set_yticks([])
    axes.set_xlabel(across, fontsize=8)


def _named(axes: Axes, across: str, up: str, legend: bool = True) -> None:
    axes.set_xlabel(across, fontsize=8)
    axes.set_ylabel(up, fontsize=8)
    if legend and axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize=7)


def _line(axes: Axes, x: Probabilities, y: Probabilities, name: str, number: int, marker: str = "") -> None:
    style = {"color": INK, "linewidth": 2.2} if number == 0 else {"linewidth": 1.0, "alpha": 0.7}
    axes.plot(x, y, label=name, marker=marker, markersize=4, zorder=3 if number == 0 else 2, **style)


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    # Without the library's version in it, the same run gives the same bytes.
    figure.savefig(picture, format="png", dpi=90, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    return picture.getvalue()
