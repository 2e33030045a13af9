"""The columns of the scoreboard: features, and the values of the targets of champion, key figures and segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from insights.kpis import TARGETS
from insights.segments import SEGMENTS
from models.bundle.loaded import Champion
from serving.engine.engine import Engine
from serving.engine.state.contract import StateChunk


class BatchScores(NamedTuple):
    """Some customers at one moment."""

    customers: NDArray[np.int32]
    """Their codes, rising."""
    columns: NDArray[np.float32]
    """float32[features + targets, customers]."""
    states: NDArray[np.void]


def targets_of(champion: Champion | None) -> tuple[str, ...]:
    """The targets that have a column: the probabilities of the champion, and what key figures and segments use."""
    asked = sorted(frozenset[str]().union(*(segment.targets for segment in SEGMENTS.values())))
    return tuple(dict.fromkeys((*(champion.bundle.scorers if champion else ()), *TARGETS, *asked)))


def batch_scores(
    engine: Engine, champion: Champion | None, targets: Sequence[str], chunk: StateChunk, now: int
) -> BatchScores:
    """The customers of a chunk who did something (decisions and rewards alone do not count) and allow profiling.

    Without a model the targets are NaN, and segments that use them are empty.
    """
    first_seen, withdrawn = engine.fold.index["days_since_first"], engine.fold.index["profiling_withdrawn"]
    features = engine.fold.sweep(chunk.states, now)
    known = ~np.isnan(features[:, first_seen]) & ~(features[:, withdrawn] > 0)
    customers, states, features = chunk.customers[known], chunk.states[known], features[known]
    scored: dict[str, NDArray[Any]] = champion.score_many(features, targets) if champion else {}
    columns = np.empty((features.shape[1] + len(targets), len(features)), np.float32)
    columns[: features.shape[1]] = features.T
    for row, target in enumerate(targets, features.shape[1]):
        columns[row] = scored.get(target, np.nan)
    return BatchScores(customers, columns, states)
