"""The shapes of others' protocols: Segment's tracking API and GA4's Measurement Protocol."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.http.schemas.answer import Answer, Told
from serving.http.schemas.requests import MOST_EVENTS, Request
from serving.http.schemas.words import Properties, named

MessageType = Annotated[Literal["identify", "track", "page", "screen", "group", "alias"], named("MessageType")]


class Open(BaseModel):
    """A body with more fields than Waypost reads."""

    model_config = ConfigDict(extra="allow", frozen=True)


class SegmentMessage(Open):
    """One message. One of `userId` and `anonymousId` must name somebody."""

    userId: str | int | None = Field(None, description="Who, once that is known.")
    anonymousId: str | int | None = Field(None, description="Who, as long as that is all that is known.")
    messageId: str | None = Field(
        None, max_length=100, description="Makes the event exactly-once. The server makes one when absent."
    )
    timestamp: str | None = Field(None, description="When it happened, ISO 8601, by the sender's clock.")
    sentAt: str | None = Field(
        None, description="When it was sent, by the same clock: the difference to now corrects `timestamp`."
    )
    context: Properties | None = Field(None, description="`campaign`, `page`, `device`, `channel`, `consent`...")
    writeKey: str | None = Field(None, description="The key, when it is in no header.")


class IdentifyMessage(SegmentMessage):
    """Who it is: joins `anonymousId` to `userId` when both are given."""

    traits: Properties | None = None


class TrackMessage(SegmentMessage):
    """What happened."""

    event: str | int = Field(description="Name of Segment's e-commerce specification, a kind of ours, or any other.")
    properties: Properties | None = None


class PageMessage(SegmentMessage):
    """A page that was seen, or a screen."""

    name: str | None = None
    properties: Properties | None = None


class GroupMessage(SegmentMessage):
    """To which group somebody belongs."""

    groupId: str | int
    traits: Properties | None = None


class AliasMessage(SegmentMessage):
    """Joins `previousId` to `userId`."""

    previousId: str | int


class BatchItem(SegmentMessage):
    """A message that says itself what it is."""

    type: MessageType


class BatchRequest(Open):
    """Several messages. `context` and `sentAt` hold for those that do not say otherwise."""

    batch: Annotated[list[BatchItem], Field(max_length=MOST_EVENTS)]
    context: Properties | None = None
    sentAt: str | None = None
    writeKey: str | None = Field(None, description="The key, when it is in no header.")


class RejectedMessage(Answer):
    """A message that was not accepted; it is kept as a dead letter."""

    index: int = Field(description="Its place in the batch, counted from 0.")
    messageId: str | None
    code: str = Field(description="`invalid_` and the name of the field.", examples=["invalid_timestamp"])
    message: str = Field(description="The field at fault, and what is wrong with it.")


class TrackingAnswer(Told):
    """What became of the messages. Once this is answered, the accepted ones are on disk and in every later score."""

    success: Literal[True]
    accepted: int = Field(description="Messages new in the log.")
    duplicates: int = Field(description="Messages whose `messageId` the log already had.")
    withheld: int = Field(description="Messages not written, because their customer withdrew the consent.")
    rejected: list[RejectedMessage]


class MeasurementEvent(Open):
    """One event of the Measurement Protocol."""

    name: str = Field(description="GA4's name of what happened.")
    params: Properties | None = Field(None, description="`items`, `value`, `currency`, `transaction_id`...")


class MeasurementRequest(Open):
    """A client and its events."""

    client_id: str | int | None = Field(None, description="The browser; `app_instance_id` for an app.")
    user_id: str | int | None = Field(None, description="The customer, where the shop knows it: joined to `client_id`.")
    timestamp_micros: str | int | None = Field(
        None, description="When, microseconds since 1970. With it, a request that is sent again adds nothing."
    )
    consent: Properties | None = Field(None, description="`ad_personalization` `DENIED` withdraws the consent.")
    non_personalized_ads: bool | None = Field(None, description="True withdraws the consent.")
    events: list[MeasurementEvent]


class MeasurementQuery(Request):
    """Which stream, and the key."""

    measurement_id: str | None = Field(None, description="The stream; not looked at.")
    firebase_app_id: str | None = Field(None, description="The app; not looked at.")
    api_secret: str | None = Field(None, description="The write key, when it is in no header.")


class ValidationMessage(Answer):
    """One fault of a request, in Google's words."""

    fieldPath: str
    description: str
    validationCode: str = Field(examples=["VALUE_INVALID", "VALUE_REQUIRED", "EXCEEDED_MAX_ENTITIES"])


class ValidationAnswer(Answer):
    """The faults of a request; none, when it would be taken in whole."""

    validationMessages: list[ValidationMessage]
