"""What clients may send. Unknown fields are refused: a misspelt field must not be ignored in silence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    RootModel,
    StringConstraints,
    model_validator,
)

from features.events import Channel
from features.sources.contract import BadRecord
from features.sources.fields import fields
from features.sources.fields.fields import KINDS
from insights.words import one_of
from serving.http.schemas.words import Properties

MOST_CUSTOMERS = 1000
MOST_EXPLAINED = 20
MOST_EVENTS = 2500
MOST_ITEMS = 100


def _storable(text: str) -> str:
    """A name that passes the door by which events come in."""
    try:
        fields.name(text, "name")
    except BadRecord as fault:
        raise ValueError(fault.reason) from None
    return text


# Conditions, and not two alternatives: of those, generators of clients make two types without a name.
_ONE_OF_BOTH: dict[str, JsonValue] = {
    "if": {"required": ["customers"], "properties": {"customers": {"type": "array"}}},
    "then": {"properties": {"customer": {"type": "null"}}},
    "else": {"required": ["customer"], "properties": {"customer": {"type": "string"}}},
}

Storable = AfterValidator(_storable)

CustomerId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=256),
    Storable,
    Field(description="The shop's own id of the customer.", examples=["household-1"]),
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256), Storable]
ChannelName = Annotated[str, one_of("ChannelName", [channel.name for channel in Channel])]
KindName = Annotated[str, one_of("KindName", KINDS)]
EventId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]
DecisionId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=90), Storable]


class Request(BaseModel):
    """A body or a query that the server understands."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class EventRequest(Request):
    """One event. Only `customer` and `kind` must be there."""

    message_id: EventId | None = Field(
        None,
        description="Makes the event exactly-once: sent again, it is counted as a duplicate. The server makes one when "
        "absent, and then cannot recognise a repeated request.",
    )
    customer: CustomerId
    kind: KindName = Field(description="What happened. The server understands lower case too.", examples=["ITEM_VIEW"])
    at: AwareDatetime | None = Field(
        None,
        description="When it happened; the moment of arrival when absent. A time at most one day ahead is set to the "
        "moment of arrival, a later one is rejected.",
    )
    channel: ChannelName | None = Field(None, description="Where it happened. The server understands lower case too.")
    item: Name | None = Field(None, description="The product.")
    category: Name | None = Field(None, description="The product's category.")
    quantity: float | None = Field(None, ge=0, le=fields.LARGEST, description="Number of pieces.")
    amount: float | None = Field(
        None,
        ge=0,
        le=fields.LARGEST,
        description="Money in the shop's currency: the order's total for PURCHASE, price times quantity for "
        "PURCHASED_ITEM and CART_ADD.",
    )
    order_id: Name | None = Field(None, description="The order it belongs to.")
    score: float | None = Field(
        None,
        description="Answer to a survey: 0 to 10 for SURVEY_NPS, 1 to 5 for SURVEY_CSAT and REVIEW, 1 to 7 for "
        "SURVEY_EFFORT.",
    )
    properties: Properties | None = Field(
        None,
        description="Anything else. Names that are not on the list of those kept are dropped, above all personal ones.",
    )


class EventBatch(Request):
    """Several events in an object."""

    events: Annotated[list[EventRequest], Field(min_length=1, max_length=MOST_EVENTS)]


class EventsRequest(
    RootModel[EventRequest | Annotated[list[EventRequest], Field(min_length=1, max_length=MOST_EVENTS)] | EventBatch]
):
    """One event, a list of events, or `{"events": [...]}`."""


class ScoresRequest(Request):
    """Whom to score: one `customer`, or up to 1000 `customers`."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF_BOTH)

    customer: CustomerId | None = None
    customers: Annotated[list[CustomerId], Field(min_length=1, max_length=MOST_CUSTOMERS)] | None = None
    targets: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = Field(
        None, description="Only these targets; all when absent. Fewer targets are answered faster."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> ScoresRequest:
        if (self.customer is None) == (self.customers is None):
            raise ValueError("send either `customer` or `customers`")
        return self


class ScoresQuery(Request):
    """How much to tell of each score."""

    explain: bool = Field(
        False, strict=False, description=f"Tell why, in words; milliseconds each, for up to {MOST_EXPLAINED} customers."
    )


class RecommendationsRequest(Request):
    """For whom to recommend products, and how many."""

    customer: CustomerId
    limit: Annotated[int, Field(ge=1, le=MOST_ITEMS)] = 10
    exclude: Annotated[list[Name], Field(max_length=1000)] = Field(
        default_factory=list, description="Products that must not be recommended, such as those on the page already."
    )


class DecisionRequest(Request):
    """Whom to decide for."""

    customer: CustomerId
    decision_id: DecisionId | None = Field(
        None,
        description="Your id of this decision: the same id gives the same decision again, also when the first answer "
        "got lost. The server makes one when absent.",
    )
    channels: Annotated[list[ChannelName], Field(max_length=len(Channel))] | None = Field(
        None, description="Channels that can be used at this moment, such as only ONSITE; all when absent."
    )


class RewardRequest(Request):
    """What came of a decision."""

    customer: CustomerId
    decision_id: DecisionId
    value: float = Field(description="What it was worth; 0 for nothing, negative for harm.")
    money: bool = Field(False, description="Whether `value` is in the shop's currency.")
    reward_id: EventId | None = Field(
        None,
        description="Makes the reward exactly-once. When absent, a decision is rewarded once: the first reward stays.",
    )


class CustomerQuery(Request):
    """How much to tell of a customer."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    events: Annotated[int, Field(ge=0, le=500)] = Field(20, description="How many of the newest events to include.")


class InsightQuery(Request):
    """How to give an insight."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    format: Literal["json", "csv"] | None = Field(
        None, description="`csv` gives the table alone; when absent, the `Accept` header decides."
    )


class SegmentQuery(Request):
    """Which part of a segment to give, and how."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    limit: Annotated[int, Field(ge=1, le=1000)] = Field(100, description="Most members in one page.")
    size: Annotated[float, Field(gt=0)] | None = Field(
        None, description="A share of the candidates up to 1, or a number of customers; the segment's own when absent."
    )
    cursor: str | None = Field(None, description="`next_cursor` of the page before; the first page when absent.")
    format: Literal["json", "csv"] | None = Field(
        None, description="`csv` streams the whole segment; when absent, the `Accept` header decides."
    )
