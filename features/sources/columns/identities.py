"""The ids of `features.sources.fields.message_ids.Identities` for many records at once: the same for the same file."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.sources.columns.texts import Texts, room_for, write_literal
from features.sources.fields.message_ids import Identities

_FREE, _GONE = 0, -1
"""What stands in the place of the number of repetitions where there is no record, and where there was one."""


class ColumnIdentities(Identities):
    """Which records of a file came before, in a window of different ones; and the ids that follow from it."""

    def __init__(self, prefix: str, window: int) -> None:
        super().__init__(prefix, window)
        self._beginning = np.frombuffer(f"{prefix}-".encode(), np.uint8)
        slots = 1 << (2 * window).bit_length()
        self._keys = np.zeros((2, slots, 2), np.uint64)
        self._counts = np.full((2, slots), _FREE, np.int32)
        self._place = np.zeros(2, np.int64)
        """Which of the two tables holds the recent records, and how many these are."""

    def numbered(self, identity: str) -> str:
        """The id of the next record, by what it is unnumbered: with a number if the file repeats the record."""
        digest = np.zeros((1, 2), np.uint64)
        digest.view(np.uint8)[0, :12] = np.frombuffer(bytes.fromhex(identity[-24:]), np.uint8)
        return self.texts(digest, self.repetitions(digest)).at(0)

    def repetitions(self, digests: NDArray[np.uint64]) -> NDArray[np.int32]:
        """How often the same record came before each of these, the next ones of the file."""
        results = np.empty(len(digests), np.int32)
        _count(digests, self._keys, self._counts, self._place, self._window, results)
        return results

    def texts(self, digests: NDArray[np.uint64], repetitions: NDArray[np.int32]) -> Texts:
        """The ids of records with these digests."""
        sizes = np.full(len(digests), len(self._beginning) + 24, np.int64)
        for row in np.flatnonzero(repetitions):
            sizes[row] += len(f"-{repetitions[row]}")
        memory, begins, ends = room_for(sizes)
        cursor = begins.copy()
        write_literal(memory, cursor, self._beginning)
        _write_digests(memory, cursor, digests.view(np.uint8).reshape(-1, 16))
        for row in np.flatnonzero(repetitions):
            memory[cursor[row] : ends[row]] = np.frombuffer(f"-{repetitions[row]}".encode(), np.uint8)
        return Texts(memory, begins, ends)


@njit(cache=True, nogil=True)
def _hexadecimal(half):  # type: ignore[no-untyped-def]
    return half + (48 if half < 10 else 87)


@njit(cache=True, nogil=True)
def _write_digests(memory, cursor, digests):  # type: ignore[no-untyped-def]
    """Write 12 bytes as hexadecimal digits at the cursor of every row, and move it behind them."""
    for row in range(len(cursor)):
        at = cursor[row]
        for j in range(12):
            byte = np.int64(digests[row, j])
            memory[at], memory[at + 1] = _hexadecimal(byte >> 4), _hexadecimal(byte & 15)
            at += 2
        cursor[row] = at


@njit(cache=True, nogil=True)
def _slot(keys, counts, low, high):  # type: ignore[no-untyped-def]
    """Where a digest stands in a table, or would stand."""
    mask = len(counts) - 1
    slot = np.int64(low & np.uint64(mask))
    while counts[slot] != _FREE and (keys[slot, 0] != low or keys[slot, 1] != high):
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _count(digests, keys, counts, recent, window, results):  # type: ignore[no-untyped-def]
    for row in range(len(digests)):
        low, high = digests[row, 0], digests[row, 1]
        now = recent[0]
        slot = _slot(keys[now], counts[now], low, high)
        earlier = counts[now, slot]
        if earlier == _FREE:
            older = _slot(keys[1 - now], counts[1 - now], low, high)
            if counts[1 - now, older] > 0:
                earlier = counts[1 - now, older]
                counts[1 - now, older] = _GONE
            if recent[1] >= window:
                now = 1 - now
                counts[now] = _FREE
                recent[0], recent[1] = now, 0
                slot = _slot(keys[now], counts[now], low, high)
            keys[now, slot, 0], keys[now, slot, 1] = low, high
            recent[1] += 1
        counts[now, slot] = earlier + 1
        results[row] = earlier
