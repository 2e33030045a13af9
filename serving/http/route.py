"""What one route is: its address, what it reads and answers, how it can fail, and who answers."""

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
"""Where a key may stand: in a header; in `writeKey` of the body or the query too; in `api_secret` of the query too; in
`api_secret` of a form in the query or the body too."""

ROUTE = "waypost.route"
"""Where the scope of a request keeps its `Route`."""

SMALL_BODY = 16 * 1024
"""Bytes of a body that speaks of one customer."""

OF_AUTH = (
    "key_missing",
    "key_unknown",
    "token_refused",
    "scope_missing",
    "foreign_origin",
    "keys_required",
    "rate_limited",
)
"""Problems of auth: of every route that is not open."""


@dataclass(frozen=True, eq=False)
class Route:
    """One method of one path. `name` is the operation's id, `problems` are keys of `problems.FAILURES`.

    `aliases` are other paths of the same route, as clients of others' protocols write them: they are answered like
    `path`, and the document names them instead of repeating the operation. `public` is a route that web pages of
    other origins may call, as those that write and those for `visitors` are.

    `endpoint` is None for a path that the framework answers. `path_parameters` maps a name to its description and
    an example; `also_reads` and `also_answers` map further media types to an example, `also_statuses` further statuses
    under which the same body comes to what they mean. `key_in` is where a key may stand beside the headers; with `body`
    and `form` the endpoint hands it to `auth.authorize_body_key`. `visitors` says whether a visitor's token opens it:
    its endpoint asks `auth.authorize_customers` for each customer. Bodies have up to `most_bytes`. `success` is the
    status of an answer that is no failure; 204 has no body.
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
        """What it does, and the other paths under which it does the same."""
        others = " and ".join(f"`{alias}`" for alias in self.aliases)
        return f"{self.doc} {others} {'is' if len(self.aliases) == 1 else 'are'} the same." if others else self.doc

    @property
    def parameters(self) -> frozenset[str] | None:
        """Names of the query parameters that it takes; None when it takes any.

        Clients of others' protocols add their version, their build or a random number to an address, and give up what
        they send on an error.
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
        """Every way a request can fail here: by auth, by its query, or in its endpoint."""
        auth = () if self.scope == "open" else (*OF_AUTH, *(("customer_refused",) if self.visitors else ()))
        query = () if self.parameters is None else ("invalid_request",)
        return tuple(dict.fromkeys((*auth, *self.problems, *query)))


def opens(kind: Kind, route: Route) -> bool:
    """Whether whoever shows this may call the route."""
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
    return sorted((each for each in SCOPES if opens(each, route)), key=lambda each: len(OPENS[each]))
