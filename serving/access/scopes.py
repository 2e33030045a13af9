"""Who may call what, in one table, which the server's checks, its pages and its tests read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

RouteScope = Literal["open", "write", "answers", "decide", "read", "metrics", "admin"]
"""The kinds of routes. `open` answers anybody; `write` records events; `answers` gives scores and recommendations for
customers that the request names; `decide` records decisions and their rewards; `read` shows the shop and customers'
histories; `metrics` holds no customer's data; `admin` erases, undoes merges and exports."""

KeyScope = Literal["write", "decide", "read", "metrics", "admin", "sign"]
SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)

Kind = Literal["write", "decide", "read", "metrics", "admin", "sign", "session", "visitor"]
"""The credentials of a request: a key of a scope, a session of a person who logged in, or a visitor's token."""

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
    "admin": ("everything; no other erases, undoes merges or exports", "operators"),
    "sign": ("nothing; it signs visitors' tokens", "the part of the shop that knows who is logged in"),
    "session": ("the pages and what they link to, by `GET`, for 12 hours", "a person's browser, after `/login`"),
    "visitor": ("one customer's scores, recommendations and next best action", "that visitor's browser, for an hour"),
}
"""What a credential opens, and who holds it."""

PUBLIC: frozenset[Kind] = frozenset({"write", "visitor"})
"""The credentials that a web page of another origin may send: everybody who opens that page can see them."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who sent a request: `id` is what requests are counted by, `customer` the one that a visitor's token names."""

    kind: Kind
    id: str
    customer: str | None = None
