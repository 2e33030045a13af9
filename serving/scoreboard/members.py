"""The members of a segment, with the few columns that say why they matter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from features.log.contract import EventLog
from serving.scoreboard.files import BLANK, Generation

POSITION = ("stage", "lapsing")
SHOWN = (
    "days_since_last",
    "days_since_purchase",
    "purchases_ever",
    "purchases_90d",
    "spend_gross_ever",
    "spend_net_90d",
    "cart_value",
    "contacts_7d",
)
"""Features that members are shown with, beside where they stand and the probability of every target."""


def member_columns(generation: Generation) -> tuple[str, ...]:
    """Names of the columns that `member_rows` gives, in its order."""
    return (*POSITION, *generation.report["targets"], *SHOWN)


def member_rows(
    log: EventLog, generation: Generation, places: NDArray[np.int32]
) -> Iterator[tuple[str, dict[str, float]]]:
    """The id and the columns of the customers at `places`; who was erased since the sweep is left out."""
    names = member_columns(generation)
    columns = [generation.columns[name][places].tolist() for name in names]
    for code, *values in zip(generation.customers[places].tolist(), *columns, strict=True):
        if code == BLANK:
            continue
        try:
            customer = log.customers.name(code)
        except LookupError:
            continue
        yield customer, dict(zip(names, values, strict=True))
