"""Boosted trees over all rows of a cluster, by LightGBM's own Dask estimator."""

from __future__ import annotations

import re
import sys
import warnings
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np
from distributed import Client
from numpy.typing import NDArray

from features.log.parquet.exported import ExportedLog
from models.prediction.tiers import Trees
from training.cluster.rows import ClusterRows, replayed
from training.fitting.calibration import PATIENCE, ROUNDS, constraints, settings
from training.fitting.candidates import Way
from training.rows.dataset import Gathered, Slice
from training.rows.schedule import NotEnoughHistory, Schedule
from training.targets import Target

if TYPE_CHECKING:
    from training.run.pipeline import Cluster

_NETWORK = re.compile(
    r"^\[(?:num_machines|machines|local_listen_port|time_out|machine_list_filename): .*\n", re.MULTILINE
)
"""What a model's text tells of the machines that grew it."""


@dataclass(frozen=True, eq=False)
class GrownTrees:
    """How trees are grown on all rows of a cluster: as many as `rounds`, with LightGBM's `parameters`.

    `early` are so many trees that know nothing of the rows of `stop`, on which the number was heard.
    """

    rows: ClusterRows
    rounds: int
    early: Trees
    parameters: dict[str, object]

    def fit(self, known: Slice) -> Trees:
        """So many trees, grown on all rows of the cluster that are no newer than those in the slices of `known`."""
        parts, newest = self.rows.question.split, int(known.cutoff.max())
        name = next(name for name in ("fit", "stop", "calibrate", "test") if newest <= int(getattr(parts, name)[-1]))
        return _trees(self.rows, grow(self.rows, name, self.parameters, self.rounds))


def grown(rows: ClusterRows, seed: int) -> GrownTrees:
    """Hear on `stop` how many trees are right, from trees that were grown on rows that know nothing of it."""
    parameters = settings(rows.upto("calibrate"), seed) | constraints(rows.target, rows.names)
    blind = grow(rows, "purged_fit", parameters, ROUNDS)
    rounds = best_round(rows.losses(blind.model_to_string()))
    early = lightgbm.Booster(model_str=blind.model_to_string(num_iteration=rounds))
    return GrownTrees(rows, rounds, _trees(rows, early), parameters)


def on_cluster(client: Client, exported: ExportedLog) -> Cluster:
    """What `training.run.pipeline.train` asks of a cluster: the rows of a target, and how its trees are grown there.

    A log that is too short to be parted by time is left to one machine.
    """

    def ask(target: Target, seed: int, schedule: Schedule | None) -> tuple[Gathered, Way] | None:
        try:
            rows = replayed(client, exported, target, seed=seed, schedule=schedule)
        except NotEnoughHistory:
            return None
        grew = grown(rows, seed)
        shown = settings(rows.upto("calibrate"), seed) | {"rounds": grew.rounds}
        return rows.gathered(seed=seed), Way(grew.fit, grew.early, shown)

    return ask


def _trees(rows: ClusterRows, booster: lightgbm.Booster) -> Trees:
    return Trees(rows.target.name, booster.model_to_string(), rows.names)


def grow(rows: ClusterRows, upto: str, parameters: dict[str, object], rounds: int) -> lightgbm.Booster:
    """So many trees on the rows up to the end of a slice; every worker grows them on the rows that it holds.

    Histograms are summed over the workers, so that the trees depend, in their last digits, on how many there are.
    """
    given: dict[str, Any] = {name: value for name, value in parameters.items() if name != "num_threads"}
    classifier = lightgbm.DaskLGBMClassifier(client=rows.client, n_estimators=rounds, **given)
    # It tells which ports it finds, and warns each time that a worker's own number of threads is used.
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored", UserWarning)
        classifier.fit(*rows.arrays(upto), feature_name=list(rows.names))
    return lightgbm.Booster(model_str=_NETWORK.sub("", classifier.booster_.model_to_string()))


def best_round(losses: NDArray[np.float64], patience: int = PATIENCE) -> int:
    """After how many trees to stop: at the least loss so far, once `patience` more have not bettered it."""
    best = 0
    for place, loss in enumerate(losses.tolist()):
        if loss < losses[best]:
            best = place
        elif place - best >= patience:
            break
    return best + 1
