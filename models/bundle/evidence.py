"""Evidence for customers of a kind that a model has hardly seen: lower than the target's own, and why.

What was measured was measured on customers like those of the training rows. Of a visitor of the web shop it says
nothing where all of those had bought in the store.
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
"""Customers of a kind in the training rows from which on a measurement speaks for that kind, too."""

Kind = tuple[float, ...]
"""A customer's value of each feature of `KINDS`; -1 where it has none."""

_NONE = -1.0


def kind_reader(index: Mapping[str, int]) -> Callable[[NDArray[np.float32]], Kind]:
    """What reads the kind of a customer from a row of features, which stand at these places."""
    places = [index.get(feature) for feature in KINDS]

    def read(row: NDArray[np.float32]) -> Kind:
        found = (_NONE if place is None else float(row[place]) for place in places)
        return tuple(_NONE if math.isnan(value) else value for value in found)

    return read


def lowered(card: TargetCard) -> dict[Kind, dict[str, Any]]:
    """What is said of the evidence of customers of each kind that was hardly seen; nothing of the others."""
    if card.evidence >= WITHOUT_MEASUREMENT or not card.seen:
        return {}
    kinds = product(*([(_NONE, ""), *((float(each), each.name.lower()) for each in KINDS[name])] for name in KINDS))
    found = {}
    for kind in kinds:
        why = [_why(feature, name, card) for feature, (_, name) in zip(KINDS, kind, strict=True) if name]
        if any(why):
            said = {"evidence": WITHOUT_MEASUREMENT, "evidence_why": " ".join(filter(None, why))}
            found[tuple(value for value, _ in kind)] = said
    return found


def _why(feature: str, value: str, card: TargetCard) -> str:
    """Why customers with this value were hardly seen; empty where enough were."""
    number = card.seen.get(feature, {}).get(value, 0.0)
    if number >= FEW or feature not in card.seen:
        return ""
    told = "No customer" if not number else "Only 1 customer" if number == 1 else f"Only {number:.0f} customers"
    return f"{told} of the training rows had the {feature.replace('_', ' ')} {value}."
