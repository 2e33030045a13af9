"""Actions for customers who recommend the shop, or may come to do so."""

from features.events import Channel, Stage, days
from features.grammar import Constant
from features.journey import Journey
from models.decisions.actions.action import CONTACTABLE, MARGIN, MESSAGE, TYPICAL_ORDER, Action

CONTENTED = (
    Journey.support_open < 1,
    ~(Journey.nps_latest <= 6),
    ~(Journey.days_since_refund < 30),
)
"""No open ticket, no detractor's answer, no refund within 30 days; a customer who was never surveyed counts, too."""

ACTIONS = (
    Action(
        name="review_request",
        stages=(Stage.RETENTION, Stage.ADVOCACY),
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=Constant(0.12),
        conditions=(
            *CONTACTABLE,
            *CONTENTED,
            Journey.days_since_purchase >= 7,
            Journey.days_since_purchase <= 45,
        ),
        every=days(30),
        doc="Ask a contented buyer to review what they bought.",
        assumption="6 % write a review, and a review is worth 2.00 in later sales.",
    ),
    Action(
        name="referral_invitation",
        stages=(Stage.RETENTION, Stage.ADVOCACY),
        channel=Channel.EMAIL,
        cost=MESSAGE,
        value=Constant(0.02 * MARGIN * TYPICAL_ORDER),
        conditions=(
            *CONTACTABLE,
            *CONTENTED,
            Journey.purchases_ever >= 2,
            (Journey.nps_latest >= 9) | (Journey.review_score_mean >= 4.5) | (Journey.shares_ever >= 1),
        ),
        every=days(60),
        doc="Invite a customer who already speaks well of the shop to bring a friend.",
        assumption="2 % bring a friend who places one typical order.",
    ),
)
