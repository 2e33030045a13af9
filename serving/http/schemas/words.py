"""Literals and unions, each described under a name of its own: a generated client has one type for it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from insights.words import NAME


def named(name: str, discriminator: str | None = None) -> Any:
    """What a `Literal`, or a union told apart by a field, is annotated with, described as the schema `name`."""
    return Field(discriminator=discriminator, json_schema_extra={NAME: name})


Properties = Annotated[dict[str, Any], named("Properties")]
"""Fields of any name."""
