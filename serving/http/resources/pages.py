"""The pages for people. The report is made once per sweep and kept."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from serving.access.sessions import HOURS
from serving.http.auth import form_field, log_in
from serving.http.docs_page import docs_page
from serving.http.messages import read_body
from serving.http.problems import ALWAYS
from serving.http.route import Route
from serving.process.worker import Worker
from serving.web.login import LOGIN_POLICY, login_page
from serving.web.page import POLICY, STYLE
from serving.web.report import report_page, waiting_page

FORM = "application/x-www-form-urlencoded"

_HEADERS = {"Content-Security-Policy": POLICY}


async def get_report(worker: Worker, request: HttpRequest) -> Response:
    """Show the journey report."""
    generation = worker.scoreboard.current()
    if generation is None:
        return _page(waiting_page())
    champion = worker.champions.current
    manifest = champion.bundle.manifest if champion else None
    made_of = (generation.name, manifest.version if manifest else None)
    state = request.app.state
    if getattr(state, "report_made_of", None) != made_of:
        state.report = report_page(generation, manifest, state.routes)
        state.report_made_of = made_of
    return _page(state.report)


async def get_docs(worker: Worker, request: HttpRequest) -> Response:
    """Show the API."""
    state = request.app.state
    if not hasattr(state, "docs"):
        state.docs = docs_page(state.routes)
    page = _page(state.docs)
    page.headers["Cache-Control"] = "no-cache"
    return page


async def get_style(worker: Worker, request: HttpRequest) -> Response:
    """Give the style sheet of the pages."""
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=300"})


async def get_login(worker: Worker, request: HttpRequest) -> Response:
    """Show the login form."""
    return _login()


async def post_login(worker: Worker, request: HttpRequest) -> Response:
    """Open a session for a key that reads."""
    body, _ = await read_body(request, accepted=(FORM,))
    cookie, refused = log_in(request, form_field(body, "key").strip())
    if refused:
        return _login(refused)
    return Response(status_code=303, headers={"Location": "./", "Set-Cookie": cookie, "Cache-Control": "no-store"})


def _login(refused: str = "") -> Response:
    headers = {"Content-Security-Policy": LOGIN_POLICY, "Cache-Control": "no-store"}
    status = 422 if refused else 200
    return Response(login_page(HOURS, refused), status, headers, media_type="text/html; charset=utf-8")


def _page(html: str) -> Response:
    return Response(html, media_type="text/html; charset=utf-8", headers=_HEADERS)


ROUTES: tuple[Route, ...] = (
    Route(
        name="getReport",
        scope="read",
        method="GET",
        path="/",
        endpoint=get_report,
        tag="pages",
        summary="The journey report",
        doc="The report of `GET /v1/journey` as a page, with segments and the model.",
        answer_doc="The page.",
        problems=ALWAYS,
        also_answers={"text/html": ""},
    ),
    Route(
        name="getDocs",
        scope="open",
        method="GET",
        path="/docs",
        endpoint=get_docs,
        tag="pages",
        summary="The API on a page",
        doc="Every route and every problem, with examples.",
        answer_doc="The page.",
        also_answers={"text/html": ""},
    ),
    Route(
        name="getLogin",
        scope="open",
        method="GET",
        path="/login",
        endpoint=get_login,
        tag="pages",
        summary="The login form",
        doc="A form for a key that reads. Browsers without a key are redirected here from the other pages.",
        answer_doc="The page.",
        also_answers={"text/html": ""},
    ),
    Route(
        name="logIn",
        scope="open",
        method="POST",
        path="/login",
        endpoint=post_login,
        tag="pages",
        summary="Log in",
        doc="Sets a cookie that allows reading by `GET` for 12 hours, and redirects to the report; with a key that "
        "does not read, shows the form again. Forms of other origins' pages are refused.",
        success=303,
        answer_doc="Redirect to the report.",
        problems=(
            "foreign_origin",
            "rate_limited",
            "body_too_large",
            "body_too_slow",
            "unsupported_media_type",
            "unsupported_encoding",
            "malformed_gzip",
            "malformed_json",
        ),
        also_reads={"application/x-www-form-urlencoded": "key=wp_read_5f0c2a9b_..."},
        also_answers={"text/html": ""},
        also_statuses={422: "The key is refused: the form again."},
        most_bytes=4096,
    ),
    Route(
        name="getStyle",
        scope="open",
        method="GET",
        path="/style.css",
        endpoint=get_style,
        tag="pages",
        summary="The style sheet of the pages",
        doc="The style sheet of all pages.",
        answer_doc="The style sheet.",
        also_answers={"text/css": ""},
    ),
)
