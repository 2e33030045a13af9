"""One simulated shop and its rows, shared by the tests of a process."""

from __future__ import annotations

from functools import cache

from features.journey import JOURNEY
from features.replay import Histories, histories, replay
from tests.worlds import World, shop
from training.dataset import Dataset, dataset, split
from training.targets import TARGETS


@cache
def world() -> World:
    """The shop."""
    return shop()


@cache
def known() -> Histories:
    """Its log by customer."""
    return histories([world().events])


@cache
def rows(target: str) -> Dataset:
    """The labelled rows of a target."""
    asked = TARGETS[target]
    end = world().end
    cutoffs = split(asked, int(known().events["received"].min()), end)
    return dataset(asked, known(), replay(JOURNEY, known(), cutoffs.cutoffs.tolist()), cutoffs, end)
