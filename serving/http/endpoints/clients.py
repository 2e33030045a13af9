"""What the clients in browsers ask before they send: the settings that Segment and RudderStack keep for them.

Both say the same: send here, and to nobody else. Nothing in them is secret, and no key is looked at.
"""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from serving.access.loopback import names_loopback
from serving.http.messages import reply
from serving.http.schemas import (
    DeliveryStrategy,
    SegmentDestination,
    SettingsAnswer,
    SourceAnswer,
    SourceConfigAnswer,
    StatsCollection,
)
from serving.process.worker import Worker

CACHE_SECONDS = 300
"""How long a browser need not ask again."""


async def get_settings(worker: Worker, request: HttpRequest) -> Response:
    """The settings of a source for Segment's client: where to send, and to outlive the page that sends."""
    host = request.headers.get("host", "")
    destination = SegmentDestination(
        apiKey=request.path_params["write_key"],
        apiHost=f"{host}/v1",
        protocol="http" if names_loopback(host) else "https",
        deliveryStrategy=DeliveryStrategy(config={"keepalive": True}),
    )
    return _cached(reply(SettingsAnswer(integrations={"Segment.io": destination})))


async def get_source_config(worker: Worker, request: HttpRequest) -> Response:
    """The configuration of a source for RudderStack's client: no destination but this one, and no reports home."""
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
