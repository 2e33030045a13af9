"""The true probabilities in the simulated shops: those of a forecaster who knows the simulation's parameters.

Such a forecaster knows each customer's pace and how long customers stay, but not who has left already. It either knows
the season ahead, too, and is then perfect; or it assumes that orders go on at today's pace, which shows how much of an
error comes from changes that nobody could predict.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma

from benchmarks.seasons_shops import LIFETIME, Floats, Lives

_STEPS = 60


def order_within(lives: Lives, customer: NDArray[np.int32], last: Floats, now: float, length: Floats, *,
                 foreseen: bool) -> Floats:  # fmt: skip
    """The chance that each `customer` orders within `length` days after day `now`; the last order came on day `last`.

    A customer who has left orders no more: the longer the silence, relative to the usual gap, the likelier that is.
    """
    grid = np.arange(len(lives.inner), dtype=np.float64)
    shape, scale = lives.regular[customer, None], (lives.gaps / lives.regular)[customer, None]
    began = np.interp(last, grid, lives.inner)[:, None]
    steps = np.linspace(0.0, 1.0, _STEPS + 1)
    silent = last[:, None] + (now - last)[:, None] * steps
    waits = gamma.sf(np.interp(silent, grid, lives.inner) - began, shape, scale=scale)
    stays = np.exp(-(silent - last[:, None]) / LIFETIME)
    here = waits[:, -1] * stays[:, -1]
    gone = (0.5 * (waits[:, 1:] + waits[:, :-1]) * (stays[:, :-1] - stays[:, 1:])).sum(axis=1)
    ahead = now + length[:, None] * steps
    clock = np.interp(ahead, grid, lives.inner)
    if not foreseen:
        clock = np.interp(now, grid, lives.inner) + (ahead - now) * np.diff(lives.inner)[max(int(now) - 1, 0)]
    left = gamma.sf(clock - began, shape, scale=scale)
    middle = np.exp(-(0.5 * (ahead[:, 1:] + ahead[:, :-1]) - now) / LIFETIME)
    orders = ((left[:, :-1] - left[:, 1:]) * middle).sum(axis=1) / np.maximum(waits[:, -1], 1e-300)
    chance: Floats = np.clip(orders, 0.0, 1.0) * here / np.maximum(here + gone, 1e-300)
    return chance
