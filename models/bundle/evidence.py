"""Evidence for customers of a kind that was rare in training: lower than the target's own, with the reason.

A measurement holds for customers like those of the training rows. If all of those had bought in the store, it says
nothing about a visitor of the web shop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.manifest import KINDS, TargetCard
from models.prediction.estimate import WITHOUT_MEASUREMENT

FEW = 10
"""The number of customers of a kind in the training rows from which on a measurement holds for that kind, too."""

Kind = tuple[float, ...]
"""A customer's value of each feature of `KINDS`; -1 where it has none."""

_NONE = -1.0


def kind_reader(index: Mapping[str, int]) -> Callable[[NDArray[np.float32]], Kind]:
    """A function that reads the kind of a customer from float32[features]; `index` gives the column of a feature."""
    columns = [index.get(feature) for feature in KINDS]

    def read(row: NDArray[np.float32]) -> Kind:
        values = (_NONE if column is None else float(row[column]) for column in columns)
        return tuple(_NONE if math.isnan(value) else value for value in values)

    return read


def lowered(card: TargetCard) -> dict[Kind, dict[str, Any]]:
    """The fields on evidence for each kind of customer that was rare in training; other kinds have no entry."""
    if card.evidence >= WITHOUT_MEASUREMENT or not card.seen:
        return {}
    kinds = product(
        *([(_NONE, ""), *((float(value), value.name.lower()) for value in values)] for values in KINDS.values())
    )
    evidence = {}
    for kind in kinds:
        why = [_why(feature, name, card) for feature, (_, name) in zip(KINDS, kind, strict=True) if name]
        if any(why):
            fields = {"evidence": WITHOUT_MEASUREMENT, "evidence_why": " ".join(filter(None, why))}
            evidence[tuple(value for value, _ in kind)] = fields
    return evidence


def _why(feature: str, value: str, card: TargetCard) -> str:
    """How many customers with this value there were, as a sentence; empty where there were enough."""
    number = card.seen.get(feature, {}).get(value, 0.0)
    if number >= FEW or feature not in card.seen:
        return ""
    subject = "No customer" if not number else "Only 1 customer" if number == 1 else f"Only {number:.0f} customers"
    return f"{subject} of the training rows had the {feature.replace('_', ' ')} {value}."
