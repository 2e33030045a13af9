"""One simulated shop and its rows, shared by the tests of a process."""

from __future__ import annotations

from functools import cache

import numpy as np

from features.journey import JOURNEY
from features.log.contract import MERGE
from features.profiles import Past, past_of, replay_profiles
from features.replay import Histories
from tests.worlds import World, shop
from training.dataset import Dataset, Gathered, dataset, gathered
from training.moments import split
from training.targets import TARGETS


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
