"""The one Starlette application: every route behind auth, every failure as a problem, every answer counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from prometheus_client import Histogram
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.log.contract import LogError
from models.bundle.loaded import ModelMissing
from serving import metrics
from serving.http.auth import Auth
from serving.http.cors import Origins, refused_page
from serving.http.messages import check_query, request_id
from serving.http.openapi import served as served_document
from serving.http.problems import Problem, store_problem
from serving.http.route import ROUTE, Endpoint, Route
from serving.process.failures import note_failure
from serving.process.group_commit import Overloaded
from serving.process.logs import REQUEST_ID
from serving.process.worker import ScoreboardMissing, Worker

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),  # `no-referrer` would hide the origin of our own form
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
"""Headers of every answer. Pages also have a content security policy (`web.page.POLICY`)."""

NO_STORE = (b"cache-control", b"no-store")
"""Header of every answer that may hold customers' data, unless its endpoint sets another."""

CLOSE = (b"connection", b"close")
"""Header of every answer of a stopping server: closing a connection between two requests would cut off the second."""

EXPECTED = (Problem, ModelMissing, Overloaded, ScoreboardMissing)
"""Errors that are no fault of the server and are not logged."""

CLIENT_CLOSED = 499
"""Status of a request whose client disconnected before the answer, as nginx logs it."""

logger = logging.getLogger("waypost")


def application(worker: Worker, routes: Sequence[Route], framework: ASGIApp | None = None) -> ASGIApp:
    """The application that answers `routes` with `worker`; `framework`, if given, answers those without an endpoint.

    It is one Starlette application. Routes without parameters are looked up in a table before it, which halves the
    framework's share of the time of a score. Every route is reached through `Auth.enter` alone.
    """
    shift = worker.settings.clock_shift
    auth = Auth(worker.settings, lambda: worker.clock() - shift)
    origins = Origins(worker.settings.allowed_origins, routes)
    passing = _passing(framework) if framework else None
    served = [
        (route, _answering(worker, auth, origins, route, endpoint))
        for route in routes
        if (endpoint := route.endpoint or passing)
    ]
    app = Starlette(
        # An id may hold a slash, which arrives decoded.
        routes=[
            StarletteRoute(path.replace("}", ":path}"), answer, methods=[route.method])
            for route, answer in served
            for path in route.paths
        ],
        exception_handlers={404: _not_found, 405: _wrong_method},
    )
    app.router.redirect_slashes = False
    app.state.openapi = served_document(tuple(routes))
    app.state.routes = routes
    app.state.auth = auth
    direct = {
        (route.method, path): answer for route, answer in served if not route.path_parameters for path in route.paths
    }

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        answer = direct.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if answer is None:
            preflight = origins.preflight(scope) if scope.get("method") == "OPTIONS" else None
            if preflight:
                preflight.raw_headers.extend(HEADERS)
            await (preflight or app)(scope, receive, send)
        else:
            scope["app"] = app
            response = await answer(HttpRequest(scope, receive, send))
            await response(scope, receive, send)

    return dispatch


def with_headers(app: ASGIApp, headers: Iterable[tuple[bytes, bytes]] = HEADERS) -> ASGIApp:
    """`app`, with `headers` added to each of its answers."""
    added = list(headers)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await app(scope, receive, send_more)

    return answer


class _Passed(Response):
    """An answer of another application, with our headers added."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__()
        self.raw_headers = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await with_headers(self._app, self.raw_headers)(scope, receive, send)


def _passing(app: ASGIApp) -> Endpoint:
    """An endpoint that leaves the answer to `app`."""

    async def answer(worker: Worker, request: HttpRequest) -> Response:
        return _Passed(app)

    return answer


def _answering(
    worker: Worker, auth: Auth, origins: Origins, route: Route, endpoint: Endpoint
) -> Callable[[HttpRequest], Awaitable[Response]]:
    """The endpoint as Starlette calls it: behind auth, with failures as problems and the duration measured."""
    timers: dict[int, Histogram] = {}
    path, private, shared = route.path, route.scope != "open", route.from_pages
    always = origins.readable(HEADERS) if shared else HEADERS

    async def answer(request: HttpRequest) -> Response:
        begun = time.perf_counter()
        scope = request.scope
        identity = request_id(scope)
        REQUEST_ID.set(identity)
        try:
            scope[ROUTE] = route
            auth.enter(route, scope)
            check_query(route, scope)
            response = await endpoint(worker, request)
        except ClientDisconnect:
            response = Response(status_code=CLIENT_CLOSED)
        except Exception as error:  # the client gets a problem, and the log the place in the code without values
            problem = problem_of(error)
            if problem.failure.status >= 500 and not isinstance(error, EXPECTED):
                note_failure(logger, f"request {identity} to {path}", error)
            response = _failed(problem, request, identity)
        headers = response.raw_headers
        headers.extend((*always, (b"x-request-id", identity.encode())))
        if private and not any(name == b"cache-control" for name, _ in headers):
            headers.append(NO_STORE)
        if shared:
            headers.extend(origins.headers(scope))
        if worker.stopping:
            headers.append(CLOSE)
        timer = timers.get(response.status_code)
        if timer is None:
            timer = timers[response.status_code] = metrics.REQUEST_SECONDS.labels(path, str(response.status_code))
        timer.observe(time.perf_counter() - begun)
        return response

    return answer


def _failed(problem: Problem, request: HttpRequest, identity: str) -> Response:
    """The answer with a problem; a browser that asks for a page without a key is redirected to the login."""
    path = request.url.path
    wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if problem.code == "key_missing" and wants_page:
        up = "/.." * (path.count("/") - 1)  # relative, so that it works behind a proxy's path prefix
        return Response(status_code=303, headers={"Location": f".{up}/login"})
    return problem.response(path, identity)


def problem_of(error: Exception) -> Problem:
    """The problem that answers an error."""
    match error:
        case Problem():
            return error
        case LogError():
            return store_problem(error)
        case ModelMissing():
            return Problem("model_missing", str(error))
        case Overloaded():
            return Problem("overloaded", str(error))
        case ScoreboardMissing():
            return Problem("scoreboard_missing", str(error))
        case _:
            return Problem("internal_error", "The server failed to answer; its log has the place.")


async def _not_found(request: HttpRequest, error: Exception) -> Response:
    detail = f"There is no {request.method} {request.url.path[:100]}. `/docs` lists the routes."
    return _counted(Problem("not_found", detail), request)


async def _wrong_method(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow", "")
    detail = f"{request.url.path[:100]} does not take {request.method}; it takes {allowed}."
    if "access-control-request-method" in request.headers:
        detail = refused_page(request.url.path, request.headers.get("origin", ""))
    return _counted(Problem("method_not_allowed", detail, headers={"Allow": allowed}), request)


def _counted(problem: Problem, request: HttpRequest) -> Response:
    identity = request_id(request.scope)
    response = problem.response(request.url.path, identity)
    response.raw_headers.extend((*HEADERS, (b"x-request-id", identity.encode())))
    metrics.REQUEST_SECONDS.labels("unmatched", str(response.status_code)).observe(0.0)
    return response
