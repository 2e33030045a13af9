"""What people look at."""

from __future__ import annotations

from serving.http.endpoints import pages
from serving.http.route import Route
from serving.http.routes.failures import ALWAYS

ROUTES: tuple[Route, ...] = (
    Route(
        name="getReport",
        scope="read",
        method="GET",
        path="/",
        endpoint=pages.get_report,
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
        endpoint=pages.get_docs,
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
        endpoint=pages.get_login,
        tag="pages",
        summary="Where a person logs in",
        doc="A form for a key that reads. Browsers are sent here from the other pages when they show none.",
        answer_doc="The page.",
        also_answers={"text/html": ""},
    ),
    Route(
        name="logIn",
        scope="open",
        method="POST",
        path="/login",
        endpoint=pages.post_login,
        tag="pages",
        summary="Log in",
        doc="Sets a cookie that opens reading by `GET` for 12 hours and leads to the report; with a key that does not "
        "read, the form again. Forms of other origins' pages are refused.",
        success=303,
        answer_doc="On to the report.",
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
        also_statuses={422: "The key does not let in: the form again."},
        most_bytes=4096,
    ),
    Route(
        name="getStyle",
        scope="open",
        method="GET",
        path="/style.css",
        endpoint=pages.get_style,
        tag="pages",
        summary="The look of the pages",
        doc="The style sheet of both pages.",
        answer_doc="The style sheet.",
        also_answers={"text/css": ""},
    ),
)
