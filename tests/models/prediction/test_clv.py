"""BG/NBD and Gamma-Gamma: published answers, SciPy's hypergeometric function, and what must hold for any customer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta

from models.prediction.clv import COLUMNS, FADING, Buying, Orders, Record, Spending, regressors
from tests.examples import examples

CDNOW = Buying(0.243, 4.414, 0.793, 2.426)
"""The parameters of Fader, Hardie and Lee (2005), in weeks."""

POSITIVE = st.floats(0.05, 20.0)


def customer(repeats: float, span: float, age: float, basket: float = 30.0) -> Record:
    return Record(*(np.array([value], np.float64) for value in (repeats, span, age, basket)))


def test_the_published_answers() -> None:
    # The walkthrough of the R package BTYD: customer 1516 of the sample, and a customer of no history.
    known = customer(26, 30.86, 31)
    assert CDNOW.orders_within(known, 52)[0] == pytest.approx(25.76, abs=0.005)
    assert CDNOW.alive(known)[0] == pytest.approx(0.9689, abs=0.0001)
    assert CDNOW.orders_within(customer(0, 0, 0), 52)[0] == pytest.approx(1.44, abs=0.01)


def test_a_record_is_read_from_features() -> None:
    matrix = np.array([[9, 3, 100.0, 10.0, 25.0], [9, np.nan, np.nan, np.nan, np.nan]], np.float32)
    known = Record.of(matrix, ("other", *COLUMNS))
    assert [known.repeats[0], known.span[0], known.age[0], known.basket[0]] == [2.0, 90.0, 100.0, 25.0]
    assert np.isnan([known.repeats[1], known.span[1], known.age[1]]).all()
    assert np.isnan(CDNOW.alive(known)[1]) and np.isnan(CDNOW.orders_within(known, 7)[1])


def test_without_a_repeat_order_nobody_can_have_left() -> None:
    assert CDNOW.alive(customer(0, 0, 500))[0] == 1.0


def integrated(model: Buying, repeats: int, age: float, ahead: float) -> float:
    """Orders expected of who is there: the rate and the chance to leave have known distributions; integrate them."""

    def orders(leaving: float) -> float:
        return float(-np.expm1(-(model.r + repeats) * np.log1p(leaving * ahead / (model.alpha + age))) / leaving)

    chance = beta(model.a, model.b + repeats)
    # Nearer than the law is asked to hold; nearer still, rounding stops the integration.
    whole = quad(
        lambda share: orders(max(float(chance.ppf(share)), 1e-300)), 0.0, 1.0, limit=400, epsabs=0.0, epsrel=1e-5
    )
    return float(whole[0])


@settings(deadline=None, max_examples=examples(15))
@given(*[POSITIVE] * 4, st.integers(0, 60), st.floats(0, 1), st.floats(0, 60), st.floats(0.1, 40))
def test_expected_orders_are_those_of_the_definition(
    r: float, alpha: float, a: float, b: float, repeats: int, part: float, age: float, ahead: float
) -> None:
    known, model = customer(repeats, age * part if repeats else 0.0, age), Buying(r, alpha, a, b)
    expected = integrated(model, repeats, age, ahead) * model.alive(known)[0]
    assert model.orders_within(known, ahead)[0] == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("model", "repeats", "age"),
    [
        (Buying(6.05e4, 10.7, 263.0, 6.22), 21, 101.0),  # terms beyond what a number holds
        (Buying(702.0, 2.85, 0.0921, 0.0638), 5, 274.0),  # terms of both signs that cancel out
        (Buying(0.186, 18.7, 2.44e4, 59.4), 11, 274.0),  # more terms than are summed
        (Buying(1.6e5, 1.6e5, 1.6e5, 1.6e5), 3, 1.0),
        (Buying(0.05, 1e-3, 1.6e5, 6e-6), 0, 0.0),
    ],
)
def test_customers_who_are_all_alike_are_no_sum_that_overflows(model: Buying, repeats: int, age: float) -> None:
    known = customer(repeats, age if repeats else 0.0, age)
    expected = integrated(model, repeats, age, 60.0) * model.alive(known)[0]
    assert model.orders_within(known, 60.0)[0] == pytest.approx(expected, rel=1e-6)
    many = Record(*(np.repeat(each, 5_000) for each in (known.repeats, known.span, known.age, known.basket)))
    assert set(model.orders_within(many, 60.0).tolist()) == set(model.orders_within(known, 60.0).tolist())


def test_the_series_is_scipys_hypergeometric_function() -> None:
    random = np.random.default_rng(1)
    repeats = random.integers(0, 50, 500).astype(float)
    age = random.uniform(0, 60, 500)
    known = Record(repeats, np.where(repeats > 0, age * random.random(500), 0.0), age, age)
    r, alpha, a, b = CDNOW.r, CDNOW.alpha, CDNOW.a, CDNOW.b
    share = 39 / (alpha + age + 39)
    series = hyp2f1(r + repeats, b + repeats, a + b + repeats - 1, share)
    orders = (a + b + repeats - 1) / (a - 1) * (1 - (1 - share) ** (r + repeats) * series) * CDNOW.alive(known)
    assert CDNOW.orders_within(known, 39) == pytest.approx(orders, rel=1e-9)


def test_a_customer_alone_and_among_others_has_the_same_bits() -> None:
    random = np.random.default_rng(2)
    repeats, age = random.integers(0, 50, 200).astype(float), random.uniform(0, 60, 200)
    known = Record(repeats, np.where(repeats > 0, age * random.random(200), 0.0), age, age)
    alone = [CDNOW.orders_within(customer(*each), 39)[0] for each in zip(repeats, known.span, age, strict=True)]
    assert CDNOW.orders_within(known, 39).tolist() == alone


@pytest.mark.parametrize("a", [1.0, 1.0 - 1e-12, 1.0 + 1e-7, 1.0 - 1e-7])
def test_there_is_no_pole_where_a_is_one(a: float) -> None:
    known = customer(3, 20, 30)
    near = Buying(0.5, 5.0, 1.0 + 1e-4, 2.0).orders_within(known, 20)[0]
    assert Buying(0.5, 5.0, a, 2.0).orders_within(known, 20)[0] == pytest.approx(near, rel=1e-3)


@settings(deadline=None, max_examples=examples(60))
@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE, st.integers(0, 500), st.floats(0, 1), st.floats(0, 1000))
def test_more_time_brings_more_orders_and_more_silence_less_hope(
    r: float, alpha: float, a: float, b: float, repeats: int, part: float, age: float
) -> None:
    model, known = Buying(r, alpha, a, b), customer(repeats, age * part if repeats else 0.0, age)
    later = Record(known.repeats, known.span, known.age + 10, known.basket)
    assert 0 <= model.alive(later)[0] <= model.alive(known)[0] <= 1
    few, many = model.orders_within(known, 10)[0], model.orders_within(known, 30)[0]
    assert -1e-9 <= few <= many + 1e-9
    assert model.any_within(known, 10)[0] <= min(1.0, few * (1 + 1e-6) + 1e-9)


def test_an_order_is_worth_between_the_customers_own_mean_and_everyones() -> None:
    model = Spending(6.25, 3.74, 15.44)  # CDNOW's, of the note by Fader and Hardie (2013)
    everyone = 6.25 * 15.44 / 2.74
    one, many = (model.order_value(customer(number, 1, 2, basket=100.0))[0] for number in (0, 50))
    assert everyone < one < many < 100.0
    assert model.order_value(customer(0, 0, 0, basket=everyone))[0] == pytest.approx(everyone)


def test_a_regression_without_weights_is_bg_nbd() -> None:
    names = (*COLUMNS, *FADING)
    matrix = np.array([[5, 90, 12, 30, 0.6, 1.1, 2.0, 3.0], [1, 40, 40, 10, 0.1, 0.3, 0.6, 0.8]], np.float32)
    buying = Buying(0.25, 31.0, 0.8, 2.4)
    number = regressors(buying, matrix, names, 28.0).shape[1]
    plain = Orders(buying, 28.0, (0.0,) * number, (1.0,) * number, (0.0,) * number)
    assert plain.within(matrix, names, 60.0) == pytest.approx(buying.orders_within(Record.of(matrix, names), 60.0))
