"""What the server answers. A number that is not known is null, never 0."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from insights.words import StageName, one_of
from serving.http.schemas.answer import Answer, Stamped, Told
from serving.http.schemas.scores import Interval, ScoreReason, TargetScore
from serving.http.schemas.words import Properties, named

ReasonKind = Annotated[Literal["stage", "channel", "condition", "frequency", "value"], named("ReasonKind")]
DecisionMode = Annotated[str, one_of("DecisionMode", ("exploit", "explore"))]


class RejectedEvent(Answer):
    """An event that was not accepted; it is kept as a dead letter."""

    index: int = Field(description="Its place in the request, counted from 0.")
    message_id: str | None
    code: str = Field(description="`invalid_` and the name of the field.", examples=["invalid_amount"])
    field: str = Field(description="The field at fault; empty when the event is not an object.")
    detail: str


class EventsAnswer(Stamped, Told):
    """What became of the events. Once this is answered, the accepted events are on disk and in every later score."""

    accepted: int = Field(description="Events new in the log.")
    duplicates: int = Field(description="Events whose `message_id` the log already had.")
    withheld: int = Field(description="Events not written, because their customer withdrew the consent to be profiled.")
    rejected: list[RejectedEvent]


class RecommendedItem(Answer):
    """A product, how strongly it is recommended, and why."""

    item: str
    score: float
    reason: str = Field(examples=["because of item-1", "popular"])


class RecommendationsAnswer(Stamped):
    """Products, best first; the popular ones when nothing is known of the customer."""

    customer: str
    known: bool
    items: list[RecommendedItem]
    why: str | None = Field(
        description="Why everybody is given the same, or nothing; null where recommendations are a customer's own."
    )


class ActionReason(Answer):
    """One thing that was asked of an action, and how it came out."""

    kind: ReasonKind
    rule: str = Field(description="What was expected.", examples=["contacts_7d < 3"])
    passed: bool
    actual: dict[str, float | str | None] = Field(description="What was found; null is not known.")


class ConsideredAction(Answer):
    """An action, and why it could or could not be chosen: it is eligible when every reason passed."""

    action: str
    channel: str
    eligible: bool
    score: float | None = Field(description="Expected gain less the cost, in the shop's currency; null when not known.")
    probability: float = Field(description="How likely the action was to be chosen.")
    reasons: list[ActionReason]


class DecisionAnswer(Stamped):
    """The next best action. The decision is in the log, with all its probabilities."""

    decision_id: str
    customer: str
    known: bool
    repeated: bool = Field(description="True when this id was decided before: the answer is the earlier decision.")
    action: str
    channel: str
    stage: StageName
    mode: DecisionMode = Field(
        description="Whether the action has the highest score of the eligible ones (`exploit`) or not (`explore`)."
    )
    probability: float = Field(description="How likely this action was to be chosen.")
    propensities: dict[str, float] = Field(description="The probability of every eligible action; they sum to 1.")
    items: list[RecommendedItem] = Field(description="What the action shows, when it shows products.")
    considered: list[ConsideredAction] = Field(
        description="Every action and why it was or was not eligible; empty for a repeated decision."
    )


class RewardAnswer(Stamped):
    """What became of the reward."""

    decision_id: str
    action: str
    accepted: bool = Field(
        description="False when the decision was rewarded before under this id: the first reward stays."
    )


class EventAnswer(Answer):
    """One event as the log has it."""

    message_id: str
    customer: str = Field(description="The id under which it came.")
    kind: str
    at: datetime
    received: datetime
    channel: str
    item: str | None
    category: str | None
    quantity: float | None
    amount: float | None
    order_id: str | None
    score: float | None
    properties: Properties


class CustomerAnswer(Stamped):
    """Everything known of one customer, under all ids."""

    customer: str
    known: bool
    ids: list[str] = Field(description="All ids of the profile, its own first; none when the log knows no such id.")
    merged_into: str | None = Field(description="The profile's own id, when another was asked for; else null.")
    stage: StageName | None
    previous_stage: StageName | None
    days_in_stage: float | None
    lapsing: bool = Field(description="Silent for longer than the customer's own rhythm suggests.")
    scores: dict[str, TargetScore]
    segments: list[str]
    features: dict[str, float | None] = Field(
        description="Every feature, by name; `docs/features.md` has their meanings."
    )
    events: list[EventAnswer] = Field(description="The newest events, newest first.")


class PastYield(Answer):
    """What a list of this segment, made at a moment of the past, would have found."""

    as_of: datetime
    customers: int = Field(description="With something at stake then.")
    named: int = Field(description="How many the list would have named.")
    left: float = Field(description="Share of these who then bought nothing for 28 days.")
    left_interval: Interval
    money: float = Field(description="Share that they held of the money that then left.")
    money_interval: Interval
    money_random: float = Field(description="What as many at random hold in the mean.")
    money_spending: float = Field(description="What as many of those who spent most hold.")
    words: str = Field(description="The same as a sentence.")


class SegmentSummary(Answer):
    """One saved segment and its size."""

    name: str
    title: str
    doc: str = Field(description="Who is in it.")
    rule: str = Field(description="The condition, over features and probabilities.")
    ordering: str = Field(description="Who comes first.")
    customers: int
    candidates: int = Field(description="Customers for whom the rule holds; the segment is the first of them.")
    share: float | None = Field(description="Of all customers.")
    past: PastYield | None = Field(description="What it would have found, where that was measured.")


class SegmentsAnswer(Stamped):
    """All saved segments, as they were at the last sweep of all customers."""

    customers: int
    segments: list[SegmentSummary]


class LikelyStage(Answer):
    """The most likely of the stages that a customer may enter next."""

    stage: str = Field(description="A stage of the journey, or `stays` for none.")
    probability: float
    days: float | None = Field(description="Expected days until the change.")


class SegmentMember(Answer):
    """One customer of a segment."""

    customer: str
    stage: StageName
    lapsing: bool
    scores: dict[str, float | None] = Field(description="Probabilities and amounts of money, by target.")
    intervals: dict[str, Interval | None] = Field(description="What each of them lies in with a chance of 90 %.")
    next_stages: dict[str, LikelyStage | None] = Field(description="The stage that is most likely next, by target.")
    reasons: dict[str, list[ScoreReason]] = Field(
        description="Why: by target that the segment asks for, strongest first. Only of the first 100 members."
    )
    features: dict[str, float | None] = Field(description="Some features; `GET /v1/customers/{customer}` has all.")


class SegmentAnswer(Stamped):
    """One page of a segment. Pages that follow each other's cursors speak of the same sweep of all customers."""

    name: str
    customers: int
    candidates: int = Field(description="Customers for whom the rule holds; `size` says how many of them are members.")
    past: PastYield | None = Field(description="What it would have found at its own size, where that was measured.")
    members: list[SegmentMember]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last page.")
