"""The catalogue of targets: chosen by name, and documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.targets import TARGETS, UnknownTarget, catalogue, chosen


def test_all_targets_are_trained_when_none_is_named() -> None:
    assert chosen(()) == list(TARGETS.values())
    assert [each.name for each in chosen(["churn_28d", "churn_28d"])] == ["churn_28d"]


def test_an_unknown_target_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownTarget, match="no target 'churn_29d'; there are conversion_7d, churn_28d"):
        chosen(["churn_29d"])


def test_the_page_of_targets_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "targets.md"
    assert page.read_text(encoding="utf-8") == catalogue(), "run `python -m training.targets > docs/targets.md`"


def test_definitions_read_as_sentences() -> None:
    churn = TARGETS["churn_28d"]
    assert churn.definition == "no PURCHASE within 28 days after the cutoff"
    assert churn.scope_text == "customers with days_since_purchase <= 56"
