"""Fitting BG/NBD and Gamma-Gamma: gradients, an oracle in plain Python, known worlds, and the literature's figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import check_grad

from benchmarks.quality_cdnow import KNOWN, SAMPLE
from benchmarks.quality_data import Absent, cdnow_events
from features.events import DAY
from models.prediction.clv import COLUMNS, FADING, Buying, Record, Spending
from training.fitting.clv import (
    NotEnoughOrders,
    buying_likelihood,
    fit_buying,
    fit_orders,
    fit_spending,
    spending_likelihood,
)


def world(truth: Buying, customers: int, days: float, seed: int) -> Record:
    """Customers who buy as the model says, over `days` at most; each starts in the first quarter."""
    draw = np.random.default_rng(seed)
    rates, chances = draw.gamma(truth.r, 1 / truth.alpha, customers), draw.beta(truth.a, truth.b, customers)
    ages = days - draw.uniform(0, days / 4, customers)
    repeats, spans = np.zeros(customers), np.zeros(customers)
    for each in range(customers):
        moment = 0.0
        while (moment := moment + draw.exponential(1 / rates[each])) <= ages[each]:
            repeats[each] += 1
            spans[each] = moment
            if draw.random() < chances[each]:
                break
    return Record(repeats, spans, ages, np.full(customers, 10.0))


def plain_likelihood(r: float, alpha: float, a: float, b: float, x: float, t: float, age: float) -> float:
    """Equation 6 of the paper, as it is printed."""
    made = math.gamma(r + x) * alpha**r / math.gamma(r)
    kept = math.gamma(b + x) * math.gamma(a + b) / (math.gamma(b) * math.gamma(a + b + x))
    left = (a / (b + x - 1)) / (alpha + t) ** (r + x) if x > 0 else 0.0
    return math.log(made * kept * (1 / (alpha + age) ** (r + x) + left))


def test_the_likelihood_is_the_papers() -> None:
    parameters = (0.243, 4.414, 0.793, 2.426)
    cases = np.array([[2.0, 30.43, 38.86], [0.0, 0.0, 38.86], [1.0, 1.71, 38.86], [7.0, 29.43, 38.86]])
    values, _ = buying_likelihood(np.log(parameters), *cases.T)
    assert values == pytest.approx([plain_likelihood(*parameters, *case) for case in cases.tolist()])


@pytest.mark.parametrize("seed", range(5))
def test_the_gradients(seed: int) -> None:
    draw = np.random.default_rng(seed)
    repeats = draw.integers(0, 9, 20).astype(float)
    age = draw.uniform(5, 40, 20)
    span, basket = np.where(repeats > 0, age * draw.random(20), 0.0), draw.uniform(1, 90, 20)
    for likelihood, columns, size in (
        (buying_likelihood, (repeats, span, age), 4), (spending_likelihood, (repeats + 1, basket), 3)
    ):  # fmt: skip
        error = check_grad(
            lambda logs, f=likelihood, c=columns: f(logs, *c)[0].sum(),
            lambda logs, f=likelihood, c=columns: f(logs, *c)[1].sum(axis=1),
            draw.normal(0, 1, size),
        )
        assert error < 1e-2


def test_the_truth_of_a_world_is_found() -> None:
    truth = Buying(0.6, 20.0, 0.8, 2.5)
    known = world(truth, 6000, 300.0, 1)
    found = fit_buying(known)
    assert (found.r, found.alpha) == pytest.approx((truth.r, truth.alpha), rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.1)
    assert found.orders_within(known, 100).sum() == pytest.approx(truth.orders_within(known, 100).sum(), rel=0.05)


def test_the_unit_of_time_is_of_no_consequence() -> None:
    known = world(Buying(0.6, 20.0, 0.8, 2.5), 1500, 300.0, 2)
    hours = Record(known.repeats, known.span * 24, known.age * 24, known.basket)
    assert fit_buying(hours).alpha == pytest.approx(24 * fit_buying(known).alpha, rel=1e-3)


def test_the_truth_of_a_world_of_baskets_is_found() -> None:
    truth, draw = Spending(6.0, 3.7, 15.0), np.random.default_rng(3)
    orders = draw.integers(1, 12, 8000).astype(np.float64)
    scale = draw.gamma(truth.q, 1 / truth.gamma, 8000)
    basket = draw.gamma(truth.p * orders, 1 / (scale * orders))
    found = fit_spending(Record(orders - 1.0, orders, orders * 2.0, basket))
    assert (found.p, found.q, found.gamma) == pytest.approx((truth.p, truth.q, truth.gamma), rel=0.15)


def test_who_never_ordered_is_left_out() -> None:
    known = world(Buying(0.6, 20.0, 0.8, 2.5), 500, 300.0, 4)
    more = Record(*(np.append(getattr(known, name), np.nan) for name in ("repeats", "span", "age", "basket")))
    assert fit_buying(more) == fit_buying(known)
    assert fit_spending(Record(more.repeats, more.span, more.age, np.append(draws(500), np.nan))) == fit_spending(
        Record(known.repeats, known.span, known.age, draws(500))
    )


def draws(number: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Values of orders."""
    return np.random.default_rng(5).gamma(3.0, 10.0, number)


