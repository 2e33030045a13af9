"""Scopes: what training writes on a card, serving reads back and asks of a row as of a matrix."""

from __future__ import annotations

import numpy as np
import pytest

from features.journey import JOURNEY
from models.prediction.scope import UnreadableScope, compile_scope, read_scope
from training.targets import TARGETS, Target

ROWS = np.random.default_rng(3).choice([np.nan, 0.0, 1.0, 55.9, 56.0, 56.1, 90.0, 300.0], (400, len(JOURNEY.names)))


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_the_scope_of_every_target_survives_its_words(target: Target) -> None:
    scope = read_scope(target.scope_text)
    assert str(scope) == str(target.scope)
    columns = dict(zip(JOURNEY.names, ROWS.T, strict=True))
    assert np.array_equal(scope.evaluate(columns), target.scope.evaluate(columns))


@pytest.mark.parametrize(
    "text",
    [
        "customers with days_since_purchase <= 56",
        "(days_since_last <= 90) & (purchases_ever >= 1)",
        "(spend_gross_ever / purchases_ever > 0.5) | (not (lapsing == 1))",
        "-days_since_last < -1",
    ],
)
def test_one_row_is_judged_as_in_a_matrix(text: str) -> None:
    scope = read_scope(text)
    expected = scope.evaluate(dict(zip(JOURNEY.names, ROWS.T, strict=True)))
    asked = compile_scope(scope, JOURNEY.index)
    assert [asked(row) for row in ROWS.tolist()] == expected.tolist()


@pytest.mark.parametrize("text", ["", "open('x')", "a.b > 1", "a < b < c", "a if b else c", "'text'", "a ** 2"])
def test_what_is_not_a_condition_is_refused(text: str) -> None:
    with pytest.raises(UnreadableScope, match="waypost train"):
        read_scope(text)
