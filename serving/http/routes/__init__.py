"""The table of all routes. The server, its OpenAPI document and who may call what are all made from it."""

from __future__ import annotations

from serving.http.route import Route
from serving.http.routes import answers, browsers, customers, events, insights, operations, pages


def all_routes() -> tuple[Route, ...]:
    """The routes, those of the insights made from the catalogue as it is now."""
    return (
        *events.ROUTES,
        *browsers.ROUTES,
        *answers.ROUTES,
        *customers.ROUTES,
        *insights.routes(),
        *operations.ROUTES,
        *pages.ROUTES,
    )


ROUTES: tuple[Route, ...] = all_routes()
