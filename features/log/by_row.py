"""Columns and reading by customer for a log that keeps its events row by row, or in log order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT, Event
from features.histories import Histories
from features.log.contract import Appended, Records

if TYPE_CHECKING:
    import polars as pl


class _Log(Protocol):
    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended: ...
    def scan(self, *, until: int | None = None) -> Iterator[Records]: ...


class ByRow:
    """What such a log inherits; see `features.log.contract.EventStore`."""

    def append_columns(self: _Log, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Add the events of an import that the log does not have yet."""
        from features.log.frame import events_of  # Polars, which a log by itself does not need

        return np.array(self.append(events_of(frame), history=True).accepted, bool)

    def by_customer(self: _Log, *, until: int | None = None) -> Iterator[Histories]:
        """The histories of all customers at once."""
        from features.grouping import histories  # numba, which a log by itself does not need

        yield histories(self.scan(until=until))

    def together(self: _Log, codes: NDArray[np.int32], *, until: int | None = None) -> Records:
        """The events of some customers as one array in log order."""
        chosen = (chunk[np.isin(chunk["customer"], codes)] for chunk in self.scan(until=until))
        return np.concatenate([np.empty(0, EVENT), *chosen])
