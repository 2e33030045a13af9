"""Actions for customers who have ordered."""

from features.events import Channel, Stage, days
from features.grammar import Constant
from features.journey import Journey
from models.decisions.actions.action import (
    ATTENTION,
    BASKET,
    CONTACTABLE,
    MESSAGE,
    OFFERABLE,
    VISITING,
    Action,
    kept,
    reduced,
    sale,
)

AFTER_ORDER = (Stage.RETENTION, Stage.ADVOCACY)

COMPLAINT = (
    (Journey.support_open >= 1)
    | ((Journey.nps_latest <= 6) & (Journey.days_since_survey < 30))
    | ((Journey.csat_latest <= 2) & (Journey.days_since_survey < 30))
)
"""An open ticket, or a poor survey answer within 30 days."""

ACTIONS = (
    Action(
        name="replenishment",
        stages=AFTER_ORDER,
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=sale(0.25, BASKET),
        conditions=(
            *CONTACTABLE,
            Journey.purchases_ever >= 3,
            Journey.silence_ratio >= 0.8,
            Journey.silence_ratio < 2,
        ),
        every=days(14),
        doc="Remind a regular buyer, when the next order is due, of what they usually buy.",
        assumption="Moves the log-odds of buying by 0.25 when the customer's own interval is nearly over.",
        needs_content="items",
    ),
    Action(
        name="cross_sell",
        stages=AFTER_ORDER,
        channel=Channel.ONSITE,
        cost=ATTENTION,
        value=sale(0.12, BASKET),
        conditions=(*VISITING, Journey.purchases_ever >= 1),
        every=days(1),
        doc="Show a visiting customer products that go with what they bought.",
        assumption="Moves the log-odds of buying by 0.12.",
        needs_content="items",
    ),
    Action(
        name="loyalty_points",
        stages=AFTER_ORDER,
        channel=Channel.PUSH,
        cost=0.3,
        value=kept(0.25),
        conditions=(*CONTACTABLE, Journey.purchases_90d >= 2, Journey.support_open < 1),
        every=days(28),
        doc="Give a regular customer extra loyalty points for the next order.",
        assumption="Moves the log-odds of leaving by -0.25; the points cost 0.28 on average.",
    ),
    Action(
        name="win_back",
        stages=AFTER_ORDER,
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=reduced(0.8, BASKET, 0.05 * BASKET),
        conditions=(*CONTACTABLE, *OFFERABLE, Journey.lapsing > 0, Journey.days_since_purchase >= 28),
        every=days(45),
        doc="Offer 5 % off the next order to a customer silent for longer than usual.",
        assumption="Moves the log-odds of buying by 0.8, and every buyer who gets the offer uses it.",
    ),
    Action(
        name="proactive_support",
        stages=(Stage.CONSIDERATION, Stage.PURCHASE, *AFTER_ORDER),
        channel=Channel.CALL_CENTRE,
        cost=2.5,
        value=sale(0.3, BASKET) + 3.0,
        conditions=(COMPLAINT,),
        every=days(14),
        doc="Have a person call a customer who has an open ticket or gave a poor survey answer.",
        assumption="An unanswered complaint costs 3.00 of goodwill; solving it moves the log-odds of buying by 0.3.",
        contact_exemption="It answers what the customer told us, and is no advertising.",
    ),
    Action(
        name="survey_request",
        stages=AFTER_ORDER,
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=Constant(0.1),
        conditions=(
            *CONTACTABLE,
            Journey.days_since_purchase >= 2,
            Journey.days_since_purchase <= 21,
            ~(Journey.days_since_survey < 90),
        ),
        every=days(90),
        doc="Ask a recent buyer how likely they are to recommend the shop.",
        assumption="10 % answer, and an answer is worth 1.00 as knowledge.",
    ),
)
