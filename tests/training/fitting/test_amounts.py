"""Amounts and stages, held to worlds whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.events import DAY
from features.journey import JOURNEY
from features.outcomes import STAYS
from models.prediction.amount import MeanAmount
from tests.training.shop import found
from training.evaluation.amounts import judge_amount
from training.evaluation.gates import LOWEST, amount_champion_gates, amount_gates, passed
from training.evaluation.next_stage import judge_stage
from training.fitting.amounts import fit_amount, mean_amount
from training.fitting.clv_amounts import best_share, deviance, own_amount, said_of, shared
from training.fitting.next_stage import fit_stage, stage_shares
from training.rows.dataset import Counts, Gathered, Slice
from training.rows.schedule import Split
from training.targets import TARGETS


def test_the_amount_of_a_long_log_is_nearer_than_the_mean_and_adds_up() -> None:
    gathered = found("lifetime_value_90d", 150, 520)
    fitted = fit_amount(gathered, seed=1)
    test = judge_amount(fitted.scorer.tier, gathered.dataset, seed=1)
    assert list(fitted.losses) == ["prior", "clv", "lightgbm"]
    assert fitted.scorer.tier.name == min(fitted.losses, key=fitted.losses.__getitem__) != "prior"
    assert test.over["mean"]["mae"].high < 0.0 and test.over["mean"]["rmse"].high < 0.0
    assert test.total == pytest.approx(1.0, abs=0.1) and test.coverage == pytest.approx(0.9, abs=0.06)

    assert list(test.over) == ["mean", "as_before", "bg_nbd_gamma_gamma"] and test.over["as_before"]["mae"].high < 0.0
    assert test.total == pytest.approx(test.figures["model"]["total"].value) and "total" not in test.over["mean"]
    gates = amount_gates("lifetime_value_90d", "lightgbm", test.over)
    assert passed(gates) and not [each for each in gates if "mean" in each.condition and not each.passed]
    assert test.over["mean"]["deviance"].high < 0.0 and test.adds_up


def test_a_champion_is_one_of_the_models_and_holds_back_what_is_worse() -> None:
    gathered = found("lifetime_value_90d", 150, 520)
    data, past = gathered.dataset, gathered.dataset.fit
    own, mean = own_amount(past, data.names, 90.0), mean_amount(past, data.names, 50.0)
    assert own is not None
    same, worse = judge_amount(own, data, 1, champion=own), judge_amount(mean, data, 1, champion=own)
    assert same.over["champion"]["mae"].value == 0.0 and passed(amount_champion_gates("spend", "clv", same.over))
    assert not passed(amount_champion_gates("spend", "prior", worse.over))


def test_the_mean_of_everybody_is_held_back_by_nothing_and_what_is_worse_than_it_is() -> None:
    gathered = found("lifetime_value_90d", 150, 520)
    data = gathered.dataset
    far = MeanAmount(50.0 * float(data.test.labels.mean()), 0.0, 1e6, data.names)
    over = judge_amount(far, data, 1).over
    assert passed(amount_gates("spend", LOWEST, over)) and not passed(amount_gates("spend", "clv", over))


def test_where_one_customer_spends_resamplings_without_it_have_no_total() -> None:
    data = found("lifetime_value_90d", 150, 520).dataset
    alone = data.test.customer == data.test.customer[np.argmax(data.test.labels)]
    test = replace(data.test, labels=np.where(alone, data.test.labels, 0.0).astype(np.float32))
    mean = MeanAmount(float(test.labels.mean()), 0.0, 1e6, data.names)
    total = judge_amount(mean, replace(data, test=test), 1).figures["model"]["total"]
    assert 0.0 < total.low <= total.value == pytest.approx(1.0) and total.value <= total.high < np.inf


def test_the_deviance_is_least_for_the_mean_and_zero_for_what_is_right() -> None:
    spent = np.random.default_rng(1).gamma(0.5, 80.0, 2_000).astype(np.float32) * (np.arange(2_000) % 3 > 0)
    said = np.linspace(0.5, 2.0, 31) * float(spent.mean())
    losses = [deviance(spent, np.full(2_000, each)) for each in said]
    assert said[int(np.argmin(losses))] == pytest.approx(float(spent.mean()), rel=1e-6)
    assert deviance(said.astype(np.float32), said) == pytest.approx(0.0, abs=1e-6)


def test_a_pace_that_tells_everything_has_the_greatest_share_and_one_that_tells_nothing_none() -> None:
    gathered = found("lifetime_value_90d", 150, 520)
    rows, names = gathered.rows, gathered.names
    own = own_amount(rows, names, 90.0)
    assert own is not None and own.weights[2] == 0.0
    paced = replace(rows, labels=rows.features[:, names.index("spend_net_90d")])
    assert best_share([(own, paced)]) == pytest.approx(0.9)
    closed = replace(rows, labels=said_of(own, rows).astype(np.float32))
    assert best_share([(own, closed)]) == 0.0
    assert shared(own, 0.3).weights == pytest.approx((0.7 * own.weights[0], 0.7 * own.weights[1], 0.3))


def test_a_log_too_short_to_be_parted_is_answered_in_closed_form() -> None:
    gathered = found("lifetime_value_90d", 150, 200)
    fitted = fit_amount(gathered, seed=1)
    assert gathered.split is None and fitted.scorer.tier.name == "clv"
    assert fitted.losses["clv"] < 0.8 * fitted.losses["prior"]
    said = fitted.scorer.estimate_many(gathered.rows.features)
    assert ((said.low <= said.high) & (said.value > 0.0)).all() and set(said.rank_band.tolist()) > {
        "lower half",
        "top fifth",
    }


def test_without_customers_the_prior_is_the_amount() -> None:
    target = TARGETS["lifetime_value_90d"]
    nothing = replace(
        found("lifetime_value_90d", 5, 60), counts=Counts(0, 0, 0, 0.0), rows=_rows(np.empty(0), np.empty(0))
    )
    said = fit_amount(nothing, seed=1).scorer.estimate(np.full(len(JOURNEY.names), np.nan, np.float32))
    assert said.value == target.prior and said.low < said.value < said.high


def test_the_mean_of_few_customers_is_drawn_to_the_prior() -> None:
    rows = _rows(np.full(5, 100.0), np.zeros(5))
    assert mean_amount(rows, JOURNEY.names, 50.0).mean == pytest.approx((5 * 100.0 + 5 * 50.0) / 10)


def _rows(labels: np.ndarray, spread: np.ndarray) -> Slice:
    """Rows of as many customers; `spread` is one of their features, and they enter a stage after 3 days."""
    features = np.full((len(labels), len(JOURNEY.names)), np.nan, np.float32)
    features[:, JOURNEY.index["cart_items"]] = spread
    number = np.arange(len(labels))
    days = np.where(labels == STAYS, np.nan, 3.0).astype(np.float32)
    return Slice(features, labels.astype(np.float32), number.astype(np.int32), number % 16 * 30 * DAY, days)


def test_stages_that_follow_from_a_feature_are_foretold() -> None:
    draw = np.random.default_rng(1)
    cart = draw.integers(0, 3, 4_000)
    labels = np.where(draw.random(4_000) < 0.9, np.array([STAYS, 2, 3])[cart], draw.integers(0, STAYS, 4_000))
    rows = _rows(labels, cart)
    cutoffs = np.arange(16) * 30 * DAY
    split = Split(cutoffs[:10], cutoffs[10:12], cutoffs[12:14], cutoffs[14:])
    target = TARGETS["next_stage_28d"]
    gathered = Gathered(
        target, JOURNEY.names, rows, split, "", Counts(4_000, 4_000, 2_600, 480.0), int(rows.cutoff.max())
    )
    fitted = fit_stage(gathered, seed=1)
    test = judge_stage(fitted.scorer.tier, gathered.dataset)
    assert fitted.scorer.tier.name == "lightgbm" and fitted.losses["lightgbm"] < 0.7 * fitted.losses["prior"]
    assert test.accuracy > 0.85 and test.log_loss < 0.7 * test.log_loss_of_shares and test.days_off < 0.5


def test_without_rows_the_stages_are_those_believed() -> None:
    shares = stage_shares(_rows(np.empty(0), np.empty(0)), JOURNEY.names, 0.3, 28.0)
    assert shares.shares[STAYS] == pytest.approx(0.7) and shares.wait == pytest.approx(14.0)
