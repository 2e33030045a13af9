"""Declaring features: what a class body may say, and what it is told when it errs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from features.aggregates import Aggregate, count, gaps, reading, since, total
from features.events import DAY, EVENT, ITEM_VIEW, PURCHASE, days
from features.fold.feature_set import Declarations, FeatureSet, engaging
from features.fold.fold import Fold, StateTooLarge
from features.fold.wiring import WiringError, fold_text
from features.grammar import Column


class Small(FeatureSet):
    """A few"""

    _gaps = gaps(PURCHASE)
    orders = count(PURCHASE)
    spend = total(PURCHASE.amount)
    basket = spend / orders
    days_since = since(PURCHASE) / DAY
    gap = reading(_gaps, "mean")


def test_features_are_columns_outside_the_body() -> None:
    assert tuple(Small.features) == ("orders", "spend", "basket", "days_since", "gap")
    assert isinstance(Small.basket, Column)
    assert Small.families["basket"] == "A few"


def test_engagement_is_declared_and_changes_nothing_else() -> None:
    class Declared(FeatureSet):
        """A few"""

        _gaps = gaps(PURCHASE)
        orders = engaging(count(PURCHASE))
        spend = total(PURCHASE.amount)
        basket = spend / orders
        days_since = since(PURCHASE) / DAY
        gap = reading(_gaps, "mean")

    class Larger(Declared):
        """One more"""

        views = engaging(count(ITEM_VIEW, within=days(7)) + count(ITEM_VIEW))

    assert Declared.engaging == {"orders"} and Larger.engaging == {"orders", "views"} and not Small.engaging
    assert Fold(Declared).fingerprint == Fold(Small).fingerprint
    assert fold_text(Declared) == fold_text(Small)
    assert {name: str(expr) for name, expr in Declared.features.items()} == {
        name: str(expr) for name, expr in Small.features.items()
    }


def test_a_shared_aggregate_is_kept_once() -> None:
    assert [each.name for each in Small.aggregates()] == [
        "count_purchase",
        "total_purchase_amount",
        "since_purchase",
        "gaps_purchase_0",
    ]


def test_a_new_feature_is_one_line_and_counts() -> None:
    class Larger(Small):
        """One more"""

        views = count(ITEM_VIEW, within=days(7))

    fold = Fold(Larger)
    events = np.zeros(3, EVENT)
    events["kind"] = [ITEM_VIEW, PURCHASE, ITEM_VIEW]
    events["amount"] = [np.nan, 12.5, np.nan]
    events["at"] = events["received"] = np.array([1, 2, 3]) * DAY + 1_700_000_000_000_000
    states = fold.empty()
    fold.step(states, 0, events)
    values = dict(zip(fold.names, fold.read(states, 0, int(events["at"][-1])).tolist(), strict=True))
    assert values == pytest.approx(
        {"orders": 1, "spend": 12.5, "basket": 12.5, "days_since": 1, "gap": np.nan, "views": 2}, nan_ok=True
    )


def test_a_changed_feature_changes_the_fingerprint() -> None:
    class Other(FeatureSet):
        """A few"""

        orders = count(PURCHASE, within=days(7))

    class Same(FeatureSet):
        """A few"""

        orders = count(PURCHASE, within=days(7))

    class Wider(FeatureSet):
        """A few"""

        orders = count(PURCHASE, within=days(14))

    assert Fold(Other).fingerprint == Fold(Same).fingerprint != Fold(Wider).fingerprint


def test_one_name_has_one_definition() -> None:
    with pytest.raises(TypeError, match="'orders' twice"):
        Declarations("Twice", (Small,), {"orders": count(ITEM_VIEW)})


def test_too_much_state_is_refused_with_the_largest_parts() -> None:
    from features.aggregates import recent

    body: dict[str, Any] = {"memory": recent(ITEM_VIEW.item, size=200)}
    with pytest.raises(StateTooLarge, match="recent_item_view_item_200 1600 bytes"):
        Fold(Declarations("Huge", (FeatureSet,), body))


def test_an_unknown_reading_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no reading 'median'; it has: .*mean"):
        reading(gaps(PURCHASE), "median")


def test_a_kernel_may_ask_only_for_what_there_is() -> None:
    class Broken(Aggregate):
        """Asks for too much."""

        commutes: ClassVar[bool] = True

        def empty(self) -> dict[str, Any]:
            return {"number": np.uint16(0)}

        @staticmethod
        def update(number: int, colour: int) -> int:
            return number + colour

    body: dict[str, Any] = {"memory": Broken(PURCHASE.selection)}
    with pytest.raises(WiringError, match=r"asks for 'colour'.*number.*value.*amount"):
        fold_text(Declarations("Wrong", (FeatureSet,), body))


def test_a_total_needs_a_column() -> None:
    with pytest.raises(ValueError, match=r"PURCHASE\.amount"):
        total(PURCHASE.selection)
