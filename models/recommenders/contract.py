"""The contract of a recommender: from the items a customer touched lately to those they may want next, with reasons."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from models.parts.contract import Part

POPULAR = "popular"
"""The reason of an item that is recommended because all customers like it, not because of this one's events."""


class Touched(NamedTuple):
    """An item that a customer touched lately, its weight, 0 or more, and whether it was bought or only viewed."""

    item: str
    weight: float
    bought: bool = True


Recent = Sequence[tuple[str, float] | Touched]
"""The items that a customer touched lately, newest first; a pair is an item that was bought. Items may repeat."""


class Recommendation(NamedTuple):
    """One recommended item; `reason` is "popular", or "because of ITEM": the recent item that adds most to it."""

    item: str
    score: float
    reason: str


class Recommender(Part, Protocol):
    """A part of a bundle that ranks a catalogue of items for a customer. Safe to share between threads.

    `items` are the names of the catalogue. Its `says` lists the tiers that it may answer with, as `recommender_tier`.
    """

    items: list[str]

    def recommend(self, recent: Recent, limit: int, exclude: Collection[str] = ()) -> list[Recommendation]:
        """The best `limit` items, best first, none of them in `exclude`.

        Items the catalogue does not know are ignored. ValueError for a negative limit or weight.
        """
        ...
