"""The text of a question, read.

    parse("funnel ITEM_VIEW > PURCHASE within 14 days, by channel")  ->  Funnel

The clauses after what is asked may be in any order, and each may come once; commas are for people.
"""

from __future__ import annotations

import re
from datetime import date
from enum import IntEnum
from typing import Any, TypeVar

from features.events import Channel, Kind
from insights.journal.question import (
    FAR,
    FIRST_DAY,
    LAST_DAY,
    MOST_STEPS,
    MOST_WEEKS,
    UNITS,
    BadQuestion,
    By,
    Customers,
    Funnel,
    Period,
    Question,
    Retention,
    Step,
    Transitions,
)

Member = TypeVar("Member", bound=IntEnum)


def parse(text: str) -> Question:
    """The question of a text. Raises BadQuestion."""
    words = _Words(text)
    match words.next("funnel, transitions or retention"):
        case "funnel":
            return Funnel(*_funnel(words), **_clauses(words))
        case "transitions":
            words.expect("of")
            kinds = words.either(Kind)
            words.expect("within")
            return Transitions(kinds, words.duration(), **_clauses(words, no=("best",)))
        case "retention":
            words.expect("of")
            entry = words.either(Kind)
            words.expect("by")
            activity = words.either(Kind)
            words.expect("for")
            weeks = words.whole(MOST_WEEKS, "weeks")
            words.expect("weeks", "week")
            return Retention(entry, activity, weeks, **_clauses(words, no=("best", "visits")))
        case other:
            raise BadQuestion(f"a question begins with funnel, transitions or retention, not with {other!r}")


def _funnel(words: _Words) -> tuple[tuple[Step, ...], int]:
    steps = [_step(words)]
    while words.skip(">"):
        steps.append(_step(words))
    if not 2 <= len(steps) <= MOST_STEPS:
        raise BadQuestion(f"a funnel has 2 to {MOST_STEPS} steps, this one has {len(steps)}")
    if steps[0].without:
        raise BadQuestion("there is nothing before the first step of a funnel that it could be without")
    words.expect("within")
    return tuple(steps), words.duration()


def _step(words: _Words) -> Step:
    act = _act(words)
    return Step(act.kinds, act.channels, act.least, words.either(Kind) if words.skip("without") else ())


def _act(words: _Words) -> Step:
    kinds = words.either(Kind)
    channels = words.either(Channel) if words.skip("on") else ()
    least = None
    if words.skip("of", "at"):
        words.expect("least")
        least = words.number()
    return Step(kinds, channels, least)


def _customers(words: _Words) -> Customers:
    """The conditions on customers, from the first "with" or "without" on."""
    having: list[Step] = []
    lacking: list[Step] = []
    while True:
        wanted = words.choice("with", "without")
        (having if wanted == "with" else lacking).append(_act(words))
        if not words.skip("and"):
            return Customers(tuple(having), tuple(lacking))


FIELDS = {"best": "best", "in": "visits", "of": "customers", "between": "period", "by": "by", "compared": "against"}
"""The first word of a clause, and the field of the question that it gives."""

NOT_ASKED = {
    "best": "only a funnel has a best attempt",
    "visits": "retention counts the weeks after an entry, and no visit lasts so long; leave out the visits",
}


def _clauses(words: _Words, no: tuple[str, ...] = ()) -> dict[str, Any]:
    """The clauses until the end of the text, by field; those of `no` are refused."""
    clauses: dict[str, Any] = {}
    while not words.finished:
        field = FIELDS.get(words.peek)
        if field is None:
            raise BadQuestion(f"the question should end before {words.peek!r}, or go on with {', '.join(FIELDS)}")
        if field in no:
            raise BadQuestion(NOT_ASKED[field])
        if field in clauses:
            raise BadQuestion(f"{words.peek!r} comes twice; expected it once")
        clauses[field] = _clause(words)
    if clauses.get("against") == "the period before":
        clauses["against"] = clauses.get("period", Period()).before
    return clauses


