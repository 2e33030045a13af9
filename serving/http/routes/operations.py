"""What the machinery around the server asks."""

from __future__ import annotations

from serving.http.endpoints import operations
from serving.http.route import Route
from serving.http.schemas import LiveAnswer, ReadyAnswer

ROUTES: tuple[Route, ...] = (
    Route(
        name="getLiveness",
        scope="open",
        method="GET",
        path="/livez",
        endpoint=operations.get_livez,
        tag="operations",
        summary="Is the process alive",
        doc="Answers as long as the process runs; looks at nothing.",
        answer=LiveAnswer,
    ),
    Route(
        name="getReadiness",
        scope="open",
        method="GET",
        path="/readyz",
        endpoint=operations.get_readyz,
        tag="operations",
        summary="Can the server answer",
        doc="200 when a model that fits the features is loaded, the store can be written, every state is rebuilt and "
        "the audit found none wrong; else 503, same body. A server that was told to stop says 503 first, and goes on "
        "answering for a moment.",
        answer=ReadyAnswer,
        answer_doc="Ready.",
        also_statuses={503: "Not ready: `checks` tells why."},
    ),
    Route(
        name="getMetrics",
        scope="metrics",
        method="GET",
        path="/metrics",
        endpoint=None,
        tag="operations",
        summary="Metrics for Prometheus",
        doc="The server's own metrics and the framework's, added up over all worker processes.",
        answer_doc="Metrics in the text format.",
        also_answers={"text/plain": ""},
    ),
    Route(
        name="getOpenApi",
        scope="open",
        method="GET",
        path="/openapi.json",
        endpoint=operations.get_openapi,
        tag="operations",
        summary="This document",
        doc="The OpenAPI document of the server.",
        answer_doc="The document.",
        also_answers={"application/json": ""},
    ),
)
