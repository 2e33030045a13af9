"""The events of a log of files, partitioned into folders by a hash of the customer's id."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.events import Event
from features.log.membership import unmentioned
from features.log.parquet import folder
from features.log.parquet.tables import EVENTS, LOG_ORDER, read, write


class Partitions:
    """The folders `events/customer_hash=NN` of the log at `path`, `number` of them."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self._number = number

    def files(self) -> list[Path]:
        """Every file of events that is part of the log now."""
        return folder.listed(self._path, map(self._home, range(self._number)))

    def groups(self) -> Iterator[tuple[Path, int, int, int]]:
        """Every row group of events: its file, its number there, and the first and last `received` in it."""
        for path in self.files():
            metadata = pq.read_metadata(path)
            for number in range(metadata.num_row_groups):
                span = metadata.row_group(number).column(EVENTS.get_field_index("received")).statistics
                if span is not None and span.has_min_max:
                    yield path, number, span.min_raw, span.max_raw

    def of(self, customers: dict[int, str]) -> pa.Table:
        """All events of some customers, given by codes and names, in no order."""
        partitioning = {self._home(self._partition(name)) for name in customers.values()}
        codes = pa.array(customers, pa.int32())
        paths = folder.listed(self._path, sorted(partitioning)) if partitioning else []
        tables = [table.filter(pc.is_in(table["customer"], codes)) for table in map(read, paths)]
        return pa.concat_tables([EVENTS.empty_table(), *tables])

    def add(self, table: pa.Table, events: Sequence[Event], accepted: NDArray[np.bool_], commit: int) -> None:
        """Write for `commit` the rows of the accepted events, one row each in `table`."""
        numbers = np.fromiter((self._partition(event.customer) for event in events), np.int64, len(events))
        for number in np.unique(numbers[accepted]).tolist():
            chosen = table.filter(pa.array(accepted & (numbers == number)))
            write(folder.part(self._home(number), commit), chosen.sort_by(LOG_ORDER))

    def erase(self, codes: Collection[int], names: Collection[str], commit: int) -> list[int]:
        """Write for `commit` without the customers' events each folder that holds or mentions these customers.

        An event of another customer that mentions an erased name as its other id is kept without that name. Returns
        `received` of each removed event.
        """
        received: list[int] = []
        for home in map(self._home, range(self._number)):
            tables = [read(path) for path in folder.listed(self._path, [home])]
            if not tables:
                continue
            events = pa.concat_tables(tables)
            theirs = pc.is_in(events["customer"], pa.array(codes, pa.int32()))
            received += events["received"].filter(theirs).cast(pa.int64()).to_pylist()
            others = events.filter(pc.invert(theirs))
            said = others["properties"].to_pylist()
            kept = [unmentioned(properties, names) for properties in said]
            if len(others) < len(events) or kept != said:
                place = EVENTS.get_field_index("properties")
                others = others.set_column(place, EVENTS.field(place), pa.array(kept, pa.string()))
                write(folder.whole(home, commit), others.sort_by(LOG_ORDER))
        return received

    def _partition(self, customer: str) -> int:
        return zlib.crc32(customer.encode()) % self._number

    def _home(self, partition: int) -> Path:
        return self._path / "events" / f"customer_hash={partition:02}"
