"""What a target is: a question about one customer at one moment, whose answer the log will tell."""

from __future__ import annotations

from dataclasses import dataclass

from features.grammar import Expr
from features.outcomes import Form, HappensInVisit, Outcome, VisitEnds


@dataclass(frozen=True)
class Calendar:
    """The question is asked of everyone at the same moments, days apart."""

    def __str__(self) -> str:
        return "the cutoff"


@dataclass(frozen=True)
class InVisit:
    """The question is asked while a visit goes on: when it has had so many acts.

    A moment is when the act was received; acts received at the very same time are told apart by none of their readers,
    and make one moment, at which the visit has had them all.
    """

    places: tuple[int, ...] = (1, 2, 3, 5, 8, 13, 21)

    def __str__(self) -> str:
        return f"act {', '.join(map(str, self.places[:-1]))} or {self.places[-1]} of a visit"


@dataclass(frozen=True)
class Target:
    """One question: its `name`, what answers it, of whom it is asked, and what the answer is good for.

    `scope` is a condition on the features at the moment; a customer for whom it is unknown is out of scope. `prior` is
    what is believed before there is data: a probability (of a change, for a stage), or a mean amount. `engagement` is
    +1 where an engaged customer is likelier to be a yes, or brings more, -1 where less likely, 0 where it is not known.
    """

    name: str
    outcome: Outcome
    scope: Expr
    doc: str
    prior: float
    moments: Calendar | InVisit = Calendar()
    engagement: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.outcome, HappensInVisit | VisitEnds) and not isinstance(self.moments, InVisit):
            raise TypeError(f"{self.name} asks about the open visit; expected moments=InVisit(), got {self.moments!r}")

    @property
    def form(self) -> Form:
        """What kind of answer there is."""
        return self.outcome.form

    @property
    def horizon(self) -> int:
        """How far after the moment the answer is looked for at most, in microseconds."""
        return self.outcome.horizon

    @property
    def definition(self) -> str:
        """What the answer is, or what makes it yes, in words."""
        return f"{self.outcome} after {self.moments}"

    @property
    def scope_text(self) -> str:
        """Of whom the question is asked, in words."""
        return f"customers with {self.scope}"
