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

_MARKS = (0, 0, 1, SECOND, 7 * DAY, 365 * DAY)
_PAUSES = (256, SECOND, 3_600 * SECOND, 10 * DAY, 10 * DAY, 500 * DAY)
_DELAYS = (0, 0, 256, 3_600 * SECOND, 60 * DAY)
_AMOUNTS = (0.0, 0.01, 9.99, 20.0, 10_000.0)
_QUANTITIES = (1.0, 2.0, 3.0, 0.5)
_KINDS, _CHANNELS = tuple(Kind), tuple(Channel)
_CHOICES = np.dtype(
    [(name, np.uint8) for name in ("pause", "delay", "customer", "kind", "channel", "priced", "counted", "scored")]
    + [("paused", np.uint32), ("delayed", np.uint32), ("amount", np.uint32), ("item", np.uint16)]
    + [("category", np.uint16), ("quantity", np.uint8), ("score", np.uint8)]
)
"""What is drawn for an event. Zeros are the plainest one, which a failing history is shrunk to."""
_BYTES = st.binary(min_size=_CHOICES.itemsize, max_size=_CHOICES.itemsize)


@st.composite
def histories_of(draw: st.DrawFn, *, customers: int = 4, longest: int = 40) -> NDArray[np.void]:
    """An EVENT array in log order: `received` never falls, `at` is never later than `received`.

    An event is one draw of a few bytes: a draw for each of its fields takes Hypothesis many times as long.
    """
    size = draw(st.integers(0, longest))
    events = np.zeros(size, EVENT)
    drawn = np.frombuffer(b"".join(draw(_BYTES) for _ in range(size)), _CHOICES)
    received = START
    for event, choices in zip(events, drawn, strict=True):
        chosen = dict(zip(_CHOICES.names or (), choices.tolist(), strict=True))
        received += _pause(chosen["pause"], chosen["paused"])
        event["received"] = received
        event["at"] = received - _part_of(_DELAYS[chosen["delay"] % len(_DELAYS)], chosen["delayed"])
        event["customer"] = chosen["customer"] % customers
        event["kind"] = _KINDS[chosen["kind"] % len(_KINDS)]
        event["channel"] = _CHANNELS[chosen["channel"] % len(_CHANNELS)]
        event["item"], event["category"] = _code(chosen["item"]), _code(chosen["category"])
        event["amount"] = _amount(chosen["priced"], chosen["amount"])
        event["quantity"] = _QUANTITIES[chosen["quantity"] % 4] if chosen["counted"] % 2 else np.nan
        event["score"] = chosen["score"] % 11 if chosen["scored"] % 2 else np.nan
    return events


def _pause(which: int, drawn: int) -> int:
    """A pause of a marked length, in one of four, or of any length up to one of the spans."""
    if which % 4 == 0:
        return _MARKS[drawn % len(_MARKS)]
    return _part_of(_PAUSES[which // 4 % len(_PAUSES)], drawn)


def _amount(which: int, drawn: int) -> float:
    """No amount, any up to 10,000, or one of a few, so that amounts repeat and some are nothing."""
    if which % 2 == 0:
        return np.nan
    return drawn % 1_000_001 / 100 if which % 4 == 1 else _AMOUNTS[drawn % len(_AMOUNTS)]


def _part_of(span: int, drawn: int) -> int:
    """What 32 random bits come to in a span."""
    return span * drawn >> 32


def _code(drawn: int) -> int:
    """Every second code is one of four, so that codes repeat, the others one of 32."""
    return NO_CODE + (drawn // 2) % (4 if drawn % 2 == 0 else 32)


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
