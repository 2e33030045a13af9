"""BLAKE2b (RFC 7693) of many records, 96 bits each: eight at a time, side by side in the lanes of the processor."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types, uint64
from numba.extending import intrinsic
from numpy.typing import NDArray

from features.words import BYTES, word

LANES = 8
_BLOCK = 128

_INITIAL = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
_ORDER = (
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
)
_STEPS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_OF_96_BITS = np.uint64(0x01010000 ^ 12)


def digests(memory: NDArray[np.uint8], begins: NDArray[np.int32], ends: NDArray[np.int32]) -> NDArray[np.uint64]:
    """`blake2b(text, digest_size=12)` of each text, as two little-endian numbers: 64 bits and 32 bits."""
    results = np.empty((len(begins), 2), np.uint64)
    _digest(memory, begins, ends, results)
    return results


@intrinsic
def _compress(typing, message, hashed, counted, last):  # type: ignore[no-untyped-def]
    """The function F: mix a block into the hash of every lane, the lanes being vectors of the processor."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        lanes = ir.VectorType(ir.IntType(64), LANES)
        pointers = [
            builder.bitcast(context.make_array(kind)(context, builder, value).data, lanes.as_pointer())
            for kind, value in zip(signature.args, arguments, strict=True)
        ]

        def load(pointer: Any, row: int) -> Any:
            return builder.load(builder.gep(pointer, [ir.IntType(32)(row)]), align=8)

        def constant(value: int) -> Any:
            return ir.Constant(lanes, [value] * LANES)

        def turned(value: Any, bits: int) -> Any:
            return builder.or_(builder.lshr(value, constant(bits)), builder.shl(value, constant(64 - bits)))

        words = [load(pointers[0], row) for row in range(16)]
        before = [load(pointers[1], row) for row in range(8)]
        work = before + [constant(int(value)) for value in _INITIAL]
        work[12] = builder.xor(work[12], load(pointers[2], 0))
        work[14] = builder.xor(work[14], load(pointers[3], 0))
        for turn in range(12):
            for step, (a, b, c, d) in enumerate(_STEPS):
                x, y = _ORDER[turn % 10][2 * step : 2 * step + 2]
                for part, first, second in ((words[x], 32, 24), (words[y], 16, 63)):
                    work[a] = builder.add(builder.add(work[a], work[b]), part)
                    work[d] = turned(builder.xor(work[d], work[a]), first)
                    work[c] = builder.add(work[c], work[d])
                    work[b] = turned(builder.xor(work[b], work[c]), second)
        for row in range(8):
            mixed = builder.xor(before[row], builder.xor(work[row], work[row + 8]))
            builder.store(mixed, builder.gep(pointers[1], [ir.IntType(32)(row)]), align=8)
        return context.get_dummy_value()

    return types.void(message, hashed, counted, last), generate


@njit(cache=True, nogil=True)
def _digest(memory, begins, ends, results):  # type: ignore[no-untyped-def]
    hashed, message = np.empty((8, LANES), np.uint64), np.empty((16, LANES), np.uint64)
    counted, last = np.zeros(LANES, np.uint64), np.zeros(LANES, np.uint64)
    for first in range(0, len(begins), LANES):
        lanes = min(LANES, len(begins) - first)
        longest = np.int64(1)
        for lane in range(lanes):
            longest = max(longest, np.int64(ends[first + lane] - begins[first + lane]))
        for lane in range(LANES):
            for j in range(8):
                hashed[j, lane] = _INITIAL[j]
            hashed[0, lane] ^= _OF_96_BITS
        for block in range((longest + _BLOCK - 1) // _BLOCK):
            for lane in range(lanes):
                begin, length = begins[first + lane] + block * _BLOCK, ends[first + lane] - begins[first + lane]
                size = max(0, min(_BLOCK, length - block * _BLOCK))
                for j in range(16):
                    message[j, lane] = word(memory, begin + BYTES * j, size - BYTES * j)
                counted[lane] = block * _BLOCK + size
                last[lane] = _ALL if (block + 1) * _BLOCK >= length else uint64(0)
            _compress(message, hashed, counted, last)  # type: ignore[call-arg]
            for lane in range(lanes):
                length = ends[first + lane] - begins[first + lane]
                if max(0, length - 1) // _BLOCK == block:  # the lanes of longer texts go on
                    results[first + lane, 0] = hashed[0, lane]
                    results[first + lane, 1] = hashed[1, lane] & uint64(0xFFFFFFFF)
