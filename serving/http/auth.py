"""Authentication: the credentials of a request, what they open (`serving.access.scopes`), and their rate limit.

It runs before every endpoint, so it takes microseconds and never waits.
"""

from __future__ import annotations

import binascii
import logging
import time
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs

from starlette.requests import Request as HttpRequest
from starlette.types import Scope

from serving.access.keys import Key, KeyFile, Keyring
from serving.access.scopes import PUBLIC, Holder
from serving.access.sessions import may_log_in, open_session, read_session, session_header
from serving.access.visitors import TokenError, looks_like_token, read_token
from serving.http.limits import RateLimit
from serving.http.problems import Problem
from serving.http.route import Route, opens, scopes_of, scopes_that_open
from serving.http.sender import foreign_page, from_elsewhere
from serving.settings import Settings

CREATE = "waypost keys create --scope admin --name NAME"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Waypost"'}
"""Without Basic: a browser would ask for a key itself, keep it, and send it with requests of other sites' pages too."""

VISITOR_REQUESTS_PER_SECOND = 10.0
"""Requests a second with one customer's tokens, over all workers."""

PENDING, VISITOR = "waypost.pending", "waypost.visitor"
"""Where a request's scope keeps what is needed to check the key in its body, and the customer of a visitor's token."""

logger = logging.getLogger("waypost")


class Auth:
    """The authentication of one worker. `clock` gives the true time, microseconds UTC, by which keys expire."""

    def __init__(self, settings: Settings, clock: Callable[[], int]) -> None:
        self.keys = KeyFile(settings.keys) if settings.keys else None
        self.now = clock
        rate = settings.requests_per_second / settings.workers
        self._holders, self._unknown = (
            RateLimit(rate),
            RateLimit(rate),
        )  # apart, so that unknown callers use up no key's limit
        self._visitors = RateLimit(VISITOR_REQUESTS_PER_SECOND / settings.workers)
        self._origins = settings.allowed_origins
        if self.keys is None:
            logger.warning("the server runs without keys and answers this machine alone")
        elif self.keys.current() is None:
            logger.warning("there are no keys in %s, so nobody is answered: make some with `%s`", settings.keys, CREATE)

    def enter(self, route: Route, scope: Scope) -> None:
        """Let a request in, or raise a `Problem` of `route.OF_AUTH`.

        Where the key may be in the body and the headers have no known key, the request is let through to its endpoint,
        which must call `authorize_body_key` before it does anything.
        """
        if route.scope == "open":
            return
        if self.keys is None:
            reason = from_elsewhere(scope, self._origins if route.scope == "write" else ())
            if reason is not None:
                raise _not_from_here(reason)
            self._unknown.take(_address(scope), time.monotonic())
            return
        ring = self.keys.current()
        if ring is None:
            raise Problem("keys_required", f"There are no keys in {self.keys.path}: make one with `{CREATE}`.")
        holder, presented = self._in_headers(ring, route, scope)
        if holder is None and route.key_in == "query":
            text = form_field(scope["query_string"], "api_secret")
            presented = presented or bool(text)
            holder = _holder(ring.match(text, self.now()) if text else None)
        if holder is None and route.key_in in ("body", "form"):
            scope[PENDING] = (self, route, presented)
            return
        self.admit(route, scope, holder, presented)

    def admit(self, route: Route, scope: Scope, holder: Holder | None, presented: bool) -> None:
        """Let a holder in, or raise a `Problem`. None is an unknown key or, unless one was `presented`, no key."""
        now = time.monotonic()
        if holder is None:
            self._unknown.take(_address(scope), now)
            raise _unknown() if presented else _missing(route)
        page = None if holder.kind in PUBLIC else foreign_page(scope["headers"])
        if page is not None:
            raise _foreign(holder, page)
        if not opens(holder.kind, route):
            raise _closed(holder, route)
        if holder.customer is None:
            self._holders.take(holder.id, now)
        else:
            self._visitors.take(holder.id, now)
            scope[VISITOR] = holder.customer

    def admit_text(self, route: Route, scope: Scope, text: str | None, presented: bool) -> None:
        """Let in a request with the key `text` in its body, or raise a `Problem`."""
        key = self.known(text.encode("utf-8", "replace")) if text else None
        self.admit(route, scope, _holder(key), presented or bool(text))

    def known(self, text: bytes) -> Key | None:
        """The key whose text this is."""
        ring = self.keys.current() if self.keys else None
        return ring.match(text, self.now()) if ring else None

    def count_unknown(self, scope: Scope) -> None:
        """Count a request of an unknown caller. Raises `Problem` `rate_limited`."""
        self._unknown.take(_address(scope), time.monotonic())

    def _in_headers(self, ring: Keyring, route: Route, scope: Scope) -> tuple[Holder | None, bool]:
        """The holder by the headers, and whether they had anything that may be a key."""
        credentials = plain = cookies = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                credentials = value
            elif name == b"x-api-key":
                plain = value
            elif name == b"cookie":
                cookies = value
        now = self.now()
        text = _text(credentials)
        token = looks_like_token(text)
        for candidate in (b"" if token else text, plain):
            if candidate and (key := ring.match(candidate, now)):
                return _holder(key), True
        if token:
            return self._visitor(text, ring, route, scope, now), True
        # The routes that a session opens take keys in headers alone; other requests may have a key in the body.
        key = read_session(cookies, ring, now) if cookies and route.key_in == "header" else None
        return (Holder("session", key.id) if key else None), bool(credentials or plain)

    def _visitor(self, text: bytes, ring: Keyring, route: Route, scope: Scope, now: int) -> Holder | None:
        try:
            customer = read_token(text, lambda key: ring.secret(key, now), now / 1e6)
        except TokenError as error:
            if route.key_in != "header":  # the token of a gateway on the way: our key may be elsewhere
                return None
            self.count_unknown(scope)
            raise Problem(
                "token_refused", f"The visitor's token is refused: {error}.", headers=dict(CHALLENGE)
            ) from None
        return Holder("visitor", customer, customer)


