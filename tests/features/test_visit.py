"""What has happened in the open visit, with numbers a reader can check by eye."""

from __future__ import annotations

import math

from features.events import CART_ADD, HOUR, ITEM_VIEW, MINUTE, PURCHASE, SEARCH
from tests.features.test_journey import Happening, features_of, happening

BOUGHT: list[Happening] = [
    (ITEM_VIEW, 0, {"item": 7, "category": 1}),
    (PURCHASE, MINUTE, {"amount": 30.0}),
]
BROWSED: list[Happening] = [
    (SEARCH, 2 * HOUR, {}),
    (ITEM_VIEW, 2 * HOUR + MINUTE, {"item": 7, "category": 1}),
    (ITEM_VIEW, 2 * HOUR + 2 * MINUTE, {"item": 8, "category": 1}),
    (ITEM_VIEW, 2 * HOUR + 3 * MINUTE, {"item": 9, "category": 2}),
    (CART_ADD, 2 * HOUR + 4 * MINUTE, {"item": 8, "category": 1}),
]
NAMES = (
    "session_cart_adds",
    "session_orders",
    "session_item_returns",
    "session_category_returns",
    "previous_session_ordered",
)


def told(story: list[Happening], now: int) -> list[float]:
    """The features of the open visit, in the order of `NAMES`."""
    features = features_of(happening(*story), now)
    return [features[name] for name in NAMES]


def test_the_first_visit() -> None:
    assert told(BOUGHT, 2 * MINUTE) == [0, 1, 0, 0, 0]


def test_a_new_visit_begins_anew_but_knows_the_one_before() -> None:
    assert told(BOUGHT + BROWSED[:2], 2 * HOUR + MINUTE) == [0, 0, 0, 0, 1]
    assert told(BOUGHT + BROWSED, 2 * HOUR + 4 * MINUTE) == [1, 0, 1, 2, 1]
    assert told(BROWSED, 2 * HOUR + 4 * MINUTE) == [1, 0, 1, 2, 0]


def test_between_visits_nothing_is_known() -> None:
    assert told(BOUGHT, 31 * MINUTE) == [0, 1, 0, 0, 0]
    assert all(math.isnan(value) for value in told(BOUGHT, 32 * MINUTE))


def test_a_late_act_counts_to_the_open_visit() -> None:
    late: list[Happening] = [(CART_ADD, MINUTE, {"item": 9, "category": 2})]
    assert told(BROWSED[:2] + late, 2 * HOUR + MINUTE) == [1, 0, 0, 0, 0]
