"""Long reads of a log in a database, each by a connection of its own: it waits for no writer, and sees what is there
when it begins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT, Kind
from features.histories import Histories
from features.log import rows
from features.log.contract import BATCH, CHUNK, EventBatch, Records

if TYPE_CHECKING:
    from features.log.history.history import History

FEW = 500
"""So few customers are looked up by their index; for more, all live events are read."""

Rows = list[tuple[Any, ...]]


class Reader(ABC):
    """A log as one connection sees it at one moment."""

    record: ClassVar[str]
    """The columns of `EVENT`, in its order, as the database spells them."""

    @abstractmethod
    def history(self) -> History | None:
        """The history; None when no event ever left the database for one."""

    @abstractmethod
    def selected(self, columns: str, selection: rows.Selection, size: int) -> Iterator[Rows]:
        """Some columns of the selected live events in log order, at most `size` at a time."""

    def live(
        self, selection: rows.Selection, size: int, *, offsets: bool = False, texts: bool = False
    ) -> Iterator[Rows]:
        """The selected live events in log order: the columns of `EVENT`, with `offsets` the offset, with `texts`
        message id, order id and properties."""
        columns = self.record + ', "offset"' * offsets + ", message_id, order_id, properties" * texts
        return self.selected(columns, selection, size)

    @abstractmethod
    def live_of(self, codes: list[int]) -> Rows:
        """The live events of some customers, in no order: the columns of `EVENT` and the offset."""


class Scans(ABC):
    """The reads of a log that pass over many events. See `features.log.contract.EventStore` for what they promise."""

    @abstractmethod
    def reader(self) -> AbstractContextManager[Reader]:
        """A reader of its own, which sees the log as it is now."""

    def scan(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None
    ) -> Iterator[Records]:
        """The log in log order: a scan neither waits for writers nor sees what they add meanwhile.

        The database keeps what the scan may still read: read it to its end, or close it.
        """
        selection = rows.Selection(kinds, shard, shards, until)
        with self.reader() as reader:
            history = reader.history()
            if history is None:
                for chunk in reader.live(selection, CHUNK):
                    yield np.array(chunk, EVENT)
            else:
                from features.log.history import whole  # Polars, which a log without history does not need

                live = reader.live(selection, CHUNK, offsets=True)
                yield from (run.records for run in whole.scan(history, live, selection, CHUNK, texts=False))

    def scan_with_properties(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None,
        size: int = BATCH,
    ) -> Iterator[EventBatch]:  # fmt: skip
        """What `scan` gives, with message ids, order ids and properties."""
        selection = rows.Selection(kinds, shard, shards, until)
        with self.reader() as reader:
            history = reader.history()
            if history is None:
                yield from map(rows.batch, reader.live(selection, size, texts=True))
            else:
                from features.log.history import whole

                live = reader.live(selection, size, offsets=True, texts=True)
                yield from map(whole.batch_of, whole.scan(history, live, selection, size, texts=True))

    def by_customer(self, *, until: int | None = None) -> Iterator[Histories]:
        """The histories of some customers after the other, by rising code."""
        selection = rows.Selection(until=until)
        with self.reader() as reader:
            history = reader.history()
            if history is None:
                from features.grouping import histories  # numba, which a log by itself does not need

                yield histories(np.array(chunk, EVENT) for chunk in reader.live(selection, CHUNK))
            else:
                from features.log.history import whole

                yield from whole.by_customer(history, reader.live(selection, CHUNK, offsets=True), until)

    def together(self, codes: NDArray[np.int32], *, until: int | None = None) -> Records:
        """The events of some customers as one array in log order."""
        from features.log.history import whole

        selection = rows.Selection(until=until)
        with self.reader() as reader:
            history = reader.history()
            few = len(codes) <= FEW
            live = [reader.live_of(codes.tolist())] if few else reader.live(selection, CHUNK, offsets=True)
            return whole.together(history, live, codes, selection)
