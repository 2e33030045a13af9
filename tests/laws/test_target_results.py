"""Laws of what a run makes of a target, for every form of answer: what it tells is what its test found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from features.events import DAY
from features.outcomes import STAYS
from models.bundle import catalogue
from tests.training.shop import found, stages_found
from training.evaluation.gates import LOWEST
from training.fitting import amounts, candidates, next_stage
from training.rows.dataset import Gathered
from training.run.figures import flat
from training.run.forms.catalogue import FORMS
from training.run.forms.contract import AnyResult, Question
from training.run.result import SECTIONS

ASKED = {"probability": "conversion_7d", "amount": "lifetime_value_90d", "stage": "next_stage_28d"}
"""A target of each form."""

every_form = pytest.mark.parametrize("form", FORMS)


@dataclass(frozen=True)
class Made:
    """A question, and what was made of it: with a test, and of rows that cannot be parted yet."""

    question: Question
    tested: AnyResult
    untested: AnyResult


@pytest.fixture(scope="module", autouse=True)
def few_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (candidates, amounts, next_stage):
            patch.setattr(module, "ROUNDS", 10)
        yield
    made.cache_clear()


def stages() -> Gathered:
    """Stages as they may come; nobody in the small shop goes back or forth."""
    labels = np.random.default_rng(2).choice(np.array([2, 3, STAYS], np.int8), 1_600)
    return stages_found(labels, np.arange(1_600) % 16 * 30 * DAY)


@cache
def made(form: str) -> Made:
    """One target of this form, of a shop of 150 customers."""
    kind, question = FORMS[form], Question(stages() if form == "stage" else found(ASKED[form], 150, 520), 1)
    fitted = kind.fit(question, kind.tiers)
    rival = kind.fit(question, kind.tiers[:1]).scorer
    short = replace(question, gathered=replace(question.gathered, split=None, missing="The log is short."))
    untested = kind.judge(short, kind.fit(short, kind.tiers), None)
    return Made(question, kind.judge(question, fitted, rival).described_further(question), untested)


def test_every_form_of_a_bundle_is_trained() -> None:
    assert FORMS.keys() == catalogue.FORMS.keys() == ASKED.keys()
    for form, kind in FORMS.items():
        assert kind.form == form and len(set(kind.tiers)) == len(kind.tiers)


@every_form
def test_the_card_tells_what_the_test_found(form: str) -> None:
    result = made(form).tested
    card = result.card
    assert (card.form, card.tier, card.missing) == (form, result.model.tier.name, "")
    assert card.tier in result.tiers and card.losses == result.fitted.losses
    own = (
        flat(next(iter(result.figures.values())))
        if result.figures
        else {name: getattr(result.test, name) for name in card.metrics}
    )
    assert own and {name: card.metrics[name] for name in own} == own
    assert card.coverage == getattr(result.test, "coverage", None)
    assert card.counts["rows"] == len(made(form).question.gathered.rows)
    assert all(np.isfinite(number) for number in card.metrics.values())


@every_form
def test_the_record_has_every_figure(form: str) -> None:
    result = made(form).tested
    metrics = result.metrics()
    for number, (model, figures) in enumerate(result.figures.items()):
        for name, value in flat(figures).items():
            assert metrics[f"{model}/{name}" if number else name] == value


@every_form
def test_a_bundle_takes_the_model_with_its_card(form: str) -> None:
    for result in (made(form).tested, made(form).untested):
        card = result.card
        assert all(getattr(card, field) in expected for field, expected in result.model.says.items())
        assert card.from_fields(json.loads(json.dumps(card.to_fields(), allow_nan=False))) == card


@every_form
def test_gates_are_of_the_target_and_its_tier(form: str) -> None:
    question, result = made(form).question, made(form).tested
    own = {(ASKED[form], result.model.tier.name)}
    assert {(gate.subject, gate.tier) for gate in result.gates} == own
    assert {(gate.subject, gate.tier) for gate in result.gates_beside(result.model)} == own
    again = type(result).judge(question, result.fitted, None, LOWEST)
    assert {gate.tier for gate in again.gates} == {LOWEST} and len(again.gates) == len(result.gates)
    assert [gate.value for gate in again.gates] == [gate.value for gate in result.gates]


@every_form
def test_the_floor_is_of_the_lowest_tier_and_held_back_by_nothing(form: str) -> None:
    question, kind = made(form).question, FORMS[form]
    floor = kind.judge(question, kind.floor(question), None, LOWEST)
    assert floor.model.tier.name == kind.tiers[0]
    assert all(gate.passed or not gate.holds for gate in floor.gates)


@every_form
def test_a_model_that_is_there_already_is_judged_as_it_is(form: str) -> None:
    question, result = made(form).question, made(form).tested
    kind, floor = FORMS[form], FORMS[form].floor(question).scorer
    adopted = kind.adopted(
        kind.as_of_end(floor, question.gathered), result.fitted, kind.as_of_test(floor, question.gathered)
    )
    again = kind.judge(question, adopted, None)
    assert again.model.tier is floor.tier and again.card.tier == kind.tiers[0]
    assert again.fitted.rate == result.fitted.rate


@every_form
def test_tables_have_rows_as_wide_as_their_columns(form: str) -> None:
    for result in (made(form).tested, made(form).untested):
        for table in result.tables():
            assert ASKED[form] in table.title and table.rows
            assert {len(row) for row in table.rows} == {len(table.columns)}
    assert bool(made(form).tested.tables()) == bool(made(form).tested.figures)


@every_form
def test_the_report_in_json_has_a_place_for_it(form: str) -> None:
    for result in (made(form).tested, made(form).untested):
        assert result.section in SECTIONS
        told = json.loads(json.dumps(result.to_json(result.card), allow_nan=False))
        assert told["tier"] == result.card.tier and told["base_rate"] == result.card.base_rate


@every_form
def test_without_a_test_nothing_is_told_of_one(form: str) -> None:
    result = made(form).untested
    assert result.test is None and not result.gates and not result.slices
    assert result.missing == result.card.missing == "The log is short."
    assert not result.card.metrics and result.card.coverage is None and result.card.evidence >= "C"
    assert not result.figures and not result.metrics() and not result.files() and not result.pictures(1)
    assert result.findings is None and result.examples is None
    assert result.gates_beside(result.model) == [] and result.described_further(made(form).question) is result


@every_form
def test_what_a_model_has_learnt_from_is_known(form: str) -> None:
    question, kind = made(form).question, FORMS[form]
    gathered = question.gathered
    assert gathered.split is not None
    begins = int(gathered.split.test[0])
    newest = int(kind.learnt_from(gathered).cutoff.max())
    # One that has learnt from the rows of the test is new to a test alone that begins after it was made.
    assert kind.new_to(gathered, begins, begins) and not kind.new_to(gathered, gathered.end, begins - 1)
    assert kind.new_to(gathered, begins + 1, gathered.end) == (newest < begins)
