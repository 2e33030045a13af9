"""One simulated shop and its rows, shared by the tests of a process; and shops to train on, in folders of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from features.events import DAY
from features.histories import Histories
from features.journey import JOURNEY
from features.log import open_log
from features.log.contract import MERGE, EventLog
from features.outcomes import STAYS
from features.replay.snapshots import Past, past_of, replay_profiles
from tests.tracking import empty_store
from tests.worlds import World, shop
from training.fitting import candidates
from training.rows.dataset import Counts, Dataset, Gathered, Slice, dataset, gathered
from training.rows.schedule import Split, split
from training.targets import TARGETS
from training.tracking import store


@contextmanager
def log_of(world: World, folder: Path, *, parameters_at_once: int) -> Iterator[EventLog]:
    """The log of a world in `folder`, which is the working directory meanwhile.

    Models have few trees, and MLflow, whose store is in the folder too, takes so many parameters in one request.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("MLFLOW_RUN_ID", raising=False)
        empty_store(store.STORE)
        patch.setattr(candidates, "ROUNDS", 40)
        patch.setattr(store, "PARAMETERS_AT_ONCE", parameters_at_once)
        with closing(open_log("data/shop.db")) as log:
            log.append(world.rows(), history=True)
            yield log


@cache
def world() -> World:
    """The shop."""
    return shop()


@cache
def past() -> Past:
    """Its log, in which nobody has two ids."""
    return past_of([world().events], np.empty(0, MERGE))


def known() -> Histories:
    """Its log by customer."""
    return past().apart


@cache
def rows(target: str) -> Dataset:
    """The labelled rows of a target."""
    asked = TARGETS[target]
    end = world().end
    cutoffs = split(asked, int(known().events["received"].min()), end)
    return dataset(asked, past(), replay_profiles(JOURNEY, past(), cutoffs.cutoffs.tolist()), cutoffs, end)


@cache
def found(target: str, customers: int = 500, days: int = 280, seed: int = 1) -> Gathered:
    """All rows of a target in a shop of so many customers over so many days."""
    small = shop(customers, days, seed)
    log = past_of([small.events], np.empty(0, MERGE))
    return gathered(TARGETS[target], JOURNEY, log, int(small.events["received"].min()), small.end, seed=1)


def stages_found(labels: NDArray[np.int8], cutoff: NDArray[np.int64]) -> Gathered:
    """Rows of a next stage whose features tell nothing, with these answers at these cutoffs, of which there are 16."""
    features = np.zeros((len(labels), len(JOURNEY.names)), np.float32)
    days = np.where(labels == STAYS, np.nan, 3.0).astype(np.float32)
    rows = Slice(features, labels, np.arange(len(labels), dtype=np.int32), cutoff, days)
    cutoffs = np.unique(cutoff)
    split = Split(cutoffs[:10], cutoffs[10:12], cutoffs[12:14], cutoffs[14:])
    counts = Counts(len(rows), len(rows), int((labels != STAYS).sum()), 480.0)
    return Gathered(TARGETS["next_stage_28d"], JOURNEY.names, rows, split, "", counts, 17 * 30 * DAY)
