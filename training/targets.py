"""What is predicted: the catalogue of targets.

A target is a question about one customer at one moment, with a yes or a no that the log will tell: does an
event happen after the cutoff and no later than the horizon? It is asked only of customers in its *scope*,
because a number that mixes those the question makes no sense for with the rest describes neither.
`docs/targets.md` is generated from this file.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.events import Kind, days
from features.grammar import Expr, Happens, duration_text, happens
from features.journey import Journey


@dataclass(frozen=True)
class Target:
    """One question: its `name`, what answers it, of whom it is asked, and what the answer is good for.

    `scope` is a condition on the features at the cutoff; a customer for whom it is unknown is out of scope.
    """

    name: str
    event: Happens
    scope: Expr
    doc: str

    @property
    def horizon(self) -> int:
        """How far after the cutoff the answer is looked for, in microseconds."""
        return self.event.within

    @property
    def definition(self) -> str:
        """What makes the answer yes, in words."""
        return f"{self.event} after the cutoff"

    @property
    def scope_text(self) -> str:
        """Of whom the question is asked, in words."""
        return f"customers with {self.scope}"


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "conversion_7d",
            happens(Kind.PURCHASE, within=days(7)),
            scope=Journey.days_since_last <= 90,
            doc="Will this customer order within a week? Everyone who gave any sign of life in the last 90 days.",
        ),
        Target(
            "churn_28d",
            ~happens(Kind.PURCHASE, within=days(28)),
            scope=Journey.days_since_purchase <= 56,
            doc="Will this active customer (an order in the last 56 days) stay away for the next four weeks?",
        ),
    )
}
"""The targets by name, in the order in which they are trained."""


class UnknownTarget(LookupError):
    """A target was asked for that is not in the catalogue."""


def chosen(names: list[str] | tuple[str, ...]) -> list[Target]:
    """The targets of these names, all when there are none. Raises `UnknownTarget`."""
    for name in names:
        if name not in TARGETS:
            raise UnknownTarget(
                f"There is no target {name!r}; there are {', '.join(TARGETS)}. Declare one in training/targets.py."
            )
    return [TARGETS[name] for name in dict.fromkeys(names)] or list(TARGETS.values())


def catalogue() -> str:
    """The text of `docs/targets.md`."""
    lines = [
        "# Targets",
        "",
        "Generated from `training/targets.py` by `python -m training.targets`; do not edit.",
        "",
        "Each target is trained at several cutoffs per customer. The answer is looked for in",
        "`(cutoff, cutoff + horizon]` by the time events happened; rows whose horizon passes the end of the log",
        "are left out, never counted as no.",
        "",
        "| target | yes means | asked of | horizon |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{each.name}` | {each.definition} | {each.scope_text} | {duration_text(each.horizon)} |"
        for each in TARGETS.values()
    ]
    for each in TARGETS.values():
        lines += ["", f"**`{each.name}`.** {each.doc}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(catalogue(), end="")
