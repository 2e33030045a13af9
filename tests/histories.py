"""Random histories for laws: late, tied, duplicate-looking and incomplete events of a few customers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.aggregates import Row
from features.events import DAY, EVENT, NO_CODE, SECOND, Channel, Kind

START = 1_700_000_000 * SECOND
"""The first moment at which a random event may be received."""

_PAUSES = st.one_of(
    st.sampled_from([0, 0, 1, SECOND, 7 * DAY, 365 * DAY]),
    st.integers(0, 3_600 * SECOND),
    st.integers(0, 10 * DAY),
    st.integers(0, 500 * DAY),
)
_DELAYS = st.one_of(st.just(0), st.integers(0, 3_600 * SECOND), st.integers(0, 60 * DAY))
_MONEY = st.one_of(st.just(float("nan")), st.floats(0, 10_000, width=32).map(lambda value: round(value, 2)))
_QUANTITIES = st.one_of(st.just(float("nan")), st.sampled_from([1.0, 2.0, 3.0, 0.5]))
_SCORES = st.one_of(st.just(float("nan")), st.integers(0, 10).map(float))
_CODES = st.one_of(st.integers(NO_CODE, 2), st.integers(NO_CODE, 30))


@st.composite
def histories_of(draw: st.DrawFn, *, customers: int = 4, longest: int = 40) -> NDArray[np.void]:
    """An EVENT array in log order: `received` never falls, `at` is never later than `received`."""
    size = draw(st.integers(0, longest))
    events = np.zeros(size, EVENT)
    received = START
    for event in events:
        received += draw(_PAUSES)
        event["received"] = received
        event["at"] = received - draw(_DELAYS)
        event["customer"] = draw(st.integers(0, customers - 1))
        event["kind"] = draw(st.sampled_from(Kind))
        event["channel"] = draw(st.sampled_from(Channel))
        event["item"], event["category"] = draw(_CODES), draw(_CODES)
        event["amount"], event["quantity"], event["score"] = draw(_MONEY), draw(_QUANTITIES), draw(_SCORES)
    return events


def rows_of(events: NDArray[np.void]) -> list[Row]:
    """The events of a history as the oracles read them."""
    columns = [events[name].tolist() for name in Row._fields]
    return [Row(*values) for values in zip(*columns, strict=True)]


def of_kinds(events: NDArray[np.void], kinds: Sequence[Kind]) -> NDArray[np.void]:
    """The same events with their kinds folded into `kinds`, so that an aggregate meets many of its own."""
    changed = events.copy()
    if len(kinds):
        changed["kind"] = np.asarray([int(kind) for kind in kinds], np.uint8)[events["kind"] % len(kinds)]
    return changed
