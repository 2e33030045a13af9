"""Every aggregate equals its meaning, at every prefix of a random history."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.aggregates import AGGREGATES, Aggregate, Reading, Row
from features.aggregates.counts import Count, Moments
from features.aggregates.net import Net
from features.aggregates.rhythm import Rhythm
from features.aggregates.sessions import Sessions
from features.aggregates.tempo import Gaps
from features.aggregates.visit import Visit
from features.aggregates.windows import CountWithin, DaysWithin
from features.events import DAY, EVENT, MINUTE, Channel, Kind
from features.fold.feature_set import Declarations, FeatureSet
from features.fold.fold import Fold
from features.journey import Journey
from tests.examples import examples
from tests.histories import START, histories_of, of_kinds, rows_of


def _every_reading() -> tuple[Fold, dict[str, Reading]]:
    """A fold with one feature for each reading of each aggregate of the journey."""
    readings = {
        f"{aggregate.name}__{kernel}": Reading(aggregate, kernel)
        for aggregate in Journey.aggregates()
        for kernel in aggregate.reading_kernels()
    }
    memories = {f"memory_{each.name}": each for each in Journey.aggregates() if hasattr(each, "meaning_of_entries")}
    body: dict[str, Any] = {"__doc__": "Readings", **readings, **memories}
    return Fold(Declarations("EveryReading", (FeatureSet,), body)), readings


FOLD, READINGS = _every_reading()
BY_CLASS = {kind: [each for each in Journey.aggregates() if type(each) is kind] for kind in AGGREGATES}


PRECISION = 84 * DAY * 2.0**-16
"""What a moment of 240 half-lives loses when it is kept in four bytes."""


def agrees(kernel: str, value: float, expected: float, rounding: float = 0.0) -> bool:
    """Equal but for the rounding of four-byte slots, which deviations of nearly equal values feel most."""
    if math.isnan(expected):
        return math.isnan(value)
    nearly = max(2e-2 if "deviation" in kernel else 1e-6, rounding)
    return math.isclose(value, expected, rel_tol=2e-4, abs_tol=nearly)


def rounding_of(kind: type[Aggregate], events: NDArray[np.void]) -> float:
    """What net money may be off by: the rest of a sum is rounded as the sum was before something was taken off it."""
    return 2e-6 * float(np.nansum(np.abs(events["amount"]))) if kind is Net else 0.0


@pytest.mark.parametrize("kind", AGGREGATES, ids=lambda kind: kind.__name__)
def test_every_aggregate_is_used_by_the_journey(kind: type[Aggregate]) -> None:
    assert BY_CLASS[kind]


@pytest.mark.parametrize("kind", [kind for kind in AGGREGATES if BY_CLASS[kind]], ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=examples(100), deadline=None)
def test_equals_its_meaning_at_every_prefix(kind: type[Aggregate], data: st.DataObject) -> None:
    aggregate = data.draw(st.sampled_from(BY_CLASS[kind]))
    events = of_kinds(data.draw(histories_of(customers=1)), aggregate.selection.kinds)
    states, rows, later = FOLD.empty(), rows_of(events), data.draw(st.randoms(use_true_random=False))
    for index in range(len(events)):
        FOLD.step(states, 0, events[index : index + 1])
        history = rows[: index + 1]
        now = int(events["received"][index]) + later.choice([0, 1, 40 * DAY, 400 * DAY])
        features = FOLD.read(states, 0, now)
        for kernel in aggregate.reading_kernels():
            value = float(features[FOLD.index[f"{aggregate.name}__{kernel}"]])
            expected = aggregate.meaning_of(kernel, history, now)
            rounding = rounding_of(kind, events[: index + 1])
            assert agrees(kernel, value, expected, rounding), (aggregate.name, kernel, value, expected)
        if hasattr(aggregate, "meaning_of_entries"):
            found, meant = dict(aggregate.entries(states[0])), dict(aggregate.meaning_of_entries(history))
            assert found.keys() == meant.keys()
            assert all(abs(found[code] - meant[code]) <= 2 * PRECISION for code in found)


SATURATING = (Count, CountWithin, DaysWithin, Moments, Gaps, Rhythm, Sessions, Visit)


def _selected(aggregate: Aggregate) -> tuple[Kind, Channel]:
    """A kind and a channel that it counts."""
    channels = aggregate.selection.channels
    return aggregate.selection.kinds[0], channels[0] if channels else Channel(1)


@lru_cache(maxsize=1)  # some tens of megabytes each; those that count the same come one after the other
def _full(kind: Kind, channel: Channel) -> tuple[NDArray[np.float32], list[Row], int]:
    """The features of a customer with more events of a kind than a counter holds, its events, and their last moment."""
    random = np.random.default_rng(3)
    events = np.zeros(66_500, EVENT)
    events["kind"], events["channel"] = kind, channel
    events["amount"], events["score"] = random.gamma(2.0, 10.0, len(events)), random.integers(1, 6, len(events))
    pauses = np.where(np.arange(len(events)) % 9 == 0, 40 * MINUTE, MINUTE)
    events["at"] = events["received"] = START + np.cumsum(pauses)
    states = FOLD.empty()
    FOLD.step(states, 0, events)
    now = int(events["received"][-1])
    return FOLD.read(states, 0, now), rows_of(events), now


COUNTING: list[Aggregate] = [aggregate for aggregate in Journey.aggregates() if isinstance(aggregate, SATURATING)]
COUNTING.sort(key=_selected)


@pytest.mark.slow
@pytest.mark.parametrize("aggregate", COUNTING, ids=lambda each: each.name)
def test_equals_its_meaning_when_counters_are_full(aggregate: Aggregate) -> None:
    features, history, now = _full(*_selected(aggregate))
    for kernel in aggregate.reading_kernels():
        value = float(features[FOLD.index[f"{aggregate.name}__{kernel}"]])
        expected = aggregate.meaning_of(kernel, history, now)
        assert math.isclose(value, expected, rel_tol=2e-2) or (math.isnan(value) and math.isnan(expected))


COMMUTING = [each for each in Journey.aggregates() if each.commutes]


@given(histories_of(customers=1), st.randoms(use_true_random=False), st.data())
@settings(max_examples=examples(60), deadline=None)
def test_what_commutes_gives_the_same_in_any_order(events: NDArray[np.void], random: Any, data: st.DataObject) -> None:
    aggregate = data.draw(st.sampled_from(COMMUTING))
    events = of_kinds(events, aggregate.selection.kinds)
    order = list(range(len(events)))
    random.shuffle(order)
    now = (int(events["received"][-1]) if len(events) else START) + DAY
    readings = []
    for each in (events, np.ascontiguousarray(events[order])):
        states = FOLD.empty()
        FOLD.step(states, 0, each)
        readings.append(FOLD.read(states, 0, now))
    for kernel in aggregate.reading_kernels():
        place = FOLD.index[f"{aggregate.name}__{kernel}"]
        assert agrees(kernel, float(readings[0][place]), float(readings[1][place])), (aggregate.name, kernel)


@pytest.mark.parametrize("aggregate", Journey.aggregates(), ids=lambda each: each.name)
def test_is_documented(aggregate: Aggregate) -> None:
    assert type(aggregate).__doc__
    assert str(aggregate)
    for kernel in aggregate.reading_kernels():
        assert getattr(type(aggregate), kernel.replace("read", "meaning", 1)).__doc__
