"""What a list of a segment would have found, as the answers about segments tell it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from features.times import moment
from insights.segments import Segment
from models.bundle.loaded import Champion
from models.prediction.money_at_stake import AT_STAKE, TARGET, Yield
from serving.http.schemas.answer import Answer
from serving.http.schemas.target_scores import Interval


class PastYield(Answer):
    """What a list of this segment, made at a moment of the past, would have found."""

    as_of: datetime
    customers: int = Field(description="With something at stake then.")
    named: int = Field(description="How many the list would have named.")
    left: float = Field(description="Share of these who then bought nothing for 28 days.")
    left_interval: Interval
    money: float = Field(description="Share that they held of the money that then left.")
    money_interval: Interval
    money_random: float = Field(description="What as many at random hold in the mean.")
    money_spending: float = Field(description="What as many of those who spent most hold.")
    words: str = Field(description="The same as a sentence.")


def past_yield(segment: Segment, champion: Champion | None) -> PastYield | None:
    """What a list of the segment would have found, as the training of the champion measured it."""
    if champion is None or segment.order_by is not AT_STAKE or TARGET not in champion.bundle.manifest.targets:
        return None
    found = Yield.of_metrics(champion.bundle.manifest.targets[TARGET].metrics)
    return (
        None
        if found is None
        else PastYield(
            as_of=moment(int(found.cutoff)),
            customers=int(found.customers),
            named=int(found.named),
            left=found.left,
            left_interval=Interval(low=found.left_low, high=found.left_high),
            money=found.money,
            money_interval=Interval(low=found.money_low, high=found.money_high),
            money_random=found.money_random,
            money_spending=found.money_spending,
            words=found.words,
        )
    )
