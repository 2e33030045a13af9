"""Two periods, or two sorts of customers, compared: the shares of both, their difference, and whether it is clear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from features.events import Channel
from insights.journal import transitions as arrows
from insights.journal.answer import COLUMN_OF, Answer, group_and_place, notes_on
from insights.journal.columns import Journal
from insights.journal.customers import chosen
from insights.journal.difference import Difference, Members, Share, clear, difference, share_of
from insights.journal.funnel import funnel
from insights.journal.groups import Groups, firsts_of, groups_of
from insights.journal.question import UNITS, BadQuestion, By, Customers, Funnel, Question, Retention, Transitions
from insights.journal.retention import retention

DAY = UNITS["day"]

OTHER = "other/"
"""Before the names of places of the other side."""

OF = ":of"
"""Behind the names of places: the customers of whom a share is."""

CHOSEN = "A difference between customers goes with what they did; it does not say why."
COMPLETE = "Attempts whose time was not over when the log ended are left out of both sides."


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the groups of its customers, and the share at every place for all groups together."""

    groups: Groups
    share: Callable[[str], Share]


def compared(journal: Journal, question: Question) -> Answer:
    """The answer to a question with `against`. Raises BadQuestion where a period is not whole in the journal."""
    _refuse_what_is_running(journal, question)
    one, other = (
        _side(journal, replace(question, customers=customers, period=period, against=None))
        for customers, period in question.sides
    )
    heads, places = _places(question)
    names = _in_order({*one.groups.names, *other.groups.names}, question.by)
    measured = _measured(one, other, names, tuple(places))
    verdicts = clear([known.chance if known else None for _, known in measured.values()])
    rows = [
        (*((name,) if question.by else ()), *places[place], *cells, *_cells(known, sure))
        for ((name, place), (cells, known)), sure in zip(measured.items(), verdicts, strict=True)
    ]
    columns = (
        *((COLUMN_OF[question.by],) if question.by else ()), *heads, "customers", "of", "share",
        "other_customers", "other_of", "other_share", "difference", "difference_low", "difference_high", "change",
    )  # fmt: skip

    def members(place: str) -> Members:
        side = other if place.startswith(OTHER) else one
        name, inner = group_and_place(place.removeprefix(OTHER), question.by, names)
        if inner.removesuffix(OF) not in places:
            raise BadQuestion(f"there is no row {inner!r}; expected one of {', '.join(places)}, or with {OF} behind it")
        share = side.share(inner.removesuffix(OF)).among(side.groups.members(name))
        return share.whole if inner.endswith(OF) else share.part

    return Answer(question, columns, rows, _naming(question.by, next(iter(places))), members, _notes(question))


def _measured(
    one: Side, other: Side, names: list[str], places: tuple[str, ...]
) -> dict[tuple[str, str], tuple[tuple[Any, ...], Difference | None]]:
    """The numbers and the shares of both sides, and their difference, by group and place, in this order."""
    measured: dict[tuple[str, str], tuple[tuple[Any, ...], Difference | None]] = {}
    for place in places:
        all_own, all_their = one.share(place), other.share(place)
        for name in names:
            own, their = all_own.among(one.groups.members(name)), all_their.among(other.groups.members(name))
            cells = (*own.counts, share_of(*own.counts)[0], *their.counts, share_of(*their.counts)[0])
            measured[name, place] = cells, difference(own, their)
    return {(name, place): measured[name, place] for name in names for place in places}


def _cells(known: Difference | None, sure: bool) -> tuple[Any, ...]:
    """The difference, its interval, and what is clear of it."""
    if known is None:
        return None, None, None, None
    change = "no clear change" if not sure else "higher" if known.value > 0 else "lower"
    return known.value, known.low, known.high, change


def _naming(by: By | None, place: str) -> str:
    """How the places of a comparison are named."""
    group = f"the {by}, / and " if by else ""
    return f"{group}a row ({place}), with {OF} behind it for whom the share is of; before it {OTHER} for the other side"


def _notes(question: Question) -> tuple[str, ...]:
    own = (CHOSEN,) if isinstance(question.against, Customers) else ()
    return (*notes_on(question), *own, *((COMPLETE,) if isinstance(question, Funnel) else ()))


def _refuse_what_is_running(journal: Journal, question: Question) -> None:
    """Raise BadQuestion unless all periods are over, and in the journal from their first day on.

    That of the best of all attempts is over with the time of the last one.
    """
    more = question.within if isinstance(question, Funnel) and question.best else 0
    for _, period in question.sides:
        start, end = period.seconds
        if period.start and (start // DAY < journal.begin // DAY or end + more > journal.end + 1):
            days = [str(datetime.fromtimestamp(at, UTC).date()) for at in (journal.begin, journal.end)]
            raise BadQuestion(
                f"a comparison is of periods that are over and that the log holds from their first day on; {period} is "
                f"not{' with the time of its last attempts' if more else ''}: the log goes from {days[0]} to {days[1]}"
            )


def _in_order(names: set[str], by: By | None) -> list[str]:
    """The names of groups of both sides, in the order that they have in an answer."""
    return sorted(names, key=(lambda name: Channel[name]) if by == By.CHANNEL else None)


def _places(question: Question) -> tuple[tuple[str, ...], dict[str, tuple[Any, ...]]]:
    """The columns that say what a row is about, and their cells by the name of its place."""
    match question:
        case Funnel():
            steps = enumerate(map(str, question.steps), start=1)
            return ("step", "act"), {str(step): (step, act) for step, act in steps if step > 1}
        case Transitions():
            names = [kind.name for kind in question.kinds]
            return ("from", "to"), {f"{source}:{target}": (source, target) for source in names for target in names}
        case Retention():
            return ("week",), {str(week): (week,) for week in range(question.weeks)}


def _side(journal: Journal, question: Question) -> Side:
    """The groups and the shares of a question without `against`.

    The share of a step is of those who reached the one before; that of a transition, of customers with an event of the
    first kind in the period; that of a week, of customers for whose whole cohort it is over.
    """
    match question:
        case Funnel():
            reached = funnel(journal, question, complete=True)
            firsts = reached.firsts

            def share(place: str) -> Share:
                return Share(reached.members(int(place) - 1), reached.members(int(place)))

        case Transitions():
            marks, names = arrows.marks(journal, question), [kind.name for kind in question.kinds]
            present = [arrows.marked(marks, source, arrows.PRESENT) for source in range(len(names))]
            firsts = firsts_of(journal, question.kinds, question.period)

            def share(place: str) -> Share:
                source, target = map(names.index, place.split(":"))
                return Share(present[source], arrows.marked(marks, source, target))

        case Retention():
            triangle = retention(journal, question)
            firsts = triangle.firsts

            def share(place: str) -> Share:
                measured = triangle.measured(int(place))
                return Share(measured, measured & triangle.active_in(int(place)))

    return Side(groups_of(journal, question.by, firsts, chosen(journal, question.customers, question.period)), share)
