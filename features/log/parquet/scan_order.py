"""Log order over many files: a merge of blocks, with only the blocks in memory that overlap in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events import EVENT
from features.log.contract import Records


class Rows(NamedTuple):
    """Events, the offset of each, and their texts where those were asked for."""

    records: Records
    offsets: NDArray[np.int64]
    texts: pa.Table | None = None

    def at(self, places: NDArray[np.intp]) -> Rows:
        """Copies of the rows at these places, in their order."""
        return Rows(self.records[places], self.offsets[places], None if self.texts is None else self.texts.take(places))


class Block(NamedTuple):
    """Stored events that are read together, and the earliest `received` among them."""

    earliest: int
    read: Callable[[], Rows]


def in_log_order(blocks: Iterable[Block], size: int) -> Iterator[Rows]:
    """The events of all blocks by `(received, offset)`, at most `size` at a time.

    Blocks are read in the order of their earliest events; an event older than every unread block is yielded. In memory
    are the blocks that overlap in time with the one being read.
    """
    waiting = sorted(blocks, key=lambda block: block.earliest)
    held: list[Rows] = []
    enough = size
    for position, block in enumerate(waiting):
        held.append(block.read())
        last = position + 1 == len(waiting)
        if not last and sum(len(rows.offsets) for rows in held) < enough:
            continue
        rows = _together(held)
        order = np.lexsort((rows.offsets, rows.records["received"]))
        cut = len(order)
        if not last:
            received = rows.records["received"][order]
            cut = int(np.searchsorted(received, waiting[position + 1].earliest, "left"))
        for start in range(0, cut, size):
            yield rows.at(order[start : min(start + size, cut)])
        held = [rows.at(order[cut:])]
        # Twice what could not be yielded yet, so that blocks which all overlap are not sorted again for each block.
        enough = max(size, 2 * (len(order) - cut))


def _together(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, one part after the other."""
    if len(parts) == 1:
        return parts[0]
    texts = [rows.texts for rows in parts if rows.texts is not None]
    return Rows(
        np.concatenate([np.empty(0, EVENT), *(rows.records for rows in parts)]),
        np.concatenate([np.empty(0, np.int64), *(rows.offsets for rows in parts)]),
        pa.concat_tables(texts).combine_chunks() if texts else None,
    )
