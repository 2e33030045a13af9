"""The stages in words agree with the stages of the fold."""

import math
from pathlib import Path

import numpy as np
import pytest

from features.events import EVENT, Kind, Stage, days
from features.journey import JOURNEY
from insights.stages import EXAMPLES, PRECEDENCE, RULES, Example, markdown

NOW = days(20_000)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.because)
def test_every_example_is_true_of_the_fold(example: Example) -> None:
    events = np.zeros(len(example.history), EVENT)
    for event, (days_ago, kind, score) in zip(events, example.history, strict=True):
        event["at"] = event["received"] = NOW - days(days_ago)
        event["kind"], event["item"], event["category"] = kind, 1, -1
        event["amount"] = event["quantity"] = math.nan
        event["score"] = math.nan if score is None else score
    states = JOURNEY.empty()
    JOURNEY.step(states, 0, events)
    row = dict(zip(JOURNEY.names, JOURNEY.read(states, 0, NOW).tolist(), strict=True))
    assert Stage(int(row["stage"])) is example.stage


def test_every_stage_has_a_rule_and_examples() -> None:
    assert set(RULES) == set(PRECEDENCE) == set(Stage) == {example.stage for example in EXAMPLES}


def test_examples_run_forward() -> None:
    for example in EXAMPLES:
        ages = [days_ago for days_ago, _, _ in example.history]
        assert ages == sorted(ages, reverse=True)


def test_the_page_names_every_kind_of_event() -> None:
    page = Path(__file__).parents[2] / "docs" / "stages.md"
    text = page.read_text(encoding="utf-8")
    assert text == markdown(), "run: python -m insights.stages > docs/stages.md"
    assert all(f"`{kind.name}`" in text for kind in Kind)
