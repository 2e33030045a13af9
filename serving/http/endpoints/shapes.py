"""What several answers have in common, shaped from what the engine says."""

from __future__ import annotations

from collections.abc import Iterable

from features.events import Event
from features.times import moment
from insights.segments import Segment
from models.bundle.loaded import Champion
from models.prediction.money_at_stake import AT_STAKE, TARGET, Yield
from models.recommenders.contract import Recommendation
from serving.engine.customer import event_fields
from serving.engine.ingest import Ingest
from serving.http.schemas import EventAnswer, ModelStamp, PastYield, RecommendedItem, UnreadValue
from serving.http.schemas.scores import Interval
from serving.process.worker import Worker


def stamp(worker: Worker, version: str | None) -> ModelStamp:
    """Which model and which features answered."""
    return ModelStamp(version=version, fingerprint=worker.fold.fingerprint)


def version_of(champion: Champion | None) -> str | None:
    """The version of a champion; None without one."""
    return champion.bundle.version if champion else None


def recommended(items: Iterable[Recommendation]) -> list[RecommendedItem]:
    """Recommendations as the API shows them."""
    return [RecommendedItem(item=each.item, score=each.score, reason=each.reason) for each in items]


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


def told(ingested: Ingest) -> list[UnreadValue]:
    """The first of the values that were left out."""
    return [
        UnreadValue(index=place, field=bad.field, code=bad.code, detail=bad.reason) for place, bad in ingested.warnings
    ]


def event_answer(event: Event) -> EventAnswer:
    """An event as the API shows it."""
    return EventAnswer(**event_fields(event))
