"""The features of a customer: one line each. This file is the data dictionary.

Add a feature by adding a line to the family it belongs to; replay, serving, documentation and models follow.
"""

from __future__ import annotations

from features.aggregates import (
    active_days,
    age,
    cart,
    count,
    distinct,
    earliest,
    fading,
    favourites,
    gaps,
    happened,
    latest,
    moments,
    net,
    newest,
    reading,
    recent,
    rhythm,
    sessions,
    since,
    stages,
    total,
    visit,
)  # fmt: skip
from features.events import (
    CART_ADD,
    CHECKOUT_START,
    CONSENT_GRANT,
    CONSENT_WITHDRAW,
    COUPON_APPLY,
    COUPON_DENY,
    DAY,
    DECISION,
    ERROR,
    HOUR,
    IDENTIFY,
    ITEM_VIEW,
    LIST_VIEW,
    LOGIN,
    MESSAGE_CLICK,
    MESSAGE_DELIVER,
    MESSAGE_OPEN,
    MINUTE,
    ORDER_CANCEL,
    OUT_OF_STOCK,
    OUTBOUND,
    PAYMENT_FAIL,
    PURCHASE,
    PURCHASED_ITEM,
    REFER,
    REFUND,
    REVIEW,
    REWARD,
    SEARCH,
    SHARE,
    SIGN_UP,
    SUBSCRIBE,
    SUPPORT_OPEN,
    SUPPORT_RESOLVE,
    SURVEY_CSAT,
    SURVEY_EFFORT,
    SURVEY_NPS,
    TOUCHPOINTS,
    UNSUBSCRIBE,
    VISITS,
    WISHLIST_ADD,
    WISHLIST_REMOVE,
    Channel,
    any_of,
    days,
    minutes,
)  # fmt: skip
from features.fold.feature_set import FeatureSet, engaging
from features.fold.fold import Fold
from features.grammar import maximum


class Position(FeatureSet):
    """Position on the journey"""

    stages = stages(TOUCHPOINTS)
    stage = reading(stages, "current")
    previous_stage = reading(stages, "previous")
    days_in_stage = reading(stages, "time") / DAY


class Recency(FeatureSet):
    """Recency and tenure"""

    days_since_first = age(TOUCHPOINTS) / DAY
    days_since_last = since(VISITS) / DAY
    days_since_purchase = since(PURCHASE) / DAY
    days_since_first_purchase = age(PURCHASE) / DAY
    _purchases = newest(PURCHASE)
    days_since_second_purchase = reading(_purchases, "second") / DAY
    days_since_third_purchase = reading(_purchases, "third") / DAY
    days_since_fifth_purchase = reading(_purchases, "fifth") / DAY


class Frequency(FeatureSet):
    """Frequency of orders"""

    purchases_ever = engaging(count(PURCHASE))
    purchases_28d = count(PURCHASE, within=days(28))
    purchases_90d = engaging(count(PURCHASE, within=days(90)))
    purchase_days_84d = engaging(active_days(PURCHASE, within=days(84)))
    purchases_fading_7d = fading(PURCHASE, half_life=days(7))
    purchases_fading_14d = fading(PURCHASE, half_life=days(14))
    purchases_fading_28d = fading(PURCHASE, half_life=days(28))
    purchases_fading_56d = engaging(fading(PURCHASE, half_life=days(56)))
    purchases_fading_112d = engaging(fading(PURCHASE, half_life=days(112)))
    purchases_trend = purchases_fading_14d / purchases_fading_56d
    purchases_trend_slow = purchases_fading_28d / purchases_fading_112d
    purchases_per_day = purchases_ever / (age(TOUCHPOINTS) / DAY + 1)


