from __future__ import annotations

import pytest

from features.events import Channel, Kind, Stage, stage_of
from features.sources.fields.names import CHANNEL_OF_NAME, GA4, SEGMENT, folded

TABLE = """
Products Searched | search | SEARCH
Product List Viewed | view_item_list | LIST_VIEW
Product List Filtered | | LIST_FILTER
Promotion Viewed | view_promotion | PROMOTION_VIEW
Promotion Clicked | select_promotion | PROMOTION_CLICK
Product Clicked | select_item | ITEM_CLICK
Product Viewed | view_item | ITEM_VIEW
Product Added | add_to_cart | CART_ADD
Product Removed | remove_from_cart | CART_REMOVE
Cart Viewed | view_cart | CART_VIEW
Checkout Started | begin_checkout | CHECKOUT_START
Checkout Step Viewed | | CHECKOUT_STEP
Checkout Step Completed | add_shipping_info | CHECKOUT_STEP
Payment Info Entered | add_payment_info | PAYMENT_INFO
Order Completed | purchase | PURCHASE
Order Updated | | ORDER_UPDATE
Order Cancelled | | ORDER_CANCEL
Order Refunded | refund | REFUND
Coupon Entered | | OTHER
Coupon Applied | | COUPON_APPLY
Coupon Denied | | COUPON_DENY
Coupon Removed | | COUPON_REMOVE
Product Added to Wishlist | add_to_wishlist | WISHLIST_ADD
Product Removed from Wishlist | | WISHLIST_REMOVE
Wishlist Product Added to Cart | | CART_ADD
Product Shared | share | SHARE
Cart Shared | share | SHARE
Product Reviewed | | REVIEW
Email Delivered | | MESSAGE_DELIVER
Email Opened | | MESSAGE_OPEN
Email Link Clicked | | MESSAGE_CLICK
Email Bounced | | MESSAGE_BOUNCE
Email Marked as Spam | | MESSAGE_SPAM
Unsubscribed | | UNSUBSCRIBE
Experiment Viewed | | EXPERIMENT_VIEW
| sign_up | SIGN_UP
| login | LOGIN
| generate_lead | LEAD
| view_search_results | SEARCH
"""
ROWS = [tuple(part.strip() for part in line.split("|")) for line in TABLE.strip().splitlines()]


@pytest.mark.parametrize(("segment", "ga4", "kind"), ROWS)
def test_both_vocabularies_meet_in_one_kind(segment: str, ga4: str, kind: str) -> None:
    if segment:
        assert SEGMENT[segment] is Kind[kind]
    if ga4:
        assert GA4[ga4] is Kind[kind]


def test_every_name_says_its_channel_only_where_it_must() -> None:
    assert set(CHANNEL_OF_NAME) <= {*SEGMENT, *GA4}
    assert all(channel is Channel.EMAIL for name, channel in CHANNEL_OF_NAME.items() if "Email" in name)


def test_messages_belong_to_retention_and_searches_to_consideration() -> None:
    assert stage_of(SEGMENT["Email Opened"]) is Stage.RETENTION
    assert stage_of(GA4["search"]) is Stage.CONSIDERATION


def test_names_are_compared_without_case_and_underscores() -> None:
    assert folded(" Order_Completed ") == folded("order completed")
    assert len({folded(name) for name in SEGMENT}) == len(SEGMENT)
