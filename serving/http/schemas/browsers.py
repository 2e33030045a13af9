"""The shapes of what clients in browsers ask and send: Segment's settings, RudderStack's configuration, GA4's hits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from serving.http.schemas.answer import Answer
from serving.http.schemas.requests import Request
from serving.http.schemas.words import named

Protocol = Annotated[Literal["http", "https"], named("Protocol")]


class DeliveryStrategy(Answer):
    """How Segment's client sends; `keepalive` lets a request outlive its page."""

    config: dict[str, bool]


class SegmentDestination(Answer):
    """Where Segment's client sends to."""

    apiKey: str
    apiHost: str = Field(description="Host, port and path, without the protocol.", examples=["waypost.shop.example/v1"])
    protocol: Protocol = Field(description="`http` on this machine alone.")
    deliveryStrategy: DeliveryStrategy


class SettingsAnswer(Answer):
    """The settings that Segment's client asks its `cdnURL` for."""

    integrations: dict[str, SegmentDestination]


class StatsCollection(Answer):
    """What RudderStack's client reports about itself: nothing."""

    errors: dict[str, bool]
    metrics: dict[str, bool]


class SourceAnswer(Answer):
    """A source, as RudderStack's client knows it."""

    id: str
    name: str
    writeKey: str
    workspaceId: str
    enabled: bool
    config: dict[str, StatsCollection]
    destinations: list[str] = Field(description="None: what is sent comes here alone.")


class SourceConfigAnswer(Answer):
    """What RudderStack's client asks its `configUrl` for."""

    source: SourceAnswer


class SourceConfigQuery(Request):
    """Which source."""

    writeKey: str | None = Field(None, description="The write key; told back, and not looked at.")


class HitQuery(Request):
    """One event of GA4's tag, or what several in the body share. Every other parameter of the tag is understood too."""

    v: str | None = Field(None, description="Version of the protocol, 2.")
    tid: str | None = Field(None, description="The stream; not looked at.")
    cid: str | None = Field(None, description="The browser.")
    uid: str | None = Field(None, description="The customer, where the shop knows it: joined to `cid`.")
    en: str | None = Field(None, description="GA4's name of what happened; of several events, in the body.")
    cu: str | None = Field(None, description="The currency; `epn.value` is the amount, `pr1`, `pr2`... the products.")
    api_secret: str | None = Field(None, description="The write key, when it is in no header; also `ep.api_secret`.")
