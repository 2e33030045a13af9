"""Insights, as of the latest sweep of all customers."""

from __future__ import annotations

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from insights.insight import Insight
from serving.engine.staleness import staleness
from serving.http.endpoints.shapes import stamp
from serving.http.endpoints.tables import CSV, csv_headers, csv_text, wants_csv
from serving.http.messages import parse_query, reply
from serving.http.route import Endpoint
from serving.http.schemas import InsightQuery, answer_of
from serving.process.worker import Worker


def endpoint_of(insight: Insight) -> Endpoint:
    """What answers with an insight, or with its table as CSV."""

    async def get_insight(worker: Worker, request: HttpRequest) -> Response:
        query = parse_query(InsightQuery, request.query_params)
        generation = worker.generation()
        answer = generation.report["insights"][insight.name]
        if wants_csv(query.format, request):
            text = csv_text([insight.columns, *insight.rows(answer)])
            return Response(text, media_type=CSV, headers=csv_headers(insight.name, generation))
        stamped = {
            "as_of": moment(generation.as_of),
            "model": stamp(worker, generation.report["model_version"]),
            "notice": staleness(generation) or None,
        }
        return reply(answer_of(insight).model_validate(stamped | answer))

    return get_insight
