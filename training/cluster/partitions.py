"""The work of a worker on one partition: replay it, label it, keep its rows, and compute results from them."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.journey import JOURNEY
from features.log.parquet.exported import ExportedLog
from features.log.parquet.partitioning import hashed
from features.replay.snapshots import Past, past_of
from training.rows.dataset import rows_at, willing
from training.rows.schedule import Split
from training.targets import Target

_ONE_AT_A_TIME = Lock()
"""A worker with several threads replays one partition after another, so that it holds the events of one."""

BLOCK = 16_384
"""The number of rows whose leaves are looked up at a time."""


@dataclass(frozen=True)
class Question:
    """The task for every partition of the export in `folder`; only a `share` of the customers, drawn by the seed, is
    used."""

    folder: str
    target: Target
    split: Split
    share: float
    seed: int


class PartitionRows(NamedTuple):
    """The columns of a `Slice`, ordered by cutoff, the oldest first.

    It is a tuple of plain arrays, so that Dask can determine its size in memory.
    """

    features: NDArray[np.float32]
    labels: NDArray[Any]
    customer: NDArray[np.int32]
    cutoff: NDArray[np.int64]


class Greeting(NamedTuple):
    """What a worker must have in common with the client."""

    fingerprint: str
    log: str
    generation: int


def greeting(folder: str) -> Greeting:
    """The fingerprint of the features in this process, and the log and generation of the export in `folder`."""
    manifest = ExportedLog(folder).manifest
    return Greeting(JOURNEY.fingerprint, manifest.log, manifest.generation)


def rows_of(question: Question, partition: int) -> PartitionRows:
    """Replay a partition and label it. Raises what `ExportedLog.scan` does."""
    with _ONE_AT_A_TIME:
        exported, parts = ExportedLog(question.folder), question.split
        end = exported.manifest.end
        past = willing(JOURNEY, _past(exported, partition, question), end)
        rows = rows_at(question.target, JOURNEY, past, parts.cutoffs, end)
    order = np.argsort(rows.cutoff, kind="stable")
    return PartitionRows(rows.features[order], rows.labels[order], rows.customer[order], rows.cutoff[order])


def _past(exported: ExportedLog, partition: int, question: Question) -> Past:
    """The events of the customers drawn; ids that were ever merged are drawn together."""
    chunks, merges = exported.scan(partition), exported.merges_of(partition)
    if question.share >= 1.0:
        return past_of(chunks, merges)
    heads = exported.partitioning.heads
    return past_of((chunk[drawn(heads(chunk["customer"]), question.share, question.seed)] for chunk in chunks), merges)


def drawn(codes: NDArray[np.int32], share: float, seed: int) -> NDArray[np.bool_]:
    """Which of `codes` are among the `share` that the seed draws: the same in every partition."""
    chosen: NDArray[np.bool_] = hashed(codes, seed + 1) < np.uint64(min(max(share, 0.0), 1.0) * (2**64 - 2**12))
    return chosen


class Tally(NamedTuple):
    """Counts of a partition: rows and yes up to each of some times, and the number of people."""

    rows: NDArray[np.int64]
    yes: NDArray[np.int64]
    people: int


def tally(rows: PartitionRows, times: NDArray[np.int64]) -> Tally:
    """Count the rows up to each of `times`."""
    number = np.searchsorted(rows.cutoff, times, side="right")
    yes = np.append(0, np.cumsum(rows.labels == 1))[number]
    return Tally(number, yes, len(np.unique(rows.customer)))


def features_of(rows: PartitionRows, number: int) -> NDArray[np.float32]:
    """The features of the oldest `number` rows, float32[number, f]."""
    return rows.features[:number]


def labels_of(rows: PartitionRows, number: int) -> NDArray[Any]:
    """The labels of the oldest `number` rows."""
    return rows.labels[:number]


def thinned(rows: PartitionRows, share: float, seed: int) -> PartitionRows:
    """The rows of `share` of the people."""
    chosen = drawn(rows.customer, share, seed)
    return PartitionRows._make(column[chosen] for column in rows)


def losses(rows: PartitionRows, first: int, stop: int, text: str) -> NDArray[np.float64]:
    """The log loss, summed over rows `first` to `stop`, of the model in `text` after each of its trees: float64[trees].

    One pass finds the leaf of every row in every tree; the margins after each tree are running sums of leaf values.
    """
    booster = lightgbm.Booster(model_str=text)
    trees = booster.num_trees()
    sizes = [structure["num_leaves"] for structure in booster.dump_model()["tree_info"]]
    values = np.zeros((trees, max(sizes)))
    for tree, leaves in enumerate(sizes):
        values[tree, :leaves] = [booster.get_leaf_output(tree, leaf) for leaf in range(leaves)]
    total = np.zeros(trees)
    for start in range(first, stop, BLOCK):
        here = slice(start, min(start + BLOCK, stop))
        leaf = np.asarray(booster.predict(rows.features[here], pred_leaf=True, num_threads=1), np.intp)
        margins = np.cumsum(values[np.arange(trees), leaf.reshape(-1, trees)], axis=1)
        signs = np.where(rows.labels[here] == 1, -1.0, 1.0)
        total += np.logaddexp(0.0, signs[:, None] * margins).sum(axis=0)
    return total
