"""What the server answers about who is whom, and about what it has forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from serving.http.schemas.answer import Answer


class UnmergeAnswer(Answer):
    """What was taken apart. From now on, each history is what it would be had the ids never been merged."""

    as_of: datetime
    customer: str
    separated: list[str] = Field(description="Ids taken out of the profile; empty when it had no other.")
    profiles: list[list[str]] = Field(description="The ids of each profile there is now, its own first.")


class ErasedHistory(Answer):
    """What was removed from the second log, that of `WAYPOST_HISTORY`."""

    events: int
    dead_letters: int
    merges: int


class ErasureAnswer(Answer):
    """The receipt of an erasure. It names nobody, so that it can be kept."""

    receipt_id: str
    as_of: datetime
    erased: bool = Field(description="Whether anything was held about the customer.")
    complete: bool = Field(
        description="False when somebody read the store for so long that bytes are left in pages nothing refers to: "
        "send the request again to overwrite them."
    )
    customer_ids: int = Field(description="Ids of the profile, all of which were erased.")
    events: int = Field(description="Events removed from the store, decisions among them.")
    decisions: int = Field(description="Of the events, those that were decisions.")
    states: int = Field(description="Folded states removed.")
    merges: int = Field(description="Merges, and undoings of merges, removed.")
    dead_letters: int = Field(
        description="Records that never became events, removed because they speak of the customer."
    )
    scoreboard_rows: int = Field(description="Rows blanked in the sweeps of all customers that are still kept.")
    history: ErasedHistory | None = Field(description="Null when the server has no second log.")
    models: list[str] = Field(
        description="Versions of the models trained on any of the events, oldest first. A training that begins now has "
        "none of them."
    )
    tombstone: Literal[True] = Field(
        description="A salted digest of each id, and `as_of`, are all that stays: what was received earlier does not "
        "come back by an import."
    )
