"""Fault injection: what breaks is noticed within the stated number of events, and what does not break is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from features.events import DAY, Kind
from features.journey import JOURNEY
from tests.training.monitoring.shops import ASKED, TRAINED, known, trained_shop
from training.fitting.intervals import log_odds
from training.monitoring import Watched, decide
from training.monitoring.alarms import NOTICED_ANSWERS, NOTICED_DRIFT, realised_alarms
from training.monitoring.drift import drifts
from training.monitoring.realised import realised, ripened
from training.monitoring.samples import samples


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_clean_periods_raise_no_alarm(seed: int) -> None:
    """Fifty of them: ten in each of five shops, on every day of the week, up to four months after the training."""
    shop = trained_shop(seed)
    for period in range(1, 11):
        report = shop.report(TRAINED + (12 * period + period % 7) * DAY)
        assert report.alarms == (), [(each.subject, each.meaning) for each in report.alarms]
        assert report.customers > 100 and len(report.drifts) == len(JOURNEY.names) + len(ASKED)
        assert decide(report).step == "nothing" or decide(report).cause in ("volume", "age")
    assert {each.target for each in report.realised} == set(ASKED)


@pytest.mark.parametrize("value", ["zero", "median", "undefined"])
@pytest.mark.parametrize("days", [3, 60])
def test_every_feature_that_becomes_a_constant_is_noticed(value: str, days: int) -> None:
    shop, now = trained_shop(), TRAINED + days * DAY
    (clean,) = samples(JOURNEY, shop.past(now), [now], ASKED, shop.watched.scorers)
    assert len(clean) <= NOTICED_DRIFT
    constant = {"zero": 0.0, "median": np.median(np.nan_to_num(clean.features), axis=0), "undefined": np.nan}[value]
    broken = replace(clean, features=np.zeros_like(clean.features) + np.asarray(constant, np.float32))
    found = {each.name: each for each in drifts(shop.reference, broken)}
    varied = [name for name in JOURNEY.names if shop.reference.features[name].usual_sameness < 0.85]
    assert len(varied) > 40
    assert all(found[name].drifted for name in varied), [found[name] for name in varied if not found[name].drifted]


def test_amounts_that_become_a_constant_in_the_source_are_noticed_in_time() -> None:
    """The events go wrong, not the features: from some moment on, every order is of the same amount."""
    shop, since = trained_shop(), TRAINED + 20 * DAY
    events = shop.world.events.copy()
    events["amount"][(events["received"] > since) & (events["kind"] == int(Kind.PURCHASE))] = 5.0
    orders = events["received"][(events["received"] > since) & (events["kind"] == int(Kind.PURCHASE))]
    now = int(orders[NOTICED_DRIFT - 1])
    assert not shop.report(since).alarms
    report = shop.report(now, events)
    assert "basket_value_latest" in {each.subject for each in report.alarms if each.kind == "drift"}
    assert decide(report).step == "retrain" and decide(report).cause == "drift"


def test_orders_that_stop_coming_are_noticed_within_a_week_and_not_learnt() -> None:
    shop, since = trained_shop(), TRAINED + 50 * DAY
    events = shop.world.events
    silent = events[(events["received"] <= since) | (events["kind"] != int(Kind.PURCHASE))]
    report = shop.report(since + 7 * DAY, silent)
    assert [each.subject for each in report.alarms if each.kind == "volume"] == ["purchase"]
    assert decide(report).step == "nothing" and "Repair the source" in decide(report).words


def off(watched: Watched, target: str, shift: float = 0.0, turned: bool = False) -> Watched:
    """The same, with the log-odds of a target moved or turned round."""

    class Off:
        def score_many(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
            margins = log_odds(watched.scorers[target].score_many(matrix)) * (-1.0 if turned else 1.0) + shift
            return np.asarray(1.0 / (1.0 + np.exp(-margins)))

    return replace(watched, version="off", scorers={**watched.scorers, target: Off()})


@pytest.mark.parametrize("target", list(ASKED))
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("fault", "kind"), [("turned", "calibration"), ("higher", "calibration"), ("lower", "calibration")]
)
def test_probabilities_that_are_off_are_noticed_in_time(target: str, seed: int, fault: str, kind: str) -> None:
    """Among the oldest rows that ripened after the training, and as many as stated."""
    shop, now = trained_shop(seed), TRAINED + 120 * DAY
    rows = known(ripened(JOURNEY, shop.past(now), ASKED[target], TRAINED, now))
    first = rows.where(np.argsort(np.argsort(rows.cutoff, kind="stable")) < NOTICED_ANSWERS)
    clean = shop.watched.scorers[target].score_many(first.features)
    margins = {"turned": -log_odds(clean), "higher": log_odds(clean) + 1.0, "lower": log_odds(clean) - 1.0}[fault]
    assert len(first) == NOTICED_ANSWERS
    assert not [*realised_alarms([realised(target, "clean", first, clean)])]
    found = realised_alarms([realised(target, "off", first, 1.0 / (1.0 + np.exp(-margins)))])
    assert "calibration" in {each.kind for each in found}


@pytest.mark.parametrize(("shift", "turned"), [(0.0, True), (1.0, False)])
def test_a_champion_that_is_off_is_rolled_back_where_the_one_before_is_not(shift: float, turned: bool) -> None:
    shop, now = trained_shop(), TRAINED + 60 * DAY
    broken = replace(shop, watched=off(shop.watched, "conversion_7d", shift, turned))
    report = broken.report(now, previous=shop.watched)
    action = decide(report)
    assert (action.step, action.cause) == ("roll back", "quality") and report.over_previous["conversion_7d"].low > 0
    assert "conversion_7d" in action.words
    assert decide(report, can_roll_back=False).step == "retrain"
    assert decide(broken.report(now)).step == "retrain"


def test_answers_turned_round_in_the_shop_itself_are_no_reason_to_go_back() -> None:
    """Where the previous champion would be as wrong, the shop has changed, and only a training helps."""
    shop, now = trained_shop(), TRAINED + 60 * DAY
    turned = off(shop.watched, "conversion_7d", turned=True)
    report = replace(shop, watched=turned).report(now, previous=turned)
    assert report.over_previous["conversion_7d"].value == 0.0
    assert (decide(report).step, decide(report).cause) == ("retrain", "decay")
