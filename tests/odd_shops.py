"""Generated shops, likely and odd: one customer or thousands, any season, a single instant, nothing but refunds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st

from features.events import DAY, HOUR

OPENING = 1_600_000_000 * 1_000_000
"""When every shop opens, microseconds UTC."""

Habit = Literal["orders", "baskets", "visits", "views", "refunds", "refunded", "messages", "everything"]
HABITS: dict[Habit, tuple[str, ...]] = {
    "orders": ("PURCHASE",),
    "baskets": ("PURCHASED_ITEM", "PURCHASE"),
    "visits": ("PAGE_VIEW", "ITEM_VIEW", "CART_ADD", "PURCHASED_ITEM", "PURCHASE"),
    "views": ("PAGE_VIEW", "ITEM_VIEW"),
    "refunds": ("REFUND",),
    "refunded": ("PURCHASE", "REFUND"),
    "messages": ("MESSAGE_DELIVER", "MESSAGE_OPEN", "UNSUBSCRIBE"),
    "everything": ("ITEM_VIEW", "CART_ADD", "PURCHASED_ITEM", "PURCHASE", "REVIEW", "SURVEY_NPS", "REFUND"),
}
"""What happens each time that a customer comes, in its order."""

MOST_VISITS = 5_000
"""Visits of a shop, about, so that no shop takes longer than a minute or two."""

_MONEY = frozenset({"PURCHASE", "PURCHASED_ITEM", "REFUND", "CART_ADD"})
_ITEMS = frozenset({"ITEM_VIEW", "CART_ADD", "PURCHASED_ITEM", "REVIEW"})


@dataclass(frozen=True)
class Plan:
    """What a shop is like; the same plan gives the same events.

    `customers` come every `gap_days` in the mean, over `days`; `days` of 0 is one instant. The pace swings by `season`
    (a share) over a year, and is `jump` times as high in the second half. A share `late` of the events lies after the
    moment of the import. Amounts are in so many `currencies`, or are unknown where there are no `prices`.
    """

    customers: int
    days: int
    gap_days: float
    habit: Habit
    season: float = 0.0
    jump: float = 1.0
    prices: bool = True
    items: int = 10
    currencies: int = 1
    late: float = 0.0
    channels: tuple[str, ...] = ("WEB",)
    seed: int = 0

    @property
    def end(self) -> int:
        """The moment of the import."""
        return OPENING + self.days * DAY

    def events(self) -> list[dict[str, Any]]:
        """The shop's events in order of time, as JSON lines of Waypost's own shape hold them."""
        draw = np.random.default_rng(self.seed)
        found: list[dict[str, Any]] = []
        for customer in range(self.customers):
            for visit, at in enumerate(self._visits(draw)):
                found += self._visit(draw, customer, visit, at)
        return sorted(found, key=lambda event: (event["at"], event["message_id"]))

    def _visits(self, draw: np.random.Generator) -> list[int]:
        """When a customer comes; thinned by season and level."""
        most = max(1.0, self.jump) * (1.0 + self.season)
        number = 1 + draw.poisson(self.days / self.gap_days * most)
        days = np.sort(draw.uniform(0.0, self.days, min(int(number), 1 + MOST_VISITS // self.customers)))
        wave = 1.0 + self.season * np.sin(2.0 * np.pi * days / 365.0)
        level = wave * np.where(days > self.days / 2, self.jump, 1.0) / most
        kept = days[draw.random(len(days)) < level]
        kept = kept if len(kept) else days[:1]
        late = np.where(draw.random(len(kept)) < self.late, draw.uniform(0.0, 400.0, len(kept)), 0.0)
        return [OPENING + round(day * DAY) for day in (kept + late).tolist()]

    def _visit(self, draw: np.random.Generator, customer: int, visit: int, at: int) -> Iterator[dict[str, Any]]:
        for place, kind in enumerate(HABITS[self.habit]):
            if kind in ("CART_ADD", "REVIEW", "SURVEY_NPS", "UNSUBSCRIBE") and draw.random() < 0.6:
                continue
            moment = min(at + place * HOUR // 60, max(self.end, at)) if self.days else at
            event: dict[str, Any] = {
                "message_id": f"{customer}-{visit}-{place}",
                "customer": f"c{customer}",
                "kind": kind,
                "at": datetime.fromtimestamp(moment / 1e6, UTC).isoformat(),
                "channel": self.channels[int(draw.integers(len(self.channels)))],
            }
            if kind in _MONEY and self.prices:
                currency = int(draw.integers(self.currencies))
                event["amount"] = round(float(draw.gamma(2.0, 15.0)) * (1.0, 1.1, 160.0)[currency], 2)
                event["properties"] = {"currency": ("EUR", "USD", "JPY")[currency]}
            if kind in _ITEMS and self.items:
                event["item"] = f"item-{int(draw.integers(self.items))}"
            if kind == "SURVEY_NPS":
                event["score"] = float(draw.integers(0, 11))
            yield event


def write_lines(path: Path, events: list[dict[str, Any]]) -> Path:
    """A file of events, a line of JSON each."""
    path.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return path


def plan_of(seed: int, most: int = 3_000) -> Plan:
    """A shop of up to so many customers, drawn by the seed: small ones, long logs and orders likelier."""
    draw = np.random.default_rng(seed)

    def one_of(*values: Any) -> Any:
        return values[int(draw.integers(len(values)))]

    def between(*ranges: tuple[float, float]) -> float:
        low, high = one_of(*ranges)
        return float(np.exp(draw.uniform(np.log(low), np.log(high))))

    return Plan(
        customers=min(most, round(between((1, 1), (1, 12), (12, 80), (80, 400), (80, 400), (400, 3_000)))),
        days=round(one_of(0.0, between((1, 60)), between((60, 300)), *[between((300, 800))] * 4)),
        gap_days=between((2, 10), (10, 90), (10, 90), (90, 1_000)),
        habit=one_of(*HABITS, "orders", "baskets", "visits", "everything"),
        season=one_of(0.0, 0.3, 0.9),
        jump=one_of(1.0, 1.0, 0.0, 0.5, 2.0, 5.0),
        prices=one_of(True, True, False),
        items=one_of(0, 1, 10, 300),
        currencies=one_of(1, 1, 3),
        late=one_of(0.0, 0.0, 0.1, 1.0),
        channels=one_of(("WEB",), ("STORE",), ("WEB", "STORE", "EMAIL")),
        seed=seed,
    )


def plans(most: int = 3_000) -> st.SearchStrategy[Plan]:
    """Shops of up to so many customers."""
    return st.integers(0, 1_000_000).map(lambda seed: plan_of(seed, most))
