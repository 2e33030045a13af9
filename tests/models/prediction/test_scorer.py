"""A scorer beside the real LightGBM package, on a small model with absent values."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import weakref
from importlib.machinery import ModuleSpec
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from models.prediction import lightgbm_library
from models.prediction.calibration import Calibration
from models.prediction.lightgbm_library import Booster, LightGBMError, _SingleRow
from models.prediction.scorer import Scorer

NAMES = tuple(f"feature_{number}" for number in range(7))
Rows = NDArray[np.float32]


def _rows(number: int, seed: int) -> Rows:
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(number, len(NAMES))).astype(np.float32)
    rows[draw.random(rows.shape) < 0.1] = np.nan
    rows[draw.random(rows.shape) < 0.1] = 0.0
    return rows


def _booster(objective: str = "binary", labels: NDArray[np.int64] | None = None, **parameters: int) -> lightgbm.Booster:
    rows = _rows(3_000, seed=1)
    if labels is None:
        labels = (np.nan_to_num(rows[:, 0]) + np.isnan(rows[:, 1]) > 0.5).astype(np.int64)
    settings = {"objective": objective, "verbosity": -1, "num_threads": 1, "seed": 1, **parameters}
    return lightgbm.train(settings, lightgbm.Dataset(rows, labels, feature_name=list(NAMES)), num_boost_round=25)


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    return _booster()


@pytest.fixture(scope="module")
def text(booster: lightgbm.Booster) -> str:
    return booster.model_to_string()


@pytest.fixture
def scorer(text: str) -> Scorer:
    return Scorer.from_text("conversion_7d", text, Calibration.platt(0.9, -0.1), NAMES)


def test_raw_is_what_lightgbm_predicts_bit_for_bit(booster: lightgbm.Booster, scorer: Scorer) -> None:
    rows = _rows(2_000, seed=2)
    # Float32 at its edges: the smallest numbers, which LightGBM takes for zero, and the infinities.
    rows[0], rows[1], rows[2], rows[3] = np.nan, 1e-38, np.inf, -np.inf
    expected = booster.predict(rows)
    assert isinstance(expected, np.ndarray)
    assert np.array([scorer.raw(row) for row in rows]).tobytes() == expected.tobytes()
    assert scorer.raw_many(rows).tobytes() == expected.tobytes()
    assert scorer.raw_many(rows, threads=2).tobytes() == expected.tobytes()


def test_early_stopped_models_give_the_trees_that_were_kept() -> None:
    booster = _booster()
    rows = _rows(50, seed=3)
    scorer = Scorer.from_text("churn_28d", booster.model_to_string(num_iteration=10), Calibration.identity(), NAMES)
    assert scorer.score_many(rows).tolist() == np.asarray(booster.predict(rows, num_iteration=10)).tolist()


def test_a_row_may_be_a_strided_view_and_is_not_changed(scorer: Scorer) -> None:
    rows = _rows(20, seed=4)
    before = rows.tobytes()
    columns = np.asfortranarray(rows)
    assert (
        [scorer.score(row) for row in columns]
        == scorer.score_many(columns).tolist()
        == scorer.score_many(rows).tolist()
    )
    assert rows.tobytes() == before


def test_threads_share_a_scorer_and_let_go_of_their_own_part(scorer: Scorer) -> None:
    rows = _rows(400, seed=5)
    expected = scorer.score_many(rows).tolist()
    answers: dict[int, list[float]] = {}

    def work(number: int) -> None:
        answers[number] = [scorer.score(row) for row in rows]

    def prepared() -> int:
        gc.collect()
        return sum(isinstance(each, _SingleRow) for each in gc.get_objects())

    before = prepared()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[number] == expected for number in range(4)] == [True] * 4
    assert prepared() == before


def test_a_dropped_scorer_is_freed_at_once(text: str) -> None:
    scorer = Scorer.from_text("conversion_7d", text, Calibration.identity(), NAMES)
    scorer.score(np.zeros(len(NAMES), np.float32))
    model = weakref.ref(scorer.tier._booster._model)  # type: ignore[attr-defined]
    gc.disable()
    try:
        del scorer
        assert model() is None
    finally:
        gc.enable()


def test_no_rows_are_no_scores(scorer: Scorer) -> None:
    assert scorer.score_many(np.empty((0, len(NAMES)), np.float32)).shape == (0,)


def test_rows_of_another_shape_are_refused(scorer: Scorer) -> None:
    with pytest.raises(ValueError, match=r"shape \(1,\); expected \(7,\)"):
        scorer.score(np.zeros(1, np.float32))
    with pytest.raises(ValueError, match=r"shape \(2, 8\); expected \(n, 7\)"):
        scorer.score_many(np.zeros((2, 8), np.float32))
    with pytest.raises(ValueError, match="threads is 0"):
        scorer.score_many(np.zeros((2, 7), np.float32), threads=0)


def test_reasons_are_the_shapley_values_of_the_row(booster: lightgbm.Booster, scorer: Scorer) -> None:
    row = _rows(1, seed=6)
    expected = dict(zip(NAMES, np.asarray(booster.predict(row, pred_contrib=True))[0].tolist(), strict=False))
    reasons = scorer.reasons(row[0], limit=3)
    assert reasons == sorted(expected.items(), key=lambda pair: -abs(pair[1]))[:3]
    assert reasons[0][0] in {"feature_0", "feature_1"}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_a_model_cut_short_is_refused(text: str, share: float) -> None:
    cut = int(share * text.index("end of trees"))
    with pytest.raises(ValueError, match=r"model of churn_28d is unreadable: Not a whole LightGBM model"):
        Scorer.from_text("churn_28d", text[:cut], Calibration.identity(), NAMES)


def test_what_lightgbm_refuses_is_an_error_with_its_words() -> None:
    with pytest.raises(LightGBMError, match="LightGBM: "):
        Booster("tree\nversion=v4\n\nend of trees\n")


def test_a_model_of_other_features_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"different: feature_6, spend_gross_ever.*waypost train"):
        Scorer.from_text("churn_28d", text, Calibration.identity(), (*NAMES[:-1], "spend_gross_ever"))
    with pytest.raises(ValueError, match="different: their order"):
        Scorer.from_text("churn_28d", text, Calibration.identity(), NAMES[::-1])


def test_only_binary_classifiers_are_scorers() -> None:
    with pytest.raises(ValueError, match="objective 'regression'; expected binary"):
        Scorer.from_text("churn_28d", _booster("regression").model_to_string(), Calibration.identity(), NAMES)
    several = _booster("multiclass", np.arange(3_000) % 3, num_class=3)
    with pytest.raises(ValueError, match="3 numbers per row; expected 1"):
        Scorer.from_text("churn_28d", several.model_to_string(), Calibration.identity(), NAMES)


@pytest.mark.parametrize(
    ("package", "problem"),
    [
        (None, "not installed"),
        (ModuleSpec("lightgbm", None, origin="/nowhere/__init__.py"), "No LightGBM library beside"),
    ],
)
def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch, package: ModuleSpec | None, problem: str) -> None:
    monkeypatch.setattr(lightgbm_library, "find_spec", lambda name: package)
    with pytest.raises(ImportError, match=problem):
        lightgbm_library.library.__wrapped__()


def test_a_library_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "lib_lightgbm.so").write_bytes(b"not a library")
    package = ModuleSpec("lightgbm", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(lightgbm_library, "find_spec", lambda name: package)
    with pytest.raises(ImportError, match="cannot be loaded"):
        lightgbm_library.library.__wrapped__()


def test_scoring_imports_no_tables_and_no_lightgbm(text: str) -> None:
    program = (
        "import sys, numpy; from models.prediction.scorer import Scorer\n"
        "from models.prediction.calibration import Calibration\n"
        f"scorer = Scorer.from_text('churn_28d', sys.stdin.read(), Calibration.identity(), {NAMES})\n"
        f"print(scorer.score(numpy.zeros({len(NAMES)}, numpy.float32)))\n"
        "print(sorted({'lightgbm', 'pandas', 'sklearn', 'scipy', 'mlflow', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=text, text=True, capture_output=True, check=True)
    assert done.stdout.splitlines()[1] == "[]"