def _clause(words: _Words) -> Any:
    match words.next("a clause"):
        case "best":
            words.expect("attempt")
            return True
        case "in":
            words.expect("visits")
            words.expect("of")
            return words.duration()
        case "of":
            words.expect("customers")
            return _customers(words)
        case "by":
            return By(words.choice(*By))
        case "between":
            return words.period()
        case _:
            words.expect("with")
            return _against(words)


def _against(words: _Words) -> Period | Customers | str:
    """What is compared with; "the period before" is not known before all clauses are."""
    match words.choice("the", "between", "customers"):
        case "the":
            words.expect("period")
            words.expect("before")
            return "the period before"
        case "between":
            return words.period()
        case _:
            return _customers(words)


class _Words:
    """The words of a text, one after the other; commas are for people and are ignored."""

    def __init__(self, text: str) -> None:
        self._words: list[str] = re.findall(r">|[^\s,>]+", text)
        self._place = 0

    def next(self, expected: str) -> str:
        if self._place == len(self._words):
            raise BadQuestion(f"the question ends where it should go on with {expected}")
        self._place += 1
        return self._words[self._place - 1]

    @property
    def finished(self) -> bool:
        return self._place == len(self._words)

    @property
    def peek(self) -> str:
        """The word that comes next."""
        return self._words[self._place]

    def skip(self, *words: str) -> bool:
        """Pass over these words, if they come next."""
        if self._words[self._place : self._place + len(words)] != list(words):
            return False
        self._place += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Pass over a word, which is one of these."""
        word = self.next(repr(words[0]))
        if word not in words:
            raise BadQuestion(f"expected {words[0]!r} in place of {word!r}")

    def choice(self, *words: str) -> str:
        """The next word, which is one of these."""
        word = self.next(" or ".join(words))
        if word not in words:
            raise BadQuestion(f"expected {' or '.join(words)} in place of {word!r}")
        return word

    def either(self, members: type[Member]) -> tuple[Member, ...]:
        """One name or several with "or" between them, in any case; by their numbers and none twice."""
        names = [self.next(f"a {members.__name__.lower()}")]
        while self.skip("or"):
            names.append(self.next(f"a {members.__name__.lower()}"))
        for name in names:
            if name.upper() not in members.__members__:
                known = ", ".join(members.__members__)
                raise BadQuestion(f"there is no {members.__name__.lower()} {name!r}; there are {known}")
        return tuple(sorted({members[name.upper()] for name in names}))

    def number(self) -> float:
        word = self.next("a number")
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", word):
            raise BadQuestion(f"expected a number such as 20 or 0.5 in place of {word!r}")
        return float(word)

    def whole(self, most: int, what: str) -> int:
        word = self.next(f"a number of {what}")
        if not re.fullmatch(r"[0-9]{1,10}", word) or not 1 <= int(word) <= most:
            raise BadQuestion(f"expected 1 to {most} {what} in place of {word!r}")
        return int(word)

    def duration(self) -> int:
        number, unit = self.whole(FAR, "days, hours or minutes"), self.next("days, hours, minutes or seconds")
        seconds = UNITS.get(unit.removesuffix("s"))
        if seconds is None:
            raise BadQuestion(f"expected days, hours, minutes or seconds in place of {unit!r}")
        if number * seconds > FAR:
            raise BadQuestion(
                f"{number} {unit} are longer than {FAR // UNITS['day']:,} days, the most that can be asked"
            )
        return number * seconds

    def period(self) -> Period:
        """The days of a period, after "between"."""
        start = self._day()
        self.expect("and")
        end = self._day()
        if not start < end:
            raise BadQuestion(f"the period ends on {end}, which is not after {start}, on which it begins")
        return Period(start, end)

    def _day(self) -> date:
        word = self.next("a day such as 2026-01-31")
        try:
            day = date.fromisoformat(word) if re.fullmatch(r"\d{4}-\d\d-\d\d", word) else None
        except ValueError:
            day = None
        if day is None or not FIRST_DAY <= day <= LAST_DAY:
            raise BadQuestion(f"expected a day such as 2026-01-31, from 1970 to 2105, in place of {word!r}")
        return day
