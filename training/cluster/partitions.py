"""What a worker does with one partition: replay it, label it, keep its rows, and tell of them what is asked."""

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
"""Rows whose leaves are looked up at a time."""


@dataclass(frozen=True)
class Question:
    """What is asked of every partition of the export in `folder`.

    `share` of the customers, drawn by the seed, stand for all.
    """

    folder: str
    target: Target
    split: Split
    share: float
    seed: int


class PartitionRows(NamedTuple):
    """The columns of a `Slice`, by moment, so that what is older stands before what is newer.

    A tuple of plain arrays, whose size in memory Dask can tell.
    """

    features: NDArray[np.float32]
    labels: NDArray[Any]
    customer: NDArray[np.int32]
    cutoff: NDArray[np.int64]


class Greeting(NamedTuple):
    """What a worker must have in common with whoever asks it."""

    fingerprint: str
    log: str
    generation: int


def greeting(folder: str) -> Greeting:
    """What this process knows of the features and of the export in `folder`."""
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
    """The events of the customers that were drawn; ids that were ever joined are drawn together."""
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
    """How many rows of a partition are no newer than some moments, how many of them are yes, and of how many people."""

    rows: NDArray[np.int64]
    yes: NDArray[np.int64]
    people: int


def tally(rows: PartitionRows, moments: NDArray[np.int64]) -> Tally:
    """Count the rows up to each of `moments`."""
    number = np.searchsorted(rows.cutoff, moments, side="right")
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
    sizes = [each["num_leaves"] for each in booster.dump_model()["tree_info"]]
    values = np.zeros((trees, max(sizes)))
    for tree, leaves in enumerate(sizes):
        values[tree, :leaves] = [booster.get_leaf_output(tree, leaf) for leaf in range(leaves)]
    found = np.zeros(trees)
    for start in range(first, stop, BLOCK):
        here = slice(start, min(start + BLOCK, stop))
        leaf = np.asarray(booster.predict(rows.features[here], pred_leaf=True, num_threads=1), np.intp)
        margins = np.cumsum(values[np.arange(trees), leaf.reshape(-1, trees)], axis=1)
        signs = np.where(rows.labels[here] == 1, -1.0, 1.0)
        found += np.logaddexp(0.0, signs[:, None] * margins).sum(axis=0)
    return found
