"""What answers say about one customer, as plain data: where it stands, its scores, its segments, its events."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from features.events import Event, Stage
from features.fold.fold import Fold
from features.times import moment
from insights.segments import SEGMENTS, Segment
from models.bundle import answers
from models.bundle.evidence import Kind
from models.bundle.loaded import Champion
from serving.engine.scoreboard import Generation
from serving.engine.scores import CustomerScores


def target_scores(scores: CustomerScores) -> dict[str, dict[str, Any]]:
    """The fields of a `TargetScore` for every target that was asked for."""
    champion = scores.champion
    if champion is None:
        return {}
    kind = champion.kind(scores.features)
    return {name: _target_score(scores, champion, name, kind) for name in scores.targets}


def _target_score(scores: CustomerScores, champion: Champion, name: str, kind: Kind) -> dict[str, Any]:
    fields = champion.card_fields[name]
    estimate = scores.estimates.get(name)
    answer = {**fields, **answers.estimate_fields(fields["form"], estimate)}
    if estimate is None:
        return answer
    if not scores.known:
        answer.update(answers.evidence_of_unknown(champion.bundle.manifest.targets[name]))
    elif kind in champion.lowered[name]:
        answer.update(champion.lowered[name][kind])
    if scores.reasons is not None:
        answer["reasons"] = scores.reasons.get(name, [])
    return answer


def stage_name(scores: CustomerScores) -> str | None:
    """The stage as the API calls it; None for a customer without events."""
    return None if scores.stage is None else scores.stage.name.lower()


def number(value: float) -> float | None:
    """`value` as JSON can carry it: None for NaN and infinities."""
    return value if math.isfinite(value) else None


def position(fold: Fold, scores: CustomerScores) -> dict[str, Any]:
    """Where a customer stands on the journey: the fields of an answer."""

    def feature(name: str) -> float | None:
        return number(float(scores.features[fold.index[name]]))

    previous = feature("previous_stage")
    return {
        "stage": stage_name(scores),
        "previous_stage": None if previous is None else Stage(int(previous)).name.lower(),
        "days_in_stage": feature("days_in_stage"),
        "lapsing": bool(scores.known and feature("lapsing")),
    }


def segments_of(fold: Fold, scores: CustomerScores, generation: Generation | None) -> list[str]:
    """The segments a customer is in at this moment, by the same rules as the sweep.

    In a segment with a size, customers who rank no lower than its last member in the newest generation of the
    scoreboard; nobody when there is none.
    """
    if not scores.known:
        return []
    columns: dict[str, Any] = dict(zip(fold.names, scores.features, strict=True))
    values = scores.values
    for segment in SEGMENTS.values():
        columns.update({name: values.get(name, np.nan) for name in segment.targets})
    return [
        segment.name
        for segment in SEGMENTS.values()
        if segment.rule.evaluate(columns) and _within(segment, columns, generation)
    ]


def _within(segment: Segment, columns: Mapping[str, Any], generation: Generation | None) -> bool:
    """Whether a customer for whom the rule holds is also within the segment's size."""
    if segment.size >= 1.0:
        return True
    places = generation.members(segment.name) if generation else ()
    if generation is None or not len(places):
        return False
    last = {name: generation.columns[name][places[-1:]] for name in segment.order_by.columns()}
    return bool(segment.order_by.evaluate(columns) >= segment.order_by.evaluate(last)[0])


def event_fields(event: Event) -> dict[str, Any]:
    """The fields of an event."""
    return {
        "message_id": event.message_id,
        "customer": event.customer,
        "kind": event.kind.name,
        "at": moment(event.at),
        "received": moment(event.received),
        "channel": event.channel.name,
        "item": event.item,
        "category": event.category,
        "quantity": number(event.quantity),
        "amount": number(event.amount),
        "order_id": event.order_id,
        "score": number(event.score),
        "properties": dict(event.properties),
    }
