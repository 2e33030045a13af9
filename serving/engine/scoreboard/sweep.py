"""The sweep: every customer's features and probabilities at one moment, the segments, and the reports over them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insights.catalogue import INSIGHTS
from insights.insight import Shop
from insights.segments import SEGMENTS, candidates
from models.bundle.loaded import Champion
from serving.engine.engine import Engine
from serving.engine.scoreboard.batch_scores import batch_scores, targets_of
from serving.engine.scoreboard.board import Scoreboard
from serving.engine.scoreboard.files import PLACES, REPORT, REVISION, Generation, created
from serving.engine.scoreboard.top_reasons import explain_first
from serving.engine.state.contract import StateChunk

STAYS = ".stays-{}.npy"
"""Files for the memory of the aggregate `stages` while a sweep runs."""


def sweep(engine: Engine, scoreboard: Scoreboard, now: int, states: StateChunk | None = None) -> Generation:
    """Read and score every customer at `now` and publish the result. Stale states are healed first.

    `states`, replayed at another moment, are read in the place of the stored ones.
    """
    if states is None:
        engine.states.heal()
    champion = engine.champions.current
    return scoreboard.publish(
        lambda folder: _write(folder, engine, champion, scoreboard, now, states), engine.states.log.customers.names
    )


def _write(
    folder: Path,
    engine: Engine,
    champion: Champion | None,
    scoreboard: Scoreboard,
    now: int,
    states: StateChunk | None,
) -> None:
    """Fill the folder of a generation."""
    offset = engine.states.log.offset()
    names = (*engine.fold.names, *targets_of(champion))
    matrix, stays = _gather(folder, engine, champion, now, states)
    customers = matrix.shape[1]
    columns = dict(zip(names, matrix, strict=True))
    places = {segment.name: candidates(segment, columns).astype(np.int32) for segment in SEGMENTS.values()}
    for name, rows in places.items():
        np.save(folder / PLACES.format(name, 0), rows)
    explain_first(folder, champion, columns, places)
    report = {
        "as_of": now,
        "newest_event": span[1] if (span := engine.states.log.span()) else None,
        "fingerprint": engine.fold.fingerprint,
        "catalogue": scoreboard.catalogue,
        "model_version": champion.bundle.version if champion else None,
        "columns": names,
        "targets": targets_of(champion),
        "amounts": tuple(champion.bundle.amounts) if champion else (),
        "stages": tuple(champion.bundle.stages) if champion else (),
        "insights": _answered(Shop(columns, stays, now)),
    }
    for name in stays:
        (folder / STAYS.format(name)).unlink()
    write_json(folder / REPORT, report)
    write_json(
        folder / REVISION.format(0), revision(0, 0, now, offset, customers, customers, places, dict.fromkeys(places, 0))
    )


def _answered(shop: Shop) -> dict[str, Any]:
    """Every insight by name, as JSON values."""
    return {name: insight.compute(shop).model_dump(mode="json") for name, insight in INSIGHTS.items()}


def _gather(
    folder: Path, engine: Engine, champion: Champion | None, now: int, replayed: StateChunk | None
) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]]]:
    """Write the rows of all customers. Returns their columns, and the memory of the aggregate `stages` by name."""
    targets = targets_of(champion)
    highest = engine.states.highest() if replayed is None else int(replayed.customers.max(initial=-1))
    codes, matrix = created(folder, len(engine.fold.names) + len(targets), highest + 1)
    nobody = engine.fold.memory_many(engine.fold.empty(0), "stages")
    stays = {name: _mapped(folder / STAYS.format(name), empty, len(codes)) for name, empty in nobody.items()}
    stop = 0
    for chunk in engine.states.sweep() if replayed is None else (replayed,):
        present = chunk.customers <= highest  # customers added since are left to the refresh
        read = batch_scores(engine, champion, targets, StateChunk(chunk.customers[present], chunk.states[present]), now)
        start, stop = stop, stop + len(read.customers)
        codes[start:stop] = read.customers
        matrix[:, start:stop] = read.columns
        for name, values in engine.fold.memory_many(read.states, "stages").items():
            stays[name][start:stop] = values
    return matrix[:, :stop], {name: values[:stop] for name, values in stays.items()}


def _mapped(path: Path, like: NDArray[Any], number: int) -> NDArray[Any]:
    """An array in a file, because one row per customer may be too large for a worker's memory."""
    return np.lib.format.open_memmap(path, "w+", like.dtype, (number, *like.shape[1:]))


def revision(
    number: int,
    oldest: int,
    now: int,
    offset: int,
    rows: int,
    customers: int,
    places: Mapping[str, NDArray[Any]],
    written: Mapping[str, int],
) -> dict[str, Any]:
    """The part of a report that a refresh changes; `written` is the revision that saved a segment's places."""
    return {
        "revision": number,
        "oldest": oldest,
        "refreshed": now,
        "offset": offset,
        "rows": rows,
        "customers": customers,
        "segments": {name: SEGMENTS[name].count(len(rows)) for name, rows in places.items()},
        "candidates": {name: len(rows) for name, rows in places.items()},
        "places": dict(written),
    }


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a part of the report."""
    path.write_text(json.dumps(value, allow_nan=False), encoding="utf-8")
