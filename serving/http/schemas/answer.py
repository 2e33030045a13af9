"""What all answers have in common."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """A body that the server sends."""

    # What has a default is sent too: a reader may rely on every field.
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_serialization_defaults_required=True)


class ModelStamp(Answer):
    """Which model answered."""

    version: str | None = Field(description="Version of the model bundle; null when none is loaded.")
    fingerprint: str = Field(description="Fingerprint of the features the model was trained on.")


class Stamped(Answer):
    """What every answer about customers carries."""

    as_of: datetime = Field(description="The moment the answer speaks of.")
    model: ModelStamp


class UnreadValue(Answer):
    """A value that could not be read and was left out; its event was taken in."""

    index: int = Field(description="The place of its record in the request, counted from 0.")
    field: str = Field(description="Where the value stood.", examples=["properties.products[0].price"])
    code: str = Field(description="A word for what is wrong.", examples=["not_a_number", "ambiguous", "negative"])
    detail: str = Field(description="What is wrong with it.")


class Told(Answer):
    """What every answer to records says of values that were left out."""

    warnings: list[UnreadValue] = Field(description="Values that were left out, the first 20.")
    more_warnings: int = Field(description="How many more were left out.")
