"""The contract of a recommender: what a customer touched lately in, the items they may want next out, with reasons."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from models.parts.contract import Part

POPULAR = "popular"
"""The reason of an item recommended for what all customers take, not for what this one did."""


class Touched(NamedTuple):
    """An item that a customer touched lately, its weight, not negative, and whether it was bought or viewed alone."""

    item: str
    weight: float
    bought: bool = True


Recent = Sequence[tuple[str, float] | Touched]
"""What a customer touched lately, newest first; a pair is an item that was bought. An item may occur twice."""


class Recommendation(NamedTuple):
    """One recommended item; `reason` is "because of ITEM" (the recent item that spoke loudest) or "popular"."""

    item: str
    score: float
    reason: str


class Recommender(Part, Protocol):
    """A part of a bundle that ranks a catalogue of items for a customer. Safe to share between threads.

    `items` are the names of the catalogue. Its `says` list the tiers that it may answer on, as `recommender_tier`.
    """

    items: list[str]

    def recommend(self, recent: Recent, limit: int, exclude: Collection[str] = ()) -> list[Recommendation]:
        """The best `limit` items, best first, none of them in `exclude`.

        Items the catalogue does not know are ignored. ValueError for a negative limit or weight.
        """
        ...