def authorize_body_key(request: HttpRequest, text: str | None) -> None:
    """Check the key `text` (None for none) in the body of a route with `key_in="body"`, before anything is done.

    Where the headers had a known key, or no keys are needed, the request was let in already and `text` is ignored.
    Raises a `Problem` of `route.OF_AUTH`.
    """
    pending = request.scope.pop(PENDING, None)
    if pending is not None:
        auth, route, presented = pending
        auth.admit_text(route, request.scope, text, presented)


def authorize_customers(request: HttpRequest, customers: Iterable[str]) -> None:
    """Refuse answers about other customers than the one that a visitor's token names.

    Every endpoint of a route with `visitors` calls it before it does anything. Raises `Problem` `customer_refused`.
    """
    visitor = request.scope.get(VISITOR)
    if visitor is not None and any(customer != visitor for customer in customers):
        raise Problem("customer_refused", f"The token is for the customer {visitor!r}, and another was asked for.")


def log_in(request: HttpRequest, text: bytes) -> tuple[str, str]:
    """The cookie of a session for the key `text`, or the reason why there is none; the other one is empty.

    Raises a `Problem`: `foreign_origin` where another site's page sent the form, `rate_limited` after many wrong keys.
    """
    auth: Auth = request.app.state.auth
    page = foreign_page(request.scope["headers"])
    if page is not None:
        raise Problem("foreign_origin", f"The form came from a web page of another origin, {page!r}.")
    if auth.keys is None:
        return "", "The server runs without keys: it answers this machine alone, without a login."
    key, now = auth.known(text), auth.now()
    if key is None:
        auth.count_unknown(request.scope)
        return "", "The key is not known, or has expired."
    if not may_log_in(key):
        return "", f"The key has the scope {key.scope}, which reads nothing; log in with one of read or admin."
    secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
    return session_header(open_session(key, now), secure=secure), ""


def form_field(form: bytes, name: str) -> bytes:
    """A field of a form or a query, as it was sent; empty when it is missing. Any bytes are allowed."""
    return parse_qs(form.decode("latin-1")).get(name, [""])[0].encode()


def count_unreadable(request: HttpRequest) -> None:
    """Count a request whose body may have its key, but could not be read, as that of an unknown caller.

    Raises `Problem` `rate_limited`.
    """
    pending = request.scope.pop(PENDING, None)
    if pending is not None:
        auth, _, _ = pending
        auth.count_unknown(request.scope)


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
        f"{route.method} {route.path} needs a key of {scopes_of(route)}. Send it as `Authorization: Bearer KEY`, as "
        f"`X-API-Key: KEY`, as the user of Basic with an empty password{places[route.key_in]}. The first start of "
        "`waypost serve` keeps one in first-key.txt, beside the file of keys.",
        headers=dict(CHALLENGE),
    )


def _unknown() -> Problem:
    return Problem(
        "key_unknown",
        "The key is not known, or has expired. `waypost keys list` on the server shows the keys.",
        headers=dict(CHALLENGE),
    )


def _closed(holder: Holder, route: Route) -> Problem:
    """The problem of a holder whose scope does not open the route."""
    call = f"{route.method} {route.path}"
    if holder.kind == "session":
        return Problem("scope_missing", f"A session only reads, by GET; send a key with {call}.")
    if holder.kind == "visitor":
        return Problem(
            "scope_missing", f"A visitor's token does not open {call}; it needs a key of {scopes_of(route)}."
        )
    return Problem(
        "scope_missing",
        f"The key has the scope `{holder.kind}`, and {call} needs {scopes_of(route)}. Make one with "
        f"`waypost keys create --scope {scopes_that_open(route)[0]} --name NAME`.",
    )


def _foreign(holder: Holder, page: str) -> Problem:
    what = "A session" if holder.kind == "session" else f"A key of the scope `{holder.kind}`"
    return Problem(
        "foreign_origin",
        f"{what} came from a web page of another origin, {page!r}. Pages may hold keys of the scope `write` and "
        "visitors' tokens; revoke a key that others can read in a page, with `waypost keys revoke ID`. Behind a proxy, "
        "let the proxy pass on the original `Host`.",
    )


def _not_from_here(reason: str) -> Problem:
    return Problem(
        "keys_required",
        f"The server runs without keys, so it answers this machine alone, and {reason}. Start it without "
        f"--without-keys, make a key with `{CREATE}`, and send it with the request.",
    )


def _holder(key: Key | None) -> Holder | None:
    return Holder(key.scope, key.id) if key else None
