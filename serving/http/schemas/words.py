"""Literals and unions with a schema name of their own, so that a generated client has one type for each."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from insights.words import NAME


def named(name: str, discriminator: str | None = None) -> Any:
    """The annotation of a `Literal`, or of a union with a discriminator, that makes it the schema `name`."""
    return Field(discriminator=discriminator, json_schema_extra={NAME: name})


Properties = Annotated[dict[str, Any], named("Properties")]
"""Fields of any name."""
