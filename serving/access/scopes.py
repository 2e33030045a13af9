"""Who may call what, in one table: what the server lets in, its pages tell and its tests probe is read from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

RouteScope = Literal["open", "write", "answers", "decide", "read", "metrics", "admin"]
"""What a route is about: `open` to anybody; `write` takes events in; `answers` tells what to expect of customers that
are named; `decide` records decisions and their rewards; `read` tells of the shop and of customers' histories; `metrics`
holds no customer's data; `admin` erases, parts and hands out."""

KeyScope = Literal["write", "decide", "read", "metrics", "admin", "sign"]
SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)

Kind = Literal["write", "decide", "read", "metrics", "admin", "sign", "session", "visitor"]
"""What a request can show: a key of a scope, the session of a person who logged in with a key, a visitor's token."""

OPENS: Mapping[Kind, frozenset[RouteScope]] = {
    "write": frozenset({"write"}),
    "decide": frozenset({"answers", "decide"}),
    "read": frozenset({"answers", "read", "metrics"}),
    "metrics": frozenset({"metrics"}),
    "admin": frozenset(get_args(RouteScope)) - {"open"},
    "sign": frozenset(),
    "session": frozenset({"read", "metrics"}),
    "visitor": frozenset({"answers", "decide"}),
}

PURPOSE: Mapping[Kind, tuple[str, str]] = {
    "write": ("sends events, and reads nothing", "the shop's trackers, web pages too"),
    "decide": ("answers about customers that are named, decisions and their rewards", "the storefront's server"),
    "read": ("answers, customers, segments, the report; changes nothing", "dashboards, people"),
    "metrics": ("`/metrics`, which holds no customer's data", "Prometheus"),
    "admin": ("everything, and alone erasing, parting and handing out", "operators"),
    "sign": ("nothing; it signs visitors' tokens", "whatever of the shop knows who is logged in"),
    "session": ("the pages and what they link to, by `GET`, for 12 hours", "a person's browser, after `/login`"),
    "visitor": ("one customer's scores, recommendations and next best action", "that visitor's browser, for an hour"),
}
"""What each opens, and who holds it."""

PUBLIC: frozenset[Kind] = frozenset({"write", "visitor"})
"""What a web page of another origin may show: it is made to be seen by everybody who opens that page."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks, as far as a request shows it: `id` is what requests are counted by, `customer` whom a token names."""

    kind: Kind
    id: str
    customer: str | None = None
