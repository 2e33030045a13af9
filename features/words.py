"""Eight bytes of flat memory at once, wherever they begin: what texts are hashed and copied by."""

from __future__ import annotations

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic

BYTES = 8

_BITS = np.array([(1 << 8 * length) - 1 for length in range(BYTES + 1)], np.uint64)


@intrinsic
def _load(typing, memory, at):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(memory, types.int64), generate


@njit(cache=True, nogil=True, forceinline=True)
def word(memory, at, length):  # type: ignore[no-untyped-def]
    """The first `length` bytes, at most eight, from a place of bytes in memory: the first one lowest, zeros behind."""
    if length >= BYTES:
        return np.uint64(_load(memory, np.int64(at)))  # type: ignore[call-arg]
    if at + BYTES <= len(memory):
        return np.uint64(_load(memory, np.int64(at))) & _BITS[max(length, 0)]  # type: ignore[call-arg]
    last = np.uint64(0)
    for j in range(length):
        last |= np.uint64(memory[at + j]) << np.uint64(8 * j)
    return last
