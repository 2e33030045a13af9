"""Which partition of an export a customer is in: a hash of the code, the same for all ids that were ever joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.identity.periods import Merges, connected_components

Codes = NDArray[np.int32]

_STEP = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = tuple(map(np.uint64, (30, 27, 31)))


class Partitioning:
    """The partitions, from 0, of customers in a log with these merges."""

    def __init__(self, merges: Merges, partitions: int) -> None:
        self.partitions = partitions
        self._named, numbers = connected_components(merges)
        firsts = np.unique(numbers, return_index=True)[1]
        self._heads = self._named[firsts][numbers] if len(numbers) else self._named

    def heads(self, codes: Codes) -> Codes:
        """The oldest of all ids that each of `codes` was ever joined with, directly or not; else itself."""
        if not len(self._named):
            return codes
        places = np.minimum(np.searchsorted(self._named, codes), len(self._named) - 1)
        heads: Codes = np.where(self._named[places] == codes, self._heads[places], codes)
        return heads

    def of(self, codes: Codes) -> NDArray[np.int64]:
        """The partition of each of `codes`."""
        return (hashed(self.heads(codes)) % np.uint64(self.partitions)).astype(np.int64)


def hashed(codes: Codes, seed: int = 0) -> NDArray[np.uint64]:
    """A hash of 64 bits for each code (SplitMix64: Steele, Lea and Flood, 2014), which differs for another seed."""
    start = np.uint64((_STEP * (2 * seed + 1)) % 2**64)
    bits = codes.astype(np.uint64) * np.uint64(_STEP) + start
    bits = (bits ^ (bits >> _SHIFTS[0])) * _FIRST
    bits = (bits ^ (bits >> _SHIFTS[1])) * _SECOND
    return bits ^ (bits >> _SHIFTS[2])
