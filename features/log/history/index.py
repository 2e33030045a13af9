"""The index of a segment: where the events of a customer stand, what each is, and where a message id may stand.

It lies in a file beside the segment, is read by mapping it into memory, and holds no name and no message id. A message
id is found by its hash: the highest bits choose a bucket, 18 other bits or more are compared. Of unknown ids one in
some ten thousand looks known, in a small segment one in a million, so every hit is checked against the segment itself.

What every reading by customer needs is here once more in a byte or less: a row's customer follows from where each
begins, and its kind and channel, words in the segment, are one number of the pairs of them that occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.files import replace
from features.log.history.hashing import Hashes

_MAGIC = 0x32584449_59415753
_PER_BUCKET = 8


@dataclass(frozen=True)
class Index:
    """The arrays of an index."""

    customers: NDArray[np.int32]
    """The customers that have events, rising."""
    starts: NDArray[np.uint32]
    """Where the events of each begin, and the number of events at the end."""
    buckets: NDArray[np.uint32]
    """Where the entries of each bucket begin, and the number of events at the end."""
    marks: NDArray[np.uint16]
    """16 bits of the hash of each entry."""
    rows: NDArray[np.uint8]
    """The row of each entry in three bytes, lowest first, and in the bits that no row needs more of the hash:
    uint8[events, 3]."""
    pairs: NDArray[np.uint8]
    """The pairs of kind and channel that occur, as their numbers: uint8[pairs, 2]."""
    pair: NDArray[np.uint8] | NDArray[np.uint16]
    """Which of the pairs each event has; in two bytes only where there are more than 256."""

    @property
    def events(self) -> int:
        """How many events the segment holds."""
        return len(self.marks)

    def spans(self, codes: NDArray[np.int32]) -> list[tuple[int, int]]:
        """The rows of each of these customers that has any: first, and one after the last."""
        places = np.searchsorted(self.customers, codes)
        inside = places < len(self.customers)
        places = places[inside][self.customers[places[inside]] == codes[inside]]
        return [(int(self.starts[place]), int(self.starts[place + 1])) for place in places]

    def candidates(self, hashes: Hashes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of the hashes may be in the segment, and at which row: places in `hashes`, and rows, of one length."""
        shift, row_bits = _shift(len(self.buckets) - 1), _row_bits(self.events)
        number = _count_candidates(hashes, self.buckets, self.marks, shift)
        places, rows = np.empty(number, np.int64), np.empty(number, np.int64)
        if number:
            number = _find_candidates(hashes, self.buckets, self.marks, self.rows, shift, row_bits, places, rows)
        return places[:number], rows[:number]


