"""Log order over many files: a merge of blocks that needs no more memory than what overlaps in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT
from features.log.contract import CHUNK, Records


class Rows(NamedTuple):
    """Events and their offsets, one each."""

    records: Records
    offsets: NDArray[np.int64]


class Block(NamedTuple):
    """A run of stored events that is read as one, and the earliest `received` in it."""

    earliest: int
    read: Callable[[], Rows]


def in_log_order(blocks: Iterable[Block]) -> Iterator[Records]:
    """The events of all blocks by `(received, offset)`, in chunks of at most `CHUNK`.

    Blocks are read by their earliest event; what is older than every block still to come is given out. In memory are
    the blocks that overlap in time with the one being read.
    """
    waiting = sorted(blocks, key=lambda block: block.earliest)
    held: list[Rows] = []
    enough = CHUNK
    for position, block in enumerate(waiting):
        held.append(block.read())
        last = position + 1 == len(waiting)
        if not last and sum(len(rows.offsets) for rows in held) < enough:
            continue
        rows = ordered(held)
        cut = len(rows.offsets)
        if not last:
            cut = int(np.searchsorted(rows.records["received"], waiting[position + 1].earliest, "left"))
        for start in range(0, cut, CHUNK):
            yield rows.records[start : min(start + CHUNK, cut)]
        held = [Rows(rows.records[cut:].copy(), rows.offsets[cut:].copy())]
        # Twice what could not be given out, so that blocks which all overlap are not sorted again for each one.
        enough = max(CHUNK, 2 * len(held[0].offsets))


def ordered(parts: Iterable[Rows]) -> Rows:
    """All rows, by `(received, offset)`."""
    found = list(parts)
    if not found:
        return Rows(np.empty(0, EVENT), np.empty(0, np.int64))
    records = np.concatenate([rows.records for rows in found])
    offsets = np.concatenate([rows.offsets for rows in found])
    order = np.lexsort((offsets, records["received"]))
    return Rows(records[order], offsets[order])
