"""The rows of a target on the workers that made them: as Dask arrays for LightGBM, or gathered on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import dask.array
import numpy as np
from dask.delayed import delayed
from distributed import Client, Future, Scheduler, as_completed
from numpy.typing import NDArray

from features.events import DAY
from features.journey import JOURNEY
from features.log.parquet.exported import ExportedLog, Manifest
from training.cluster.connection import ClusterError
from training.cluster.partitions import (
    PartitionRows,
    Question,
    Tally,
    features_of,
    labels_of,
    losses,
    rows_of,
    tally,
    thinned,
)
from training.rows.dataset import MOST_ROWS, Counts, Gathered, Slice
from training.rows.schedule import NotEnoughHistory, Schedule, Split, split
from training.targets import Calendar, Target

Progress = Callable[[int, int], None]
"""Called with (partitions replayed, partitions in all) as the work proceeds."""

SHARE_OF_MEMORY = 0.2
"""The share of a worker's memory for its rows: LightGBM copies and bins them, besides the copy that Dask holds."""

EDGES = ("purged_fit", "fit", "stop", "calibrate", "test")
"""The slices by their ends; `fit` begins where `purged_fit` does, every other one where its predecessor ends."""


@dataclass(frozen=True, eq=False)
class ClusterRows:
    """All labelled rows of one target: those of partition p are the result of `parts[p]`, which stays on its worker.

    `counts` and `yes`, int64[partitions, slices], are the numbers of rows of each partition up to the end of each of
    `EDGES`, and of those that are yes; `people` is the number of customers of all rows.
    """

    client: Client
    question: Question
    parts: list[Future[PartitionRows]]
    counts: NDArray[np.int64]
    yes: NDArray[np.int64]
    people: int
    history_days: float
    names: tuple[str, ...] = JOURNEY.names

    @property
    def target(self) -> Target:
        """The target of these rows."""
        return self.question.target

    def __len__(self) -> int:
        return int(self.counts[:, -1].sum())

    def upto(self, name: str) -> int:
        """The number of rows up to the end of a slice."""
        return int(self.counts[:, EDGES.index(name)].sum())

    def arrays(self, name: str) -> tuple[dask.array.Array, dask.array.Array]:
        """Features and labels of the rows up to the end of a slice, one chunk for each partition that has any.

        Raises ClusterError when all rows of a worker have the same answer, which LightGBM cannot train on.
        """
        self._check_answers(name)
        features, labels = [], []
        for part, number in zip(self.parts, self.counts[:, EDGES.index(name)].tolist(), strict=True):
            if number:
                shape = (number, len(self.names))
                features.append(dask.array.from_delayed(delayed(features_of)(part, number), shape, np.float32))
                labels.append(dask.array.from_delayed(delayed(labels_of)(part, number), shape[:1], np.int8))
        return dask.array.concatenate(features), dask.array.concatenate(labels)

    def losses(self, text: str) -> NDArray[np.float64]:
        """The log loss of the model in `text` on the rows of `stop` after each of its trees: float64[trees]."""
        firsts, stops = (self.counts[:, EDGES.index(name)].tolist() for name in ("fit", "stop"))
        model = self.client.scatter(text, broadcast=True, hash=False)
        sums = [
            self.client.submit(losses, *asked, model, pure=False)
            for asked in zip(self.parts, firsts, stops, strict=True)
        ]
        mean: NDArray[np.float64] = np.sum(self.client.gather(sums), axis=0) / max(1, sum(stops) - sum(firsts))
        return mean

    def gathered(self, most: int = MOST_ROWS, seed: int = 0) -> Gathered:
        """The rows on this machine, as from `training.rows.dataset.gathered`: all, or those of a sample of the people.

        They are ordered by person, then by cutoff. The counts are of all rows of the cluster.
        """
        share = min(1.0, most / max(1, len(self)))
        parts = self.parts if share == 1.0 else self.client.map(thinned, self.parts, share=share, seed=seed, pure=False)
        partitions: list[PartitionRows] = self.client.gather(parts)
        columns = PartitionRows._make(map(np.concatenate, zip(*partitions, strict=True)))
        rows = by_person(Slice(*columns))
        counts = Counts(self.people, len(self), int(self.yes[:, -1].sum()), self.history_days)
        asked = self.question.split
        end = int(asked.test[-1]) + self.target.horizon
        return Gathered(self.target, self.names, rows, asked, "", counts, end)

    def _check_answers(self, name: str) -> None:
        where, edge = self.client.who_has(self.parts), EDGES.index(name)
        held: dict[str, NDArray[np.int64]] = {}
        for part, number, yes in zip(self.parts, self.counts[:, edge], self.yes[:, edge], strict=True):
            for worker in where[part.key][:1]:
                held.setdefault(worker, np.zeros(2, np.int64))[:] += number, yes
        for worker, (number, yes) in held.items():
            if number and yes in (0, number):
                raise ClusterError(
                    f"the worker {worker} holds {number:,} rows of {self.target.name}, {yes:,} of them yes; expected "
                    "both yes and no. Train on fewer workers, or on one machine: waypost train"
                )