class Monetary(FeatureSet):
    """Money: gross is the totals of orders, net is those less refunds and cancellations"""

    spend_gross_ever = total(PURCHASE.amount)
    spend_gross_28d = total(PURCHASE.amount, within=days(28))
    _net = net(within=days(90))
    spend_net_ever = reading(_net, "ever")
    spend_net_90d = reading(_net, "within")
    spend_gross_fading_14d = fading(PURCHASE.amount, half_life=days(14))
    spend_gross_fading_56d = fading(PURCHASE.amount, half_life=days(56))
    _basket = moments(PURCHASE.amount)
    basket_value_mean = reading(_basket, "mean")
    basket_value_deviation = reading(_basket, "deviation")
    basket_value_latest = latest(PURCHASE.amount)
    basket_value_recent = spend_gross_fading_56d / fading(PURCHASE, half_life=days(56))
    items_per_order = count(PURCHASED_ITEM) / count(PURCHASE)
    items_fading_56d = fading(PURCHASED_ITEM, half_life=days(56))
    distinct_items = distinct(PURCHASED_ITEM.item, bits=128)


class Tempo(FeatureSet):
    """Tempo: the customer's own rhythm of buying and visiting"""

    _orders = gaps(PURCHASE)
    purchase_gap_mean = reading(_orders, "mean")
    purchase_gap_deviation = reading(_orders, "deviation")
    purchase_gap_longest = reading(_orders, "longest")
    purchase_gap_recent = reading(_orders, "recent")
    purchase_gap_log_mean = reading(_orders, "log_mean")
    purchase_gap_log_deviation = reading(_orders, "log_deviation")
    silence_ratio = since(PURCHASE) / DAY / purchase_gap_mean
    silence_ratio_recent = since(PURCHASE) / DAY / purchase_gap_recent
    silence_of_longest = since(PURCHASE) / DAY / purchase_gap_longest
    _later_visits = reading(sessions(VISITS, gap=minutes(30)), "number") - 1
    visit_gap_mean = (age(VISITS) - since(VISITS)) / DAY / _later_visits
    lapsing = since(VISITS) / DAY > maximum(3 * visit_gap_mean, 7).otherwise(30)


class Sessions(FeatureSet):
    """Visits and their depth"""

    _sessions = sessions(VISITS, gap=minutes(30))
    sessions_ever = reading(_sessions, "number")
    session_depth = reading(_sessions, "depth")
    session_depth_mean = reading(_sessions, "mean_depth")
    session_minutes_mean = reading(_sessions, "mean_minutes")
    session_age_minutes = reading(_sessions, "age") / MINUTE
    bounce_rate = reading(_sessions, "bounce_rate")
    _visit = visit(VISITS, gap=minutes(30))
    session_cart_adds = reading(_visit, "cart_adds")
    session_orders = reading(_visit, "orders")
    session_item_returns = reading(_visit, "item_returns")
    session_category_returns = reading(_visit, "category_returns")
    previous_session_ordered = reading(_visit, "ordered_before")
    signed_up = happened(any_of(SIGN_UP, LOGIN, IDENTIFY))


class Browsing(FeatureSet):
    """Search and browse intent"""

    item_views_1d = count(ITEM_VIEW, within=days(1))
    item_views_7d = count(ITEM_VIEW, within=days(7))
    searches_7d = count(SEARCH, within=days(7))
    list_views_ever = count(LIST_VIEW)
    views_per_purchase = count(ITEM_VIEW) / count(PURCHASE)
    wishlist_size = engaging(maximum(count(WISHLIST_ADD) - count(WISHLIST_REMOVE), 0))
    recent_views = recent(ITEM_VIEW.item, size=5)
    favourite_purchases = favourites(PURCHASED_ITEM.item, size=16, half_life=days(84))


class Cart(FeatureSet):
    """Cart and checkout"""

    cart = cart(size=5)
    cart_items = engaging(reading(cart, "pieces"))
    cart_value = reading(cart, "value")
    cart_age_hours = reading(cart, "age") / HOUR
    cart_adds_7d = engaging(count(CART_ADD, within=days(7)))
    cart_rate = cart_adds_7d / count(ITEM_VIEW, within=days(7))
    checkout_open_hours = since(CHECKOUT_START) / HOUR
    checkout_open = (since(CHECKOUT_START) < since(PURCHASE)) | (happened(CHECKOUT_START) & ~happened(PURCHASE))
    orders_per_checkout = count(PURCHASE) / count(CHECKOUT_START)
    payment_failures_28d = count(PAYMENT_FAIL, within=days(28))


