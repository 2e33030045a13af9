"""Questions about the journal: frozen values, each with one text, from which `reading.parse` makes it again.

    funnel ITEM_VIEW > CART_ADD on APP or WEB > PURCHASE of at least 20 without CART_REMOVE within 14 days
    funnel ITEM_VIEW > PURCHASE within 14 days, best attempt, between 2026-01-01 and 2026-02-01
    transitions of ITEM_VIEW or CART_ADD or PURCHASE within 1 hour, in visits of 30 minutes, by channel
    retention of SIGN_UP by LOGIN for 12 weeks, of customers with SUBSCRIBE, compared with customers without SUBSCRIBE

The text identifies the question: the same question always has the same text, whatever the order in which its
kinds and clauses were named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum, StrEnum

from features.events import Channel, Kind

MOST_STEPS = 8
MOST_WEEKS = 64
FAR = 2**31 - 1
"""The most seconds that a window may last, 68 years."""

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2105, 12, 31)

UNITS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


class BadQuestion(ValueError):
    """What is no question; the message says what is wrong with it, and what was expected."""


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

    @property
    def before(self) -> Period:
        """The period of the same length that ends where this one begins. Raises BadQuestion for one before 1970."""
        if self.start is None or self.end is None:
            raise BadQuestion("there is no period before the whole history; expected between DAY and DAY, too")
        length = self.end - self.start
        if self.start - FIRST_DAY < length:
            raise BadQuestion(f"the period before {self.start} begins before {FIRST_DAY}")
        return Period(self.start - length, self.start)

    def __str__(self) -> str:
        return "" if self.start is None else f"between {self.start} and {self.end}"


@dataclass(frozen=True)
class Step:
    """An act: an event of one of `kinds`, on one of `channels` (on any channel where none is named).

    Its amount is at least `least`, where that is given. In a funnel, an event of `without` between the step before and
    this one ends the attempt; a condition on customers has no `without`.
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
class Customers:
    """Customers with an event of every act of `having` and none of any act of `lacking`; all, where both are empty.

    Decided over the period of the question (of the whole journal where it has none), from its first second to its last.
    So a condition also looks at what came after the first step or the entry, and chooses by what became of a customer.
    """

    having: tuple[Step, ...] = ()
    lacking: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        for name in ("having", "lacking"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)), key=str)))
        if len(self.acts) > MOST_STEPS:
            raise BadQuestion(f"customers have at most {MOST_STEPS} conditions, these have {len(self.acts)}")

    @property
    def acts(self) -> tuple[Step, ...]:
        """All acts, those of `having` first."""
        return self.having + self.lacking

    def __str__(self) -> str:
        with_, without = (f"with {act}" for act in self.having), (f"without {act}" for act in self.lacking)
        return f"customers {' and '.join([*with_, *without])}" if self.acts else ""


class By(StrEnum):
    """What customers are grouped by, read off the first event of each that the question is about.

    That is the first step of the attempt which counts in a funnel, the entry in retention, and in transitions the first
    event of one of the kinds in the period. So every customer is in one group; the groups add up to the whole.
    """

    CHANNEL = "channel"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, kw_only=True)
