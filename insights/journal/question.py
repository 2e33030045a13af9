"""Questions about the journal: frozen values, each with one text, from which it can be read back.

    funnel ITEM_VIEW > CART_ADD on APP or WEB > PURCHASE of at least 20 without CART_REMOVE within 14 days
    funnel ITEM_VIEW > PURCHASE within 14 days, best attempt, between 2026-01-01 and 2026-02-01
    transitions of ITEM_VIEW or CART_ADD or PURCHASE within 30 minutes
    retention of SIGN_UP by PURCHASE for 12 weeks

The text identifies the question: the same question always has the same text, whatever the order in which its
kinds were named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import TypeVar

from features.events import Channel, Kind

MOST_STEPS = 8
MOST_WEEKS = 64
FAR = 2**31 - 1
"""The most seconds that a window may last, 68 years."""

Member = TypeVar("Member", bound=IntEnum)

UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


class BadQuestion(ValueError):
    """A text that is no question; the message says where, and what was expected there."""


@dataclass(frozen=True)
class Period:
    """Days, UTC, from `start` to the day before `end`; the whole journal where both are None."""

    start: date | None = None
    end: date | None = None

    @property
    def seconds(self) -> tuple[int, int]:
        """First second inside and first second after it."""
        if self.start is None or self.end is None:
            return 0, 2**32
        return _seconds(self.start), _seconds(self.end)

    def __str__(self) -> str:
        return "" if self.start is None else f"between {self.start} and {self.end}"


@dataclass(frozen=True)
class Step:
    """An act of a funnel: an event of one of `kinds`, on one of `channels` (on any channel where none is named).

    Its amount is at least `least`, where that is given. An event of `without` between the step before and this one ends
    the attempt.
    """

    kinds: tuple[Kind, ...]
    channels: tuple[Channel, ...] = ()
    least: float | None = None
    without: tuple[Kind, ...] = ()

    def __str__(self) -> str:
        parts = [_either(self.kinds)]
        if self.channels:
            parts.append(f"on {_either(self.channels)}")
        if self.least is not None:
            parts.append(f"of at least {_decimal(self.least)}")
        if self.without:
            parts.append(f"without {_either(self.without)}")
        return " ".join(parts)


@dataclass(frozen=True)
class Funnel:
    """How many customers take these steps in this order, all within `within` seconds of the first.

    A customer's attempt begins with its first event of the first step in the period. With `best`, the attempt of each
    customer that comes furthest counts, whenever in the period it begins: of several, the one that came there first,
    and of those the one that began last.
    """

    steps: tuple[Step, ...]
    within: int
    best: bool = False
    period: Period = Period()

    def __str__(self) -> str:
        attempt = "best attempt" if self.best else ""
        head = f"funnel {' > '.join(map(str, self.steps))} within {_duration(self.within)}"
        return _listed(head, attempt, str(self.period))


@dataclass(frozen=True)
class Transitions:
    """What customers do next: how often an event of one of `kinds` is followed by which of them.

    The second is at most `within` seconds later; events of other kinds are passed over. Both are in the period.
    """

    kinds: tuple[Kind, ...]
    within: int
    period: Period = Period()

    def __str__(self) -> str:
        head = f"transitions of {_either(self.kinds)} within {_duration(self.within)}"
        return _listed(head, str(self.period))


@dataclass(frozen=True)
class Retention:
    """How many of a week's new customers have an event of one of `activity` in each of `weeks` weeks.

    A customer is new with its first event of one of `entry` in the log, its entry, which must be in the period. The
    weeks count from the entry, which is not itself activity in week 0. Cohorts are weeks from Monday, UTC.
    """

    entry: tuple[Kind, ...]
    activity: tuple[Kind, ...]
    weeks: int
    period: Period = Period()

    def __str__(self) -> str:
        head = f"retention of {_either(self.entry)} by {_either(self.activity)} for {self.weeks} weeks"
        return _listed(head, str(self.period))


Question = Funnel | Transitions | Retention


def parse(text: str) -> Question:
    """The question of a text. Raises BadQuestion."""
    words = _Words(text)
    match words.next("funnel, transitions or retention"):
        case "funnel":
            question: Question = _funnel(words)
        case "transitions":
            words.expect("of")
            kinds = words.either(Kind)
            words.expect("within")
            question = Transitions(kinds, words.duration(), words.period())
        case "retention":
            words.expect("of")
            entry = words.either(Kind)
            words.expect("by")
            activity = words.either(Kind)
            words.expect("for")
            weeks = words.whole(MOST_WEEKS, "weeks")
            words.expect("weeks", "week")
            question = Retention(entry, activity, weeks, words.period())
        case other:
            raise BadQuestion(f"a question begins with funnel, transitions or retention, not with {other!r}")
    words.finish()
    return question


def _funnel(words: _Words) -> Funnel:
    steps = [_step(words)]
    while words.skip(">"):
        steps.append(_step(words))
    if not 2 <= len(steps) <= MOST_STEPS:
        raise BadQuestion(f"a funnel has 2 to {MOST_STEPS} steps, this one has {len(steps)}")
    if steps[0].without:
        raise BadQuestion("there is nothing before the first step of a funnel that it could be without")
    words.expect("within")
    within = words.duration()
    best = words.skip("best")
    if best:
        words.expect("attempt")
    return Funnel(tuple(steps), within, best, words.period())


def _step(words: _Words) -> Step:
    kinds = words.either(Kind)
    channels = words.either(Channel) if words.skip("on") else ()
    least = None
    if words.skip("of"):
        words.expect("at")
        words.expect("least")
        least = words.number()
    return Step(kinds, channels, least, words.either(Kind) if words.skip("without") else ())


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

    def skip(self, word: str) -> bool:
        """Pass over a word, if it comes next."""
        if self._place < len(self._words) and self._words[self._place] == word:
            self._place += 1
            return True
        return False

    def expect(self, *words: str) -> None:
        word = self.next(repr(words[0]))
        if word not in words:
            raise BadQuestion(f"expected {words[0]!r} in place of {word!r}")

    def finish(self) -> None:
        if self._place < len(self._words):
            raise BadQuestion(f"the question should end before {self._words[self._place]!r}")

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
        """The period, where there is one."""
        if not self.skip("between"):
            return Period()
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
        if day is None or not date(1970, 1, 1) <= day < date(2106, 1, 1):
            raise BadQuestion(f"expected a day such as 2026-01-31, from 1970 to 2105, in place of {word!r}")
        return day


def _either(members: Iterable[IntEnum]) -> str:
    return " or ".join(member.name for member in members)


def _decimal(number: float) -> str:
    """A number as a question may give it: six digits after the point at most, and no exponent."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _duration(seconds: int) -> str:
    """The duration in the largest unit of which it is a whole number."""
    unit, size = next((unit, size) for unit, size in UNITS.items() if seconds % size == 0)
    return f"{seconds // size} {unit}{'s' if seconds != size else ''}"


def _listed(*parts: str) -> str:
    """The parts that say something, with commas between them."""
    return ", ".join(filter(None, parts))


def _seconds(day: date) -> int:
    return int(
        (datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
    )