class Discounts(FeatureSet):
    """Discounts, refunds and cancellations"""

    coupons_ever = count(COUPON_APPLY)
    coupons_28d = count(COUPON_APPLY, within=days(28))
    coupon_share = count(COUPON_APPLY) / count(PURCHASE)
    discount_share = total(COUPON_APPLY.amount) / total(PURCHASE.amount)
    coupons_denied_ever = count(COUPON_DENY)
    refunds_ever = count(REFUND)
    refund_share = 1 - reading(net(within=days(90)), "ever") / total(PURCHASE.amount)
    cancels_ever = count(ORDER_CANCEL)
    days_since_refund = since(REFUND) / DAY


class Contacts(FeatureSet):
    """Messages, campaigns and our own contacts"""

    messages_7d = count(MESSAGE_DELIVER, within=days(7))
    messages_28d = count(MESSAGE_DELIVER, within=days(28))
    message_open_rate = count(MESSAGE_OPEN) / count(MESSAGE_DELIVER)
    message_click_rate = count(MESSAGE_CLICK) / count(MESSAGE_DELIVER)
    days_since_message = since(MESSAGE_DELIVER) / DAY
    unsubscribed = since(UNSUBSCRIBE).known() & ~(since(SUBSCRIBE) < since(UNSUBSCRIBE))
    profiling_withdrawn = since(CONSENT_WITHDRAW).known() & ~(since(CONSENT_GRANT) < since(CONSENT_WITHDRAW))
    contacts_7d = count(DECISION.on(*OUTBOUND), within=days(7))
    days_since_contact = since(DECISION.on(*OUTBOUND)) / DAY
    rewards_ever = count(REWARD)
    recent_actions = recent(DECISION.category, size=15)


class Voice(FeatureSet):
    """Surveys, support, friction and advocacy"""

    nps_latest = latest(SURVEY_NPS.score)
    csat_latest = latest(SURVEY_CSAT.score)
    effort_latest = latest(SURVEY_EFFORT.score)
    days_since_survey = since(any_of(SURVEY_NPS, SURVEY_CSAT, SURVEY_EFFORT)) / DAY
    support_open = maximum(count(SUPPORT_OPEN) - count(SUPPORT_RESOLVE), 0)
    support_ever = count(SUPPORT_OPEN)
    errors_ever = count(ERROR)
    out_of_stock_ever = count(OUT_OF_STOCK)
    reviews_ever = engaging(count(REVIEW))
    review_score_mean = reading(moments(REVIEW.score), "mean")
    shares_ever = engaging(count(SHARE))
    referrals_ever = engaging(count(REFER))
    days_since_advocacy = since(any_of(REVIEW, SHARE, REFER)) / DAY


class Habits(FeatureSet):
    """Channels and rhythm of the day and week"""

    first_channel = earliest(TOUCHPOINTS.channel)
    latest_channel = latest(VISITS.channel)
    share_app = count(VISITS.on(Channel.APP)) / count(VISITS)
    share_store = count(VISITS.on(Channel.STORE)) / count(VISITS)
    _rhythm = rhythm(VISITS)
    weekend_share = reading(_rhythm, "weekend")
    evening_share = reading(_rhythm, "evening")
    weekday_share = reading(_rhythm, "weekday_now")
    hour_regularity = reading(_rhythm, "hour_regularity")
    weekday_regularity = reading(_rhythm, "weekday_regularity")


class Journey(
    Position, Recency, Frequency, Monetary, Tempo, Sessions, Browsing, Cart, Discounts, Contacts, Voice, Habits
):
    """What we know about a customer at a moment."""


JOURNEY = Fold(Journey)
"""The compiled features of a customer."""
