"""Sets of words and unions, each described under a name of its own: a generated client has one type for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

NAME = "x-schema-name"
"""Where pydantic's schema of a field keeps the name of its own schema, until the document moves it there."""


def one_of(name: str, words: Iterable[str]) -> Any:
    """What a field of text is annotated with that is one of `words`, described as the schema `name`."""
    return Field(json_schema_extra={"enum": list(words), NAME: name})


def named(name: str, discriminator: str | None = None) -> Any:
    """What a `Literal`, or a union told apart by a field, is annotated with, described as the schema `name`."""
    return Field(discriminator=discriminator, json_schema_extra={NAME: name})


Properties = Annotated[dict[str, Any], named("Properties")]
"""Fields of any name."""
