"""The items that a customer touched lately or buys repeatedly: the input of the recommender.

Training and serving both read it here, so a recommender gets the same input in service as in its evaluation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from features.fold.fold import Fold
from features.journey import Journey
from models.recommenders.contract import Touched

VIEWS = "recent_views"
HALF_LIVES = {
    VIEWS: 28 * DAY,
    "favourite_purchases": Journey.memories["favourite_purchases"].parameters()["half_life"],
}
"""The memories of the fold that are read, and the time in which an item in each loses half its weight."""


def recent_items(
    fold: Fold, states: NDArray[np.void], index: int, name: Callable[[int], str], now: int
) -> list[Touched]:
    """The items in the memories of states[index] with their weights, the heaviest first.

    An item touched once, just now, weighs 1; one that is bought repeatedly weighs more. `name` gives the name of an
    item's code in the log that the states come from.
    """
    touched = [
        (0.5 ** ((now - at) / half_life), code, memory != VIEWS)
        for memory, half_life in HALF_LIVES.items()
        for code, at in fold.memory(states, index, memory)
    ]
    touched.sort(reverse=True)
    return [Touched(name(code), weight, bought) for weight, code, bought in touched]
