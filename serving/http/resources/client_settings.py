"""The settings that Segment's and RudderStack's clients in browsers read before they send events.

Both say the same: send to this server alone. Nothing in them is secret, and no key is checked.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from serving.access.loopback import names_loopback
from serving.http.messages import reply
from serving.http.problems import ALWAYS
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.request import Request
from serving.http.schemas.words import named
from serving.process.worker import Worker

CACHE_SECONDS = 300
"""How long a browser may cache the settings."""

Protocol = Annotated[Literal["http", "https"], named("Protocol")]


class DeliveryStrategy(Answer):
    """How Segment's client sends; `keepalive` lets a request outlive its page."""

    config: dict[str, bool]


class SegmentDestination(Answer):
    """Where Segment's client sends to."""

    apiKey: str
    apiHost: str = Field(description="Host, port and path, without the protocol.", examples=["waypost.shop.example/v1"])
    protocol: Protocol = Field(description="`http` only on this machine.")
    deliveryStrategy: DeliveryStrategy


class SettingsAnswer(Answer):
    """The settings that Segment's client reads from its `cdnURL`."""

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
    destinations: list[str] = Field(description="Empty: events are sent to this server alone.")


class SourceConfigAnswer(Answer):
    """The configuration that RudderStack's client reads from its `configUrl`."""

    source: SourceAnswer


class SourceConfigQuery(Request):
    """The source."""

    writeKey: str | None = Field(None, description="The write key; returned, but not checked.")


SETTINGS_EXAMPLE = {
    "integrations": {
        "Segment.io": {
            "apiKey": "WRITE_KEY",
            "apiHost": "waypost.shop.example/v1",
            "protocol": "https",
            "deliveryStrategy": {"config": {"keepalive": True}},
        }
    }
}
SOURCE_CONFIG_EXAMPLE = {
    "source": {
        "id": "waypost",
        "name": "Waypost",
        "writeKey": "WRITE_KEY",
        "workspaceId": "waypost",
        "enabled": True,
        "config": {"statsCollection": {"errors": {"enabled": False}, "metrics": {"enabled": False}}},
        "destinations": [],
    }
}


async def get_settings(worker: Worker, request: HttpRequest) -> Response:
    """The settings of a source for Segment's client: where to send, with requests that outlive their page."""
    host = request.headers.get("host", "")
    destination = SegmentDestination(
        apiKey=request.path_params["write_key"],
        apiHost=f"{host}/v1",
        protocol="http" if names_loopback(host) else "https",
        deliveryStrategy=DeliveryStrategy(config={"keepalive": True}),
    )
    return _cached(reply(SettingsAnswer(integrations={"Segment.io": destination})))


async def get_source_config(worker: Worker, request: HttpRequest) -> Response:
    """The configuration of a source for RudderStack's client: no other destination, and no reports to RudderStack."""
    source = SourceAnswer(
        id="waypost",
        name="Waypost",
        writeKey=request.query_params.get("writeKey", ""),
        workspaceId="waypost",
        enabled=True,
        config={"statsCollection": StatsCollection(errors={"enabled": False}, metrics={"enabled": False})},
        destinations=[],
    )
    return _cached(reply(SourceConfigAnswer(source=source)))


def _cached(response: Response) -> Response:
    response.headers["cache-control"] = f"public, max-age={CACHE_SECONDS}"
    return response


ROUTES: tuple[Route, ...] = (
    Route(
        name="getClientSettings",
        scope="open",
        public=True,
        method="GET",
        path="/v1/projects/{write_key}/settings",
        endpoint=get_settings,
        tag="browsers",
        summary="Tell Segment's client in a browser where to send",
        doc="What analytics.js reads from its `cdnURL`: send to this server alone, and finish sending when the page is "
        "left. The same for every key.",
        answer=SettingsAnswer,
        problems=("not_found", *ALWAYS),
        path_parameters={"write_key": ("The write key; returned, but not checked.", "WRITE_KEY")},
        answer_example=SETTINGS_EXAMPLE,
    ),
    Route(
        name="getSourceConfig",
        scope="open",
        public=True,
        method="GET",
        path="/sourceConfig/",
        aliases=("/sourceConfig",),
        endpoint=get_source_config,
        tag="browsers",
        summary="Tell RudderStack's client in a browser where to send",
        doc="What its SDK reads from its `configUrl`: no destination but this server. The same for every key.",
        query=SourceConfigQuery,
        answer=SourceConfigAnswer,
        problems=ALWAYS,
        answer_example=SOURCE_CONFIG_EXAMPLE,
    ),
)
