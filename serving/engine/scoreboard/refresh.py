"""The refresh: customers with new events are read and scored again, in the newest generation.

Afterwards their rows, and the members of every segment, are those that a sweep at this moment would write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.log.contract import Vocabulary
from insights.segments import SEGMENTS, Segment
from models.bundle.loaded import Champion
from serving.engine.engine import Engine
from serving.engine.scoreboard.batch_scores import BatchScores, batch_scores
from serving.engine.scoreboard.board import Scoreboard, drop_revision, oldest_kept
from serving.engine.scoreboard.files import (
    LAST_REVISION,
    PLACES,
    REVISION,
    Generation,
    blank_rows,
    opened,
    placed_by_code,
)
from serving.engine.scoreboard.sweep import revision, write_json
from serving.engine.scoreboard.top_reasons import explain_first

MOST = 20_000
"""Customers refreshed at once; where more have changed, as after an import, all are swept."""

Columns = Mapping[str, NDArray[np.float32]]


def refresh(engine: Engine, scoreboard: Scoreboard, now: int) -> Generation | None:
    """Bring the newest generation up to date with the log. None when a sweep is needed: there is no generation, another
    model answers, too much has changed, or the room for new rows is used up.
    """
    current, champion, states = scoreboard.current(), engine.champions.current, engine.states
    version = champion.bundle.version if champion else None
    if current is None or current.report["model_version"] != version or current.revision == LAST_REVISION:
        return None
    offset = states.log.offset()
    if offset == current.offset:
        return current
    changed = states.changed(current.offset, MOST + 1)
    if len(changed) > min(MOST, len(current.rows.customers) - current.used):
        return None
    read = batch_scores(engine, champion, current.report["targets"], states.load_many(changed), now)
    with scoreboard.alone():
        if (latest := scoreboard.current()) is None or latest.name != current.name:
            return None
        states.refresh()  # customers erased from here on are blanked after this refresh
        _write(current, champion, changed, _named(read, states.log.customers), now, offset)
        scoreboard.point_at(f"{current.folder.name}{current.revision + 1:04d}")
        latest = scoreboard.current()
        for number in range(current.oldest, latest.oldest if latest else 0):
            drop_revision(current.folder, number)
    return latest


def _named(read: BatchScores, names: Vocabulary) -> BatchScores:
    """The scores without those of customers who were erased after they were read."""

    def has_name(code: int) -> bool:
        try:
            names.name(code)
        except LookupError:
            return False
        return True

    kept = np.array([has_name(code) for code in read.customers.tolist()], bool)
    return BatchScores(read.customers[kept], read.columns[:, kept], read.states[kept])


def _write(
    current: Generation,
    champion: Champion | None,
    changed: NDArray[np.int32],
    read: BatchScores,
    now: int,
    offset: int,
) -> None:
    """Add the rows of changed customers, blank those not shown any more, and write the next revision."""
    codes, matrix = opened(current.folder)
    used, number = current.used + len(read.customers), current.revision + 1
    matrix[:, current.used : used] = read.columns
    codes[current.used : used] = read.customers
    lost = np.isin(codes[: current.used], np.setdiff1d(changed, read.customers, assume_unique=True))
    blank_rows(current.folder, np.flatnonzero(lost))
    placed = placed_by_code(codes[:used])
    replaced = np.ones(used, bool)
    replaced[placed[placed >= 0]] = False
    fresh = np.arange(current.used, used, dtype=np.int32)
    columns = dict(zip(current.report["columns"], matrix, strict=True))
    places, written = {}, dict(current.report["places"])
    for segment in SEGMENTS.values():
        before = current.candidates(segment.name)
        places[segment.name] = patched(segment, columns, codes, before, replaced, fresh)
        if places[segment.name] is not before:
            written[segment.name] = number
            np.save(current.folder / PLACES.format(segment.name, number), places[segment.name])
    explain_first(current.folder, champion, columns, places, current.used)
    kept = max(current.oldest, oldest_kept(number, sum(map(len, places.values()))))
    changes = revision(number, kept, now, offset, used, int(np.count_nonzero(placed >= 0)), places, written)
    write_json(current.folder / REVISION.format(number), changes)


def patched(
    segment: Segment,
    columns: Columns,
    codes: NDArray[np.int32],
    places: NDArray[np.int32],
    replaced: NDArray[np.bool_],
    fresh: NDArray[np.int32],
) -> NDArray[np.int32]:
    """A segment's candidates `places`, with the rows `replaced` left out and `fresh` added; itself if unchanged.

    The order is that of a sweep: the segment's own order, and by code among equals.
    """
    asked = {name: columns[name] for name in segment.columns()}
    entering = fresh[np.asarray(segment.rule.evaluate(_at(asked, fresh)), bool)]
    left = replaced[places]
    if not len(entering) and not left.any():
        return places
    kept = places[~left]
    keys, entering_keys = (_keys(segment, _at(asked, rows)) for rows in (kept, entering))
    order = np.lexsort((codes[entering], entering_keys))
    entering, entering_keys = entering[order], entering_keys[order]
    starts = np.searchsorted(keys, entering_keys, "left")
    stops = np.searchsorted(keys, entering_keys, "right")
    where = [
        start + np.searchsorted(codes[kept[start:stop]], code)
        for start, stop, code in zip(starts.tolist(), stops.tolist(), codes[entering].tolist(), strict=True)
    ]
    merged: NDArray[np.int32] = np.insert(kept, where, entering) if where else kept
    return merged


def _at(columns: Columns, places: NDArray[np.int32]) -> dict[str, NDArray[np.float32]]:
    return {name: values[places] for name, values in columns.items()}


def _keys(segment: Segment, columns: Columns) -> NDArray[Any]:
    """The sort keys of a segment, rising, NaN last."""
    return -np.asarray(segment.order_by.evaluate(columns), np.float64)
