"""What has happened in the open visit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.distinct import scatter_bit
from features.aggregates.kernels import CEILING, NAN, NEVER, elapsed, second
from features.aggregates.sessions import pause, visits_of
from features.events import CART_ADD, PURCHASE
from features.grammar import duration_text

ITEM_BITS = 64
CATEGORY_BITS = 32


def met(bitmap: Any, code: int, bits: int) -> int:
    """Mark a code as met. 1 when it, or a code that shares its bit, was met before, else 0; always 0 without a code."""
    if code < 0:
        return 0
    bit = scatter_bit(code, bits)
    before = int(bitmap[bit >> 3])
    bitmap[bit >> 3] = before | 1 << (bit & 7)
    return before >> (bit & 7) & 1


def raised(number: int, by: int) -> int:
    """`number + by`; a `number` that fills one byte stays as it is."""
    return number + by if number < CEILING else number


@dataclass(frozen=True)
class Visit(Aggregate):
    """What has happened in the open visit; unknown between visits, which a pause longer than `gap` separates.

    Returns are acts on an item, or on a category, that was met before in the visit. Bitmaps of 64 and 32 bits hold what
    was met. Codes may share a bit: on average the first acts on 0.7 of ten items, and on 1.3 of ten categories, count
    as returns. At most 255 acts of each sort are counted.
    """

    texts: ClassVar[dict[str, str]] = {
        "cart_adds": "products put in the cart in the open session",
        "orders": "orders in the open session",
        "item_returns": "acts in the open session on an item met before in it",
        "category_returns": "acts in the open session on a category met before in it",
        "ordered_before": "whether the session before the open one had an order",
    }
    gap: int
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (pause, scatter_bit, met, raised)

    def parameters(self) -> dict[str, float | int]:
        """The pause in whole seconds, and the sizes of the bitmaps."""
        return {"gap": self.gap // 1_000_000, "item_bits": ITEM_BITS, "category_bits": CATEGORY_BITS}

    def empty(self) -> Slots:
        """No visit yet."""
        return {
            "moment": np.uint32(NEVER),
            "cart_adds": np.uint8(0),
            "orders": np.uint8(0),
            "item_returns": np.uint8(0),
            "category_returns": np.uint8(0),
            "ordered": np.uint8(0),
            "items": np.zeros(ITEM_BITS // 8, np.uint8),
            "categories": np.zeros(CATEGORY_BITS // 8, np.uint8),
        }

    @staticmethod
    def update(
        moment: int, cart_adds: int, orders: int, item_returns: int, category_returns: int, ordered: int,
        items: Any, categories: Any, at: int, kind: int, item: int, category: int,
        gap: int, item_bits: int, category_bits: int,
    ) -> tuple[int, int, int, int, int, int]:  # fmt: skip
        happened = second(at)
        silence = pause(moment, happened)
        if silence > gap:
            ordered = 1 if orders > 0 else 0
            cart_adds, orders, item_returns, category_returns = 0, 0, 0, 0
            for k in range(item_bits // 8):
                items[k] = 0
            for k in range(category_bits // 8):
                categories[k] = 0
        cart_adds = raised(cart_adds, 1 if kind == CART_ADD else 0)
        orders = raised(orders, 1 if kind == PURCHASE else 0)
        item_returns = raised(item_returns, met(items, item, item_bits))
        category_returns = raised(category_returns, met(categories, category, category_bits))
        return moment + silence, cart_adds, orders, item_returns, category_returns, ordered

    @staticmethod
    def read_cart_adds(cart_adds: int, moment: int, now: int, gap: int) -> float:
        return NAN if elapsed(moment, now) > gap * 1e6 else float(cart_adds)

    @staticmethod
    def read_orders(orders: int, moment: int, now: int, gap: int) -> float:
        return NAN if elapsed(moment, now) > gap * 1e6 else float(orders)

    @staticmethod
    def read_item_returns(item_returns: int, moment: int, now: int, gap: int) -> float:
        return NAN if elapsed(moment, now) > gap * 1e6 else float(item_returns)

    @staticmethod
    def read_category_returns(category_returns: int, moment: int, now: int, gap: int) -> float:
        return NAN if elapsed(moment, now) > gap * 1e6 else float(category_returns)

    @staticmethod
    def read_ordered_before(ordered: int, moment: int, now: int, gap: int) -> float:
        return NAN if elapsed(moment, now) > gap * 1e6 else float(ordered)

    def _open(self, history: Sequence[Row], now: int) -> tuple[list[Row], list[Row]]:
        """The visit before the open one, and the open one; the latter empty between visits."""
        visits = visits_of(self.selected(history), self.gap)
        if not visits or now // 1_000_000 - max(row.at // 1_000_000 for row in visits[-1]) > self.gap // 1_000_000:
            return [], []
        return visits[-2] if len(visits) > 1 else [], visits[-1]

    def _number(self, history: Sequence[Row], now: int, kind: int) -> float:
        visit = self._open(history, now)[1]
        return float(min(sum(row.kind == kind for row in visit), CEILING)) if visit else NAN

    def _returns(self, history: Sequence[Row], now: int, column: str, bits: int) -> float:
        visit = self._open(history, now)[1]
        codes = [getattr(row, column) for row in visit]
        places = [scatter_bit(code, bits) for code in codes if code >= 0]
        return float(min(len(places) - len(set(places)), CEILING)) if visit else NAN

    def meaning_cart_adds(self, history: Sequence[Row], now: int) -> float:
        """How many CART_ADD the open visit has."""
        return self._number(history, now, CART_ADD)

    def meaning_orders(self, history: Sequence[Row], now: int) -> float:
        """How many PURCHASE the open visit has."""
        return self._number(history, now, PURCHASE)

    def meaning_item_returns(self, history: Sequence[Row], now: int) -> float:
        """The acts of the open visit on items, less the places in the bitmap that they take."""
        return self._returns(history, now, "item", ITEM_BITS)

    def meaning_category_returns(self, history: Sequence[Row], now: int) -> float:
        """The acts of the open visit on categories, less the places in the bitmap that they take."""
        return self._returns(history, now, "category", CATEGORY_BITS)

    def meaning_ordered_before(self, history: Sequence[Row], now: int) -> float:
        """1 when the visit before the open one has a PURCHASE, 0 when it has none or there is no such visit."""
        before, visit = self._open(history, now)
        return float(any(row.kind == PURCHASE for row in before)) if visit else NAN

    def __str__(self) -> str:
        return f"the open visit ({self.selection}) with pauses up to {duration_text(self.gap)}"
