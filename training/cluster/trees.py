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
from training.fitting.candidates import Candidate
from training.rows.dataset import Gathered, Slice
from training.rows.schedule import NotEnoughHistory, Schedule
from training.targets import Target

if TYPE_CHECKING:
    from training.run.pipeline import Cluster

_NETWORK = re.compile(
    r"^\[(?:num_machines|machines|local_listen_port|time_out|machine_list_filename): .*\n", re.MULTILINE
)
"""The lines of a model's text about the machines on which it was trained."""


@dataclass(frozen=True, eq=False)
class GrownTrees:
    """Trees on all rows of a cluster: `rounds` of them, with LightGBM's `parameters`.

    `early` are as many trees without the rows of `stop`, on which the number was chosen.
    """

    rows: ClusterRows
    rounds: int
    early: Trees
    parameters: dict[str, object]

    def fit(self, known: Slice) -> Trees:
        """Trees grown on all rows of the cluster that are no newer than those in the slices of `known`."""
        parts, newest = self.rows.question.split, int(known.cutoff.max())
        name = next(name for name in ("fit", "stop", "calibrate", "test") if newest <= int(getattr(parts, name)[-1]))
        return _trees(self.rows, grow(self.rows, name, self.parameters, self.rounds))


def grown(rows: ClusterRows, seed: int) -> GrownTrees:
    """Choose the number of trees on `stop`, from trees that were grown on rows that do not overlap with it."""
    parameters = settings(rows.upto("calibrate"), seed) | constraints(rows.target, rows.names)
    blind = grow(rows, "purged_fit", parameters, ROUNDS)
    rounds = best_round(rows.losses(blind.model_to_string()))
    early = lightgbm.Booster(model_str=blind.model_to_string(num_iteration=rounds))
    return GrownTrees(rows, rounds, _trees(rows, early), parameters)


def on_cluster(client: Client, exported: ExportedLog) -> Cluster:
    """A function for `training.run.pipeline.train`: the rows of a target, and the candidate of trees on the cluster.

    It gives None for a log that is too short for a split by time: one machine trains on that.
    """

    def ask(target: Target, seed: int, schedule: Schedule | None) -> tuple[Gathered, Candidate] | None:
        try:
            rows = replayed(client, exported, target, seed=seed, schedule=schedule)
        except NotEnoughHistory:
            return None
        grew = grown(rows, seed)
        shown = settings(rows.upto("calibrate"), seed) | {"rounds": grew.rounds}
        return rows.gathered(seed=seed), Candidate(grew.fit, grew.early, shown)

    return ask


def _trees(rows: ClusterRows, booster: lightgbm.Booster) -> Trees:
    return Trees(rows.target.name, booster.model_to_string(), rows.names)


def grow(rows: ClusterRows, upto: str, parameters: dict[str, object], rounds: int) -> lightgbm.Booster:
    """Trees on the rows up to the end of a slice; every worker grows them on the rows that it holds.

    Histograms are summed over the workers, so that the last digits of the trees depend on the number of workers.
    """
    given: dict[str, Any] = {name: value for name, value in parameters.items() if name != "num_threads"}
    classifier = lightgbm.DaskLGBMClassifier(client=rows.client, n_estimators=rounds, **given)
    # LightGBM prints the ports it uses, and warns every time that a worker's own number of threads is used.
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored", UserWarning)
        classifier.fit(*rows.arrays(upto), feature_name=list(rows.names))
    return lightgbm.Booster(model_str=_NETWORK.sub("", classifier.booster_.model_to_string()))


def best_round(losses: NDArray[np.float64], patience: int = PATIENCE) -> int:
    """The number of trees with the least loss, once `patience` further ones have not improved on it."""
    best = 0
    for place, loss in enumerate(losses.tolist()):
        if loss < losses[best]:
            best = place
        elif place - best >= patience:
            break
    return best + 1
