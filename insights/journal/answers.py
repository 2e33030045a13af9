"""The answer to a question as a table, and the customers behind each of its numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.events import Kind
from insights.journal import transitions as arrows
from insights.journal.columns import Journal
from insights.journal.funnel import funnel
from insights.journal.question import BadQuestion, Funnel, Question, Retention, Transitions
from insights.journal.retention import MONDAY, WEEK, Triangle, retention
from models.prediction.interval import wilson

LEAST = 30
"""The least number of customers for a share; with fewer, its interval would be too wide to be of use."""

Members = NDArray[np.bool_]


@dataclass(frozen=True)
class Answer:
    """The answer to a question: `rows` of `columns`, None for what is not known.

    `members` gives the customers of the journal behind a number by the name of its place, such as `2` or
    `CART_ADD:PURCHASE`; `places` says how such a name is made.
    """

    question: Question
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    places: str
    members: Callable[[str], Members]

    def to_fields(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {
            "question": str(self.question),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
        }


def answer(journal: Journal, question: Question) -> Answer:
    """The answer to a question."""
    match question:
        case Funnel():
            return _of_funnel(journal, question)
        case Transitions():
            return _of_transitions(journal, question)
        case Retention():
            return _of_retention(journal, question)


def _of_funnel(journal: Journal, question: Funnel) -> Answer:
    reached = funnel(journal, question)
    counts = reached.counts
    rows: list[tuple[Any, ...]] = []
    for place, (step, number) in enumerate(zip(question.steps, counts, strict=True)):
        before = counts[place - 1] if place else number
        seconds = reached.times(place + 1)
        middle = float(np.median(seconds)) if place and len(seconds) else None
        stopped: list[int | None] = [None, None]  # nobody stops at the last step
        if step is not question.steps[-1]:
            stopped = [int(reached.stopped(place + 1, in_time=in_time).sum()) for in_time in (True, False)]
        rows.append((place + 1, str(step), number, *_share(number, before if place else 0), middle, *stopped))
    columns = (
        "step", "act", "customers", "share", "share_low", "share_high", "median_seconds", "in_time", "left",
    )  # fmt: skip

    def members(place: str) -> Members:
        number, last = re.fullmatch(r"([1-9])(:left|:in_time)?", place), len(question.steps)
        if number is None or int(number[1]) > last - bool(number[2]):
            raise BadQuestion(f"there is no step {place!r}; expected 1 to {last}, or 1:left to {last - 1}:left")
        step = int(number[1])
        return reached.stopped(step, in_time=number[2] == ":in_time") if number[2] else reached.members(step)

    return Answer(
        question, columns, rows, "a step (2), who left there (1:left), or is still in time (1:in_time)", members
    )


def _of_transitions(journal: Journal, question: Transitions) -> Answer:
    sums = arrows.transitions(journal, question)
    rows: list[tuple[Any, ...]] = []
    for i, j in sorted(np.ndindex(sums.transitions.shape), key=lambda place: -sums.customers[place]):
        number, customers = int(sums.transitions[i, j]), int(sums.customers[i, j])
        mean = float(sums.dwell[i, j]) / number if number else None
        rows.append((question.kinds[i].name, question.kinds[j].name, customers, number, mean))

    def members(place: str) -> Members:
        names = place.split(":")
        known = {kind.name: kind for kind in question.kinds}
        if len(names) != 2 or not set(names) <= known.keys():
            raise BadQuestion(f"there is no transition {place!r}; expected two of {', '.join(known)}, such as A:B")
        source, target = (Kind[name] for name in names)
        return arrows.members(journal, question, source, target)

    columns = ("from", "to", "customers", "transitions", "mean_seconds")
    return Answer(question, columns, rows, "two kinds (CART_ADD:PURCHASE)", members)


def _of_retention(journal: Journal, question: Retention) -> Answer:
    triangle = retention(journal, question)
    rows = [
        (str(day_of(cohort)), triangle.size(cohort), *_known(triangle, cohort, counts.tolist()))
        for cohort, counts in zip(triangle.cohorts, triangle.counts(), strict=True)
    ]

    def members(place: str) -> Members:
        day, _, week = place.partition(":")
        cohorts = {str(day_of(cohort)): cohort for cohort in triangle.cohorts}
        if day not in cohorts or not re.fullmatch(r"0|[1-9][0-9]?", week) or int(week) >= question.weeks:
            raise BadQuestion(
                f"there is no cell {place!r}; expected the Monday of a cohort and a week from 0 to "
                f"{question.weeks - 1}, such as {next(iter(cohorts), '2026-01-05')}:1"
            )
        return triangle.members(cohorts[day], int(week))

    columns = ("week_of", "customers", *(f"week_{week}" for week in range(question.weeks)))
    return Answer(question, columns, rows, "the Monday of a cohort and a week (2026-01-05:1)", members)


def _known(triangle: Triangle, cohort: int, counts: list[int]) -> list[int | None]:
    """The customers of a cohort in each week, None for a week that was not over for all of them."""
    return [number if triangle.known(cohort, week) else None for week, number in enumerate(counts)]


def day_of(cohort: int) -> date:
    """The Monday on which the week of a cohort began."""
    return datetime.fromtimestamp(MONDAY + cohort * WEEK, UTC).date()


def _share(part: int, whole: int) -> tuple[float | None, float | None, float | None]:
    """A share and its interval; unknown for fewer than `LEAST`."""
    return (None, None, None) if whole < LEAST else (part / whole, *wilson(part / whole, whole))
