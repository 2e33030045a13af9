"""Values that were left out of what was taken in, as every answer to records tells of them."""

from __future__ import annotations

from pydantic import Field

from serving.engine.ingest import Ingest
from serving.http.schemas.answer import Answer


class UnreadValue(Answer):
    """A value that could not be read and was left out; its event was taken in."""

    index: int = Field(description="The place of its record in the request, counted from 0.")
    field: str = Field(description="Where the value stood.", examples=["properties.products[0].price"])
    code: str = Field(description="A word for what is wrong.", examples=["not_a_number", "ambiguous", "negative"])
    detail: str = Field(description="What is wrong with it.")


class WithWarnings(Answer):
    """What every answer to records says of values that were left out."""

    warnings: list[UnreadValue] = Field(description="Values that were left out, the first 20.")
    more_warnings: int = Field(description="How many more were left out.")


def warnings_of(ingested: Ingest) -> list[UnreadValue]:
    """The first of the values that were left out."""
    return [
        UnreadValue(index=place, field=bad.field, code=bad.code, detail=bad.reason) for place, bad in ingested.warnings
    ]