def by_person(rows: Slice) -> Slice:
    """The rows ordered by person, then by cutoff."""
    order = np.lexsort((rows.cutoff, rows.customer))
    return Slice(rows.features[order], rows.labels[order], rows.customer[order], rows.cutoff[order])


def replayed(
    client: Client, exported: ExportedLog, target: Target, *, seed: int, schedule: Schedule | None = None,
    most: int | None = None, progress: Progress | None = None,
) -> ClusterRows:  # fmt: skip
    """Replay and label every partition, each on one worker, which keeps its rows.

    When all customers would make more than `most` rows (by default as many as fit the workers' memory), a sample is
    drawn by the seed. Raises `NotEnoughHistory` when the rows cannot be split by time, and ClusterError for a target
    whose answer is no probability.
    """
    if target.form != "probability":
        raise ClusterError(
            f"{target.name} asks for an answer of the form {target.form!r}, expected probability; use: waypost train"
        )
    manifest = exported.manifest
    parts = split(target, manifest.start, manifest.end, schedule)
    share = min(1.0, (most or _room(client)) / max(1, _most_rows(target, manifest, parts)))
    question = Question(str(exported.path), target, parts, share, seed)
    futures = [
        client.submit(rows_of, question, number, workers=[worker], allow_other_workers=True, pure=False)
        for number, worker in zip(range(len(manifest.partitions)), cycle(sorted(_workers(client))), strict=False)
    ]
    tallies = dict(_results(client.map(tally, futures, times=_edges(target, parts), pure=False), progress))
    results = [tallies[number] for number in range(len(futures))]
    counts, yes = np.stack([result.rows for result in results]), np.stack([result.yes for result in results])
    days = (manifest.end - manifest.start) / DAY
    rows = ClusterRows(client, question, futures, counts, yes, sum(result.people for result in results), days)
    _check_history(rows)
    return rows


def _edges(target: Target, parts: Split) -> NDArray[np.int64]:
    """The last cutoff of each of `EDGES`: the labels of `purged_fit` look no further than where `stop` begins."""
    ends = [times[-1] for times in (parts.fit, parts.stop, parts.calibrate, parts.test)]
    return np.array([min(int(parts.stop[0]) - target.horizon, int(ends[0])), *ends])


def _most_rows(target: Target, manifest: Manifest, parts: Split) -> int:
    """An upper bound of the number of rows."""
    calendar = isinstance(target.timing, Calendar)
    return manifest.customers * len(parts.cutoffs) if calendar else manifest.events


def _results(futures: list[Future[Tally]], progress: Progress | None) -> Iterator[tuple[int, Tally]]:
    """The results with their places, in the order in which they are done."""
    places = {future.key: place for place, future in enumerate(futures)}
    for done, future in enumerate(as_completed(futures), 1):
        yield places[future.key], future.result()
        if progress:
            progress(done, len(futures))


def _check_history(rows: ClusterRows) -> None:
    """Raise NotEnoughHistory unless every slice has both yes and no."""
    number, yes = rows.counts.sum(axis=0), rows.yes.sum(axis=0)
    for place, name in enumerate(EDGES):
        first = (number[place - 1], yes[place - 1]) if place > 1 else (0, 0)
        here, agreeing = int(number[place] - first[0]), int(yes[place] - first[1])
        if not 0 < agreeing < here:
            raise NotEnoughHistory(
                f"The {name} rows of {rows.target.name} are {here}, {agreeing} of them yes; expected both yes and no. "
                "Import more customers or more history with `waypost import`, and export the log again."
            )


def _workers(client: Client) -> dict[str, dict[str, Any]]:
    """The scheduler's information on each worker, by address.

    It is read from the scheduler itself, because the client's heartbeat may replace the result of
    `Client.scheduler_info` by one without workers.
    """
    workers: dict[str, dict[str, Any]] = client.run_on_scheduler(_identity)["workers"]
    if not workers:
        raise ClusterError("the cluster has no worker left; start some with: dask worker ADDRESS")
    return workers


def _identity(dask_scheduler: Scheduler) -> dict[str, Any]:
    return dask_scheduler.identity()


def _room(client: Client) -> int:
    """The number of rows that the workers can hold if every worker holds as many as the smallest one can."""
    workers = _workers(client).values()
    row = 4 * len(JOURNEY.names) + 13
    least = min(worker["memory_limit"] or row * MOST_ROWS / SHARE_OF_MEMORY for worker in workers)
    return int(len(workers) * SHARE_OF_MEMORY * least / row)
