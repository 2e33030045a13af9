"""Actions for customers with a live cart or checkout."""

from features.events import Channel, Stage, days, hours
from features.journey import Journey
from models.decisions.actions.action import (
    ATTENTION,
    CART,
    CONTACTABLE,
    MESSAGE,
    OFFERABLE,
    VISITING,
    Action,
    reduced,
    sale,
)

SHIPPING = 5.0
"""What shipping one order costs the shop."""

ACTIONS = (
    Action(
        name="cart_reminder",
        stages=(Stage.PURCHASE,),
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=sale(0.35, CART),
        conditions=(*CONTACTABLE, Journey.cart_items >= 1, Journey.cart_age_hours >= 4),
        every=days(3),
        doc="Remind the customer of the products left in the cart.",
        assumption="Moves the log-odds of buying by 0.35.",
    ),
    Action(
        name="free_shipping",
        stages=(Stage.PURCHASE,),
        channel=Channel.ONSITE,
        cost=ATTENTION,
        value=reduced(0.6, CART, SHIPPING),
        conditions=(*VISITING, *OFFERABLE, Journey.cart_value >= 50),
        every=days(30),
        doc="Offer free shipping on a cart large enough to bear it.",
        assumption="Moves the log-odds of buying by 0.6 and costs 5.00 per order shipped.",
    ),
    Action(
        name="checkout_help",
        stages=(Stage.PURCHASE,),
        channel=Channel.CHAT,
        cost=0.5,
        value=sale(0.4, CART),
        conditions=(*VISITING, Journey.checkout_open > 0, Journey.checkout_open_hours < 2),
        every=hours(12),
        doc="Offer a chat with a person to a customer in the middle of the checkout.",
        assumption="Moves the log-odds of buying by 0.4 and takes 0.50 of staff time.",
    ),
    Action(
        name="payment_retry_help",
        stages=(Stage.PURCHASE,),
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=sale(0.8, CART),
        conditions=(Journey.payment_failures_28d >= 1, Journey.checkout_open > 0, Journey.checkout_open_hours < 72),
        every=days(1),
        doc="Write how to pay another way after a payment failed.",
        assumption="Moves the log-odds of buying by 0.8: this customer has already decided.",
        contact_exemption="It answers a payment the customer made, and is no advertising.",
    ),
)
