"""The table of all routes. The server, its OpenAPI document and who may call what are all made from it."""

from __future__ import annotations

from serving.http.route import Route
from serving.http.routes import answers, browsers, customers, events, operations, pages

ROUTES: tuple[Route, ...] = (
    *events.ROUTES,
    *browsers.ROUTES,
    *answers.ROUTES,
    *customers.ROUTES,
    *operations.ROUTES,
    *pages.ROUTES,
)
