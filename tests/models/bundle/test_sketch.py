"""Sketches beside what plain Python says of the values themselves."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from statistics import fmean

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.bundle.sketch import CELLS, Sketch, edges_of, psi, psi_noise, sameness, wasserstein, wasserstein_noise

ATOMS = st.sampled_from([0.0, 1.0, -1.0, 3.5])
NUMBERS = st.one_of(ATOMS, st.floats(-1e6, 1e6, width=32))
VALUES = st.lists(st.one_of(NUMBERS, st.just(math.nan)), max_size=80)
DEFINED = st.lists(NUMBERS, min_size=1, max_size=80)


def cell_of(value: float, edges: list[float]) -> int:
    """Where a value belongs, as the docstring says."""
    return len(edges) + 1 if math.isnan(value) else sum(edge <= value for edge in edges)


@given(VALUES, VALUES)
def test_counts_and_sums_are_those_of_plain_python(reference: list[float], values: list[float]) -> None:
    edges = edges_of(reference)
    sketch = Sketch.of(values, edges)
    cells = [cell_of(value, edges.tolist()) for value in values]
    assert sketch.counts.tolist() == [Counter(cells)[cell] for cell in range(len(edges) + 2)]
    for cell, total in enumerate(sketch.sums.tolist()):
        expected = sum(value for value, place in zip(values, cells, strict=True) if place == cell)
        assert total == pytest.approx(expected, rel=1e-9, abs=1e-6)
    assert sketch.total == len(values)


@given(VALUES)
def test_edges_rise_are_few_and_set_atoms_apart(values: list[float]) -> None:
    edges = edges_of(values)
    defined = [value for value in values if not math.isnan(value)]
    assert len(edges) <= 2 * CELLS and np.all(np.diff(edges) > 0)
    for value, count in Counter(defined).items():
        if count * CELLS > len(defined):
            inside = [
                other for other in set(defined) if cell_of(other, edges.tolist()) == cell_of(value, edges.tolist())
            ]
            assert inside == [value]


@given(VALUES, VALUES, VALUES)
def test_merging_is_sketching_together(reference: list[float], one: list[float], other: list[float]) -> None:
    edges = edges_of(reference)
    merged, together = Sketch.of(one, edges).merged(Sketch.of(other, edges)), Sketch.of(one + other, edges)
    assert merged.counts.tolist() == together.counts.tolist()
    assert merged.sums == pytest.approx(together.sums, rel=1e-9, abs=1e-6)


@given(DEFINED, VALUES, VALUES)
def test_the_index_is_the_sum_over_cells(reference: list[float], one: list[float], other: list[float]) -> None:
    edges = edges_of(reference)
    cells = [Counter(cell_of(value, edges.tolist()) for value in values) for values in (one, other)]
    held = sorted(cells[0] | cells[1])
    shares = [[(each[cell] + 0.5) / (sum(each.values()) + 0.5 * len(held)) for cell in held] for each in cells]
    expected = sum((q - p) * math.log(q / p) for p, q in zip(*shares, strict=True))
    found = psi(Sketch.of(one, edges), Sketch.of(other, edges))
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12) and found >= -1e-12


def distance(one: list[float], other: list[float]) -> float:
    """The Wasserstein distance of two lists of numbers, by the area between their distribution functions."""
    places = sorted(set(one + other))
    return sum(
        (after - before) * abs(sum(x <= before for x in one) / len(one) - sum(x <= before for x in other) / len(other))
        for before, after in pairwise(places)
    )


@given(DEFINED, DEFINED)
def test_the_distance_is_right_but_for_what_cells_hide(one: list[float], other: list[float]) -> None:
    reference = Sketch.reference(one)
    live = Sketch.of(other, reference.edges)
    assume(reference.mean_deviation > 0)

    def hidden(values: list[float]) -> float:
        """The mean distance of values to the mean of their cell."""
        cells = [cell_of(value, reference.edges.tolist()) for value in values]
        means = {cell: fmean(v for v, place in zip(values, cells, strict=True) if place == cell) for cell in cells}
        return fmean(abs(value - means[cell]) for value, cell in zip(values, cells, strict=True))

    error = abs(wasserstein(reference, live) * reference.mean_deviation - distance(one, other))
    assert error <= hidden(one) + hidden(other) + 1e-6 * (1 + max(map(abs, one + other)))


@given(DEFINED, st.floats(-1e6, 1e6, width=32), st.integers(1, 50))
def test_a_constant_is_at_least_one_spread_away(values: list[float], constant: float, number: int) -> None:
    reference = Sketch.reference(values)
    assume(reference.mean_deviation > 1e-3)
    assert wasserstein(reference, Sketch.of([constant] * number, reference.edges)) >= 1.0 - 1e-6


@given(VALUES)
def test_nothing_is_far_from_itself(values: list[float]) -> None:
    sketch = Sketch.reference(values)
    assert psi(sketch, sketch) == 0.0
    assert wasserstein(sketch, sketch) == 0.0 or math.isnan(wasserstein(sketch, sketch))


@given(VALUES)
def test_sameness_is_the_share_of_the_most_frequent_value(values: list[float]) -> None:
    counted = Counter("NaN" if math.isnan(value) else value for value in values)
    assert sameness(values) == (max(counted.values()) / len(values) if values else 0.0)


def test_a_reference_without_spread_or_numbers_has_no_distance() -> None:
    constant, nothing = Sketch.reference([2.0] * 50), Sketch.reference([math.nan] * 50)
    assert math.isnan(wasserstein(constant, Sketch.of([3.0] * 50, constant.edges)))
    assert psi(constant, Sketch.of([3.0] * 50, constant.edges)) > 5
    assert wasserstein(nothing, Sketch.of([1.0] * 50, nothing.edges)) == 0.0
    assert psi(nothing, Sketch.of([1.0] * 50, nothing.edges)) > 5 and math.isnan(nothing.mean)


def test_infinities_are_large_numbers() -> None:
    sketch = Sketch.reference([1.0, math.inf, -math.inf, math.nan])
    assert sketch.total == 4 and np.isfinite(sketch.sums).all() and sketch.undefined == 0.25


def test_other_cells_are_refused() -> None:
    one, other = Sketch.reference([1.0, 2.0, 3.0]), Sketch.reference([1.0, 2.0, 4.0, 9.0])
    for compared in (psi, wasserstein, Sketch.merged):
        with pytest.raises(ValueError, match="the same cells"):
            compared(one, other)


@pytest.mark.parametrize("numbers", [(300, 300), (2000, 200)])
def test_chance_is_as_large_as_it_is_said_to_be(numbers: tuple[int, int]) -> None:
    """Of two samples of one distribution, half zeros and half exponential: the index is as large as is said on
    average, and rarely beyond five deviations; the distance is about one deviation, and within three."""
    draw = np.random.default_rng(3)

    def sample(size: int) -> np.ndarray:
        return np.where(draw.random(size) < 0.5, 0.0, draw.exponential(5.0, size))

    indices, distances, beyond = [], [], 0
    for _ in range(200):
        reference = Sketch.reference(sample(numbers[0]))
        live = Sketch.of(sample(numbers[1]), reference.edges)
        indices.append(psi(reference, live) / psi_noise(reference, live, 0.0))
        beyond += psi(reference, live) > psi_noise(reference, live, 5.0)
        distances.append(wasserstein(reference, live) / wasserstein_noise(reference, live, 1.0))
    assert 0.9 < np.mean(indices) < 1.1 and beyond <= 2
    assert 0.8 < np.mean(distances) < 1.2 and max(distances) < 3.0
