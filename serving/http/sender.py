"""Where a request comes from, as far as it shows: another site's page, a proxy, this machine itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from starlette.types import Scope

from serving.access.loopback import is_loopback, names_loopback

Headers = Iterable[tuple[bytes, bytes]]

PROXIES = frozenset({b"via", b"forwarded", b"x-real-ip", b"x-client-ip", b"true-client-ip", b"cf-connecting-ip"})
"""Headers that proxies add, beside all that begin with `X-Forwarded`."""

OWN_SITE = frozenset({b"same-origin", b"none"})
"""Values of `Sec-Fetch-Site` for a request of our own page, or of no page, such as a typed address."""


def foreign_page(headers: Headers) -> str | None:
    """The web page of another origin that sent a request; None for our own pages and for no browser.

    Browsers send `Sec-Fetch-Site` on trusted connections, and `Origin` on others; no page can change either.
    """
    site = origin = host = None
    for name, value in headers:
        if name == b"sec-fetch-site":
            site = value
        elif name == b"origin":
            origin = value
        elif name == b"host":
            host = value
    if site in OWN_SITE or (site is None and (origin is None or _same(origin, host))):
        return None
    return (origin or site or b"").decode("latin-1")[:80]


def _same(origin: bytes, host: bytes | None) -> bool:
    return origin.partition(b"://")[2].lower() == (host or b"").lower()


def from_elsewhere(scope: Scope, allowed: Collection[str]) -> str | None:
    """Why a request may come from another machine, in words; None when nothing suggests it.

    Pages of the origins `allowed` may pass; `*` allows all. A proxy that leaves no trace is not noticed.
    """
    for end in ("client", "server"):
        address = scope[end]
        if not address or not is_loopback(address[0]):
            return f"the {end}'s address is {address[0] if address else 'not known'}"
    if scope.get("http_version") == "1.0":
        return "it uses HTTP/1.0, as proxies do"
    for name, value in scope["headers"]:
        if name in PROXIES or name.startswith(b"x-forwarded"):
            return f"it came through a proxy, as {name.decode('latin-1')} says"
        if name == b"host" and not names_loopback(value.decode("latin-1")):
            return f"its Host is {value.decode('latin-1')[:80]!r}"
    page = foreign_page(scope["headers"])
    if page is not None and page not in allowed and "*" not in allowed:
        return f"it is from a web page of another origin, {page!r}"
    return None
