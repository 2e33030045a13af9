"""Actions for visitors who do not know the shop yet."""

from features.events import Channel, Stage, days, hours
from features.journey import Journey
from models.decisions.actions.action import ATTENTION, BASKET, CONTACTABLE, MESSAGE, VISITING, Action, sale

ACTIONS = (
    Action(
        name="social_proof",
        stages=(Stage.AWARENESS, Stage.CONSIDERATION),
        channel=Channel.ONSITE,
        cost=ATTENTION,
        value=sale(0.08, BASKET),
        conditions=(*VISITING, Journey.item_views_1d >= 1),
        every=hours(12),
        doc="Show how many others viewed or bought the product in front of the visitor.",
        assumption="Moves the log-odds of a first order by 0.08.",
    ),
    Action(
        name="newsletter_invitation",
        stages=(Stage.AWARENESS, Stage.CONSIDERATION),
        channel=Channel.ONSITE,
        cost=ATTENTION,
        value=sale(0.05, BASKET) + 0.03,
        conditions=(*VISITING, ~Journey.unsubscribed, Journey.messages_28d < 1, Journey.sessions_ever >= 2),
        every=days(7),
        doc="Invite a returning visitor who gets no messages yet to subscribe.",
        assumption="2 % accept and a subscriber is worth 1.50, besides 0.05 on the log-odds of a first order.",
    ),
    Action(
        name="welcome_guide",
        stages=(Stage.AWARENESS, Stage.CONSIDERATION),
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=sale(0.15, BASKET) + 0.02,
        conditions=(*CONTACTABLE, Journey.signed_up > 0, Journey.days_since_first < 14),
        every=days(365),
        doc="Send a newly signed-up customer a short guide to the shop.",
        assumption="Moves the log-odds of a first order by 0.15 and is worth 0.02 as an introduction.",
    ),
    Action(
        name="recommendations",
        stages=(Stage.AWARENESS, Stage.CONSIDERATION),
        channel=Channel.ONSITE,
        cost=ATTENTION,
        value=sale(0.12, BASKET),
        conditions=(*VISITING, Journey.cart_items < 1),
        every=hours(1),
        doc="Show the visitor products chosen from what they looked at, or the popular ones.",
        assumption="Moves the log-odds of a first order by 0.12.",
        needs_content="items",
    ),
)
