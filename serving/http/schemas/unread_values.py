"""Values that were left out of accepted records, as every answer to records lists them."""

from __future__ import annotations

from pydantic import Field

from serving.engine.ingest import Ingest
from serving.http.schemas.answer import Answer


class UnreadValue(Answer):
    """A value that could not be read and was left out; its event was accepted."""

    index: int = Field(description="The place of its record in the request, counted from 0.")
    field: str = Field(description="The place of the value in its record.", examples=["properties.products[0].price"])
    code: str = Field(description="A code for what is wrong.", examples=["not_a_number", "ambiguous", "negative"])
    detail: str = Field(description="What is wrong with it.")


class WithWarnings(Answer):
    """The fields about values that were left out, in every answer to records."""

    warnings: list[UnreadValue] = Field(description="Values that were left out, the first 20.")
    more_warnings: int = Field(description="How many more were left out.")


def warnings_of(ingested: Ingest) -> list[UnreadValue]:
    """The first of the values that were left out."""
    return [
        UnreadValue(index=place, field=bad.field, code=bad.code, detail=bad.reason) for place, bad in ingested.warnings
    ]
