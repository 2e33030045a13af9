"""Net spending: the money of orders that refunds and cancellations have not taken back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import HOPS
from features.aggregates.windows import advance, sum_of_hops
from features.events import ORDER_CANCEL, PURCHASE
from features.grammar import duration_text


def taken_back(kind: int, amount: float, standing: float, matched: float) -> tuple[float, float, float]:
    """The money that a refund or a cancellation takes back, what is left of the latest order, and the new `matched`.

    A refund without an amount takes back what is left of the latest order. A shop that cancels a paid order often
    reports the same money twice, by a cancellation and by a refund: the second is ignored when it is of the other kind
    and of the same amount as the one before it. `matched` holds that amount, a cancellation's as a positive number.
    """
    money = abs(amount) if amount == amount else standing
    sign = 1.0 if kind == ORDER_CANCEL else -1.0
    if matched * sign < 0.0 and abs(abs(matched) - money) <= 0.005 + 1e-6 * money:
        return 0.0, standing, 0.0
    if money <= 0.0:
        return 0.0, standing, matched
    return money, standing - money if standing > money else 0.0, sign * money


@dataclass(frozen=True)
class Net(Aggregate):
    """The money of orders less what refunds and cancellations took back, ever and within the last `span`.

    Events do not name their order here, so money that is taken back is subtracted from the newest orders first, and
    leaves the window together with them. No more is subtracted than there is: a refund larger than all orders leaves
    nothing, and a refund of an unknown order subtracts nothing. `taken_back` gives the amount. An order with a negative
    amount is a refund.
    """

    texts: ClassVar[dict[str, str]] = {
        "ever": "total amount of PURCHASE, net of REFUND and ORDER_CANCEL",
        "within": "total amount of PURCHASE, net of REFUND and ORDER_CANCEL, within {1}",
    }
    span: int
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (advance, sum_of_hops, taken_back)

    def text_of(self, kernel: str) -> str:
        """What a reading is, in words."""
        return self.texts[kernel.removeprefix("read_")].format(self.selection, duration_text(self.span))

    def parameters(self) -> dict[str, float | int]:
        """The length of a hop in microseconds."""
        return {"span": self.span // HOPS}

    def empty(self) -> Slots:
        """No order yet."""
        return {
            "total": np.float64(0),
            "head": np.uint16(0),
            "standing": np.float64(0),
            "matched": np.float32(0),
            "buckets": np.zeros(HOPS, np.float32),
        }

    @staticmethod
    def update(
        total: float, head: int, standing: float, matched: float, buckets: Any,
        at: int, kind: int, amount: float, span: int,
    ) -> tuple[float, int, float, float]:  # fmt: skip
        hop = at // span
        if kind == PURCHASE and not amount < 0.0:
            if amount != amount:
                return total, head, standing, matched
            head = advance(head, buckets, hop)
            if hop > head - HOPS:
                buckets[hop & (HOPS - 1)] += amount
            return total + amount, head, amount, matched
        money, standing, matched = taken_back(kind, amount, standing, matched)
        if money > 0.0:
            head = advance(head, buckets, hop)
            total -= money if money < total else max(total, 0.0)
            for k in range(HOPS):
                place = (head - k) & (HOPS - 1)
                there = float(buckets[place])
                if there > 0.0 and money > 0.0:
                    buckets[place] = there - money if money < 0.999999 * there else 0.0  # float32 rounds
                    money -= there
        return total, head, standing, matched

    @staticmethod
    def read_ever(total: float) -> float:
        return total

    @staticmethod
    def read_within(head: int, buckets: Any, now: int, span: int) -> float:
        return sum_of_hops(head, buckets, now // span)

    def meaning_ever(self, history: Sequence[Row], now: int) -> float:
        """A running sum: orders add to it, and money that is taken back is subtracted, down to 0 at most."""
        total = 0.0
        for _, money in self._moves(history):
            total = total + money if money > 0 else total - min(-money, max(total, 0.0))
        return total

    def meaning_within(self, history: Sequence[Row], now: int) -> float:
        """The same in hops of an eighth of the span, subtracted from the newest first; the sum of the last eight."""
        hop, hops, newest = self.span // HOPS, dict[int, float](), 0
        for row, money in self._moves(history):
            place = row.at // hop
            newest = max(newest, place)
            if money > 0 and place > newest - HOPS:
                hops[place] = hops.get(place, 0.0) + money
            elif money < 0:
                rest = -money
                for index in range(newest, newest - HOPS, -1):
                    removed = min(rest, hops.get(index, 0.0))
                    hops[index] = hops.get(index, 0.0) - removed
                    rest -= removed
        return math.fsum(money for place, money in hops.items() if now // hop - HOPS < place <= now // hop)

    def _moves(self, history: Sequence[Row]) -> list[tuple[Row, float]]:
        """Every order with its money, and every refund or cancellation with what it takes back as a negative number."""
        moves: list[tuple[Row, float]] = []
        left, before = 0.0, (False, 0.0)
        for row in self.selected(history):
            if row.kind == PURCHASE and not row.amount < 0:
                if not math.isnan(row.amount):
                    moves.append((row, row.amount))
                    left = row.amount
                continue
            money = left if math.isnan(row.amount) else abs(row.amount)
            cancels = row.kind == ORDER_CANCEL
            if before[1] and before[0] != cancels and abs(before[1] - money) <= 0.005 + 1e-6 * money:
                before = (False, 0.0)
            elif money > 0:
                moves.append((row, -money))
                left, before = max(left - money, 0.0), (cancels, money)
        return moves

    def __str__(self) -> str:
        return f"net money of {self.selection} within {duration_text(self.span)}"
