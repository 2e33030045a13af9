"""Pictures of a training run: calibration, lift and importance of one scorer, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.evaluation import lift_curve, reliability

INK, QUIET = "#1f4e79", "#9aa5b1"
SHOWN = 20
"""Features shown in the picture of importance."""


def pictures(
    target: str,
    predictions: Mapping[str, NDArray[np.float64]],
    labels: NDArray[np.int8],
    importance: Mapping[str, float],
) -> dict[str, bytes]:
    """The pictures of one target by file name; the first of `predictions` is the model, the others are baselines."""
    return {
        f"{target}_calibration.png": calibration_picture(target, predictions, labels),
        f"{target}_lift.png": lift_picture(target, predictions, labels),
        f"{target}_importance.png": importance_picture(target, importance),
    }


def calibration_picture(target: str, predictions: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int8]) -> bytes:
    """Probability given against share of positives, in ten bins of equal numbers of customers."""
    figure, axes = _page(f"{target}: calibration", "mean probability given", "share of positives")
    furthest = 0.0
    for number, (name, probabilities) in enumerate(predictions.items()):
        given, found = reliability(probabilities, labels)
        furthest = max(furthest, float(given.max()), float(found.max()))
        _line(axes, given, found, name, number, marker="o")
    axes.plot([0, furthest], [0, furthest], color=QUIET, linestyle=":", linewidth=1)
    return _png(figure, axes)


def lift_picture(target: str, predictions: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int8]) -> bytes:
    """How many times more positives there are among the most probable customers than among all."""
    figure, axes = _page(f"{target}: lift", "share of customers taken, most probable first", "lift")
    first = max(0, len(labels) // 100 - 1)
    for number, (name, probabilities) in enumerate(predictions.items()):
        taken, lift = lift_curve(probabilities, labels)
        _line(axes, taken[first:], lift[first:], name, number)
    return _png(figure, axes)


def importance_picture(target: str, importance: Mapping[str, float]) -> bytes:
    """The features that the trees gained most from, as shares of the whole gain."""
    figure, axes = _page(f"{target}: importance", "share of the gain", "")
    shown = sorted(importance.items(), key=lambda pair: pair[1])[-SHOWN:]
    axes.barh([name for name, _ in shown], [share for _, share in shown], color=INK)
    axes.tick_params(axis="y", labelsize=8)
    return _png(figure, axes, legend=False)


def _page(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _line(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], name: str, number: int, marker: str = "") -> None:
    style = {"color": INK, "linewidth": 2.2} if number == 0 else {"linewidth": 1.0, "alpha": 0.7}
    axes.plot(x, y, label=name, marker=marker, markersize=4, zorder=3 if number == 0 else 2, **style)


def _png(figure: Figure, axes: Axes, legend: bool = True) -> bytes:
    if legend:
        axes.legend(frameon=False, fontsize=8)
    picture = io.BytesIO()
    # Without the library's version in it, the same run gives the same bytes.
    figure.savefig(picture, format="png", dpi=100, metadata={"Software": None})
    return picture.getvalue()
