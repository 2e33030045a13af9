"""Simulated shops whose rate of orders changes: with the season, in a jump, along a trend.

Every customer orders at random times of an inner clock; the speed of that clock on a day is the shop's profile, the
same for all customers. New customers come all the time, and customers leave for good unseen, so that the customers in
scope change, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from features.events import DAY, EVENT, NO_CODE, Channel, Kind

Floats = NDArray[np.float64]
Profile = Callable[[Floats], Floats]
"""The speed of orders on each day since the opening, relative to the usual pace."""

OPENING = 1_577_836_800 * 1_000_000
"""The first of January 2020, microseconds UTC."""

YEAR = 365.25


@dataclass(frozen=True)
class Simulated:
    """A shop: so many `customers` over so many `days` from the day of the year `opens`, ordering every `gap_days`."""

    profile: Profile
    days: int
    customers: int = 4_000
    gap_days: float = 40.0
    opens: int = 0


def steady(days: Floats) -> Floats:
    """No season."""
    return np.ones_like(days)


def wave(days: Floats, depth: float = 0.4) -> Floats:
    """High summer and low winter, one wave a year."""
    return 1.0 - depth * np.cos(2.0 * np.pi * days / YEAR)


def christmas(days: Floats, height: float = 1.5) -> Floats:
    """A peak of some weeks around the middle of December, and a dip after it."""
    far = (days - 345.0 + 0.5 * YEAR) % YEAR - 0.5 * YEAR
    dip = (days - 375.0 + 0.5 * YEAR) % YEAR - 0.5 * YEAR
    return 1.0 + height * np.exp(-0.5 * (far / 14.0) ** 2) - 0.4 * np.exp(-0.5 * (dip / 14.0) ** 2)


def autumn(days: Floats) -> Floats:
    """A wholesaler of gifts: retailers stock up from September to November, and stop before Christmas."""
    far = (days - 305.0 + 0.5 * YEAR) % YEAR - 0.5 * YEAR
    return 0.8 + 1.2 * np.exp(-0.5 * (far / 32.0) ** 2)


def jump(days: Floats, day: float, factor: float) -> Floats:
    """From one day on, orders come at `factor` times the pace."""
    return np.where(days < day, 1.0, factor)


def trend(days: Floats, factor: float) -> Floats:
    """Orders grow, or fade, by this factor a year."""
    return np.asarray(factor ** (days / YEAR))


SHOPS: dict[str, Simulated] = {
    "steady": Simulated(steady, 380),
    "wave": Simulated(wave, 400),
    "wave_two_years": Simulated(wave, 740),
    "christmas": Simulated(christmas, 420, opens=330),
    "christmas_two_years": Simulated(christmas, 750),
    "wholesaler": Simulated(autumn, 374, customers=4_000, gap_days=70.0, opens=335),
    "halved": Simulated(partial(jump, day=250.0, factor=0.5), 380),
    "doubled": Simulated(partial(jump, day=250.0, factor=2.0), 380),
    "growing": Simulated(partial(trend, factor=2.0), 380),
    "fading": Simulated(partial(trend, factor=0.5), 380),
}
"""The shops by name."""


LIFETIME = 400.0
"""The mean number of days that a customer stays."""


@dataclass(frozen=True, eq=False)
class Lives:
    """The parameters of each customer, which the log does not contain: float64[customers].

    Gaps between orders are gamma distributed on the inner clock, with the mean `gaps` and the shape `regular`; `first`
    is the first order on it, `leaves` the day on which the customer leaves. `inner` is the inner clock at the beginning
    of each day.
    """

    inner: Floats
    gaps: Floats
    regular: Floats
    first: Floats
    leaves: Floats


def lives_of(shop: Simulated, draw: np.random.Generator) -> Lives:
    """The customers of a shop."""
    grid = np.arange(shop.days + 1, dtype=np.float64)
    # A customer who begins before the opening is an old one; the inner clock of a season runs by the day of the year.
    inner = np.concatenate([[0.0], np.cumsum(shop.profile(grid[:-1] + 0.5 + shop.opens))])
    number = shop.customers
    gaps = shop.gap_days * draw.gamma(1.5, 1.0 / 1.5, number) + 2.0
    regular = np.where(draw.random(number) < 0.4, 4.0, 1.0)
    old = draw.random(number) < 0.5
    first = np.where(old, draw.uniform(0.0, 1.0, number) * gaps, draw.uniform(0.0, inner[-1], number))
    leaves = np.interp(first, inner, grid) + draw.exponential(LIFETIME, number)
    return Lives(inner, gaps, regular, first, leaves)


def events_of(shop: Simulated, seed: int) -> NDArray[np.void]:
    """The orders of the shop as EVENT records in the order of the log."""
    draw = np.random.default_rng(seed)
    lives, grid = lives_of(shop, draw), np.arange(shop.days + 1, dtype=np.float64)
    parts = []
    for place in range(shop.customers):
        gap, regular = lives.gaps[place], lives.regular[place]
        gaps = draw.gamma(regular, gap / regular, int(2.0 * lives.inner[-1] / gap) + 10)
        orders = lives.first[place] + np.concatenate([[0.0], np.cumsum(gaps)])
        when = np.interp(orders, lives.inner, grid, right=np.inf)
        when = when[when < min(float(lives.leaves[place]), float(shop.days))]
        parts.append(np.column_stack([np.full(len(when), float(place)), when]))
    rows = np.concatenate(parts)
    events = np.zeros(len(rows), EVENT)
    events["customer"] = rows[:, 0]
    events["at"] = OPENING + (rows[:, 1] * DAY).astype(np.int64)
    events["kind"], events["channel"] = int(Kind.PURCHASE), int(Channel.WEB)
    events["item"], events["category"] = NO_CODE, NO_CODE
    events["quantity"], events["score"] = 1.0, np.nan
    events["amount"] = draw.gamma(2.0, 15.0, len(rows)).round(2)
    events["received"] = events["at"]
    return events[np.argsort(events["received"], kind="stable")]
