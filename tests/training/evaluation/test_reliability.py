"""Reliability by part of the customers: the interval holds the truth, and a part that is off is seen to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from features.events import Channel, Stage
from models.bundle.manifest import KINDS
from training.evaluation.reliability import LEAST_ROWS, reliability_by_part, share_interval
from training.rows.dataset import Slice


@given(st.lists(st.integers(0, 1), min_size=1, max_size=60))
def test_of_one_row_each_it_is_the_interval_of_wilson(labels: list[int]) -> None:
    found = share_interval(np.array(labels, np.int8), np.arange(len(labels), dtype=np.int32))
    expected = binomtest(sum(labels), len(labels)).proportion_ci(method="wilson")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=30), st.integers(2, 5))
def test_copies_of_a_customers_row_say_nothing_new(labels: list[int], copies: int) -> None:
    alone = share_interval(np.array(labels, np.int8), np.arange(len(labels), dtype=np.int32))
    again = share_interval(np.repeat(np.array(labels, np.int8), copies), np.repeat(np.arange(len(labels)), copies))
    assert again == pytest.approx(alone)


@pytest.mark.parametrize("rate", [0.03, 0.5])
def test_the_interval_holds_the_true_share_although_a_customers_rows_are_alike(rate: float) -> None:
    draw, customer, held = np.random.default_rng(5), np.repeat(np.arange(200, dtype=np.int32), 5), 0
    for _ in range(400):
        own = draw.beta(2.0 * rate, 2.0 * (1.0 - rate), 200)
        low, high = share_interval((draw.random(1_000) < own[customer]).astype(np.int8), customer)
        held += low <= rate <= high
    assert held / 400 == pytest.approx(0.95, abs=0.035)


def parted(number: int) -> tuple[Slice, NDArray[np.float64]]:
    """So many rows in two stages, of channels in turn; what is given is right in the first stage and off in the second.

    A few rows are of a third stage, and a few of which nothing is known.
    """
    draw = np.random.default_rng(2)
    stage = np.repeat([float(Stage.RETENTION), float(Stage.PURCHASE)], number // 2)
    stage[:20], stage[-20:] = np.nan, float(Stage.AWARENESS)
    features = np.column_stack([np.arange(number) % 2 + 1, stage]).astype(np.float32)
    true = draw.uniform(0.1, 0.5, number)
    labels = (draw.random(number) < true).astype(np.int8)
    said = np.where(stage == float(Stage.PURCHASE), true + 0.1, true)
    return Slice(features, labels, np.arange(number, dtype=np.int32) // 2, np.zeros(number, np.int64)), said


def test_a_part_that_is_off_is_seen() -> None:
    test, said = parted(4_000)
    found = reliability_by_part(test, ("latest_channel", "stage"), said)
    assert list(found) == list(KINDS)
    assert list(found["stage"]) == ["purchase", "retention"]
    assert found["stage"]["retention"].holds and not found["stage"]["purchase"].holds
    assert list(found["latest_channel"]) == [Channel.WEB.name.lower(), Channel.APP.name.lower()]
    one = found["stage"]["purchase"]
    rows = test.features[:, 1] == float(Stage.PURCHASE)
    assert (one.rows, one.customers) == (int(rows.sum()), len(np.unique(test.customer[rows])))
    assert (one.given, one.share) == pytest.approx((said[rows].mean(), test.labels[rows].mean()))


def test_parts_of_few_rows_are_left_out() -> None:
    test, said = parted(LEAST_ROWS)
    assert reliability_by_part(test, ("latest_channel", "stage"), said) == {"stage": {}, "latest_channel": {}}
    assert list(reliability_by_part(test, ("latest_channel", "number"), said)) == ["latest_channel"]
