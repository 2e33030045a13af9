"""All rows of a target, however short the log: what there is, what is missing, and visits whose truth is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from features.events import DAY, EVENT, MINUTE, PURCHASE, SECOND, Kind, hours
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.outcomes import STAYS
from features.replay.snapshots import Past, past_of
from tests.features.sources.ledger import take
from tests.features.sources.real_data import shared
from tests.training.shop import past, rows, world
from tests.worlds import OPENING
from training.rows import dataset
from training.rows.dataset import Gathered, Slice, gathered, joined
from training.rows.labels import end_of
from training.rows.schedule import NotEnoughHistory
from training.targets import TARGETS

NOBODY = np.empty(0, MERGE)


def of_shop(name: str, length: float | None = None) -> Gathered:
    """The rows of a target in the simulated shop, or in its first days."""
    if length is None:
        return gathered(TARGETS[name], JOURNEY, past(), OPENING, world().end, seed=0)
    events, end = world().events, OPENING + round(length * DAY)
    known = past_of([events[events["received"] <= end]], NOBODY)
    return gathered(TARGETS[name], JOURNEY, known, OPENING, end, seed=0)


def same(left: Slice, right: Slice) -> bool:
    """Whether two slices are the same rows, to the bit."""
    names = ("features", "labels", "customer", "cutoff")
    return all(getattr(left, name).tobytes() == getattr(right, name).tobytes() for name in names)


def test_a_log_that_is_long_enough_is_parted() -> None:
    found, expected = of_shop("churn_28d"), rows("churn_28d")
    assert found.split is not None and found.missing == ""
    for name in ("fit", "purged_fit", "stop", "calibrate", "test"):
        assert same(getattr(found.dataset, name), getattr(expected, name))
    parted = sum(len(getattr(expected, name)) for name in ("fit", "stop", "calibrate", "test"))
    assert len(found.rows) == parted + int(np.isin(found.rows.cutoff, found.split.between).sum())
    counts = found.counts
    assert (counts.rows, counts.yes) == (len(found.rows), int((found.rows.labels == 1).sum()))
    assert counts.customers == len(np.unique(found.rows.customer)) and counts.history_days == 280.0


def test_a_short_log_gives_all_rows_whose_answer_is_known() -> None:
    found = of_shop("churn_28d", 60)
    assert found.split is None and "spans 60 days; training churn_28d takes at least 192 days" in found.missing
    assert 0 < found.counts.yes < found.counts.rows == len(found.rows)
    assert found.rows.cutoff.max() == OPENING + 32 * DAY and found.rows.cutoff.min() > OPENING
    with pytest.raises(NotEnoughHistory, match="spans 60 days"):
        _ = found.dataset


def test_a_log_shorter_than_the_horizon_has_no_rows() -> None:
    found = of_shop("churn_28d", 20)
    assert len(found.rows) == found.counts.rows == found.counts.customers == 0
    assert found.split is None and found.rows.features.shape[1] == len(found.names)


def test_rows_of_one_answer_are_not_parted() -> None:
    found = of_shop("unsubscribe_30d")
    assert found.split is None and found.counts.yes == 0
    assert found.missing.startswith("The fit rows of unsubscribe_30d are 0, 0 of them yes; expected both")


def test_amounts_and_stages_have_rows_of_their_kind() -> None:
    spend, stage = of_shop("lifetime_value_90d", 200), of_shop("next_stage_28d", 250)
    assert spend.rows.labels.dtype == np.float32 and spend.counts.yes == int((spend.rows.labels > 0).sum()) > 0
    assert spend.rows.days is None
    assert stage.rows.labels.dtype == np.int8 and stage.rows.days is not None
    assert np.array_equal(np.isnan(stage.rows.days), stage.rows.labels == STAYS)
    assert np.nanmax(stage.rows.days, initial=0.0) <= 28.0
    together = joined([stage.rows, stage.rows.where(stage.rows.labels != STAYS)])
    assert together.days is not None and len(together.days) == len(together)


STAY, BUY = 0.75, 0.1
"""Chance of a further act after each, and that a further act is an order."""


@cache
def visitors(number: int = 1_500, length: int = 20) -> Past:
    """Visitors who come now and then; how long they stay and whether they buy is drawn act by act."""
    draw = np.random.default_rng(7)
    parts: list[NDArray[np.void]] = []
    for customer in range(number):
        for start in (OPENING + draw.uniform(0, length * DAY, 3)).astype(np.int64).tolist():
            depth = int(draw.geometric(1 - STAY))
            events = np.zeros(depth, EVENT)
            events["at"] = start + np.cumsum(draw.integers(SECOND, 3 * MINUTE, depth))
            events["kind"] = np.where(draw.random(depth) < BUY, int(PURCHASE), int(Kind.ITEM_VIEW))
            events["customer"], events["item"], events["category"] = customer, -1, -1
            parts.append(events)
    events = np.concatenate(parts)
    events["received"] = events["at"]
    return past_of([events[np.argsort(events["received"], kind="stable")]], NOBODY)


def of_visits(name: str) -> Gathered:
    """The rows of a target in the world of visitors."""
    log = visitors()
    return gathered(TARGETS[name], JOURNEY, log, OPENING, end_of(log), seed=0)


@pytest.mark.parametrize(
    ("name", "truth"),
    [("exit_intent", 1 - STAY**2), ("session_conversion", STAY * BUY / (1 - STAY * (1 - BUY)))],
)
def test_answers_within_visits_follow_the_truth(name: str, truth: float) -> None:
    found = of_visits(name)
    depth = found.rows.features[:, found.names.index("session_depth")]
    assert found.rows.labels.mean() == pytest.approx(truth, abs=0.02)
    for place in (1.0, 3.0, 5.0):
        assert found.rows.labels[depth == place].mean() == pytest.approx(truth, abs=0.05)
    assert found.missing == "" and found.split is not None


def test_slices_of_visits_are_apart_by_the_longest_visit() -> None:
    data = of_visits("exit_intent").dataset
    parts = [data.fit, data.stop, data.calibrate, data.test]
    assert all(len(each) > 100 for each in parts)
    for before, after in ((data.purged_fit, data.stop), (data.stop, data.calibrate), (data.calibrate, data.test)):
        assert before.cutoff.max() + hours(12) <= after.cutoff.min()
    assert data.test.cutoff.max() <= end_of(visitors()) - hours(12)


def test_many_visits_are_drawn_customer_by_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = of_visits("exit_intent")
    monkeypatch.setattr(dataset, "MOST_ROWS", 2_000)
    found = of_visits("exit_intent")
    assert 1_500 < found.counts.rows < 2_500
    kept = np.isin(everyone.rows.customer, found.rows.customer)
    assert same(everyone.rows.where(kept), found.rows)


def test_visits_of_a_real_shop_are_parted() -> None:
    ledger = take(shared("taobao_userbehavior_929users.parquet"), "taobao")[1]
    ordered = sorted(ledger.events, key=lambda event: event.received)
    events = np.zeros(len(ordered), EVENT)
    for name in ("at", "received", "kind"):
        events[name] = [getattr(event, name) for event in ordered]
    events["customer"] = np.unique([event.customer for event in ordered], return_inverse=True)[1]
    log = past_of([events], NOBODY)
    found = gathered(TARGETS["session_conversion"], JOURNEY, log, int(events["received"][0]), end_of(log), seed=0)
    assert found.missing == "" and found.counts.customers == 929
    assert 0.06 < found.counts.yes / found.counts.rows < 0.1
    assert all(len(getattr(found.dataset, name)) > 5_000 for name in ("fit", "stop", "calibrate", "test"))


def test_amounts_are_parted_where_everybody_spends() -> None:
    number, every = 30, 5 * DAY
    orders = np.zeros(number * 100, EVENT)
    orders["customer"] = np.arange(len(orders)) % number
    orders["at"] = orders["received"] = OPENING + np.arange(len(orders)) // number * every
    orders["kind"], orders["amount"], orders["item"], orders["category"] = int(PURCHASE), 10.0, -1, -1
    start, end = int(orders["at"][0]), int(orders["at"][-1])
    log = past_of([orders], np.empty(0, MERGE))
    spends, churn = (
        gathered(TARGETS[name], JOURNEY, log, start, end, seed=1) for name in ("lifetime_value_90d", "churn_28d")
    )
    assert spends.missing == "" and spends.split is not None
    assert (spends.dataset.test.labels == 18 * 10.0).all()
    assert churn.split is None and churn.missing.endswith(
        "0 of them yes; expected both yes and no. Import more customers or more history with `waypost import`."
    )
