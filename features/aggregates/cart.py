"""The contents of the open cart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import NAN, NEVER, elapsed, place_of, second
from features.events import CART_ADD, PURCHASE


def drop_line(items: Any, quantities: Any, values: Any, lines: int, place: int) -> int:
    """Remove one line of the cart, keeping the order of the others. Returns the number of lines left."""
    for k in range(place, lines - 1):
        items[k] = items[k + 1]
        quantities[k] = quantities[k + 1]
        values[k] = values[k + 1]
    return lines - 1


@dataclass(frozen=True)
class Cart(Aggregate):
    """The lines of the open cart, up to `size` different items (the one added first is forgotten beyond that).

    An order empties it. An unknown quantity adds one piece, and removes all; an unknown amount is worth nothing.
    """

    texts: ClassVar[dict[str, str]] = {
        "lines": "number of different items in the cart",
        "pieces": "number of pieces in the cart",
        "value": "worth of the cart",
        "age": "time since the cart last changed",
    }
    size: int
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (drop_line,)

    def empty(self) -> Slots:
        """An empty cart."""
        return {
            "items": np.full(self.size, -1, np.int32),
            "quantities": np.zeros(self.size, np.float32),
            "values": np.zeros(self.size, np.float32),
            "moment": np.uint32(NEVER),
            "lines": np.uint8(0),
        }

    @staticmethod
    def update(
        items: Any, quantities: Any, values: Any, moment: int, lines: int,
        kind: int, at: int, item: int, quantity: float, amount: float, size: int,
    ) -> tuple[int, int]:  # fmt: skip
        happened = second(at)
        changed = happened if happened > moment else moment
        if kind == PURCHASE:
            return changed, 0
        place = place_of(items, lines, item)
        if kind == CART_ADD:
            if place < 0:
                if lines == size:
                    lines = drop_line(items, quantities, values, lines, 0)
                place = lines
                items[place] = item
                quantities[place] = 0.0
                values[place] = 0.0
                lines += 1
            quantities[place] += quantity if quantity == quantity else 1.0
            values[place] += amount if amount == amount else 0.0
        elif place >= 0:
            before = float(quantities[place])
            left = before - quantity if quantity == quantity else 0.0
            if left > 0.0:
                values[place] *= left / before
                quantities[place] = left
            else:
                lines = drop_line(items, quantities, values, lines, place)
        return changed, lines

    @staticmethod
    def read_pieces(quantities: Any, lines: int) -> float:
        pieces = 0.0
        for k in range(lines):
            pieces += float(quantities[k])
        return pieces

    @staticmethod
    def read_value(values: Any, lines: int) -> float:
        value = 0.0
        for k in range(lines):
            value += float(values[k])
        return value

    @staticmethod
    def read_lines(lines: int) -> float:
        return float(lines)

    @staticmethod
    def read_age(lines: int, moment: int, now: int) -> float:
        return elapsed(moment, now) if lines > 0 else NAN

    def _cart(self, history: Sequence[Row]) -> dict[int, tuple[float, float]]:
        cart: dict[int, tuple[float, float]] = {}
        for row in self.selected(history):
            if row.kind == PURCHASE:
                cart.clear()
            elif row.kind == CART_ADD:
                if row.item not in cart and len(cart) == self.size:
                    del cart[next(iter(cart))]
                pieces, value = cart.get(row.item, (0.0, 0.0))
                pieces += 1.0 if math.isnan(row.quantity) else row.quantity
                cart[row.item] = (pieces, value + (0.0 if math.isnan(row.amount) else row.amount))
            elif row.item in cart:
                pieces, value = cart[row.item]
                left = 0.0 if math.isnan(row.quantity) else pieces - row.quantity
                if left > 0:
                    cart[row.item] = (left, value * left / pieces)
                else:
                    del cart[row.item]
        return cart

    def meaning_pieces(self, history: Sequence[Row], now: int) -> float:
        """Number of pieces in the cart."""
        return math.fsum(pieces for pieces, _ in self._cart(history).values())

    def meaning_value(self, history: Sequence[Row], now: int) -> float:
        """Worth of the cart."""
        return math.fsum(value for _, value in self._cart(history).values())

    def meaning_lines(self, history: Sequence[Row], now: int) -> float:
        """Number of different items in the cart."""
        return float(len(self._cart(history)))

    def meaning_age(self, history: Sequence[Row], now: int) -> float:
        """Microseconds since the cart last changed; unknown when it is empty."""
        if not self._cart(history):
            return NAN
        return max(0, now // 1_000_000 - max(row.at // 1_000_000 for row in self.selected(history))) * 1e6

    def entries(self, slots: Any) -> list[tuple[int, float]]:
        """(item code, pieces), in the order they were added."""
        lines = int(slots[f"{self.name}__lines"])
        items = slots[f"{self.name}__items"][:lines].tolist()
        return list(zip(items, slots[f"{self.name}__quantities"][:lines].tolist(), strict=True))

    def __str__(self) -> str:
        return f"the cart of up to {self.size} items"
