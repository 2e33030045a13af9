"""What is said of one customer, as plain data: where it stands, its scores, its segments, its events."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from features.events import Event, Stage
from features.fold.fold import Fold
from insights.segments import SEGMENTS, Segment
from models.bundle import answers
from serving.engine.engine import Standing
from serving.engine.scoreboard import Generation
from serving.engine.times import moment


def target_scores(
    standing: Standing, wanted: Collection[str] | None = None, *, explain: bool = False
) -> dict[str, dict[str, Any]]:
    """What is said of every target, or of those `wanted`: the fields of a `TargetScore` each."""
    champion = standing.champion
    if champion is None:
        return {}
    row = standing.features
    others = champion.others(row, wanted) if standing.known else []
    found = answers.values(champion.bundle, row, standing.scores, others, standing.known)
    kind = champion.kind(row)
    said = {}
    for name, fields in champion.told.items():
        if wanted is None or name in wanted:
            said[name] = {**fields, **(found.get(name) or answers.nothing(fields["form"]))}
            if standing.known and name in found and kind in champion.lowered[name]:
                said[name].update(champion.lowered[name][kind])
            if explain and name in found:
                said[name]["reasons"] = answers.reasons_of(champion.bundle, name, row) if standing.known else []
    return said


def stage_name(standing: Standing) -> str | None:
    """The stage as the API calls it; None for a customer without events."""
    return None if standing.stage is None else standing.stage.name.lower()


def number(value: float) -> float | None:
    """`value` as JSON can carry it: None for what is not known."""
    return value if math.isfinite(value) else None


def position(fold: Fold, standing: Standing) -> dict[str, Any]:
    """Where a customer stands on the journey: the fields of an answer."""

    def feature(name: str) -> float | None:
        return number(float(standing.features[fold.index[name]]))

    previous = feature("previous_stage")
    return {
        "stage": stage_name(standing),
        "previous_stage": None if previous is None else Stage(int(previous)).name.lower(),
        "days_in_stage": feature("days_in_stage"),
        "lapsing": bool(standing.known and feature("lapsing")),
    }


def segments_of(fold: Fold, standing: Standing, generation: Generation | None) -> list[str]:
    """The segments a customer is in at this moment, by the same rules as the sweep.

    In one that goes as far as its size, who comes before the last member of the newest sweep; nobody before the first.
    """
    if not standing.known:
        return []
    columns: dict[str, Any] = dict(zip(fold.names, standing.features, strict=True))
    for segment in SEGMENTS.values():
        columns.update({name: standing.scores.get(name, np.nan) for name in segment.columns() - fold.index.keys()})
    return [
        segment.name
        for segment in SEGMENTS.values()
        if segment.rule.evaluate(columns) and _within(segment, columns, generation)
    ]


def _within(segment: Segment, columns: Mapping[str, Any], generation: Generation | None) -> bool:
    """Whether one for whom the rule holds is a member, not a candidate alone."""
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
