"""What a target is: a question about one customer at one time, which the log answers later."""

from __future__ import annotations

from dataclasses import dataclass

from features.grammar import Expr
from features.outcomes import Form, HappensInVisit, Outcome, VisitEnds


@dataclass(frozen=True)
class Calendar:
    """The question is asked about every customer at the same times, days apart."""

    def __str__(self) -> str:
        return "the cutoff"


@dataclass(frozen=True)
class InVisit:
    """The question is asked during a visit, after certain numbers of acts.

    The time of a row is when the act was received. Acts received at the same time make one row, at which the visit has
    had all of them.
    """

    places: tuple[int, ...] = (1, 2, 3, 5, 8, 13, 21)

    def __str__(self) -> str:
        return f"act {', '.join(map(str, self.places[:-1]))} or {self.places[-1]} of a visit"


@dataclass(frozen=True)
class Target:
    """One question: its `name`, the `outcome` that answers it, its `scope`, and the use of the answer (`doc`).

    `scope` is a condition on the features at the cutoff; a customer for whom it is unknown is out of scope. `prior` is
    the answer assumed before there is data: a probability (of a change, for a stage), or a mean amount. `timing` is
    when the question is asked. `engagement` is +1 where an engaged customer is likelier to be a yes, or spends more, -1
    where less, 0 where that is not known.
    """

    name: str
    outcome: Outcome
    scope: Expr
    doc: str
    prior: float
    timing: Calendar | InVisit = Calendar()
    engagement: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.outcome, HappensInVisit | VisitEnds) and not isinstance(self.timing, InVisit):
            raise TypeError(f"{self.name} asks about the open visit; expected timing=InVisit(), got {self.timing!r}")

    @property
    def form(self) -> Form:
        """The form of the answer: `probability`, `amount` or `stage`."""
        return self.outcome.form

    @property
    def horizon(self) -> int:
        """The longest time after the cutoff in which the answer is looked for, in microseconds."""
        return self.outcome.horizon

    @property
    def definition(self) -> str:
        """The amount or stage asked for, or the condition of a yes, in words."""
        return f"{self.outcome} after {self.timing}"

    @property
    def scope_text(self) -> str:
        """The customers about whom the question is asked, in words."""
        return f"customers with {self.scope}"
