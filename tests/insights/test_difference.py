"""The interval of a difference holds the true one in 90 of 100 cases, paired or not; few clear ones are false."""

from __future__ import annotations

import numpy as np
import pytest

from insights.journal.difference import Share, clear, difference


def drawn(random: np.random.Generator, number: int, shares: tuple[float, float], alike: float) -> tuple[Share, Share]:
    """Two shares of these customers, three quarters of whom are on each side; `alike` of them act alike on both."""
    first = random.random(number)
    second = np.where(random.random(number) < alike, first, random.random(number))
    wholes = random.random((2, number)) < 0.75
    parts = (first < shares[0], second < shares[1])
    one, other = (Share(whole, whole & part) for whole, part in zip(wholes, parts, strict=True))
    return one, other


@pytest.mark.parametrize(("number", "shares"), [(60, (0.3, 0.2)), (80, (0.06, 0.02)), (400, (0.5, 0.6))])
@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_the_interval_holds_the_difference_in_90_of_100_cases(
    number: int, shares: tuple[float, float], alike: float
) -> None:
    random = np.random.default_rng(1)
    held, widths = [], []
    for _ in range(800):
        known = difference(*drawn(random, number, shares, alike))
        assert known is not None
        held.append(known.low <= shares[0] - shares[1] <= known.high)
        widths.append(known.high - known.low)
    assert 0.86 <= np.mean(held) <= 0.95


def test_what_customers_have_in_common_makes_the_interval_narrow() -> None:
    random = np.random.default_rng(2)
    widths = []
    for alike in (0.0, 0.9):
        known = difference(*drawn(random, 2000, (0.5, 0.5), alike))
        assert known is not None
        widths.append(known.high - known.low)
    assert widths[1] < 0.75 * widths[0]


def test_where_nothing_changed_hardly_any_table_shows_a_change() -> None:
    random = np.random.default_rng(3)
    alarms = 0
    for _ in range(200):
        known = [difference(*drawn(random, 200, (0.3, 0.3), 0.5)) for _ in range(12)]
        alarms += any(clear([d.chance if d else None for d in known]))
    assert alarms / 200 <= 0.15


def test_the_same_customers_do_not_differ() -> None:
    share = Share(np.ones(40, np.bool_), np.arange(40) < 7)
    known = difference(share, share)
    assert known is not None and (known.value, known.chance) == (0.0, 1.0)
    assert difference(share, Share(share.whole[:29], share.part[:29])) is None


def test_clear_differences_are_as_benjamini_and_hochberg_say() -> None:
    assert clear([0.01, 0.2, None, 0.06, 0.5]) == [True, False, False, False, False]
    assert clear([0.05, 0.02, 0.06]) == [True, True, True]
    assert clear([]) == []
