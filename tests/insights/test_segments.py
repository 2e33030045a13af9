"""Particular segments, with customers one can see."""

from pathlib import Path

import numpy as np
import pytest

from features.grammar import UnknownColumn
from insights.segments import SEGMENTS, markdown, members

NAN = float("nan")


def test_the_catalogue() -> None:
    assert list(SEGMENTS) == [
        "at-risk", "ready-to-buy", "cart-abandoners", "new", "loyal", "promoters", "dormant-high-value",
    ]  # fmt: skip


def test_carts_are_ordered_by_value_and_ties_keep_their_order() -> None:
    columns = {
        "cart_items": np.array([1, 2, 0, 1, 3, 1], np.float32),
        "cart_age_hours": np.array([5, 24, NAN, 1, 336, 4], np.float32),
        "cart_value": np.array([20, 50, 0, 90, 90, 50], np.float32),
    }
    assert members(SEGMENTS["cart-abandoners"], columns).tolist() == [1, 5, 0]


def test_customers_without_an_order_key_come_last() -> None:
    columns = {
        "nps_latest": np.array([9, 10, 8, NAN, 9], np.float32),
        "stage": np.array([3, 3, 3, 4, 1], np.float32),
        "spend_gross_ever": np.array([10, NAN, 99, 30, 20], np.float32),
    }
    assert members(SEGMENTS["promoters"], columns).tolist() == [3, 4, 0, 1]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(UnknownColumn, match="no column 'spend_gross_ever'"):
        members(SEGMENTS["dormant-high-value"], {"days_since_purchase": np.zeros(1)})


def test_the_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "segments.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run: python -m insights.segments > docs/segments.md"
