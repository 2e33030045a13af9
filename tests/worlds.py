"""Simulated shops whose truth is known, so that a model can be held to it and not only to its own test rows.

Customers buy again and again. The time between two orders of a customer is drawn from a gamma distribution with the
customer's own mean and regularity: some buy at random, some like clockwork. So the probability that an order falls in
any window is known from the time since the last one. Each customer has a taste, a shelf of products; nearly all that
it buys stands there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma

from features.events import DAY, EVENT, Channel, Event, Kind

OPENING = 1_600_000_000 * 1_000_000
"""When the shop opens, microseconds UTC."""

SHELVES = 6
SHELF = 8
"""Products on each shelf."""


@dataclass(frozen=True)
class World:
    """A shop's log and the truth behind it.

    `events` is an EVENT array in log order; `gap_days` and `regularity` are the mean and the gamma shape of each
    customer's gaps, `taste` the customer's shelf, all by customer code; `items` are names by code.
    """

    events: NDArray[np.void]
    items: list[str]
    gap_days: NDArray[np.float64]
    regularity: NDArray[np.float64]
    taste: NDArray[np.int64]
    end: int

    def buys_within(
        self, customers: NDArray[np.int32], silent_days: NDArray[np.float64], days_ahead: float
    ) -> NDArray[np.float64]:
        """The true probability of an order in the next `days_ahead`, given how long ago the last one was."""
        shape = self.regularity[customers]
        gaps = gamma(shape, scale=self.gap_days[customers] / shape)
        waiting = gaps.sf(silent_days)
        return np.asarray(1.0 - gaps.sf(silent_days + days_ahead) / np.maximum(waiting, 1e-12))

    def rows(self) -> list[Event]:
        """The same log as rows, with customers named c0, c1..."""
        made = []
        for number, record in enumerate(self.events):
            item = int(record["item"])
            made.append(
                Event(
                    message_id=f"m{number}",
                    customer=f"c{int(record['customer'])}",
                    kind=Kind(int(record["kind"])),
                    at=int(record["at"]),
                    received=int(record["received"]),
                    channel=Channel(int(record["channel"])),
                    item=self.items[item] if item >= 0 else None,
                    quantity=float(record["quantity"]),
                    amount=float(record["amount"]),
                )
            )
        return made


def shop(customers: int = 500, days: int = 280, seed: int = 1) -> World:
    """A shop of so many customers over so many days; about a third buy like clockwork."""
    draw = np.random.default_rng(seed)
    gap_days = draw.uniform(4.0, 45.0, customers)
    regularity = np.where(draw.random(customers) < 0.35, 30.0, 1.0)
    taste = draw.integers(SHELVES, size=customers)
    parts = []
    for customer in range(customers):
        first = draw.uniform(0.0, 40.0)
        gaps = draw.gamma(regularity[customer], gap_days[customer] / regularity[customer], size=int(days / 2))
        moments = first + np.concatenate([[0.0], np.cumsum(gaps)])
        for moment in moments[moments < days].tolist():
            parts.append(_order(draw, customer, OPENING + round(moment * DAY), int(taste[customer])))
    events = np.concatenate(parts)
    events = events[np.argsort(events["received"], kind="stable")]
    items = [f"shelf{number // SHELF}-{number % SHELF}" for number in range(SHELVES * SHELF)]
    return World(events, items, gap_days, regularity, taste, OPENING + days * DAY)


def _order(draw: np.random.Generator, customer: int, at: int, shelf: int) -> NDArray[np.void]:
    """One order of one to three products: its lines, then the order with their total."""
    lines = int(draw.integers(1, 4))
    strange = draw.random(lines) < 0.1
    products = np.where(
        strange, draw.integers(SHELVES * SHELF, size=lines), shelf * SHELF + draw.integers(SHELF, size=lines)
    )
    events = np.zeros(lines + 1, EVENT)
    events["customer"], events["at"], events["received"] = customer, at, at
    events["channel"] = int(Channel.STORE)
    events["kind"], events["item"], events["category"] = int(Kind.PURCHASED_ITEM), -1, -1
    events["quantity"], events["score"] = 1.0, np.nan
    events["item"][:lines] = products
    events["amount"][:lines] = draw.uniform(2.0, 30.0, lines).round(2)
    events["kind"][lines] = int(Kind.PURCHASE)
    events["amount"][lines] = events["amount"][:lines].sum()
    return events
