"""Reliability of the probabilities by stage and by channel, not only on average."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from models.bundle.manifest import KINDS
from models.prediction.interval import wilson
from training.evaluation.evaluation import LEVEL
from training.rows.dataset import Slice

LEAST_ROWS = 100
LEAST_CUSTOMERS = 30
"""Parts with fewer rows, or fewer customers, are left out."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """One part of the test rows: the mean probability they were given, and the share of yes among them.

    `low` and `high` are the ends of the 95 % interval of the share.
    """

    rows: int
    customers: int
    given: float
    share: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the mean probability is inside the interval of the share."""
        return self.low <= self.given <= self.high


def reliability_by_part(
    test: Slice, names: tuple[str, ...], given: NDArray[np.float64]
) -> dict[str, dict[str, Reliability]]:
    """The reliability by feature of `KINDS` and its value, for parts with enough rows; `given` is float64[n]."""
    return {
        feature: dict(_parts(test, test.features[:, names.index(feature)], values, given))
        for feature, values in KINDS.items()
        if feature in names
    }


def _parts(
    test: Slice, column: NDArray[np.float32], values: type[IntEnum], given: NDArray[np.float64]
) -> Iterator[tuple[str, Reliability]]:
    for value in values:
        rows = column == float(value)
        customers = len(np.unique(test.customer[rows]))
        if int(rows.sum()) >= LEAST_ROWS and customers >= LEAST_CUSTOMERS:
            labels, customer = test.labels[rows], test.customer[rows]
            low, high = share_interval(labels, customer)
            yield (
                value.name.lower(),
                Reliability(len(labels), customers, float(given[rows].mean()), float(labels.mean()), low, high),
            )


def share_interval(labels: NDArray[np.int8], customer: NDArray[np.int32]) -> tuple[float, float]:
    """The 95 % interval of the share of yes: Wilson's, for the effective number of rows.

    The effective number is the number of rows divided by the design effect, the variance between customers over that
    of independent rows (Kish, 1965); where all labels are the same, it is the number of customers.
    """
    number, share = len(labels), float(labels.mean())
    place = np.unique(customer, return_inverse=True)[1]
    effective = float(place.max()) + 1.0
    if 0.0 < share < 1.0:
        between = float((np.bincount(place, labels - share) ** 2).sum()) / number
        effective = number / max(1.0, between / (share * (1.0 - share)))
    far = float(norm.isf((1.0 - LEVEL) / 2.0))
    return wilson(share, effective, far)
