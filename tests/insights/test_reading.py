"""The text of a question is read back, and what is wrong with a text is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insights.journal.question import BadQuestion, Customers, Period, Question
from insights.journal.reading import parse
from tests.examples import examples
from tests.insights.histories import CUSTOMERS, QUESTIONS

AGAINST = st.sampled_from([None, "before", Period(date(2019, 1, 1), date(2019, 1, 6))]) | CUSTOMERS.filter(
    lambda customers: bool(customers.acts)
)


@given(QUESTIONS, AGAINST)
@settings(max_examples=examples(200), deadline=None)
def test_a_question_is_read_back_from_its_text(question: Question, against: Period | Customers | str | None) -> None:
    try:
        question = replace(question, against=question.period.before if against == "before" else against)  # type: ignore[arg-type]
    except BadQuestion as error:
        assert str(error)
    assert parse(str(question)) == question
    assert str(parse(str(question).replace(",", " "))) == str(question)


@given(QUESTIONS, st.randoms())
@settings(max_examples=examples(50), deadline=None)
def test_clauses_may_be_in_any_order(question: Question, random: Random) -> None:
    head, *clauses = str(question).split(", ")
    random.shuffle(clauses)
    assert parse(", ".join([head, *clauses])) == question


def test_names_may_be_in_any_case() -> None:
    assert parse("transitions of item_view or Purchase within 1 day") == parse(
        "transitions of PURCHASE or ITEM_VIEW within 24 hours"
    )


RETENTION = "retention of SIGN_UP by LOGIN for 9 weeks, compared with the period before"
SALES = "transitions of PURCHASE within 1 day, between 2026-01-01 and 2026-02-01,"
MANY = " and with ".join(f"LOGIN of at least {number}" for number in range(9))
WORDS = [
    "funnel", "ITEM_VIEW", ">", "PURCHASE", "on", "WEB", "of", "at", "least", "5", "without", "within", "3", "days",
    "best", "attempt", "between", "2026-01-01", "2026-02-01", "and", "customers", "with", "in", "visits", "channel",
    "month", "compared", "the", "period", "before", "retention", "by", "for", "weeks", "transitions", "or", ",",
    "\u0663", "\x00",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=14))
@settings(max_examples=examples(300), deadline=None)
def test_whatever_is_asked_is_a_question_or_says_what_is_wrong(words: list[str]) -> None:
    try:
        question = parse(" ".join(words))
    except BadQuestion as error:
        assert str(error)
    else:
        assert parse(str(question)) == question


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("paths of ITEM_VIEW", "begins with funnel, transitions or retention, not with 'paths'"),
        ("funnel ITEM_VIEW within 3 days", "2 to 8 steps, this one has 1"),
        ("funnel ITEM_VIEW > BUY within 3 days", "there is no kind 'BUY'; there are PAGE_VIEW"),
        ("funnel ITEM_VIEW > PURCHASE on TV within 3 days", "there is no channel 'TV'"),
        ("funnel ITEM_VIEW > PURCHASE within 3 fortnights", "in place of 'fortnights'"),
        ("funnel ITEM_VIEW > PURCHASE within 30000 days", "longer than 24,855 days"),
        ("funnel ITEM_VIEW > PURCHASE", "ends where it should go on with 'within'"),
        ("funnel ITEM_VIEW without ERROR > PURCHASE within 3 days", "nothing before the first step"),
        ("retention of SIGN_UP by PURCHASE for 99 weeks", "expected 1 to 64 weeks in place of '99'"),
        ("transitions of PURCHASE within 1 day between 2026-02-30 and 2026-03-01", "in place of '2026-02-30'"),
        ("transitions of PURCHASE within 1 day between 2026-03-01 and 2026-03-01", "not after 2026-03-01"),
        ("transitions of PURCHASE within 1 day please", "should end before 'please', or go on with best, in, of"),
        ("transitions of PURCHASE within 1 day, by week, by month", "'by' comes twice"),
        ("transitions of PURCHASE within 1 day, by kind", "expected channel or week or month in place of 'kind'"),
        ("transitions of PURCHASE within 1 day, best attempt", "only a funnel has a best attempt"),
        ("transitions of PURCHASE within 1 day, of customers PURCHASE", "expected with or without in place of"),
        ("transitions of PURCHASE within 1 day, of customers with PURCHASE and LOGIN", "in place of 'LOGIN'"),
        ("retention of SIGN_UP by LOGIN for 9 weeks, by week", "is by week of entry as it is"),
        ("retention of SIGN_UP by LOGIN for 9 weeks, in visits of 9 days", "no visit lasts so long"),
        ("retention of SIGN_UP by LOGIN for 9 weeks, compared with the period before", "no period before the whole"),
        (f"{RETENTION} between 1970-01-05 and 1970-02-01", "the period before 1970-01-05 begins before 1970-01-01"),
        (f"{RETENTION} between 2026-01-05 and 2026-02-01, by month", "two periods have no month in common"),
        ("retention of SIGN_UP by LOGIN for 9 weeks, compared with between 2026-01-05 and 2026-02-01", "only a period"),
        (f"{SALES} compared with between 2026-01-31 and 2026-02-28", "have days in common"),
        (f"{SALES} compared with between 2026-02-01 and 2026-03-01", "31 days are not compared with 28"),
        ("transitions of LOGIN within 1 day, compared with customers with " + MANY, "at most 8 conditions"),
        ("transitions of LOGIN within 1 day, of customers with ERROR compared with customers with ERROR", "themselves"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_question_is_said(text: str, fault: str) -> None:
    with pytest.raises(BadQuestion, match=fault):
        parse(text)
