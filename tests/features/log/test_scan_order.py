"""Merging blocks gives log order, whatever the blocks, and holds only what overlaps in time."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from features.events import EVENT
from features.log.parquet.scan_order import Block, Rows, in_log_order


def rows(received: list[int], offsets: list[int]) -> Rows:
    records = np.zeros(len(received), EVENT)
    records["received"] = received
    records["at"] = offsets
    return Rows(records, np.array(offsets, np.int64), pa.table({"text": list(map(str, offsets))}))


def blocks(received: np.ndarray, sizes: list[int]) -> list[Block]:
    """Consecutive events, cut into blocks of these sizes."""
    made, start = [], 0
    for size in [*sizes, len(received)]:
        part = received[start : start + size].tolist()
        if part:
            made.append(Block(min(part), partial(rows, part, list(range(start, start + len(part))))))
        start += size
    return made


@given(
    received=arrays.arrays(np.int64, st.integers(0, 60), elements=st.integers(0, 20)),
    sizes=st.lists(st.integers(1, 9), max_size=20),
    chunk=st.integers(1, 12),
)
def test_a_merge_is_a_sort(received: np.ndarray, sizes: list[int], chunk: int) -> None:
    chunks = list(in_log_order(blocks(received, sizes), chunk))
    order = np.lexsort((np.arange(len(received)), received))
    assert [at for each in chunks for at in each.records["at"].tolist()] == order.tolist()
    assert [at for each in chunks for at in each.offsets.tolist()] == order.tolist()
    assert [text for each in chunks if each.texts for text in each.texts["text"].to_pylist()] == list(map(str, order))
    assert all(0 < len(each.offsets) <= chunk for each in chunks)


def test_blocks_apart_in_time_are_read_one_after_the_other() -> None:
    read: list[int] = []

    def reading(number: int) -> Rows:
        read.append(number)
        return rows(list(range(number * 10, number * 10 + 10)), list(range(number * 10, number * 10 + 10)))

    apart = [Block(number * 10, partial(reading, number)) for number in reversed(range(50))]
    chunks = in_log_order(apart, 10)
    for number, _ in enumerate(chunks):
        assert len(read) <= number + 2
    assert read == list(range(50))
