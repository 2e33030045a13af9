"""The table of the names that others use for our kinds: Segment's specifications and GA4's event names.

A comment says why a name maps to `Kind.OTHER`. A name that is not in the table becomes OTHER too, with the name kept as
its category.
"""

from __future__ import annotations

from collections.abc import Mapping

from features.events import Channel, Kind

SEGMENT: Mapping[str, Kind] = {
    # browsing, promotions (e-commerce v2)
    "Products Searched": Kind.SEARCH,
    "Product List Viewed": Kind.LIST_VIEW,
    "Product List Filtered": Kind.LIST_FILTER,
    "Promotion Viewed": Kind.PROMOTION_VIEW,
    "Promotion Clicked": Kind.PROMOTION_CLICK,
    # ordering
    "Product Clicked": Kind.ITEM_CLICK,
    "Product Viewed": Kind.ITEM_VIEW,
    "Product Added": Kind.CART_ADD,
    "Product Removed": Kind.CART_REMOVE,
    "Cart Viewed": Kind.CART_VIEW,
    "Checkout Started": Kind.CHECKOUT_START,
    "Checkout Step Viewed": Kind.CHECKOUT_STEP,
    "Checkout Step Completed": Kind.CHECKOUT_STEP,
    "Payment Info Entered": Kind.PAYMENT_INFO,
    "Order Completed": Kind.PURCHASE,
    "Order Updated": Kind.ORDER_UPDATE,
    "Order Cancelled": Kind.ORDER_CANCEL,
    "Order Refunded": Kind.REFUND,
    # coupons: what is entered is applied or denied right after, and counted then
    "Coupon Entered": Kind.OTHER,
    "Coupon Applied": Kind.COUPON_APPLY,
    "Coupon Denied": Kind.COUPON_DENY,
    "Coupon Removed": Kind.COUPON_REMOVE,
    # wishlists, sharing, reviews
    "Product Added to Wishlist": Kind.WISHLIST_ADD,
    "Product Removed from Wishlist": Kind.WISHLIST_REMOVE,
    "Wishlist Product Added to Cart": Kind.CART_ADD,
    "Product Shared": Kind.SHARE,
    "Cart Shared": Kind.SHARE,
    "Product Reviewed": Kind.REVIEW,
    # e-mail, A/B testing
    "Email Delivered": Kind.MESSAGE_DELIVER,
    "Email Opened": Kind.MESSAGE_OPEN,
    "Email Link Clicked": Kind.MESSAGE_CLICK,
    "Email Bounced": Kind.MESSAGE_BOUNCE,
    "Email Marked as Spam": Kind.MESSAGE_SPAM,
    "Unsubscribed": Kind.UNSUBSCRIBE,
    "Experiment Viewed": Kind.EXPERIMENT_VIEW,
    # Segment's first e-commerce names, which it treats as the same
    "Searched Products": Kind.SEARCH,
    "Viewed Product Category": Kind.LIST_VIEW,
    "Viewed Product List": Kind.LIST_VIEW,
    "Filtered Product List": Kind.LIST_FILTER,
    "Viewed Promotion": Kind.PROMOTION_VIEW,
    "Clicked Promotion": Kind.PROMOTION_CLICK,
    "Clicked Product": Kind.ITEM_CLICK,
    "Viewed Product": Kind.ITEM_VIEW,
    "Added Product": Kind.CART_ADD,
    "Removed Product": Kind.CART_REMOVE,
    "Viewed Cart": Kind.CART_VIEW,
    "Started Order": Kind.CHECKOUT_START,
    "Started Checkout": Kind.CHECKOUT_START,
    "Viewed Checkout Step": Kind.CHECKOUT_STEP,
    "Completed Checkout Step": Kind.CHECKOUT_STEP,
    "Completed Order": Kind.PURCHASE,
    "Updated Order": Kind.ORDER_UPDATE,
    "Cancelled Order": Kind.ORDER_CANCEL,
    "Refunded Order": Kind.REFUND,
    # consent to be profiled
    "Consent Withdrawn": Kind.CONSENT_WITHDRAW,
    "Consent Denied": Kind.CONSENT_WITHDRAW,
    "Consent Revoked": Kind.CONSENT_WITHDRAW,
    "Consent Granted": Kind.CONSENT_GRANT,
    "Consent Given": Kind.CONSENT_GRANT,
    # mobile, accounts, live chat: Segment's other specifications
    "Application Opened": Kind.SESSION_START,
    "Application Crashed": Kind.ERROR,
    "Push Notification Received": Kind.MESSAGE_DELIVER,
    "Push Notification Tapped": Kind.MESSAGE_CLICK,
    "Push Notification Bounced": Kind.MESSAGE_BOUNCE,
    "Signed Up": Kind.SIGN_UP,
    "Signed In": Kind.LOGIN,
    "Live Chat Conversation Started": Kind.SUPPORT_OPEN,
    "Live Chat Conversation Ended": Kind.SUPPORT_RESOLVE,
}
"""Segment's track events. Names are compared without case, and `_` counts as a space."""

