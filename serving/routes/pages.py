"""What people look at."""

from __future__ import annotations

from serving.endpoints import pages
from serving.route import Route
from serving.routes.failures import ALWAYS

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
