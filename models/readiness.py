"""How far each target has come: what stands behind its answers today, and what the next rung of the ladder takes.

Everything is read from the cards of a bundle: what was counted when it was trained, and the counts from which each rung
is tried. When a rung will be reached is a straight line through what the shop has gathered so far, and no promise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from features.events import DAY
from models.manifest import Manifest, TargetCard

HISTORY = "history_days"

FARTHEST_DAYS = 10 * 365
"""What is further off than this is not expected: no shop goes on as it does for so long, nor does the calendar."""


@dataclass(frozen=True, slots=True)
class NextRung:
    """The rung above: the counts from which it is tried, what is lacking, and when that is expected, in microseconds.

    `lacking` is empty when the rung was tried already and told no more than the one that answers: then more of the same
    data may help or not, and nothing is `expected`. It is None, too, when what lacks does not grow, or takes
    longer than anybody can foresee.
    """

    rung: str
    needed: Mapping[str, float]
    lacking: Mapping[str, float]
    expected: int | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """One target: its rung and evidence, what was counted, the rung above if there is one, and what it wants for."""

    target: str
    form: str
    definition: str
    scope: str
    rung: str
    evidence: str
    counts: Mapping[str, float]
    next: NextRung | None
    missing: str


def readiness(manifest: Manifest) -> list[Readiness]:
    """The readiness of every target of a bundle, in the bundle's order."""
    return [
        Readiness(
            target=name,
            form=card.form,
            definition=card.definition,
            scope=card.scope,
            rung=card.rung,
            evidence=card.evidence,
            counts=card.counts,
            next=_next(card, manifest.now),
            missing=card.missing,
        )
        for name, card in manifest.targets.items()
    ]


def _next(card: TargetCard, now: int) -> NextRung | None:
    """The lowest rung above that lacks something, else the lowest above; None at the top."""
    rungs = list(card.needed)
    above = rungs[rungs.index(card.rung) + 1 :] if card.rung in rungs else rungs
    found = [_rung(name, card, now) for name in above]
    return next((each for each in found if each.lacking), found[0] if found else None)


def _rung(name: str, card: TargetCard, now: int) -> NextRung:
    needed = card.needed[name]
    counts = {**card.counts, "no": card.counts.get("rows", 0.0) - card.counts.get("yes", 0.0)}
    lacking = {
        what: number - counts.get(what, 0.0) for what, number in needed.items() if counts.get(what, 0.0) < number
    }
    waits = [_wait(what, number, counts) for what, number in lacking.items()]
    longest = max(waits, default=math.inf)
    return NextRung(name, needed, lacking, now + math.ceil(longest) * DAY if longest <= FARTHEST_DAYS else None)


def _wait(what: str, lacking: float, counts: Mapping[str, float]) -> float:
    """Days until what is lacking has come together, at the pace of the history so far; infinite without any pace."""
    if what == HISTORY:
        return lacking
    counted, history = counts.get(what, 0.0), counts.get(HISTORY, 0.0)
    return lacking * history / counted if counted and history else math.inf
