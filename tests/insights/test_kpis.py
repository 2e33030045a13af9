"""Key figures of customers one can add up by hand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.journey import Journey
from insights.key_figures import key_figures
from insights.kpis import KPIS, TARGETS, markdown

NAN = float("nan")


def board(number: int, **known: list[float]) -> dict[str, NDArray[Any]]:
    """A scoreboard of all features and scores, NaN but for what is given."""
    columns = {name: np.full(number, np.nan, np.float32) for name in (*Journey.features, *TARGETS)}
    return {**columns, **{name: np.array(values, np.float32) for name, values in known.items()}}


SHOP = board(
    4,
    stage=[3, 3, 1, 2],
    days_since_last=[1, 40, 28, 0],
    days_since_purchase=[1, 50, NAN, 60],
    purchases_ever=[4, 2, 0, 1],
    purchases_28d=[2, 0, 0, 0],
    purchases_90d=[3, 1, 0, 1],
    spend_gross_ever=[300, 100, 0, 100],
    spend_gross_28d=[50, 0, 0, 0],
    spend_net_ever=[270, 100, 0, 80],
    spend_net_90d=[80, 40, 0, 30],
    lapsing=[0, 1, 0, 0],
    churn_28d=[0.2, 0.6, NAN, NAN],
    conversion_7d=[0.5, 0.1, 0.1, 0.9],
    cart_items=[2, 0, 0, 1],
    cart_value=[10, 0, 0, 25],
    cart_age_hours=[1, NAN, NAN, 4],
    coupons_ever=[3, 0, 0, 0],
    refunds_ever=[1, 0, 0, 1],
    cancels_ever=[0, 0, 0, 0],
    discount_share=[0.1, 0.2, NAN, 0],
    nps_latest=[9, 6, NAN, 10],
    csat_latest=[4, NAN, NAN, 3],
    message_open_rate=[0.5, NAN, 0.1, NAN],
    message_click_rate=[0.2, NAN, 0, NAN],
)

FIGURES = {
    "customers": 4,
    "active_customers_28d": 3,
    "buyers_28d": 1,
    "orders_28d": 2,
    "revenue_gross_28d": 50,
    "revenue_net_90d": 150,
    "average_order_value_28d": 25,
    "repeat_purchase_rate": 2 / 3,
    "purchase_frequency_90d": 5 / 3,
    "lapsing_share": 1 / 4,
    "money_at_stake_28d": (0.2 * 80 + 0.6 * 40) * 28 / 90,
    "conversion_7d_mean": 0.4,
    "churn_28d_mean": 0.4,
    "cart_abandonment_now": 1 / 2,
    "cart_value_open": 35,
    "coupons_per_order": 3 / 7,
    "discount_share": (0.1 * 300 + 0.2 * 100) / 500,
    "refund_share": 0.1,
    "net_promoter_score": 100 * (2 / 3 - 1 / 3),
    "customer_satisfaction": 1 / 2,
    "message_open_rate": 0.3,
    "message_click_rate": 0.1,
}
COUNTED_WITHOUT_CUSTOMERS = {"customers", "active_customers_28d"}


@pytest.mark.parametrize("name", KPIS)
def test_a_figure_of_four_customers(name: str) -> None:
    assert KPIS[name].value(SHOP) == pytest.approx(FIGURES[name], rel=1e-6)


def test_without_customers_all_but_their_number_is_unknown() -> None:
    for name, kpi in KPIS.items():
        value = kpi.value(board(0))
        assert value == 0 if name in COUNTED_WITHOUT_CUSTOMERS else math.isnan(value), name


NEVER = {
    "spend_gross_ever": (
        "the log has no order with an amount",
        ("revenue_gross_28d", "revenue_net_90d", "average_order_value_28d", "money_at_stake_28d"),
    ),
    "purchases_ever": ("the log has no order", ("buyers_28d", "orders_28d")),
    "refunds_ever": ("the log has no refund or cancellation", ("refund_share",)),
    "coupons_ever": ("the log has no coupon", ("coupons_per_order", "discount_share")),
    "message_open_rate": ("the log has no opened message", ("message_open_rate",)),
    "message_click_rate": ("the log has no clicked message", ("message_click_rate",)),
    "cart_value": ("no cart has a product with a price", ("cart_value_open",)),
}


@pytest.mark.parametrize("column", NEVER)
def test_what_was_never_measured_is_not_zero(column: str) -> None:
    reason, names = NEVER[column]
    figures = key_figures({**SHOP, column: np.zeros(4, np.float32)})
    assert {each.name for each in figures if each.value is None} >= set(names)
    assert {each.missing for each in figures if each.name in names} == {reason}
    assert all(each.missing is None for each in key_figures(SHOP))


def test_without_a_model_money_at_stake_waits_for_one_and_not_for_orders() -> None:
    unscored = {**SHOP, **{target: np.full(4, np.nan) for target in ("churn_28d", "conversion_7d")}}
    why = {each.name: each.missing for each in key_figures(unscored) if each.value is None}
    assert why == {
        "money_at_stake_28d": "no customer has a churn probability",
        "churn_28d_mean": "no customer has a churn probability",
        "conversion_7d_mean": "no customer has the data for it yet",
    }


def test_figures_are_plain_json_with_their_definitions() -> None:
    figures = [each.model_dump() for each in key_figures(board(0))]
    assert [figure["name"] for figure in figures] == list(KPIS)
    score = next(figure for figure in figures if figure["name"] == "net_promoter_score")
    assert score == {
        "name": "net_promoter_score",
        "title": "Net promoter score",
        "unit": "points",
        "definition": KPIS["net_promoter_score"].doc,
        "value": None,
        "missing": "the log has no answer to an NPS survey",
    }


def test_large_sums_keep_their_cents() -> None:
    columns = {"spend_gross_28d": np.full(2_000_000, 16.25, np.float32)}
    assert KPIS["revenue_gross_28d"].measure(columns) == 32_500_000


def test_the_page_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "kpis.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run: python -m insights.kpis > docs/kpis.md"
