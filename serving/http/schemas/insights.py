"""Answers of insights: what every answer about customers carries, and the fields of the insight's own schema."""

from __future__ import annotations

from functools import cache
from typing import cast

from pydantic import BaseModel, Field, create_model

from insights.insight import Insight
from serving.http.schemas.answer import Stamped


class InsightAnswer(Stamped):
    """What every insight carries."""

    notice: str | None = Field(description="What is wrong with the clock: the log ended longer ago than any horizon.")


@cache
def answer_of(insight: Insight) -> type[InsightAnswer]:
    """The answer of the route of an insight."""
    schema = insight.schema
    named = "".join(word.capitalize() for word in insight.name.split("-"))
    bases: tuple[type[BaseModel], ...] = (schema, InsightAnswer)
    made = create_model(f"{named}Answer", __base__=bases, __doc__=schema.__doc__, __module__=__name__)
    return cast(type[InsightAnswer], made)
