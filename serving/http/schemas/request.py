"""The base of all requests, and the types of fields that several have.

Unknown fields are refused: a misspelt field must not be silently ignored. Others' protocols are the exception.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from features.events import Channel
from features.sources.contract import BadRecord
from features.sources.fields import fields
from insights.words import one_of

MOST_EVENTS = 2500
"""Most events, or messages, of one request."""


def _storable(text: str) -> str:
    """Check that an event may hold this name."""
    try:
        fields.name(text, "name")
    except BadRecord as fault:
        raise ValueError(fault.reason) from None
    return text


Storable = AfterValidator(_storable)
CustomerId = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=256),
    Storable,
    Field(description="The shop's own id of the customer.", examples=["household-1"]),
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=256), Storable]
ChannelName = Annotated[str, one_of("ChannelName", [channel.name for channel in Channel])]
EventId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), Storable]
DecisionId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=90), Storable]


class Request(BaseModel):
    """A body or a query whose fields are all known."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Open(BaseModel):
    """A body with more fields than Waypost reads."""

    model_config = ConfigDict(extra="allow", frozen=True)
