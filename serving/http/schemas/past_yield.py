"""What a list of a segment would have found in the past, for the answers about segments."""

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
    """What a list of this segment, made at a moment in the past, would have found."""

    as_of: datetime
    customers: int = Field(description="Customers who had something at stake at that moment.")
    named: int = Field(description="How many of them the list would have named.")
    left: float = Field(description="Share of the named customers who bought nothing in the next 28 days.")
    left_interval: Interval
    money: float = Field(description="Share of the lost money that the named customers stood for.")
    money_interval: Interval
    money_random: float = Field(description="The same share for as many customers at random, on average.")
    money_spending: float = Field(description="The same share for as many customers of highest spending.")
    words: str = Field(description="The same in a sentence.")


def past_yield(segment: Segment, champion: Champion | None) -> PastYield | None:
    """What a list of the segment would have found, as measured in the champion's training; None where it was not."""
    if champion is None or segment.order_by is not AT_STAKE or TARGET not in champion.bundle.manifest.targets:
        return None
    measured = Yield.of_metrics(champion.bundle.manifest.targets[TARGET].metrics)
    return (
        None
        if measured is None
        else PastYield(
            as_of=moment(int(measured.cutoff)),
            customers=int(measured.customers),
            named=int(measured.named),
            left=measured.left,
            left_interval=Interval(low=measured.left_low, high=measured.left_high),
            money=measured.money,
            money_interval=Interval(low=measured.money_low, high=measured.money_high),
            money_random=measured.money_random,
            money_spending=measured.money_spending,
            words=measured.words,
        )
    )
