"""Why the first members of a segment are in it: the reasons of the probabilities that it uses, made ahead.

A reason takes milliseconds, too long for a page of a segment. A row never changes, so neither do its reasons: they are
made when the row comes among the first, and kept as long as it stays there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insights.segments import SEGMENTS
from models.bundle.answers import reasons_many
from models.bundle.loaded import Champion
from serving.engine.scoreboard.files import read_reasons, write_reasons

TOP = 100
"""Members of a segment that are explained: the first page."""


def explain_first(
    folder: Path,
    champion: Champion | None,
    columns: Mapping[str, NDArray[np.float32]],
    places: Mapping[str, NDArray[np.int32]],
    settled: int = 0,
) -> None:
    """Update the reasons in a generation's folder for the candidates of every segment, at `places`.

    Rows from `settled` on are new: reasons stored for them belong to other rows, which a killed refresh left behind.
    """
    before, kept = read_reasons(folder), {}
    for target, rows in _asked(champion, places):
        known = before.get(target, {})
        reasons = {row: known[row] for row in rows if row < settled and row in known}
        fresh = [row for row in rows if row not in reasons]
        if fresh and champion is not None:
            features = champion.bundle.manifest.features
            matrix = np.column_stack([columns[name][fresh] for name in features])
            reasons |= zip(fresh, reasons_many(champion.bundle, target, np.ascontiguousarray(matrix)), strict=True)
        kept[target] = reasons
    if kept != before:
        write_reasons(folder, kept)


def _asked(champion: Champion | None, places: Mapping[str, NDArray[np.int32]]) -> Iterator[tuple[str, list[int]]]:
    """Each target that a segment uses, and the rows of the first members of those segments."""
    rows: dict[str, dict[int, None]] = {}
    for segment in SEGMENTS.values():
        for target in sorted(segment.columns() & champion.bundle.scorers.keys()) if champion else []:
            rows.setdefault(target, {}).update(dict.fromkeys(places[segment.name][:TOP].tolist()))
    yield from ((target, list(first)) for target, first in rows.items())