def test_customers_who_tell_nothing_are_refused() -> None:
    once = Record(*(np.array([value, value]) for value in (0.0, 0.0, 9.0, 10.0)))
    with pytest.raises(NotEnoughOrders, match="None of 2 customers has ordered twice"):
        fit_buying(once)
    with pytest.raises(NotEnoughOrders, match="0 customers have orders of positive value"):
        fit_spending(Record(once.repeats, once.span, once.age, np.zeros(2)))


def test_the_regression_finds_what_bg_nbd_does_not_know() -> None:
    draw, truth = np.random.default_rng(6), Buying(0.6, 20.0, 0.8, 2.5)
    known = world(truth, 4000, 300.0, 6)
    names = (*COLUMNS, *FADING)
    fading = draw.gamma(2.0, 1.0, (4000, len(FADING)))
    columns = (known.repeats + 1, known.age, known.age - known.span, known.basket, *fading.T)
    matrix = np.column_stack(columns).astype(np.float32)
    expected = 1.3 * truth.orders_within(known, 28) * (fading[:, 1] + 0.05)
    learnt = fit_orders(truth, matrix, names, draw.poisson(expected).astype(float), 28.0)
    assert learnt.within(matrix, names, 28.0).sum() == pytest.approx(expected.sum(), rel=0.05)
    assert np.corrcoef(learnt.within(matrix, names, 28.0), expected)[0, 1] > 0.95


def test_the_published_parameters_are_found_on_the_published_sample() -> None:
    """Fader, Hardie and Lee (2005), table 2; Fader and Hardie (2013), of the baskets of repeat orders."""
    try:
        events, names = cdnow_events()
    except Absent as reason:
        pytest.skip(str(reason))
    sample = [int(number) for number in SAMPLE.read_text(encoding="utf-8").split()]
    week, opening = 7.0 * DAY, int(events["at"].min())
    chosen = np.isin([int(name) for name in names], sample)[events["customer"]]
    events = events[chosen & (events["at"] < opening + KNOWN * DAY)]
    codes, place, orders = np.unique(events["customer"], return_inverse=True, return_counts=True)
    first, last = np.full(len(codes), np.inf), np.zeros(len(codes))
    at = (events["at"] - opening) / week
    np.minimum.at(first, place, at)
    np.maximum.at(last, place, at)
    age, repeats = (KNOWN - 1) / 7.0 - first, orders.astype(np.float64) - 1.0
    found = fit_buying(Record(repeats, last - first, age, np.ones(len(codes))))
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=0.002)
    repeated = at > first[place]
    spent = np.bincount(place[repeated], events["amount"][repeated], len(codes))
    again = (repeats > 0) & (spent > 0)
    basket = spent[again] / repeats[again]
    worth = fit_spending(Record(repeats[again] - 1.0, age[again], age[again], basket))
    assert (worth.p, worth.q, worth.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
