"""Sets of words that are a named schema of the API, so that a generated client has one type for each set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from features.events import Stage

NAME = "x-schema-name"
"""The key in pydantic's schema of a field for the name of its schema, until the OpenAPI document moves it there."""


def one_of(name: str, words: Iterable[str]) -> Any:
    """The annotation of a text field that is one of `words`, described as the schema `name`."""
    return Field(json_schema_extra={"enum": list(words), NAME: name})


StageName = Annotated[str, one_of("StageName", [stage.name.lower() for stage in Stage])]
