"""Recommended products, as all answers show them."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from models.recommenders.contract import Recommendation
from serving.http.schemas.answer import Answer


class RecommendedItem(Answer):
    """A product, how strongly it is recommended, and why."""

    item: str
    score: float
    reason: str = Field(examples=["because of item-1", "popular"])


def recommended(items: Iterable[Recommendation]) -> list[RecommendedItem]:
    """Recommendations as the API shows them."""
    return [RecommendedItem(item=product.item, score=product.score, reason=product.reason) for product in items]
