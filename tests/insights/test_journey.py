"""The journey report on customers one can count by hand."""

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.events import EVENT, Kind, Stage, days
from features.journey import JOURNEY, Journey
from insights.insight import Shop
from insights.journey import journey
from insights.kpis import TARGETS

NAN = float("nan")
AS_OF = days(20_000)


def moves(*steps: tuple[int, int, int]) -> NDArray[np.uint16]:
    """One customer's transitions: (from, to, how often)."""
    counts = np.zeros(25, np.uint16)
    for start, end, times in steps:
        counts[start * 5 + end] = times
    return counts


def board(stage: list[float], days_in_stage: list[float], lapsing: list[float]) -> dict[str, NDArray[np.float32]]:
    """The columns of a scoreboard, NaN but for those that the journey reads."""
    told = {"stage": stage, "days_in_stage": days_in_stage, "lapsing": lapsing, "previous_stage": [NAN] * len(stage)}
    columns = {name: np.full(len(stage), np.nan, np.float32) for name in (*Journey.features, *TARGETS)}
    return columns | {name: np.array(values, np.float32) for name, values in told.items()}


COLUMNS = board([1, 1, 3, 2, 0], [4, 8, 100, 1, 30], [0, 1, 1, 0, 0])
STAYS: dict[str, NDArray[Any]] = {
    "transitions": np.stack([
        moves((0, 1, 1)),
        moves((0, 1, 1), (1, 2, 1), (2, 1, 1)),
        moves((1, 2, 2), (2, 3, 2), (3, 2, 1)),
        moves((0, 2, 1)),
        moves(),
    ]),
    "stay_days": np.array(
        [[3, NAN, NAN, NAN, NAN], [5, 2, 7, NAN, NAN], [NAN, 1, 3, 50, NAN], [1, NAN, NAN, NAN, NAN], [NAN] * 5],
        np.float32,
    ),
}  # fmt: skip


def test_customers_are_counted_where_they_stand() -> None:
    report = journey(Shop(COLUMNS, STAYS, AS_OF))
    assert report.customers == 5
    assert [stage.customers for stage in report.stages] == [1, 2, 1, 1, 0]
    assert [stage.share for stage in report.stages] == [0.2, 0.4, 0.2, 0.2, 0.0]
    assert [stage.lapsing for stage in report.stages] == [0, 1, 0, 1, 0]
    assert report.stages[Stage.CONSIDERATION].lapsing_share == 0.5
    assert report.stages[Stage.ADVOCACY].lapsing_share is None


def test_stays_that_ended_forward_and_backward() -> None:
    awareness, consideration, purchase, retention, advocacy = journey(Shop(COLUMNS, STAYS, AS_OF)).stages
    assert (awareness.stays_completed, awareness.advanced, awareness.advanced_share) == (3, 3, 1.0)
    assert awareness.conversion == 3 / 4
    assert (consideration.advanced, consideration.fell_back, consideration.conversion) == (3, 0, 3 / 5)
    assert (purchase.advanced, purchase.fell_back, purchase.conversion) == (2, 1, 2 / 4)
    assert (purchase.advanced_share, purchase.fell_back_share) == (2 / 3, 1 / 3)
    assert (retention.advanced, retention.fell_back, retention.conversion) == (0, 1, 0.0)
    assert advocacy.conversion is None
    assert advocacy.advanced_share is None


def test_median_times() -> None:
    report = journey(Shop(COLUMNS, STAYS, AS_OF))
    assert [stage.median_stay_days for stage in report.stages[:4]] == [3.0, 1.5, 5.0, 50.0]
    assert [stage.median_days_so_far for stage in report.stages[:4]] == [30.0, 6.0, 1.0, 100.0]
    assert report.stages[4].median_stay_days is None


def test_transitions_and_their_shares() -> None:
    report = journey(Shop(COLUMNS, STAYS, AS_OF))
    assert report.transitions == [[0, 2, 1, 0, 0], [0, 0, 3, 0, 0], [0, 1, 0, 2, 0], [0, 0, 1, 0, 0], [0] * 5]
    assert report.transition_shares[0] == [0, 2 / 3, 1 / 3, 0, 0]
    assert all(share is None for share in report.transition_shares[4])


def test_the_report_is_plain_json() -> None:
    report = json.loads(json.dumps(journey(Shop(COLUMNS, STAYS, AS_OF)).model_dump(), allow_nan=False))
    assert report["stages"][4]["conversion"] is None
    assert report["transition_shares"][4] == [None] * 5
    assert report["stages"][2]["stage"] == "purchase"


def test_a_shop_without_customers_has_a_report() -> None:
    stays: dict[str, NDArray[Any]] = {
        "transitions": np.zeros((0, 25), np.uint16),
        "stay_days": np.zeros((0, 5), np.float32),
    }
    report = journey(Shop(board([], [], []), stays, AS_OF))
    assert report.customers == 0
    assert all(stage.share is None for stage in report.stages)


@pytest.mark.parametrize("name", ["transitions", "stay_days"])
def test_lengths_that_disagree_are_refused(name: str) -> None:
    shorter: dict[str, NDArray[Any]] = {**STAYS, name: STAYS[name][:4]}
    with pytest.raises(ValueError, match=f"{name} has shape \\(4, .*expected \\(5, "):
        journey(Shop(COLUMNS, shorter, AS_OF))


def read(histories: list[list[tuple[float, Kind]]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scoreboard columns and stays of customers, each a list of (days ago, kind), by the fold itself."""
    states = JOURNEY.empty(len(histories))
    for index, history in enumerate(histories):
        events = np.zeros(len(history), EVENT)
        for event, (days_ago, kind) in zip(events, history, strict=True):
            event["at"] = event["received"] = AS_OF - days(days_ago)
            event["kind"], event["item"], event["category"] = kind, 1, -1
            event["amount"] = event["quantity"] = event["score"] = math.nan
        JOURNEY.step(states, index, events)
    name = JOURNEY.declarations.memories["stages"].name
    latest = {"stage": states[f"{name}__stage"], "entered": states[f"{name}__entered"]}
    columns = dict(zip(JOURNEY.names, JOURNEY.sweep(states, AS_OF).T, strict=True))
    columns |= {name: np.full(len(histories), np.nan, np.float32) for name in TARGETS}
    return columns, {**latest, **JOURNEY.memory_many(states, "stages")}


def test_stays_that_ended_by_themselves_are_completed() -> None:
    """A cart left for good, an advocate of long ago, and a cart that ended in an advocacy that ended as well."""
    columns, stays = read([
        [(30, Kind.ITEM_VIEW), (20, Kind.CART_ADD)],
        [(500, Kind.PURCHASE), (400, Kind.SHARE)],
        [(500, Kind.PURCHASE), (370, Kind.SHARE), (369, Kind.CART_ADD)],
    ])  # fmt: skip
    report = journey(Shop(columns, stays, AS_OF))
    consideration, purchase, retention, advocacy = (report.stages[stage] for stage in (1, 2, 3, 4))
    assert report.transitions == [[0] * 5, [0, 0, 1, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 2], [0, 0, 1, 2, 0]]
    assert (consideration.customers, retention.customers) == (1, 2)
    assert purchase.conversion == 0.5
    assert purchase.median_stay_days == pytest.approx(7.0, abs=1e-3)
    assert (advocacy.fell_back, advocacy.conversion) == (3, 0.0)
