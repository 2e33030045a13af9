"""The sweep: every customer's features and probabilities at one moment, the segments, and the reports over them."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from insights.journey import journey_report
from insights.kpis import key_figures
from insights.kpis import to_json as key_figures_json
from insights.segments import SEGMENTS, members
from models.actions import SCORES
from serving.champion import Champion
from serving.engine import Engine
from serving.scoreboard.files import BLANK, COLUMNS, CUSTOMERS, REPORT, Generation, Scoreboard

LOCK = "LOCK"

LARGEST_SHARE = 0.1
"""Share of one core that sweeping may take: after a sweep of 10 s, the next begins no sooner than 90 s later."""

OLDEST_SECONDS = 3600.0
"""A scoreboard is swept anew after this time though no event came: recency moves by itself."""


@dataclass
class _Swept:
    """All customers of a store, gathered chunk by chunk."""

    customers: list[NDArray[np.int32]] = field(default_factory=list)
    columns: list[NDArray[np.float32]] = field(default_factory=list)
    memories: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    """What the stages remember, by name."""


def sweep(engine: Engine, scoreboard: Scoreboard, now: int) -> Generation:
    """Read and score every customer at `now` and publish the result. Heals the states that need it first.

    Without a model the probabilities are NaN: segments that ask for them are empty.
    """
    engine.states.heal()
    offset = engine.states.log.offset()
    champion = engine.champions.current
    targets = tuple(dict.fromkeys((*(champion.bundle.scorers if champion else ()), *SCORES)))
    names = (*engine.fold.names, *targets)
    swept = _gather(engine, champion, targets, now)
    customers = np.concatenate([np.empty(0, np.int32), *swept.customers])
    matrix = np.concatenate([np.empty((len(names), 0), np.float32), *swept.columns], axis=1)
    columns = dict(zip(names, matrix, strict=True))
    found = {segment.name: members(segment, columns).astype(np.int32) for segment in SEGMENTS.values()}
    stays = {name: np.concatenate(chunks) for name, chunks in swept.memories.items()}
    report = {
        "as_of": now,
        "fingerprint": engine.fold.fingerprint,
        "catalogue": scoreboard.catalogue,
        "model_version": champion.bundle.version if champion else None,
        "offset": offset,
        "customers": len(customers),
        "columns": names,
        "targets": targets,
        "segments": {name: len(places) for name, places in found.items()},
        "journey": journey_report(columns, stays, now).to_json(),
        "figures": key_figures_json(key_figures(columns)),
    }
    return scoreboard.publish(
        lambda folder: _write(folder, customers, matrix, found, report), engine.states.log.customers.names
    )


def _gather(engine: Engine, champion: Champion | None, targets: Sequence[str], now: int) -> _Swept:
    """All customers who did something (whom only decisions and rewards speak of is not known) and let us profile."""
    nobody = engine.fold.memory_many(engine.fold.empty(0), "stages")
    swept = _Swept(memories={name: [nothing] for name, nothing in nobody.items()})
    first_seen, withdrawn = engine.fold.index["days_since_first"], engine.fold.index["profiling_withdrawn"]
    for chunk in engine.states.sweep():
        features = engine.fold.sweep(chunk.states, now)
        known = ~np.isnan(features[:, first_seen]) & ~(features[:, withdrawn] > 0)
        features, states = features[known], chunk.states[known]
        scored = champion.score_many(features) if champion else {}
        unscored = np.full(len(features), np.nan)
        scores = np.stack([scored.get(target, unscored) for target in targets])
        swept.customers.append(chunk.customers[known])
        swept.columns.append(np.concatenate([features.T, scores.astype(np.float32)]))
        for name, values in engine.fold.memory_many(states, "stages").items():
            swept.memories[name].append(values)
    return swept


def _write(
    folder: Path,
    customers: NDArray[np.int32],
    matrix: NDArray[np.float32],
    found: Mapping[str, NDArray[np.int32]],
    report: Mapping[str, Any],
) -> None:
    np.save(folder / CUSTOMERS, customers)
    np.save(folder / COLUMNS, matrix)
    for name, places in found.items():
        np.save(folder / f"{name}.npy", places)
    (folder / REPORT).write_text(json.dumps(report, allow_nan=False), encoding="utf-8")


class Sweeper:
    """Sweeps when there is something new. Of all processes on one scoreboard, the one that holds the lock does it."""

    def __init__(self, scoreboard: Scoreboard, period: float) -> None:
        self.scoreboard = scoreboard
        self.period = period
        self._lock: IO[str] | None = None

    def refresh(self, engine: Engine, clock: Callable[[], int]) -> tuple[float, float | None]:
        """Sweep if it is due. The seconds to rest, and how long the sweep took, None when there was none."""
        if not self._leads():
            return self.period, None
        current = self.scoreboard.current()
        if current is not None and not self._due(current, engine, clock()):
            return self.period, None
        begun = time.perf_counter()
        sweep(engine, self.scoreboard, clock())
        took = time.perf_counter() - begun
        return max(self.period, took * (1 / LARGEST_SHARE - 1)), took

    def release(self) -> None:
        """Let another process sweep."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _leads(self) -> bool:
        if self._lock is not None:
            return True
        self.scoreboard.directory.mkdir(parents=True, exist_ok=True)
        lock = (self.scoreboard.directory / LOCK).open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def _due(self, current: Generation, engine: Engine, now: int) -> bool:
        champion = engine.champions.current
        return (
            current.report["offset"] != engine.states.log.offset()
            or current.report["model_version"] != (champion.bundle.version if champion else None)
            or abs(now - current.as_of) / 1e6 > OLDEST_SECONDS
            or bool((current.customers == BLANK).any())
        )
