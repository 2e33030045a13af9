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
"""What the stages remember, while a sweep is under way."""


def sweep(engine: Engine, scoreboard: Scoreboard, now: int, states: StateChunk | None = None) -> Generation:
    """Read and score every customer at `now` and publish the result. Heals the states that need it first.

    `states` are those of another moment, replayed, in the place of today's.
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
    found = {segment.name: candidates(segment, columns).astype(np.int32) for segment in SEGMENTS.values()}
    for name, places in found.items():
        np.save(folder / PLACES.format(name, 0), places)
    explain_first(folder, champion, columns, found)
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
        folder / REVISION.format(0), revision(0, 0, now, offset, customers, customers, found, dict.fromkeys(found, 0))
    )


def _answered(shop: Shop) -> dict[str, Any]:
    """Every insight by name, as JSON values."""
    return {name: insight.compute(shop).model_dump(mode="json") for name, insight in INSIGHTS.items()}


def _gather(
    folder: Path, engine: Engine, champion: Champion | None, now: int, replayed: StateChunk | None
) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]]]:
    """Write the rows of all customers. Their columns, and what the stages remember, by name."""
    targets = targets_of(champion)
    highest = engine.states.highest() if replayed is None else int(replayed.customers.max(initial=-1))
    codes, matrix = created(folder, len(engine.fold.names) + len(targets), highest + 1)
    nobody = engine.fold.memory_many(engine.fold.empty(0), "stages")
    stays = {name: _mapped(folder / STAYS.format(name), each, len(codes)) for name, each in nobody.items()}
    stop = 0
    for chunk in engine.states.sweep() if replayed is None else (replayed,):
        there = chunk.customers <= highest  # who came since is for the refresh
        read = batch_scores(engine, champion, targets, StateChunk(chunk.customers[there], chunk.states[there]), now)
        start, stop = stop, stop + len(read.customers)
        codes[start:stop] = read.customers
        matrix[:, start:stop] = read.columns
        for name, values in engine.fold.memory_many(read.states, "stages").items():
            stays[name][start:stop] = values
    return matrix[:, :stop], {name: values[:stop] for name, values in stays.items()}


def _mapped(path: Path, like: NDArray[Any], number: int) -> NDArray[Any]:
    """An array in a file: what is as large as the shop is never in the memory of a worker."""
    return np.lib.format.open_memmap(path, "w+", like.dtype, (number, *like.shape[1:]))


def revision(
    number: int,
    oldest: int,
    now: int,
    offset: int,
    rows: int,
    customers: int,
    found: Mapping[str, NDArray[Any]],
    places: Mapping[str, int],
) -> dict[str, Any]:
    """What a refresh changes in a generation's report; `places` tells in which revision a segment's were written."""
    return {
        "revision": number,
        "oldest": oldest,
        "refreshed": now,
        "offset": offset,
        "rows": rows,
        "customers": customers,
        "segments": {name: SEGMENTS[name].count(len(each)) for name, each in found.items()},
        "candidates": {name: len(each) for name, each in found.items()},
        "places": dict(places),
    }


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a part of the report."""
    path.write_text(json.dumps(value, allow_nan=False), encoding="utf-8")
