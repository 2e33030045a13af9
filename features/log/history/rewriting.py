"""Segments written anew: several as one, and one without the events of erased customers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from features.log.history import segment
from features.log.history.segment import Entry
from features.log.history.store import Store

FEW = 8
"""So many segments of about one size become one."""


def merged(store: Store, number: int, entries: Sequence[Entry], erased: Collection[int]) -> Entry | None:
    """Write the events of several segments as one, numbered `number`, without those of the customers `erased`.

    None, and no file, when nothing is left.
    """
    base = min(entry.base for entry in entries)
    frames = [
        segment.scan(store, entry.number)
        .filter(~pl.col("customer").is_in(list(erased)))
        .with_columns(pl.col("arrival") + (entry.base - base))
        for entry in entries
    ]
    whole = pl.concat(frames).collect()
    return segment.write(store, number, whole, base) if len(whole) else None


def due(entries: Sequence[Entry]) -> list[Entry]:
    """The segments that should become one: the smallest, when `FEW` of them are of about one size; else none.

    Sizes are compared by powers of `FEW`, so an event is rewritten a few times in all, and a log of any length has
    few segments that are not full.
    """
    tiers: dict[int, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.base):
        if entry.events * 2 <= segment.MOST_EVENTS:
            tiers.setdefault(_tier(entry.events), []).append(entry)
    for _, tier in sorted(tiers.items()):
        if len(tier) >= FEW:
            return _fitting(tier)
    return []


def _tier(events: int) -> int:
    return (max(events, 1).bit_length() - 1) // 3


def _fitting(tier: Sequence[Entry]) -> list[Entry]:
    """The first segments of a tier that fit into one."""
    chosen: list[Entry] = []
    for entry in tier:
        if sum(other.events for other in chosen) + entry.events > segment.MOST_EVENTS:
            break
        chosen.append(entry)
    return chosen
