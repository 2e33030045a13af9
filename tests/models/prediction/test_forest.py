"""The forest beside LightGBM: the same bits, on any model it takes and any row."""

from __future__ import annotations

import threading
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.prediction.forest import MOST_LEAVES, Forest, UnsuitableForest
from models.prediction.lightgbm_library import Booster
from tests.examples import examples

FEATURES = 6
EDGES = np.array(
    [np.nan, 0.0, -0.0, np.inf, -np.inf, 1e-35, -1e-35, 1.1e-35, -1.1e-35, 1e-38, -1e-38, 1e-45, 3.4e38, 1.0, 2.0],
    np.float32,
)


def rows_of(draw: np.random.Generator, number: int, edges: float) -> NDArray[np.float32]:
    """Random rows, a share of whose values are at float32's edges; some columns are small whole numbers."""
    rows = draw.normal(size=(number, FEATURES)).astype(np.float32)
    rows[:, 1] = draw.integers(0, 4, number)
    rows[:, 2] *= np.float32(1e-35)
    at_edge = draw.random(rows.shape) < edges
    rows[at_edge] = draw.choice(EDGES, int(at_edge.sum()))
    return rows


def model(seed: int, leaves: int, trees: int, edges: float, **more: Any) -> str:
    """The text of a model of the rows' signs and gaps."""
    draw = np.random.default_rng(seed)
    rows = rows_of(draw, 400, edges)
    with np.errstate(invalid="ignore"):
        signal = (
            np.nan_to_num(np.clip(rows.astype(np.float64), -3, 3)).sum(axis=1) + np.isnan(rows[:, 0]) - (rows[:, 2] > 0)
        )
    labels = (signal + draw.normal(0, 0.5, len(rows)) > 0).astype(np.int64)
    parameters = {
        "objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 1e-6,
        "verbosity": -1, "num_threads": 1, "seed": seed, **more,
    }  # fmt: skip
    categorical = parameters.pop("categorical_feature", "auto")
    data = lightgbm.Dataset(rows, labels, categorical_feature=categorical)
    return lightgbm.train(parameters, data, trees).model_to_string()


@settings(max_examples=examples(25), deadline=None)
@given(
    seed=st.integers(0, 2**16),
    leaves=st.sampled_from([2, 3, 7, 31, 32, 33, 63, 64]),
    trees=st.integers(1, 12),
    edges=st.sampled_from([0.0, 0.1, 0.5]),
    more=st.sampled_from([{}, {"use_missing": False}, {"sigmoid": 1.7}, {"boost_from_average": False}]),
    number=st.sampled_from([1, 2, 63, 64, 65, 300]),
)
def test_it_gives_the_bits_of_lightgbm(
    seed: int, leaves: int, trees: int, edges: float, more: dict[str, Any], number: int
) -> None:
    text = model(seed, leaves, trees, edges, **more)
    rows = rows_of(np.random.default_rng(seed + 1), number, 0.3)
    expected = Booster(text).predict_many(rows)
    assert np.array_equal(Forest(text).raw_many(rows), expected)


def test_values_at_its_own_thresholds_fall_to_the_same_side() -> None:
    text = model(1, 31, 20, 0.1)
    limits = {float(each) for line in text.splitlines() if line.startswith("threshold=") for each in line[10:].split()}
    near = np.array(sorted(each for each in limits if abs(each) < 1e38), np.float32)
    values = np.concatenate([near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))])
    rows = np.repeat(values[:, None], FEATURES, axis=1)
    assert np.array_equal(Forest(text).raw_many(rows), Booster(text).predict_many(rows))


def test_a_tree_that_never_splits_is_its_one_leaf() -> None:
    rows, labels = np.ones((50, FEATURES), np.float32), np.arange(50) % 2
    trained = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(rows, labels), 3)
    text = trained.model_to_string()
    assert np.array_equal(Forest(text).raw_many(rows), Booster(text).predict_many(rows))


def test_no_rows_are_no_answers_and_other_shapes_are_refused() -> None:
    forest = Forest(model(1, 7, 2, 0.0))
    assert forest.raw_many(np.empty((0, FEATURES), np.float32)).shape == (0,)
    with pytest.raises(ValueError, match="expected \\(n, 6\\)"):
        forest.raw_many(np.zeros((2, 5), np.float32))


def test_rows_need_not_lie_side_by_side() -> None:
    text = model(2, 15, 5, 0.1)
    wide = rows_of(np.random.default_rng(3), 200, 0.2)
    assert np.array_equal(Forest(text).raw_many(wide[::2]), Booster(text).predict_many(wide[::2]))
    assert np.array_equal(Forest(text).raw_many(np.asfortranarray(wide)), Booster(text).predict_many(wide))


def test_threads_share_it() -> None:
    forest, rows = Forest(model(3, 31, 20, 0.1)), rows_of(np.random.default_rng(4), 2_000, 0.2)
    expected, found = forest.raw_many(rows), []
    threads = [threading.Thread(target=lambda: found.append(forest.raw_many(rows))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found += [forest.raw_many(rows, threads) for threads in (1, 2, 7)]
    assert len(found) == 7 and all(np.array_equal(each, expected) for each in found)


@pytest.mark.parametrize(
    "more",
    [
        {"objective": "regression"},
        {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
        {"zero_as_missing": True},
        {"categorical_feature": [1]},
        {"linear_tree": True},
        {"num_leaves": MOST_LEAVES + 1},
    ],
)
def test_what_it_cannot_lay_out_it_refuses(more: dict[str, Any]) -> None:
    text = model(1, 200, 10, 0.0, **{"num_leaves": 31, **more})
    with pytest.raises(UnsuitableForest):
        Forest(text)
