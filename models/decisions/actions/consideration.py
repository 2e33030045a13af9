"""Actions for customers who look, search and compare."""

from features.events import Channel, Stage, days
from features.journey import Journey
from models.decisions.actions.action import (
    ATTENTION,
    BASKET,
    CONTACTABLE,
    MESSAGE,
    OFFERABLE,
    VISITING,
    Action,
    reduced,
    sale,
)

ACTIONS = (
    Action(
        name="comparison_help",
        stages=(Stage.CONSIDERATION,),
        channel=Channel.ONSITE,
        cost=ATTENTION,
        value=sale(0.15, BASKET),
        conditions=(*VISITING, Journey.item_views_1d >= 3, Journey.cart_items < 1),
        every=days(1),
        doc="Lay the products the customer keeps looking at side by side.",
        assumption="Moves the log-odds of buying by 0.15 for a customer who compares.",
    ),
    Action(
        name="wishlist_reminder",
        stages=(Stage.CONSIDERATION, Stage.RETENTION, Stage.ADVOCACY),
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=sale(0.2, BASKET),
        conditions=(*CONTACTABLE, Journey.wishlist_size >= 1, Journey.days_since_last >= 2),
        every=days(14),
        doc="Remind the customer of wished-for products, first of those whose price fell.",
        assumption="Moves the log-odds of buying by 0.2.",
    ),
    Action(
        name="exit_intent_offer",
        stages=(Stage.CONSIDERATION, Stage.PURCHASE),
        channel=Channel.ONSITE,
        cost=ATTENTION,
        value=reduced(0.6, BASKET, 0.05 * BASKET),
        conditions=(*VISITING, *OFFERABLE, (Journey.item_views_1d >= 3) | (Journey.cart_items >= 1)),
        every=days(30),
        doc="Offer 5 % off the order to a hesitating visitor about to leave.",
        assumption="Moves the log-odds of buying by 0.6, and every buyer shown the offer uses it.",
    ),
)
