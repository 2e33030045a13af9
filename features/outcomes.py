"""Outcomes: what answers a question about a customer, read from the log after the moment at which it is asked.

Each outcome has a `form`, the kind of its answer (a yes or no, an amount, a stage), and a `horizon`, the longest time
after the moment that is searched for the answer. `training/rows/labels.py` reads the answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.events import DAY, Kind, Selection, Stage, hours, minutes
from features.grammar import Binary, Constant, Expr, duration_text

Form = Literal["probability", "amount", "stage"]
"""What kind of answer there is: a yes or no, an amount of money, or a stage of the journey."""

VISIT_GAP = minutes(30)
"""A visit is over after a longer pause, as `features.aggregates.sessions` has it."""

VISIT_CAP = hours(12)
"""The longest time for which the rest of a visit is followed: a longer visit is not made by a person."""

STAYS = len(Stage)
"""The answer of `NextStage` when no other stage is entered within the horizon."""


@dataclass(frozen=True)
class Happens:
    """Whether an event takes place after a moment and no later than `within` after it.

    `within` is a duration in microseconds, or an expression in days over the features at the moment: each customer's
    own horizon. Only events with a `score` of at most `score_at_most` count, when that is given.
    """

    selection: Selection
    within: int | Expr
    expected: bool = True
    score_at_most: float | None = None
    form: ClassVar[Form] = "probability"
    horizon: int = field(init=False, repr=False)
    """The longest that `within` can be, in microseconds."""

    def __post_init__(self) -> None:
        longest = most(self.within) * DAY if isinstance(self.within, Expr) else self.within
        if not 0 < longest < math.inf:
            raise ValueError(
                f"within must be a positive duration such as days(7), or days with a bound such as minimum(..., 56); "
                f"got {self.within}"
            )
        object.__setattr__(self, "horizon", round(longest))

    def __invert__(self) -> Happens:
        return replace(self, expected=not self.expected)

    def __str__(self) -> str:
        what = str(self.selection)
        if self.score_at_most is not None:
            what += f" with a score of at most {self.score_at_most:g}"
        return f"{'' if self.expected else 'no '}{what} within {duration_words(self.within)}"

    def lengths(self, columns: Mapping[str, ArrayLike], rows: int) -> NDArray[np.float64]:
        """The horizon of each of so many rows in microseconds, float64; NaN where it is not known."""
        within = self.within.evaluate(columns) * float(DAY) if isinstance(self.within, Expr) else float(self.within)
        return np.broadcast_to(np.asarray(within, np.float64), rows)


def happens(selection: Kind | Selection, *, within: int | Expr, score_at_most: float | None = None) -> Happens:
    """What a target predicts: `happens(PURCHASE, within=days(7))`, or `~happens(...)` for its absence."""
    return Happens(_selected(selection), within, score_at_most=score_at_most)


@dataclass(frozen=True)
class HappensInVisit:
    """Whether an event takes place later in the visit that is open at a moment, before the visit is over."""

    selection: Selection
    form: ClassVar[Form] = "probability"
    horizon: ClassVar[int] = VISIT_CAP

    def __str__(self) -> str:
        return f"{self.selection} later in the visit"


@dataclass(frozen=True)
class VisitEnds:
    """Whether the visit that is open at a moment goes on for at most `events` further acts."""

    events: int = 1
    form: ClassVar[Form] = "probability"
    horizon: ClassVar[int] = VISIT_CAP

    def __str__(self) -> str:
        return f"at most {self.events} further act{'' if self.events == 1 else 's'} in the visit"


@dataclass(frozen=True)
class Spends:
    """How much money events carry in all, after a moment and no later than `within` microseconds after it."""

    selection: Selection
    within: int
    form: ClassVar[Form] = "amount"

    @property
    def horizon(self) -> int:
        """How far after the moment money is counted, in microseconds."""
        return self.within

    def __str__(self) -> str:
        return f"{self.selection} within {duration_text(self.within)}"


@dataclass(frozen=True)
class SpendsNet:
    """The money of the orders placed after a moment, and no later than `within` microseconds after it, less refunds.

    Refunds and cancellations in the same time are subtracted as in `features.aggregates.net`: from the newest orders
    first, and never more than these orders brought. One that comes after the horizon is not subtracted.
    """

    within: int
    form: ClassVar[Form] = "amount"

    @property
    def horizon(self) -> int:
        """How far after the moment money is counted, in microseconds."""
        return self.within

    def __str__(self) -> str:
        return f"amount of PURCHASE, net of REFUND and ORDER_CANCEL within {duration_text(self.within)}"


@dataclass(frozen=True)
class NextStage:
    """Which stage of the journey is entered first, no later than `within` microseconds after a moment, and when.

    The answer is the number of the stage, `STAYS` when none is entered.
    """

    within: int
    form: ClassVar[Form] = "stage"

    @property
    def horizon(self) -> int:
        """How far after the moment a change of stage is looked for, in microseconds."""
        return self.within

    def __str__(self) -> str:
        return f"the stage entered first within {duration_text(self.within)}"


Outcome = Happens | HappensInVisit | VisitEnds | Spends | SpendsNet | NextStage
"""All that a target can ask for."""


def duration_words(within: int | Expr) -> str:
    """A duration in microseconds, or an expression in days, in words."""
    return f"{within} days" if isinstance(within, Expr) else duration_text(within)


def most(expr: Expr) -> float:
    """A number that `expr` never exceeds: infinity unless a constant or a `minimum` sets a bound."""
    match expr:
        case Constant(value=value):
            return value
        case Binary(operator="minimum", left=left, right=right):
            return min(most(left), most(right))
        case Binary(operator="maximum", left=left, right=right):
            return max(most(left), most(right))
    return math.inf


def _selected(selection: Kind | Selection) -> Selection:
    return selection.selection if isinstance(selection, Kind) else selection
