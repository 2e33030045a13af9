"""The reference on its way through a file."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bundle.reference import Baseline, Reference
from models.bundle.sketch import Sketch

SKETCHES = [Sketch.reference(each) for each in ([], [math.nan], [0.0] * 9 + [math.nan, 2.5], np.arange(50.0))]
COLUMNS = st.dictionaries(
    st.text("abc_", min_size=1, max_size=5),
    st.builds(
        Baseline,
        st.sampled_from(SKETCHES),
        st.floats(0, 10) | st.just(math.nan),
        st.floats(0, 10) | st.just(math.nan),
        st.floats(0, 1),
    ),
    max_size=4,
)


@given(st.integers(0, 2**62), st.integers(0, 2**40), COLUMNS, COLUMNS)
def test_what_is_written_is_read(
    now: int, span: int, features: dict[str, Baseline], scores: dict[str, Baseline]
) -> None:
    content = Reference(now, span, features, scores).files()
    read = Reference.from_files(content.__getitem__)
    assert (read.now, read.span) == (now, span)
    assert read.files() == content
    for columns, again in ((features, read.features), (scores, read.scores)):
        assert list(columns) == list(again)
        for name, baseline in columns.items():
            for array in ("edges", "counts", "sums"):
                assert np.array_equal(getattr(baseline.sketch, array), getattr(again[name].sketch, array))
            usual = (baseline.usual_psi, baseline.usual_wasserstein, baseline.usual_sameness)
            assert np.array_equal(usual, _usual(again[name]), equal_nan=True)


def _usual(baseline: Baseline) -> tuple[float, float, float]:
    return baseline.usual_psi, baseline.usual_wasserstein, baseline.usual_sameness


@pytest.mark.parametrize("content", [b"", b"no archive", Reference(0, 0, {}, {}).files()[Reference.file][:200]])
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="Not a reference"):
        Reference.from_files({Reference.file: content}.__getitem__)
