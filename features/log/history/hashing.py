"""Hashes of message ids, for the index of a segment: 64 bits, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_BYTE, _HALF = np.uint64(8), np.uint64(32)


def hashes_of(texts: Sequence[str] | pl.Series) -> Hashes:
    """The hash of each text."""
    if isinstance(texts, pl.Series):
        text = str(texts.str.join("").item() or "").encode()
        lengths = texts.str.len_bytes().to_numpy()
    else:
        encoded = [text.encode() for text in texts]
        text = b"".join(encoded)
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
    ends = np.cumsum(lengths, dtype=np.int64)
    out = np.empty(len(ends), np.uint64)
    _hash(np.frombuffer(text, np.uint8), ends, out)
    return out


def first_distinct(texts: pl.Series, hashes: Hashes) -> NDArray[np.bool_]:
    """Which texts are the first of their kind, given the hash of each."""
    first = pl.Series(hashes).is_first_distinct().to_numpy().copy()
    again = np.isin(hashes, hashes[~first])
    first[again] = texts.filter(pl.Series(again)).is_first_distinct().to_numpy()
    return first


@njit(cache=True, nogil=True)
def _hash(text, ends, out):  # type: ignore[no-untyped-def]
    """Multiply and shift, eight bytes at a time, then mix the bits (the finaliser of SplitMix64's family)."""
    start = 0
    for i in range(len(ends)):
        end = ends[i]
        mixed = np.uint64(end - start) * _FIRST
        place = start
        while place < end:
            word = np.uint64(0)
            for k in range(min(8, end - place)):
                word |= np.uint64(text[place + k]) << (np.uint64(k) * _BYTE)
            mixed = (mixed ^ word) * _SECOND
            mixed ^= mixed >> _HALF
            place += 8
        mixed = (mixed ^ (mixed >> _HALF)) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _SECOND
        out[i] = mixed ^ (mixed >> _HALF)
        start = end
