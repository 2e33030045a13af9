"""A route for every insight."""

from __future__ import annotations

from insights.catalogue import INSIGHTS
from insights.insight import Insight
from serving.http.endpoints.insights import endpoint_of
from serving.http.route import Route
from serving.http.routes.failures import SWEPT
from serving.http.schemas import InsightQuery, answer_of


def routes() -> tuple[Route, ...]:
    """The routes of all insights."""
    return tuple(map(_route, INSIGHTS.values()))


def _route(insight: Insight) -> Route:
    answer = answer_of(insight)
    return Route(
        name=f"get{answer.__name__.removesuffix('Answer')}",
        scope="read",
        method="GET",
        path=f"/v1/{insight.name}",
        endpoint=endpoint_of(insight),
        tag="customers",
        summary=insight.question,
        doc=f"{insight.doc} The table `{insight.table}` alone as CSV with `?format=csv` or `Accept: text/csv`.",
        answer=answer,
        answer_doc="The answer of the latest sweep.",
        query=InsightQuery,
        problems=SWEPT,
        also_answers={"text/csv": ",".join(insight.columns) + "\r\n"},
    )