GA4: Mapping[str, Kind] = {
    # recommended e-commerce events
    "search": Kind.SEARCH,
    "view_search_results": Kind.SEARCH,
    "view_item_list": Kind.LIST_VIEW,
    "view_promotion": Kind.PROMOTION_VIEW,
    "select_promotion": Kind.PROMOTION_CLICK,
    "select_item": Kind.ITEM_CLICK,
    "view_item": Kind.ITEM_VIEW,
    "add_to_cart": Kind.CART_ADD,
    "remove_from_cart": Kind.CART_REMOVE,
    "view_cart": Kind.CART_VIEW,
    "begin_checkout": Kind.CHECKOUT_START,
    "add_shipping_info": Kind.CHECKOUT_STEP,
    "add_payment_info": Kind.PAYMENT_INFO,
    "purchase": Kind.PURCHASE,
    "in_app_purchase": Kind.PURCHASE,
    "refund": Kind.REFUND,
    "add_to_wishlist": Kind.WISHLIST_ADD,
    "share": Kind.SHARE,
    "sign_up": Kind.SIGN_UP,
    "login": Kind.LOGIN,
    "generate_lead": Kind.LEAD,
    # collected automatically
    "session_start": Kind.SESSION_START,
    "page_view": Kind.PAGE_VIEW,
    "screen_view": Kind.PAGE_VIEW,
    "notification_receive": Kind.MESSAGE_DELIVER,
    "notification_open": Kind.MESSAGE_CLICK,
    "app_exception": Kind.ERROR,
    # names of ours, as GA4 has none for these
    "consent_withdrawn": Kind.CONSENT_WITHDRAW,
    "consent_granted": Kind.CONSENT_GRANT,
    # these accompany a session_start or page_view, which are counted
    "first_visit": Kind.OTHER,
    "first_open": Kind.OTHER,
    "user_engagement": Kind.OTHER,
    "scroll": Kind.OTHER,
    "click": Kind.OTHER,
}
"""GA4's event names, as they stand in its BigQuery export."""

CHANNEL_OF_NAME: Mapping[str, Channel] = {
    "Email Delivered": Channel.EMAIL,
    "Email Opened": Channel.EMAIL,
    "Email Link Clicked": Channel.EMAIL,
    "Email Bounced": Channel.EMAIL,
    "Email Marked as Spam": Channel.EMAIL,
    "Unsubscribed": Channel.EMAIL,
    "Application Opened": Channel.APP,
    "Application Crashed": Channel.APP,
    "Push Notification Received": Channel.PUSH,
    "Push Notification Tapped": Channel.PUSH,
    "Push Notification Bounced": Channel.PUSH,
    "Live Chat Conversation Started": Channel.CHAT,
    "Live Chat Conversation Ended": Channel.CHAT,
    "notification_receive": Channel.PUSH,
    "notification_open": Channel.PUSH,
}
"""The channel of events whose name alone implies it."""


def folded(name: str) -> str:
    """A name in the form in which names are compared."""
    return name.strip().casefold().replace("_", " ")
