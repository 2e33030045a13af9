"""The built-in targets, one declaration each, in the order in which they are trained."""

from __future__ import annotations

from features.events import PURCHASE, SURVEY_NPS, UNSUBSCRIBE, Stage, days
from features.grammar import maximum, minimum
from features.journey import Journey
from features.outcomes import HappensInVisit, NextStage, SpendsNet, VisitEnds, happens
from training.targets.target import InVisit, Target

_ALIVE = Journey.days_since_last <= 90
_VISITING = Journey.session_age_minutes >= 0
_RHYTHM = minimum(maximum(2 * Journey.purchase_gap_mean, 7), 56)

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "conversion_7d",
            happens(PURCHASE, within=days(7)),
            scope=_ALIVE,
            doc="Will this customer order within a week? Everyone who gave any sign of life in the last 90 days.",
            prior=0.05,
            engagement=+1,
        ),
        Target(
            "churn_28d",
            ~happens(PURCHASE, within=days(28)),
            scope=Journey.days_since_purchase <= 56,
            doc="Will this active customer (an order in the last 56 days) stay away for the next four weeks?",
            prior=0.5,
            engagement=-1,
        ),
        Target(
            "conversion_1d",
            happens(PURCHASE, within=days(1)),
            scope=_ALIVE,
            doc="Will this customer order within a day? For messages that are worth sending today or not at all.",
            prior=0.01,
            engagement=+1,
        ),
        Target(
            "conversion_30d",
            happens(PURCHASE, within=days(30)),
            scope=_ALIVE,
            doc="Will this customer order within a month? For plans and budgets.",
            prior=0.15,
            engagement=+1,
        ),
        Target(
            "session_conversion",
            HappensInVisit(PURCHASE.selection),
            scope=_VISITING,
            doc="Will this visit, known or anonymous, still end in an order?",
            prior=0.03,
            timing=InVisit(),
        ),
        Target(
            "cart_abandonment",
            ~happens(PURCHASE, within=days(1)),
            scope=Journey.stage == int(Stage.PURCHASE),
            doc="Will this live cart or checkout (touched within the last week) lie for another day without an order?",
            prior=0.7,
        ),
        Target(
            "exit_intent",
            VisitEnds(events=1),
            scope=_VISITING,
            doc="Is the visitor about to leave? The last chance to say something.",
            prior=0.4,
            timing=InVisit(),
        ),
        Target(
            "repeat_purchase_60d",
            happens(PURCHASE, within=days(60)),
            scope=Journey.purchases_ever == 1,
            doc="Will a customer with one order place the second within two months?",
            prior=0.15,
            engagement=+1,
        ),
        Target(
            "churn_rhythm",
            ~happens(PURCHASE, within=_RHYTHM),
            scope=(Journey.purchases_ever >= 3) & (Journey.purchase_gap_mean > 0) & (Journey.days_since_purchase <= 56),
            doc="Will this regular customer (three orders, the last within 56 days) stay away for twice as long as the "
            "customer's own orders lie apart, and at least one week and at most eight?",
            prior=0.3,
            engagement=-1,
        ),
        Target(
            "next_stage_28d",
            NextStage(within=days(28)),
            scope=_ALIVE,
            doc="Which stage of the journey will this customer enter next, and after how many days?",
            prior=0.3,
        ),
        Target(
            "lifetime_value_90d",
            SpendsNet(within=days(90)),
            scope=Journey.purchases_ever >= 1,
            doc="How much money will this customer's orders bring in the next 90 days, net of what is refunded or "
            "cancelled in the same time?",
            prior=50.0,
            engagement=+1,
        ),
        Target(
            "unsubscribe_30d",
            happens(UNSUBSCRIBE, within=days(30)),
            scope=(Journey.messages_28d > 0) & (Journey.unsubscribed == 0),
            doc="Will this customer, who is being written to, unsubscribe within a month?",
            prior=0.01,
        ),
        Target(
            "dissatisfaction_90d",
            happens(SURVEY_NPS, within=days(90), score_at_most=6),
            scope=_ALIVE,
            doc="Will this customer call itself a detractor (0 to 6 of 10) in a survey within 90 days?",
            prior=0.02,
        ),
    )
}
"""The targets by name."""