def index_of(
    customers: NDArray[np.int32], hashes: Hashes, kinds: NDArray[np.uint8], channels: NDArray[np.uint8]
) -> Index:
    """The index of events sorted by customer, given the hash of each message id and the numbers of kind and channel."""
    firsts = np.flatnonzero(np.diff(customers, prepend=-1))
    bits = max(1, int(len(hashes) // _PER_BUCKET).bit_length())
    buckets = np.zeros((1 << bits) + 1, np.uint32)
    marks, rows = np.empty(len(hashes), np.uint16), np.empty((len(hashes), 3), np.uint8)
    _fill(hashes, buckets, marks, rows, _shift(1 << bits), _row_bits(len(hashes)))
    starts = np.append(firsts, len(customers)).astype(np.uint32)
    return Index(customers[firsts], starts, buckets, marks, rows, *_pairs(kinds, channels))


def _pairs(kinds: NDArray[np.uint8], channels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    both = kinds.astype(np.uint16) << 8 | channels
    occurs = np.zeros(1 << 16, np.bool_)
    occurs[both] = True
    pairs = np.flatnonzero(occurs)
    number = np.zeros(1 << 16, np.uint8 if len(pairs) <= 256 else np.uint16)
    number[pairs] = np.arange(len(pairs))
    return np.stack([pairs >> 8, pairs & 255], axis=1).astype(np.uint8), number[both]


def save(path: Path, index: Index) -> None:
    """Write an index, all or nothing."""
    head = np.array([_MAGIC, len(index.marks), len(index.customers), len(index.buckets), len(index.pairs)], np.int64)
    parts = (head, index.customers, index.starts, index.buckets, index.marks, index.pair, index.rows, index.pairs)
    replace(path, b"".join(part.tobytes() for part in parts))


def load(path: Path) -> Index:
    """Map an index into memory. Raises OSError when there is none, ValueError when it is damaged."""
    content = np.memmap(path, np.uint8, "r")
    head = content[:40].view(np.int64).tolist() if len(content) >= 40 else [0] * 5
    magic, events, customers, buckets, pairs = head
    number = np.uint8 if pairs <= 256 else np.uint16
    sizes = np.array(
        [
            40,
            4 * customers,
            4 * (customers + 1),
            4 * buckets,
            2 * events,
            number().itemsize * events,
            3 * events,
            2 * pairs,
        ]
    )
    if magic != _MAGIC or len(content) != sizes.sum():
        raise ValueError(f"{path} is no index of a segment, or a damaged one")
    edges = np.cumsum(sizes)
    parts = [content[first:last] for first, last in pairwise(edges.tolist())]
    return Index(
        parts[0].view(np.int32),
        parts[1].view(np.uint32),
        parts[2].view(np.uint32),
        parts[3].view(np.uint16),
        parts[5].reshape(-1, 3),
        parts[6].reshape(-1, 2),
        parts[4] if pairs <= 256 else parts[4].view(np.uint16),
    )


def _shift(buckets: int) -> int:
    return 65 - int(buckets).bit_length()


def _row_bits(events: int) -> int:
    """Bits that a row needs; what is left of three bytes holds more of the hash."""
    return max(events - 1, 0).bit_length()


@njit(cache=True, nogil=True, forceinline=True)
def _more(hashed, row_bits):  # type: ignore[no-untyped-def]
    """The bits of a hash that stand above the row."""
    return ((hashed >> np.uint64(16)) << np.uint64(row_bits)) & np.uint64(0xFFFFFF)


@njit(cache=True, nogil=True)
def _fill(hashes, buckets, marks, rows, shift, row_bits):  # type: ignore[no-untyped-def]
    """A counting sort of the rows by bucket."""
    by = np.uint64(shift)
    for i in range(len(hashes)):
        buckets[(hashes[i] >> by) + np.uint64(1)] += np.uint32(1)
    for b in range(1, len(buckets)):
        buckets[b] += buckets[b - 1]
    places = buckets[:-1].copy()
    for i in range(len(hashes)):
        bucket = hashes[i] >> by
        place = places[bucket]
        places[bucket] = place + np.uint32(1)
        marks[place] = np.uint16(hashes[i] & np.uint64(0xFFFF))
        entry = _more(hashes[i], row_bits) | np.uint64(i)
        for byte in range(3):
            rows[place, byte] = np.uint8((entry >> np.uint64(8 * byte)) & np.uint64(255))


@njit(cache=True, nogil=True)
def _count_candidates(hashes, buckets, marks, shift):  # type: ignore[no-untyped-def]
    """How many entries have the marks of these hashes: at least as many as candidates."""
    number = 0
    for i in range(len(hashes)):
        bucket, mark = hashes[i] >> np.uint64(shift), np.uint16(hashes[i] & np.uint64(0xFFFF))
        for place in range(buckets[bucket], buckets[bucket + np.uint64(1)]):
            number += marks[place] == mark
    return number


@njit(cache=True, nogil=True)
def _find_candidates(hashes, buckets, marks, rows, shift, row_bits, places, out):  # type: ignore[no-untyped-def]
    """Write the candidates and their rows. Returns how many there are."""
    number = 0
    of_row = (np.uint64(1) << np.uint64(row_bits)) - np.uint64(1)
    for i in range(len(hashes)):
        bucket, mark = hashes[i] >> np.uint64(shift), np.uint16(hashes[i] & np.uint64(0xFFFF))
        for place in range(buckets[bucket], buckets[bucket + np.uint64(1)]):
            if marks[place] != mark:
                continue
            entry = np.uint64(rows[place, 0]) | np.uint64(rows[place, 1]) << np.uint64(8)
            entry |= np.uint64(rows[place, 2]) << np.uint64(16)
            if entry & ~of_row == _more(hashes[i], row_bits):
                places[number] = i
                out[number] = entry & of_row
                number += 1
    return number
