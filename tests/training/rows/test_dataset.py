"""Rows and slices: who is in which, and what is said when there is too little of anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.events import DAY, PURCHASE, days
from features.grouping import histories
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.outcomes import happens
from features.replay.snapshots import past_of, replay_profiles
from tests.training.shop import past, rows, world
from tests.worlds import OPENING
from training.rows import dataset as module
from training.rows.dataset import content_digest, dataset, joined, sample
from training.rows.labels import end_of
from training.rows.schedule import NotEnoughHistory, Schedule, purged, split
from training.targets import TARGETS

CHURN = TARGETS["churn_28d"]


def test_rows_of_a_slice_stand_at_its_cutoffs() -> None:
    data, cutoffs = rows("churn_28d"), split(CHURN, OPENING, world().end)
    for part in ("fit", "stop", "calibrate", "test"):
        found = getattr(data, part)
        assert set(np.unique(found.cutoff).tolist()) <= set(getattr(cutoffs, part).tolist())
        assert set(np.unique(found.labels).tolist()) == {0, 1}
        assert len(found) == len(found.features) == len(found.customer)


def test_only_customers_in_scope_have_rows() -> None:
    data = rows("churn_28d")
    everyone = joined([data.fit, data.stop, data.calibrate, data.test])
    assert data.column(everyone, "days_since_purchase").max() <= 56.0


def test_labels_follow_the_true_probability() -> None:
    data = rows("conversion_7d")
    likely = world().buys_within(data.fit.customer, data.column(data.fit, "days_since_purchase"), 7.0)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 1.0)):
        inside = (likely >= low) & (likely < high)
        assert data.fit.labels[inside].mean() == pytest.approx(likely[inside].mean(), abs=0.03)


def test_a_short_log_is_refused_with_what_it_takes() -> None:
    with pytest.raises(NotEnoughHistory, match=r"spans 90 days; training churn_28d takes at least 192 days.*import"):
        split(CHURN, OPENING, OPENING + 90 * DAY)
    with pytest.raises(NotEnoughHistory):
        split(CHURN, OPENING, OPENING + 191 * DAY)
    found = split(CHURN, OPENING, OPENING + 192 * DAY)
    assert purged(found.fit, found.stop, CHURN.horizon).sum() == 1


def test_the_schedule_bounds_the_cutoffs() -> None:
    found = split(CHURN, OPENING, OPENING + 2_000 * DAY, Schedule(fit=9))
    assert [len(found.fit), len(found.stop), len(found.calibrate), len(found.test)] == [9, 3, 3, 3]
    assert len(np.unique(found.cutoffs)) == 18 + len(found.between)
    for before, after in ((found.stop, found.calibrate), (found.calibrate, found.test)):
        inside = found.between[(found.between > before[-1]) & (found.between < after[0])]
        assert len(inside) == 4 and set(np.diff([*inside, after[0]]).tolist()) == {6 * DAY}


def test_a_slice_without_both_answers_is_refused() -> None:
    # Three customers buy every day: nobody ever leaves.
    moments = np.arange(OPENING, world().end, DAY)
    orders = world().events[world().events["kind"] == int(PURCHASE)]
    daily = np.resize(orders[:1], len(moments) * 3)
    daily["customer"], daily["at"] = np.tile([0, 1, 2], len(moments)), np.repeat(moments, 3)
    daily["received"] = daily["at"]
    shop = past_of([daily], np.empty(0, MERGE))
    cutoffs = split(CHURN, OPENING, end_of(shop))
    with pytest.raises(NotEnoughHistory, match=r"The fit rows of churn_28d are \d+, 0 of them yes; expected both"):
        dataset(CHURN, shop, replay_profiles(JOURNEY, shop, cutoffs.cutoffs.tolist()), cutoffs, end_of(shop))


@pytest.mark.parametrize("target", ["conversion_7d", "churn_28d"])
def test_purged_rows_know_nothing_of_what_stops_the_trees(target: str) -> None:
    data = rows(target)
    past, horizon = data.purged_fit, data.target.horizon
    assert 0 < len(past) < len(data.fit)
    assert int(past.cutoff.max()) + horizon <= int(data.stop.cutoff.min())
    kept = data.fit.cutoff + horizon <= data.stop.cutoff.min()
    assert past.features.tobytes() == data.fit.features[kept].tobytes()
    assert past.labels.tolist() == data.fit.labels[kept].tolist()
    assert past.customer.tolist() == data.fit.customer[kept].tolist()


def test_the_digest_is_that_of_the_events_and_names_used() -> None:
    shop, items = past(), world().items
    names = [f"customer {code}" for code in range(int(shop.customers.max()) + 1)]
    found = content_digest(shop, names, items)
    assert len(found) == 32 and found == content_digest(shop, names, items)
    assert found == content_digest(shop, [*names, "a customer yet to come"], [*items, "an item yet to come"])
    events, merge = shop.apart.events.copy(), np.array([(end_of(shop), 9, 0, 1, 0)], MERGE)
    events["amount"][0] += 0.01
    others = [
        content_digest(past_of([events], shop.merges), names, items),
        content_digest(past_of([shop.apart.events], merge), names, items),
        content_digest(shop, ["someone else", *names[1:]], items),
        content_digest(shop, names, ["something else", *items[1:]]),
        content_digest(past_of([events[events["received"] < end_of(shop) - DAY]], shop.merges), names, items),
    ]
    assert len({found, *others}) == 6


def test_an_empty_log_has_no_end() -> None:
    with pytest.raises(ValueError, match="no events to train on; import some with `waypost import`"):
        end_of(past_of([], np.empty(0, MERGE)))


def test_a_sample_is_whole_customers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sample(past(), 10, seed=1) is past()
    monkeypatch.setattr(module, "MOST_ROWS", 400)
    found, again, other = (sample(past(), 10, seed).apart for seed in (1, 1, 2))
    assert len(found.customers) == 40 and found.events.tobytes() == again.events.tobytes()
    assert found.customers.tolist() != other.customers.tolist()
    events = world().events
    expected = histories([events[np.isin(events["customer"], found.customers)]])
    assert found.events.tobytes() == expected.events.tobytes()
    assert found.starts.tolist() == expected.starts.tolist()


@pytest.mark.parametrize("length", [1, 28, 90, 300, 600])
def test_a_log_of_the_length_that_is_asked_for_can_be_parted(length: int) -> None:
    target = replace(TARGETS["churn_28d"], outcome=happens(PURCHASE, within=days(length)))
    with pytest.raises(NotEnoughHistory) as refused:
        split(target, 0, days(30))
    least = int(str(refused.value).partition("takes at least ")[2].split()[0])
    found = split(target, 0, days(least))
    assert purged(found.fit, found.stop, target.horizon).any()
    with pytest.raises(NotEnoughHistory):
        split(target, 0, days(least) - 1)
