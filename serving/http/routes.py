"""The table of all resources, from which the server, its OpenAPI document and its table of scopes are made."""

from __future__ import annotations

from collections.abc import Iterable

from serving.http.resources import (
    client_settings,
    customers,
    decisions,
    events,
    google_tag,
    insights,
    measurement,
    merges,
    operations,
    pages,
    personal_data,
    readiness,
    recommendations,
    rewards,
    scores,
    segment_members,
    segments,
    tracking_batch,
    tracking_calls,
)
from serving.http.route import Route

RESOURCES: tuple[Iterable[Route], ...] = (
    events.ROUTES,
    tracking_batch.ROUTES,
    tracking_calls.ROUTES,
    measurement.ROUTES,
    google_tag.ROUTES,
    client_settings.ROUTES,
    scores.ROUTES,
    readiness.ROUTES,
    recommendations.ROUTES,
    decisions.ROUTES,
    rewards.ROUTES,
    # An id may hold a slash, so routes with a suffix after the id come before the id alone.
    merges.ROUTES,
    personal_data.ROUTES,
    customers.ROUTES,
    segments.ROUTES,
    segment_members.ROUTES,
    insights.ROUTES,
    operations.ROUTES,
    pages.ROUTES,
)
"""The routes of each resource, in the order of the documents."""


def all_routes() -> tuple[Route, ...]:
    """Every route; those of the insights are made from the current catalogue."""
    return tuple(route for routes in RESOURCES for route in routes)


ROUTES = all_routes()
