"""Figures of a test as numbers by name, and as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from training.evaluation.evaluation import Figure

Figures = Mapping[str, Mapping[str, Figure]]
"""Figures by model and metric, the tested model first; or by the model that it is compared with."""


def flat(figures: Mapping[str, Figure]) -> dict[str, float]:
    """Figures as numbers by name: `roc_auc`, `roc_auc_low`, `roc_auc_high`; those that are not finite are left out."""
    numbers: dict[str, float] = {}
    for name, figure in figures.items():
        numbers |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return {name: value for name, value in numbers.items() if np.isfinite(value)}


def compared(figures: Figures, over: Figures) -> dict[str, float]:
    """Figures by name: of the first model, of the others with their name in front, and the differences between them."""
    own, *_ = figures
    metrics: dict[str, float] = {}
    for model, values in figures.items():
        metrics |= {name if model == own else f"{model}/{name}": value for name, value in flat(values).items()}
    for baseline, values in over.items():
        metrics |= {f"over_{baseline}/{name}": value for name, value in flat(values).items()}
    return metrics


def figures_json(figures: Figures) -> dict[str, dict[str, dict[str, float]]]:
    """Every figure with the ends of its interval, as JSON values."""
    return {model: {name: asdict(figure) for name, figure in by.items()} for model, by in figures.items()}
