"""The law of the answers: numbers are the lengths of lists, lists are those of plain Python, groups are the whole."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import Channel, Kind
from insights.journal import customers as conditions
from insights.journal import difference as statistics
from insights.journal import funnel as funnels
from insights.journal import retention as retentions
from insights.journal import transitions as arrows
from insights.journal.acts import Row
from insights.journal.answer import LOOKED_AHEAD, Answer
from insights.journal.answers import answer
from insights.journal.columns import Journal
from insights.journal.question import BadQuestion, By, Funnel, Question, Retention, Transitions
from insights.journal.reading import parse
from tests.examples import examples
from tests.insights.histories import CUSTOMERS, DAY, LONG, QUESTIONS, ROWS, START, Act, by_customer, log_of

Lists = dict[str, set[int]]
"""The customers behind the names of places."""


def group_of(row: Row, by: By | None) -> str:
    """The beginning of the name of a place, for a customer whose first event this is."""
    day = datetime.fromtimestamp(row[0], UTC)
    match by:
        case None:
            return ""
        case By.CHANNEL:
            return f"{row[2].name}/"
        case By.WEEK:
            return f"{(day - timedelta(days=day.weekday())).date()}/"
        case By.MONTH:
            return f"{day:%Y-%m}/"


def lists_of_one(rows: list[Row], question: Question, last: int) -> tuple[int | None, set[str]]:
    """The place of the first event of a customer, and the places of the answer, without groups, at which it is."""
    match question:
        case Funnel():
            seconds, in_time, first = funnels.meaning(rows, question, last)
            places = {str(step + 1) for step in range(len(seconds))}
            if 0 < len(seconds) < len(question.steps):
                places.add(f"{len(seconds)}:{'in_time' if in_time else 'left'}")
            return first, places
        case Transitions():
            transitions, first = arrows.meaning(rows, question)
            return first, {f"{source.name}:{target.name}" for source, target, _ in transitions}
        case Retention():
            meant = retentions.meaning(rows, question)
            if meant is None:
                return None, set()
            cohort, weeks, first = meant
            return first, {cohort, *(f"{cohort}:{week}" for week in weeks)}


def lists_of(rows: list[Act], question: Question, last: int) -> Lists:
    """The customers behind every place that has any, in plain Python."""
    lists: Lists = defaultdict(set)
    by = None if isinstance(question, Retention) and question.by == By.MONTH else question.by
    for who, own in by_customer(rows).items():
        first, places = lists_of_one(own, question, last)
        if first is not None and conditions.meaning(own, question.customers, question.period):
            for place in places:
                lists[group_of(own[first], by) + place].add(who)
    return lists


def numbers_of(answered: Answer) -> dict[str, int]:
    """The numbers of customers in the cells of an answer by the names of their places; None is left out."""
    question = answered.question
    numbers: dict[str, int] = {}
    for row in answered.rows:
        cells = dict(zip(answered.columns, row, strict=True))
        monthly = isinstance(question, Retention) and question.by == By.MONTH
        group = f"{row[0]}/" if question.by and not monthly else ""
        match question:
            case Funnel():
                place, names = f"{group}{cells['step']}", {"customers": "", "in_time": ":in_time", "left": ":left"}
            case Transitions():
                place, names = f"{group}{cells['from']}:{cells['to']}", {"customers": ""}
            case Retention():
                place = f"{group}{row[bool(group)]}"
                names = {"customers": "", **{f"week_{week}": f":{week}" for week in range(question.weeks)}}
        numbers |= {place + suffix: cells[name] for name, suffix in names.items() if cells[name] is not None}
    return numbers


def listed(journal: Journal, answered: Answer, place: str) -> set[int]:
    return set(journal.customers[answered.members(place)].tolist())


@given(ROWS | LONG, QUESTIONS)
@settings(max_examples=examples(50), deadline=None)
def test_numbers_are_lists_lists_are_those_of_plain_python_and_groups_are_the_whole(
    rows: list[Act], question: Question
) -> None:
    journal = log_of(rows)
    answered, expected = answer(journal, question), lists_of(rows, question, journal.end)
    numbers = numbers_of(answered)
    for place, number in numbers.items():
        assert number == len(expected[place]) == answered.members(place).sum()
        assert listed(journal, answered, place) == expected[place]
    unknown = {place for place, who in expected.items() if who} - numbers.keys()
    assert all(isinstance(question, Retention) and ":" in place for place in unknown)  # weeks that are not over
    assert (LOOKED_AHEAD in answered.notes) == bool(question.customers.acts)
    whole = answer(journal, replace(question, by=None))
    if question.by and not isinstance(question, Retention):
        sums: dict[str, int] = defaultdict(int)
        for place, number in numbers.items():
            sums[place.partition("/")[2]] += number
        assert {place: n for place, n in sums.items() if n} == {p: n for p, n in numbers_of(whole).items() if n}
    elif question.by:
        head = slice(answered.columns.index("customers"), answered.columns.index("customers") + 1)
        assert sum(sum(row[head]) for row in answered.rows) == sum(row[1] for row in whole.rows)


def shares_of(rows: list[Act], question: Question, last: int) -> dict[tuple[str, str], tuple[set[int], set[int]]]:
    """By group and place of a comparison: the customers of a share, and those of whom it is, in plain Python."""
    shares: dict[tuple[str, str], tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for who, own in by_customer(rows).items():
        if not conditions.meaning(own, question.customers, question.period):
            continue
        start, end = question.period.seconds
        match question:
            case Funnel():
                seconds, _, first = funnels.meaning(own, question, last, complete=True)
                wholes = {str(step): step - 1 <= len(seconds) for step in range(2, len(question.steps) + 1)}
                parts = {str(step + 1) for step in range(len(seconds))}
            case Transitions():
                first, parts = lists_of_one(own, question, last)
                present = {row[1] for row in own if start <= row[0] < end}
                names = [(a, b) for a in question.kinds for b in question.kinds]
                wholes = {f"{a.name}:{b.name}": a in present for a, b in names}
            case Retention():
                meant = retentions.meaning(own, question)
                parts, wholes = set(), {}
                if (first := meant[2] if meant else None) is not None and meant:
                    parts = set(map(str, meant[1]))
                    known = weeks_known(meant[0], last)
                    wholes = {str(week): week < known for week in range(question.weeks)}
        if first is None:
            continue
        for place, inside in wholes.items():
            share = shares[group_of(own[first], question.by), place]
            share[1].update({who} if inside else ())
            share[0].update({who} if inside and place in parts else ())
    return shares


def weeks_known(cohort: str, last: int) -> int:
    """How many weeks after the entry were over for all of a cohort."""
    if len(cohort) == 7:
        year, month = map(int, cohort.split("-"))
        after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    else:
        after = datetime.fromisoformat(f"{cohort}T00:00+00:00") + timedelta(days=7)
    return int(last + 1 - after.timestamp()) // (7 * DAY)


@given(ROWS | LONG, QUESTIONS, st.just("before") | CUSTOMERS)
@settings(max_examples=examples(40), deadline=None)
def test_a_comparison_has_the_shares_of_both_sides(rows: list[Act], question: Question, against: Any) -> None:
    rows = [*rows, *((9, START + day * DAY, Kind.LOGIN, Channel.WEB, 1.0) for day in (-130, 120))]
    journal = log_of(rows)
    try:
        asked = replace(question, against=question.period.before if against == "before" else against)
    except BadQuestion:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "LEAST", 1)
        answered = answer(journal, asked)
    sides = [
        (prefix, shares_of(rows, replace(asked, customers=customers, period=period, against=None), journal.end))
        for prefix, (customers, period) in zip(("", "other/"), asked.sides, strict=True)
    ]
    filled = {key for _, shares in sides for key, (_, whole) in shares.items() if whole}
    heads = answered.columns.index("customers")
    keys = [named(row[:heads], asked) for row in answered.rows]
    assert filled <= set(keys) and len(set(keys)) == len(keys)
    for (group, place), row in zip(keys, answered.rows, strict=True):
        cells = dict(zip(answered.columns, row, strict=True))
        for prefix, shares in sides:
            part, whole = shares[group, place]
            number, of = cells[f"{prefix}customers".replace("/", "_")], cells[f"{prefix}of".replace("/", "_")]
            assert (number, of) == (len(part), len(whole))
            assert listed(journal, answered, f"{prefix}{group}{place}") == part
            assert listed(journal, answered, f"{prefix}{group}{place}:of") == whole
        if cells["share"] is not None and cells["other_share"] is not None:
            assert cells["difference"] == cells["share"] - cells["other_share"]
            assert cells["difference_low"] <= cells["difference"] <= cells["difference_high"]


def named(heads: tuple[Any, ...], question: Question) -> tuple[str, str]:
    """The group and the place of a row that begins with these cells."""
    group, cells = (f"{heads[0]}/", heads[1:]) if question.by else ("", heads)
    return group, ":".join(cells) if isinstance(question, Transitions) else str(cells[0])


def shop() -> list[Act]:
    """Of 40 customers who view in the first week 10 buy, of the same in the second 30; one more sees nothing."""
    acts = [(40, START - DAY, Kind.SIGN_UP, Channel.WEB, 1.0), (40, START + 29 * DAY, Kind.LOGIN, Channel.WEB, 1.0)]
    for who in range(40):
        channel = Channel.APP if who % 4 else Channel.WEB
        for week, buyers in enumerate((10, 30)):
            at = START + (7 * week + 1) * DAY
            acts.append((who, at, Kind.ITEM_VIEW, channel, 1.0))
            acts += [(who, at + 1, Kind.PURCHASE, Channel.WEB, 1.0)] if who < buyers else []
    return acts


BOUGHT = "funnel ITEM_VIEW > PURCHASE within 1 day"
WEEK_2 = "between 2023-11-21 and 2023-11-28"


def test_a_change_is_shown_with_its_interval_and_paired_by_customer() -> None:
    (row,) = answer(log_of(shop()), parse(f"{BOUGHT}, {WEEK_2}, compared with the period before")).rows
    assert row[:8] == (2, "PURCHASE", 30, 40, 0.75, 10, 40, 0.25)
    assert row[8] == 0.5 and 0.3 < row[9] < 0.4 and 0.6 < row[10] < 0.65 and row[11] == "higher"
    (turned,) = answer(log_of(shop()), parse(
        f"{BOUGHT}, between 2023-11-14 and 2023-11-21, compared with between 2023-11-21 and 2023-11-28"
    )).rows  # fmt: skip
    assert turned[8:] == (-0.5, -row[10], -row[9], "lower")


def test_of_few_customers_there_is_no_difference() -> None:
    asked = parse(f"{BOUGHT}, by channel, {WEEK_2}, compared with the period before")
    web, app = answer(log_of(shop()), asked).rows
    assert web == ("WEB", 2, "PURCHASE", 8, 10, None, 3, 10, None, None, None, None, None)
    assert app[0] == "APP" and app[4] == 30 and app[-1] == "higher"


def test_attempts_with_time_left_are_no_part_of_a_comparison() -> None:
    asked = BOUGHT.replace("1 day", "22 days")
    (row,) = answer(log_of(shop()), parse(f"{asked}, {WEEK_2}, compared with the period before")).rows
    assert (row[3], row[6], row[11]) == (0, 40, None)


@pytest.mark.parametrize(
    "text",
    [
        f"{BOUGHT}, between 2023-12-08 and 2023-12-15, compared with the period before",
        f"{BOUGHT}, between 2023-11-14 and 2023-11-21, compared with the period before",
        f"{BOUGHT} best attempt, between 2023-12-06 and 2023-12-13, compared with the period before",
    ],
)
def test_a_period_that_is_not_over_or_began_before_the_log_is_not_compared(text: str) -> None:
    with pytest.raises(BadQuestion, match="the log goes from 2023-11-13 to 2023-12-13"):
        answer(log_of(shop()), parse(text))


@pytest.mark.parametrize(
    ("text", "place", "fault"),
    [
        (f"{BOUGHT}, by channel", "2", "there is no channel in '2'; expected one of WEB, APP, then / and a place"),
        (f"{BOUGHT}, by channel", "EMAIL/2", "there is no channel in 'EMAIL/2'"),
        (f"{BOUGHT}, by channel", "WEB/9", "there is no step '9'"),
        (f"{BOUGHT}, of customers with REFUND, by week", "1", "none, as nobody is in the answer"),
        (f"{BOUGHT}, compared with customers with SIGN_UP", "1", "there is no row '1'; expected one of 2, or with :of"),
    ],
)
def test_a_place_that_there_is_not_is_refused(text: str, place: str, fault: str) -> None:
    with pytest.raises(BadQuestion, match=re.escape(fault)):
        answer(log_of(shop()), parse(text)).members(place)


def test_a_question_to_an_empty_log_has_an_answer() -> None:
    for text in (BOUGHT, "transitions of LOGIN within 1 day", "retention of LOGIN by LOGIN for 2 weeks"):
        for clauses in ("", ", by channel", ", by month, compared with customers with LOGIN"):
            answered = answer(log_of([]), parse(text + clauses))
            assert sum(numbers_of(answered).values() if "compared" not in clauses else ()) == 0
