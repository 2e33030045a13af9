"""Who may come in: the key of a request, what it opens, and how often it may be used.

It stands before every endpoint, so it takes microseconds and never waits.
"""

from __future__ import annotations

import binascii
import logging
import time
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import Request as HttpRequest
from starlette.types import Scope

from serving.keys import Key, KeyFile, Keyring
from serving.limits import RateLimit
from serving.loopback import is_loopback, names_loopback
from serving.problems import Problem
from serving.route import Route
from serving.settings import Settings

CREATE = "waypost keys create --scope admin --name NAME"
CHALLENGE = {"WWW-Authenticate": 'Basic realm="Waypost", charset="UTF-8"'}
FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"forwarded"})
"""Headers that a reverse proxy adds: the client is not who the connection says."""

PENDING = "waypost.door"
"""Where the request keeps what is needed to judge the key in its body."""

logger = logging.getLogger("waypost")


class Doors:
    """The doors of one worker. `clock` gives the true time, microseconds UTC: keys expire by it."""

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        self.keys = KeyFile(settings.keys)
        self._clock = clock
        rate = settings.requests_per_second / settings.workers
        self._holders, self._strangers = RateLimit(rate), RateLimit(rate)  # apart: no stranger costs a key its count
        self._origins = settings.allowed_origins
        if self.keys.current() is None:
            logger.warning("there are no keys: only this machine itself is answered. Make some with `%s`", CREATE)

    def enter(self, route: Route, scope: Scope) -> None:
        """Let a request in, or raise a `Problem` of `route.AT_THE_DOOR`.

        Where the key may stand in the body and none of the headers is known, the request is let through to its
        endpoint, which must ask `authorize_body_key` before it does anything.
        """
        if route.scope == "open":
            return
        ring = self.keys.current()
        if ring is None:
            self._stay_home(scope)
            self._strangers.take(_address(scope), time.monotonic())
            return
        key, presented = self._in_headers(ring, scope)
        if key is None and route.key_in == "query":
            texts = parse_qs(scope["query_string"]).get(b"api_secret", [])
            presented = presented or bool(texts)
            key = ring.match(texts[0], self._clock()) if texts else None
        if key is None and route.key_in in ("body", "form"):
            scope[PENDING] = (self, route, presented)
            return
        self.admit(route, scope, key, presented)

    def admit(self, route: Route, scope: Scope, key: Key | None, presented: bool) -> None:
        """Let in whoever holds `key`, None for a key that is not known or, unless one was `presented`, for none."""
        now = time.monotonic()
        if key is None:
            self._strangers.take(_address(scope), now)
            raise _unknown() if presented else _missing(route)
        if not key.opens(route.scope):
            raise Problem(
                "scope_missing",
                f"The key has the scope `{key.scope}`, and {route.method} {route.path} needs `{route.scope}`. Make one "
                f"with `waypost keys create --scope {route.scope} --name NAME`.",
            )
        self._holders.take(key.id, now)

    def admit_text(self, route: Route, scope: Scope, text: str | None, presented: bool) -> None:
        """Let in whoever wrote the key `text` into the body."""
        ring = self.keys.current()
        key = ring.match(text.encode("utf-8", "replace"), self._clock()) if ring and text else None
        self.admit(route, scope, key, presented or bool(text))

    def count_stranger(self, scope: Scope) -> None:
        """Count a request of whom nobody knows who sent it. Raises `Problem` `rate_limited`."""
        self._strangers.take(_address(scope), time.monotonic())

    def _in_headers(self, ring: Keyring, scope: Scope) -> tuple[Key | None, bool]:
        """The key in the headers, and whether there was anything that may have been one."""
        credentials = plain = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                credentials = value
            elif name == b"x-api-key":
                plain = value
        now = self._clock()
        key = ring.match(_text(credentials), now) if credentials else None
        if key is None and plain:
            key = ring.match(plain, now)
        return key, bool(credentials or plain)

    def _stay_home(self, scope: Scope) -> None:
        """Without keys: raise `keys_required` unless client, server and web page are of this machine."""
        for end in ("client", "server"):
            address = scope[end]
            if not address or not is_loopback(address[0]):
                raise _needs_keys(f"the {end}'s address is {address[0] if address else 'not known'}")
        for name, value in scope["headers"]:
            if name in FORWARDED:
                raise _needs_keys(f"the request came through a proxy, as {name.decode()} says")
            if name == b"host" and not names_loopback(value.decode("latin-1")):
                raise _needs_keys(f"it was asked for as {value.decode('latin-1')[:80]!r}")
            if name == b"origin" and not self._is_ours(value.decode("latin-1")):
                raise _needs_keys(f"a web page of {value.decode('latin-1')[:80]!r} asks")

    def _is_ours(self, origin: str) -> bool:
        return origin in self._origins or "*" in self._origins or names_loopback(origin.partition("://")[2])


def authorize_body_key(request: HttpRequest, text: str | None) -> None:
    """Judge the key `text` (None for none) in the body of a route with `key_in="body"`, before anything is done.

    Where the headers held a key of ours, or no keys are needed, the request was let in already and `text` is not
    looked at. Raises a `Problem` of `route.AT_THE_DOOR`.
    """
    pending = request.scope.pop(PENDING, None)
    if pending is not None:
        doors, route, presented = pending
        doors.admit_text(route, request.scope, text, presented)


def count_unreadable(request: HttpRequest) -> None:
    """Count a request whose body should have held its key, and could not be read, as a stranger's.

    Raises `Problem` `rate_limited`.
    """
    pending = request.scope.pop(PENDING, None)
    if pending is not None:
        doors, _, _ = pending
        doors.count_stranger(request.scope)


def _text(credentials: bytes) -> bytes:
    """The key in an `Authorization` header: the token of Bearer, the user of Basic."""
    scheme, _, rest = credentials.partition(b" ")
    scheme = scheme.lower()
    if scheme == b"bearer":
        return rest.strip()
    if scheme == b"basic":
        try:
            return binascii.a2b_base64(rest).partition(b":")[0]
        except binascii.Error:
            return b""
    return b""


def _address(scope: Scope) -> str:
    client = scope["client"]
    return client[0] if client else ""


def _missing(route: Route) -> Problem:
    places = {
        "header": "",
        "body": ", or as `writeKey` in the body",
        "query": ", or as `api_secret` in the query",
        "form": ", or as `api_secret`",
    }
    return Problem(
        "key_missing",
        f"{route.method} {route.path} needs a key of the scope `{route.scope}`. Send it as `Authorization: Bearer "
        f"KEY`, as `X-API-Key: KEY`, as the user of Basic with an empty password{places[route.key_in]}.",
        headers=dict(CHALLENGE),
    )


def _unknown() -> Problem:
    return Problem(
        "key_unknown",
        "The key is not known, or has expired. `waypost keys list` on the server shows those there are.",
        headers=dict(CHALLENGE),
    )


def _needs_keys(reason: str) -> Problem:
    return Problem(
        "keys_required",
        f"The server has no keys, so it answers this machine alone, and {reason}. Make a key on the server with "
        f"`{CREATE}`, and send it along.",
    )
