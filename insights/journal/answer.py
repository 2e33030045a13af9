"""The answer to a question: a table, and the customers behind each of its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from insights.journal.difference import Members
from insights.journal.question import BadQuestion, By, Customers, Question

COLUMN_OF = {By.CHANNEL: "channel", By.WEEK: "week_of", By.MONTH: "month"}
"""The column that names the group of a row."""

LOOKED_AHEAD = (
    "Conditions look at the whole period, also at what came after the first event: customers are chosen by what they "
    "did in the end."
)


@dataclass(frozen=True)
class Answer:
    """The answer to a question: `rows` of `columns`, None for what is not known.

    `members` gives the customers of the journal behind a number by the name of its place, such as `2`, `WEB/2` or
    `CART_ADD:PURCHASE`; `places` says how such a name is made. `notes` say what a reader has to know.
    """

    question: Question
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    places: str
    members: Callable[[str], Members]
    notes: tuple[str, ...]

    def to_fields(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {
            "question": str(self.question),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "notes": list(self.notes),
        }


def notes_on(question: Question) -> tuple[str, ...]:
    """What a reader has to know of the customers of a question."""
    conditions = question.customers.acts or isinstance(question.against, Customers)
    return (LOOKED_AHEAD,) if conditions else ()


def group_and_place(place: str, by: By | None, names: list[str]) -> tuple[str, str]:
    """The group that the name of a place begins with, and the rest; no group where the question has none."""
    if by is None:
        return "", place
    name, _, rest = place.partition("/")
    if name not in names or not rest:
        known = ", ".join(names) or "none, as nobody is in the answer"
        raise BadQuestion(f"there is no {by} in {place!r}; expected one of {known}, then / and a place")
    return name, rest
