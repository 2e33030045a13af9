"""Hashes of message ids, for the index of a segment: 64 bits, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from features.words import BYTES, word

Hashes = NDArray[np.uint64]

_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


def hashes_of(texts: Sequence[str] | pl.Series) -> Hashes:
    """The hash of each text."""
    series = texts if isinstance(texts, pl.Series) else pl.Series(texts, dtype=pl.String)
    text = str(series.str.join("").item() or "").encode()
    ends = np.cumsum(series.str.len_bytes().to_numpy(), dtype=np.int64)
    out = np.empty(len(ends), np.uint64)
    _hash(np.frombuffer(text, np.uint8), ends, out)
    return out


def first_distinct(texts: pl.Series, hashes: Hashes) -> NDArray[np.bool_]:
    """Which texts are the first of their kind, given the hash of each."""
    rising = np.sort(hashes)
    again = np.isin(hashes, rising[1:][rising[1:] == rising[:-1]])
    first = np.ones(len(hashes), bool)
    first[again] = texts.filter(pl.Series(again)).is_first_distinct().to_numpy()
    return first


@njit(cache=True, nogil=True)
def _hash(text, ends, out):  # type: ignore[no-untyped-def]
    """Multiply and shift, eight bytes at a time, then mix the bits (the finaliser of SplitMix64's family)."""
    start = 0
    for i in range(len(ends)):
        end = ends[i]
        mixed = np.uint64(end - start) * _FIRST
        for place in range(start, end, BYTES):
            mixed = (mixed ^ word(text, place, end - place)) * _SECOND
            mixed ^= mixed >> _HALF
        mixed = (mixed ^ (mixed >> _HALF)) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(29))) * _SECOND
        out[i] = mixed ^ (mixed >> _HALF)
        start = end
