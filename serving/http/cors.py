"""CORS: web pages of other origins may send events and ask with visitors' tokens, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from starlette.responses import Response
from starlette.types import Scope

from serving.http.route import Route

Headers = list[tuple[bytes, bytes]]

PREFLIGHT_SECONDS = 7200
"""How long a browser may cache a preflight answer; no browser caches it longer."""

SENT = b", ".join(
    (
        *(b"authorization", b"content-encoding", b"content-type", b"x-api-key", b"x-request-id"),
        b"x-retry-count",  # Segment's client, when it sends again
        *(b"anonymousid", b"sentat"),  # RudderStack's client, and when it sends again
        *(b"rsa-retry-attempt", b"rsa-retry-reason", b"rsa-since-first-attempt", b"rsa-since-last-attempt"),
        b"rsa-recovered",
    )
)
"""Headers that a page may send. With any other header the browser does not send the request."""


class Origins:
    """The origins of `WAYPOST_ALLOWED_ORIGINS`, and the `routes` that they may call."""

    def __init__(self, allowed: Collection[str], routes: Iterable[Route]) -> None:
        self._allowed = frozenset(origin.encode("latin-1") for origin in allowed)
        # Browsers send a preflight to these; routes with a parameter are only read, which needs none.
        called = [route for route in routes if allowed and route.from_pages and not route.path_parameters]
        self._pairs = {(route.method, path) for route in called for path in route.paths}

    def readable(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
        """`headers`, so that a page of another origin may get the answer: else browsers count a beacon as blocked."""
        policy = b"cross-origin-resource-policy"
        return tuple((name, b"cross-origin" if name == policy and self._allowed else value) for name, value in headers)

    def headers(self, scope: Scope) -> Headers:
        """The headers that let the page that sent the request read the answer of a route for pages."""
        if not self._allowed:
            return []
        answer = self._permission(scope)
        if len(answer) > 1:
            answer.append((b"access-control-expose-headers", b"retry-after, x-ratelimit-reset, x-request-id"))
        return answer

    def preflight(self, scope: Scope) -> Response | None:
        """The answer to a preflight request; None where it is refused, or is no preflight."""
        method = _header(scope, b"access-control-request-method") or b""
        if (method.decode("latin-1"), scope["path"]) not in self._pairs:
            return None
        permission = self._permission(scope)
        if len(permission) == 1:
            return None
        response = Response(status_code=204)
        response.raw_headers.extend(permission)
        response.raw_headers += [
            (b"access-control-allow-methods", method),
            (b"access-control-allow-headers", SENT),
            (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
        ]
        return response

    def _permission(self, scope: Scope) -> Headers:
        """`Vary`, and the permission where the origin has it."""
        origin = _header(scope, b"origin")
        granted = b"*" if b"*" in self._allowed else origin if origin in self._allowed else None
        vary = [(b"vary", b"Origin")]
        return [*vary, (b"access-control-allow-origin", granted)] if origin and granted else vary


def refused_page(path: str, origin: str) -> str:
    """Why a web page may not call a path, for the developer who reads the answer in the browser."""
    return (
        f"A web page of {origin[:100]!r} may not call {path[:100]}. Pages may send events, and ask with visitors' "
        f"tokens, from the allowed origins: WAYPOST_ALLOWED_ORIGINS={origin[:100]} waypost serve."
    )


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    value: bytes
    for name, value in scope["headers"]:
        if name == wanted:
            return value
    return None
