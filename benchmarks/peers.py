"""The two peers of the serve benchmark: a bare echo, and an empty BentoML endpoint with its default settings."""

from __future__ import annotations

from typing import Any

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def _echo(request: Request) -> JSONResponse:
    return JSONResponse(await request.json())


echo = Starlette(routes=[Route("/v1/scores", _echo, methods=["POST"])])


@bentoml.service(name="noop", workers=2)
class Noop:
    """A BentoML service that does nothing, with default settings."""

    @bentoml.api(route="/v1/scores")  # type: ignore[untyped-decorator]
    async def scores(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body, back again."""
        return body
