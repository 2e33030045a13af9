"""One route: its path, what it reads and answers, how it can fail, and its endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from serving.access.scopes import OPENS, SCOPES, KeyScope, Kind, RouteScope
from serving.http.schemas.answer import Answer
from serving.http.schemas.request import Request

if TYPE_CHECKING:
    from serving.process.worker import Worker

Endpoint = Callable[["Worker", HttpRequest], Awaitable[Response]]

KeyPlace = Literal["header", "body", "query", "form"]
"""Where a key may be: in a header; also in `writeKey` of the body or the query; also in `api_secret` of the query; also
in `api_secret` of a form in the query or the body."""

ROUTE = "waypost.route"
"""Where the scope of a request keeps its `Route`."""

SMALL_BODY = 16 * 1024
"""Most bytes of a body about one customer."""

OF_AUTH = (
    "key_missing",
    "key_unknown",
    "token_refused",
    "scope_missing",
    "foreign_origin",
    "keys_required",
    "rate_limited",
)
"""Problems of authentication, which every route that is not open has."""


@dataclass(frozen=True, eq=False)
class Route:
    """One method of one path. `name` is the operation's id, `problems` are keys of `problems.FAILURES`.

    `aliases` are other paths of the same route, as clients of others' protocols write them: they are answered like
    `path`, and the document names them instead of repeating the operation. Web pages of other origins may call a
    `public` route, one that writes, and one for `visitors`.

    `endpoint` is None for a path that the framework answers. `path_parameters` maps a name to its description and
    an example; `also_reads` and `also_answers` map further media types to an example; `also_statuses` maps further
    statuses of the same body to their meaning. `key_in` is where a key may be beside the headers; with `body` and
    `form` the endpoint gives it to `auth.authorize_body_key`. `visitors` says whether a visitor's token opens the
    route: its endpoint calls `auth.authorize_customers`. Bodies have up to `most_bytes`. `success` is the status of a
    successful answer; 204 has no body.
    """

    name: str
    scope: RouteScope
    method: str
    path: str
    endpoint: Endpoint | None
    tag: str
    summary: str
    doc: str
    answer: type[Answer] | None = None
    answer_doc: str = "The answer."
    request: type[BaseModel] | None = None
    query: type[Request] | None = None
    problems: tuple[str, ...] = ()
    examples: Mapping[str, Any] = field(default_factory=dict)
    answer_example: Any = None
    path_parameters: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    also_reads: Mapping[str, str] = field(default_factory=dict)
    also_answers: Mapping[str, str] = field(default_factory=dict)
    also_statuses: Mapping[int, str] = field(default_factory=dict)
    success: int = 200
    aliases: tuple[str, ...] = ()
    public: bool = False
    key_in: KeyPlace = "header"
    visitors: bool = False
    most_bytes: int = 1024 * 1024

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that this route answers."""
        return (self.path, *self.aliases)

    @property
    def description(self) -> str:
        """What the route does, and its other paths."""
        others = " and ".join(f"`{alias}`" for alias in self.aliases)
        return f"{self.doc} {others} {'is' if len(self.aliases) == 1 else 'are'} the same." if others else self.doc

    @property
    def parameters(self) -> frozenset[str] | None:
        """Names of the query parameters that it takes; None when it takes any.

        Clients of others' protocols add their version, their build or a random number to an address, and drop their
        events on an error.
        """
        if self.public or self.key_in != "header":
            return None
        return frozenset(self.query.model_fields) if self.query else frozenset()

    @property
    def from_pages(self) -> bool:
        """Whether web pages of the allowed origins may call it."""
        return self.scope == "write" or self.public or self.visitors

    @property
    def failures(self) -> tuple[str, ...]:
        """Every way a request can fail: in authentication, by its query, or in its endpoint."""
        auth = () if self.scope == "open" else (*OF_AUTH, *(("customer_refused",) if self.visitors else ()))
        query = () if self.parameters is None else ("invalid_request",)
        return tuple(dict.fromkeys((*auth, *self.problems, *query)))


def opens(kind: Kind, route: Route) -> bool:
    """Whether a credential of this kind opens the route."""
    if route.scope == "open":
        return True
    if (kind == "session" and route.method != "GET") or (kind == "visitor" and not route.visitors):
        return False
    return route.scope in OPENS[kind]


def scopes_of(route: Route) -> str:
    """The scopes that open a route, in a sentence: "the scope `decide`, `read` or `admin`"."""
    *others, last = (f"`{scope}`" for scope in scopes_that_open(route))
    return f"the scope {', '.join(others)} or {last}" if others else f"the scope {last}"


def scopes_that_open(route: Route) -> list[KeyScope]:
    """The scopes of keys that open a route, the narrowest first."""
    return sorted((scope for scope in SCOPES if opens(scope, route)), key=lambda scope: len(OPENS[scope]))