class Clauses:
    """What any question may say besides what it asks: of whom, between when, by what, compared with what.

    `against` is the other period, or the other customers. Raises BadQuestion for clauses that do not go together.
    """

    customers: Customers = Customers()
    period: Period = Period()
    by: By | None = None
    against: Period | Customers | None = None

    def __post_init__(self) -> None:
        if isinstance(self.against, Customers) and self.against == self.customers:
            raise BadQuestion("the customers are compared with themselves")
        if not isinstance(self.against, Period):
            return
        if self.by in (By.WEEK, By.MONTH):
            raise BadQuestion(f"two periods have no {self.by} in common; leave out by {self.by}, or compare customers")
        (start, end), (other, other_end) = self.period.seconds, self.against.seconds
        if self.period == Period() or self.against == Period():
            raise BadQuestion("only a period is compared with a period; expected between DAY and DAY, too")
        if start < other_end and other < end:
            raise BadQuestion(f"{self.period} and {self.against} have days in common; expected two periods without")
        if end - start != other_end - other and self.longer_shows_more:
            raise BadQuestion(
                f"a longer period holds more of what this question counts: {(end - start) // UNITS['day']} days are "
                f"not compared with {(other_end - other) // UNITS['day']}; expected periods of the same length"
            )

    @property
    def longer_shows_more(self) -> bool:
        """Whether a customer has more chances to be in a number in a longer period."""
        return bool(self.customers.acts)

    @property
    def sides(self) -> list[tuple[Customers, Period]]:
        """The customers and the period of both sides of a comparison, the question's own first."""
        other = self.against
        return [
            (self.customers, self.period),
            (
                other if isinstance(other, Customers) else self.customers,
                other if isinstance(other, Period) else self.period,
            ),
        ]

    def text(self, *head: str) -> str:
        """The text of the question that begins with `head`."""
        parts = [*head, f"of {self.customers}" if self.customers.acts else "", str(self.period)]
        if self.by:
            parts.append(f"by {self.by}")
        if self.against is not None:
            before = isinstance(self.against, Period) and self.against.end == self.period.start
            before = before and self.against == self.period.before
            parts.append(f"compared with {'the period before' if before else self.against}")
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Funnel(Clauses):
    """How many customers take these steps in this order, all within `within` seconds of the first.

    A customer's attempt begins with its first event of the first step in the period. With `best`, the attempt of each
    customer that comes furthest counts, whenever in the period it begins: of several, the one that came there first,
    and of those the one that began last. With `visits`, an attempt ends with the visit in which it began.
    """

    steps: tuple[Step, ...]
    within: int
    best: bool = False
    visits: int = 0
    """The seconds without an act after which a visit is over; 0 for the whole life of a customer."""

    @property
    def longer_shows_more(self) -> bool:
        """Also the best of more attempts."""
        return self.best or super().longer_shows_more

    def __str__(self) -> str:
        head = f"funnel {' > '.join(map(str, self.steps))} within {duration(self.within)}"
        return self.text(head, "best attempt" if self.best else "", _visits(self.visits))


@dataclass(frozen=True)
class Transitions(Clauses):
    """What customers do next: how often an event of one of `kinds` is followed by which of them.

    The second is at most `within` seconds later; events of other kinds are passed over. Both are in the period and,
    with `visits` (as in `Funnel`), in the same visit.
    """

    kinds: tuple[Kind, ...]
    within: int
    visits: int = 0

    @property
    def longer_shows_more(self) -> bool:
        """Of a customer with more events there are more transitions."""
        return True

    def __str__(self) -> str:
        return self.text(f"transitions of {_either(self.kinds)} within {duration(self.within)}", _visits(self.visits))


@dataclass(frozen=True)
class Retention(Clauses):
    """How many of a week's new customers have an event of one of `activity` in each of `weeks` weeks.

    A customer is new with its first event of one of `entry` in the log, its entry, which must be in the period. The
    weeks count from the entry, which is not itself activity in week 0. Cohorts are weeks from Monday, UTC; by month,
    they are months.
    """

    entry: tuple[Kind, ...]
    activity: tuple[Kind, ...]
    weeks: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by == By.WEEK:
            raise BadQuestion(
                "retention is by week of entry as it is; leave out by week, or ask by month or by channel"
            )

    def __str__(self) -> str:
        return self.text(f"retention of {_either(self.entry)} by {_either(self.activity)} for {self.weeks} weeks")


Question = Funnel | Transitions | Retention


def duration(seconds: int) -> str:
    """The duration in the largest unit of which it is a whole number."""
    unit, size = next((unit, size) for unit, size in UNITS.items() if seconds % size == 0)
    return f"{seconds // size} {unit}{'s' if seconds != size else ''}"


def _visits(seconds: int) -> str:
    return f"in visits of {duration(seconds)}" if seconds else ""


def _either(members: Iterable[IntEnum]) -> str:
    return " or ".join(member.name for member in members)


def _decimal(number: float) -> str:
    """A number as a question may give it: six digits after the point at most, and no exponent."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def _seconds(day: date) -> int:
    return int(
        (datetime(day.year, day.month, day.day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)
    )
