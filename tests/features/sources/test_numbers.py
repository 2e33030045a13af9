"""Numbers as people write them: one meaning, two, or none."""

from __future__ import annotations

import math

import pytest

from features.sources.fields import fields
from features.sources.fields.numbers import Ambiguous, with_decimal_comma, written
from tests.features.sources.ledger import refused


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$12.00", 12), ("US$ 1,299.00", 1299), ("R$ 12,50", 12.5), ("12,50 €", 12.5), ("€ 0,99", 0.99),
        ("kr 500", 500), ("USD 12.00", 12), ("12.00 usd", 12), ("1,299.00", 1299), ("1.234,50", 1234.5),
        ("1 234,50", 1234.5),
        ("1\u00a0234,50 zł", 1234.5), ("1'234.50", 1234.5), ("1,234,567", 1_234_567), ("1.234.567,89", 1_234_567.89),
        ("12,5", 12.5), ("0,125", 0.125), ("1,2345", 1.2345), ("$1,234", 1234), ("-$5", -5), ("$-5", -5),
        ("\u22125 €", -5),
    ],
)  # fmt: skip
def test_what_can_mean_one_number_is_that_number(text: str, number: float) -> None:
    assert written(text) == number
    if number > 0:
        assert fields.number(text, "amount") == number


@pytest.mark.parametrize("text", ["1,234", "€1,234", "1.234 €", "999,999", "1,234 kr"])
def test_what_can_mean_two_numbers_is_none(text: str) -> None:
    with pytest.raises(Ambiguous):
        written(text)
    with refused("amount", "can mean two numbers"):
        fields.number(text, "amount")


@pytest.mark.parametrize(
    "text",
    ["", "ten", "2 kg", "A4", "12x", "1,29.00", "12.00.00", "(12)", "$", "1,2,3", "12 34", "9" * 50 + "$", "1e3 $"],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert written(text) is None


def test_a_text_that_programs_write_is_their_number() -> None:
    assert (fields.number("1.234", "amount"), fields.number("1e3", "amount")) == (1.234, 1000.0)
    assert math.isnan(fields.number(" ".strip(), "amount"))


@pytest.mark.parametrize(
    ("text", "number"),
    [("12,50", 12.5), ("1.234,50", 1234.5), ("1.234", 1234), ("-3", -3), ("1,2,3", None), ("x", None)],
)
def test_where_a_comma_is_the_decimal_mark_points_stand_between_thousands(text: str, number: float | None) -> None:
    assert with_decimal_comma(text) == number
