"""Which events are an act: a step of a funnel, or a condition on customers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Channel, Kind
from insights.journal.question import Step

Amounts = NDArray[np.float32]

Row = tuple[int, Kind, Channel, float]
"""An event of a customer for a `meaning`: second, kind, channel and amount."""


def tables(acts: Sequence[Step]) -> tuple[NDArray[np.uint16], NDArray[np.uint16], Amounts]:
    """The bits of the acts that an event of each kind may be, and of each channel; and their least amounts.

    An act that takes any amount, or none, has the least amount -inf.
    """
    kinds, channels = np.zeros(256, np.uint16), np.zeros(256, np.uint16)
    for place, act in enumerate(acts):
        bit = np.uint16(1 << place)
        kinds[list(act.kinds)] |= bit
        channels[list(act.channels) or slice(None)] |= bit
    return kinds, channels, np.array([-np.inf if act.least is None else act.least for act in acts], np.float32)


@njit(cache=True, nogil=True)
def enough(amount, least):  # type: ignore[no-untyped-def]
    """Whether an amount, NaN for none, is enough for an act."""
    return least == -np.inf or amount >= least


def matches(act: Step, row: Row) -> bool:
    """Whether an event is an act, in plain Python."""
    _, kind, channel, amount = row
    priced = act.least is None or bool(amount >= np.float32(act.least))
    return kind in act.kinds and (not act.channels or channel in act.channels) and priced
