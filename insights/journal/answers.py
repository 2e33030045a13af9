"""The answer to every form of question, from its lens."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from insights.journal import transitions as arrows
from insights.journal.answer import COLUMN_OF, Answer, group_and_place, notes_on
from insights.journal.columns import Journal
from insights.journal.comparison import compared
from insights.journal.customers import chosen
from insights.journal.difference import Members, share_of
from insights.journal.funnel import Reached, funnel
from insights.journal.groups import Groups, firsts_of, groups_of
from insights.journal.question import BadQuestion, By, Funnel, Question, Retention, Transitions
from insights.journal.retention import Triangle, retention

Rows = list[tuple[Any, ...]]


def answer(journal: Journal, question: Question) -> Answer:
    """The answer to a question. Raises BadQuestion for a comparison that the journal does not allow."""
    if question.against is not None:
        return compared(journal, question)
    match question:
        case Funnel():
            return _of_funnel(journal, question)
        case Transitions():
            return _of_transitions(journal, question)
        case Retention():
            return _of_retention(journal, question)


def _answer(
    question: Question, by: By | None, columns: tuple[str, ...], rows: Rows, places: str,
    members: Callable[[str], Members],
) -> Answer:  # fmt: skip
    """The answer, with a column for the groups and with its notes."""
    if by:
        columns, places = (COLUMN_OF[by], *columns), f"the {by}, / and {places}"
    return Answer(question, columns, rows, places, members, notes_on(question))


Lens = TypeVar("Lens", Reached, Triangle)


def _in_groups(
    groups: Groups, by: By | None, lens: Lens, table: Callable[[Lens], Rows], members: Callable[[Lens, str], Members]
) -> tuple[Rows, Callable[[str], Members]]:
    """The rows of every group, with its name before them where there is a `by`; and the customers behind a place."""
    parts: dict[str, tuple[NDArray[np.int64] | slice, Lens]] = {"": (slice(None), lens)}
    if not groups.whole:
        parts = {name: (customers, lens.of(customers)) for name, customers in groups.items()}

    def of_place(place: str) -> Members:
        name, inner = group_and_place(place, by, groups.names)
        customers, part = parts[name]
        inside = np.zeros(len(groups.of), np.bool_)
        inside[customers] = members(part, inner)
        return inside

    rows: Rows = []
    for name, (_, part) in parts.items():
        rows += [((name,) if by else ()) + cells for cells in table(part)]
    return rows, of_place


def _of_funnel(journal: Journal, question: Funnel) -> Answer:
    reached = funnel(journal, question)
    groups = groups_of(journal, question.by, reached.firsts, chosen(journal, question.customers, question.period))
    rows, members = _in_groups(groups, question.by, reached, _rows_of_funnel, _members_of_funnel)
    columns = (
        "step", "act", "customers", "share", "share_low", "share_high", "median_seconds", "in_time", "left",
    )  # fmt: skip
    places = "a step (2), who left there (1:left), or is still in time (1:in_time)"
    return _answer(question, question.by, columns, rows, places, members)


def _rows_of_funnel(reached: Reached) -> Rows:
    counts, steps = reached.counts, reached.question.steps
    rows: Rows = []
    for place, (step, number) in enumerate(zip(steps, counts, strict=True)):
        before = counts[place - 1] if place else number
        seconds = reached.times(place + 1)
        middle = float(np.median(seconds)) if place and len(seconds) else None
        stopped: list[int | None] = [None, None]  # nobody stops at the last step
        if step is not steps[-1]:
            stopped = [int(reached.stopped(place + 1, in_time=in_time).sum()) for in_time in (True, False)]
        rows.append((place + 1, str(step), number, *share_of(number, before if place else 0), middle, *stopped))
    return rows


def _members_of_funnel(reached: Reached, place: str) -> Members:
    number, last = re.fullmatch(r"([1-9])(:left|:in_time)?", place), len(reached.question.steps)
    if number is None or int(number[1]) > last - bool(number[2]):
        raise BadQuestion(f"there is no step {place!r}; expected 1 to {last}, or 1:left to {last - 1}:left")
    step = int(number[1])
    return reached.stopped(step, in_time=number[2] == ":in_time") if number[2] else reached.members(step)


def _of_transitions(journal: Journal, question: Transitions) -> Answer:
    by, names = question.by, [kind.name for kind in question.kinds]
    firsts = firsts_of(journal, question.kinds, question.period) if by else None
    groups = groups_of(journal, by, firsts, chosen(journal, question.customers, question.period))
    sums = arrows.transitions(journal, question, groups)
    rows: Rows = []
    for group, name in enumerate(groups.names):
        own, customers = sums.transitions[group], sums.customers[group]
        for i, j in sorted(np.ndindex(own.shape), key=lambda place: -customers[place]):
            number = int(own[i, j])
            mean = float(sums.dwell[group, i, j]) / number if number else None
            if by is None:
                rows.append((names[i], names[j], int(customers[i, j]), number, mean))
            elif number:  # with groups, only the transitions that came
                rows.append((name, names[i], names[j], int(customers[i, j]), number, mean))

    def members(place: str) -> Members:
        name, inner = group_and_place(place, by, groups.names)
        ends = inner.split(":")
        if len(ends) != 2 or not set(ends) <= set(names):
            raise BadQuestion(f"there is no transition {inner!r}; expected two of {', '.join(names)}, such as A:B")
        source, target = map(names.index, ends)
        return arrows.marked(arrows.marks(journal, question), source, target) & groups.members(name)

    columns = ("from", "to", "customers", "transitions", "mean_seconds")
    return _answer(question, by, columns, rows, "two kinds (CART_ADD:PURCHASE)", members)


def _of_retention(journal: Journal, question: Retention) -> Answer:
    triangle = retention(journal, question)
    monthly = question.by == By.MONTH
    by = None if monthly else question.by  # the cohorts are the months
    groups = groups_of(journal, by, triangle.firsts, chosen(journal, question.customers, question.period))
    rows, members = _in_groups(groups, by, triangle, _rows_of_retention, _members_of_retention)
    columns = ("month" if monthly else "week_of", "customers", *(f"week_{week}" for week in range(question.weeks)))
    cohort = "the month of a cohort (2026-01" if monthly else "the Monday of a cohort (2026-01-05"
    return _answer(question, by, columns, rows, f"{cohort}), for a week with its number (:1) behind it", members)


def _rows_of_retention(triangle: Triangle) -> Rows:
    return [
        (triangle.name(cohort), triangle.size(cohort), *_known(triangle, cohort, counts.tolist()))
        for cohort, counts in zip(triangle.cohorts, triangle.counts(), strict=True)
    ]


def _members_of_retention(triangle: Triangle, place: str) -> Members:
    day, colon, week = place.partition(":")
    cohorts = {triangle.name(cohort): cohort for cohort in triangle.cohorts}
    known = re.fullmatch(r"0|[1-9][0-9]?", week) and int(week) < triangle.question.weeks
    if day not in cohorts or not (known or not colon):
        raise BadQuestion(
            f"there is no cell {place!r}; expected a cohort and a week from 0 to {triangle.question.weeks - 1}, "
            f"such as {next(iter(cohorts), '2026-01-05')}:1"
        )
    return triangle.members(cohorts[day], int(week)) if colon else np.asarray(triangle.cohort == cohorts[day])


def _known(triangle: Triangle, cohort: int, counts: list[int]) -> list[int | None]:
    """The customers of a cohort in each week, None for a week that was not over for all of them."""
    return [number if triangle.known(cohort, week) else None for week, number in enumerate(counts)]
