"""Insights, as of the latest sweep of all customers: one route per insight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from insights.catalogue import INSIGHTS
from insights.insight import Insight
from serving.engine.staleness import staleness
from serving.http.messages import parse_query, reply
from serving.http.problems import SWEPT
from serving.http.route import Endpoint, Route
from serving.http.schemas.model_stamp import Stamped, stamp
from serving.http.schemas.request import Request
from serving.http.tables import CSV, csv_headers, csv_text, wants_csv
from serving.process.worker import Worker


class InsightQuery(Request):
    """The format of an insight."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    format: Literal["json", "csv"] | None = Field(
        None, description="`csv` gives only the table; when absent, the `Accept` header decides."
    )


class InsightAnswer(Stamped):
    """The fields of every insight."""

    notice: str | None = Field(description="A warning when the log ended longer ago than any horizon; else null.")


@cache
def answer_of(insight: Insight) -> type[InsightAnswer]:
    """The schema of the answer with an insight."""
    schema = insight.schema
    named = "".join(word.capitalize() for word in insight.name.split("-"))
    bases: tuple[type[BaseModel], ...] = (schema, InsightAnswer)
    made = create_model(f"{named}Answer", __base__=bases, __doc__=schema.__doc__, __module__=__name__)
    return cast(type[InsightAnswer], made)


def endpoint_of(insight: Insight) -> Endpoint:
    """The endpoint that answers with an insight, or with its table as CSV."""

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
        doc=f"{insight.doc} Only the table `{insight.table}` as CSV with `?format=csv` or `Accept: text/csv`.",
        answer=answer,
        answer_doc="The answer of the latest sweep.",
        query=InsightQuery,
        problems=SWEPT,
        also_answers={"text/csv": ",".join(insight.columns) + "\r\n"},
    )


class _OfInsights:
    """The routes of all insights, made from the current catalogue on every iteration."""

    def __iter__(self) -> Iterator[Route]:
        return map(_route, INSIGHTS.values())


ROUTES: Iterable[Route] = _OfInsights()
