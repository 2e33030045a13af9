"""Sets of words, each described in the API under a name of its own: a generated client has one type for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from features.events import Stage

NAME = "x-schema-name"
"""Where pydantic's schema of a field keeps the name of its own schema, until the document moves it there."""


def one_of(name: str, words: Iterable[str]) -> Any:
    """What a field of text is annotated with that is one of `words`, described as the schema `name`."""
    return Field(json_schema_extra={"enum": list(words), NAME: name})


StageName = Annotated[str, one_of("StageName", [stage.name.lower() for stage in Stage])]
