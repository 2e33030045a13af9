"""How far each target has come: what stands behind its answers today, and what the next tier takes.

Everything is read from the cards of a bundle: what was counted when it was trained, and the counts from which each tier
is tried. When a tier will be reached is a straight line through what the shop has gathered so far, and no promise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from features.events import DAY
from models.bundle.manifest import Manifest, TargetCard

HISTORY = "history_days"

_COUNTED = {
    "customers": ("customer", "customers"),
    "rows": ("row", "rows"),
    "yes": ("row with a yes", "rows with a yes"),
    "no": ("row with a no", "rows with a no"),
    HISTORY: ("day of history", "days of history"),
}
"""What tiers are tried by: one of it, and several."""

FARTHEST_DAYS = 10 * 365
"""What is further off than this is not expected: no shop goes on as it does for so long, nor does the calendar."""


@dataclass(frozen=True, slots=True)
class NextTier:
    """The tier above: the counts from which it is tried, what is lacking, and when that is expected, in microseconds.

    `lacking` is empty when the tier was tried already and does not answer, for the reason that the target gives: then
    more of the same data may help or not, and nothing is `expected`. It is None, too, when what lacks does not grow, or
    takes longer than anybody can foresee.
    """

    tier: str
    needed: Mapping[str, float]
    lacking: Mapping[str, float]
    expected: int | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """One target: its tier and evidence, what was counted, the tier above if there is one, and what it wants for.

    `why` says why no tier above answers, and is empty at the top.
    """

    target: str
    form: str
    definition: str
    scope: str
    tier: str
    evidence: str
    counts: Mapping[str, float]
    next: NextTier | None
    missing: str
    why: str


def readiness(manifest: Manifest) -> list[Readiness]:
    """The readiness of every target of a bundle, in the bundle's order."""
    return [
        Readiness(
            target=name,
            form=card.form,
            definition=card.definition,
            scope=card.scope,
            tier=card.tier,
            evidence=card.evidence,
            counts=card.counts,
            next=_next(card, manifest.now),
            missing=card.missing,
            why=why_not_higher(card),
        )
        for name, card in manifest.targets.items()
    ]


def served(manifest: Manifest) -> dict[str, str]:
    """What answers each target and recommendations, and why nothing above it does: a sentence each."""
    told = {name: _served(card.tier, card.evidence, why_not_higher(card)) for name, card in manifest.targets.items()}
    return told | {"recommender": _served(manifest.recommender_tier, "", manifest.recommender_why)}


def _served(tier: str, evidence: str, why: str) -> str:
    return f"{tier}{f', evidence {evidence}' if evidence else ''}{f'. {why}' if why else ''}"


def lacking_words(lacking: Mapping[str, float]) -> str:
    """What is lacking, in words: "1 more row with a yes and 25 more days of history"."""
    return " and ".join(f"{number:,.0f} more {_COUNTED[what][number != 1]}" for what, number in lacking.items())


def why_not_higher(card: TargetCard) -> str:
    """Why the tier that answers is no higher: what a gate found, what it was tried beside, or what is lacking."""
    if card.goes_on:
        return card.goes_on
    if card.held_back:
        told = " ".join(f"{tier} was held back: {found}." for tier, found in card.held_back.items())
        return f"{told} The base rate of the latest period answers." if card.tier in card.held_back else told
    above = _above(card)
    tried = [tier for tier in above if tier in card.losses]
    if tried and card.tier in card.losses:
        best = min(tried, key=lambda tier: card.losses[tier])
        return (
            f"{best} was tried, and foretold unseen rows no better for sure: loss {card.losses[best]:.4f}, "
            f"{card.tier} {card.losses[card.tier]:.4f}."
        )
    for tier in above:
        if lacking := _tier(tier, card, 0).lacking:
            verb = "is" if list(lacking.values()) == [1] else "are"
            return f"{tier} is tried once there {verb} {lacking_words(lacking)}."
    return card.missing


def _above(card: TargetCard) -> list[str]:
    """The tiers above the one that answers, the lowest first."""
    tiers = list(card.needed)
    return tiers[tiers.index(card.tier) + 1 :] if card.tier in tiers else tiers


def _next(card: TargetCard, now: int) -> NextTier | None:
    """The lowest tier above that lacks something, else the lowest above; None at the top."""
    found = [_tier(name, card, now) for name in _above(card)]
    return next((each for each in found if each.lacking), found[0] if found else None)


def _tier(name: str, card: TargetCard, now: int) -> NextTier:
    needed = card.needed[name]
    counts = {**card.counts, "no": card.counts.get("rows", 0.0) - card.counts.get("yes", 0.0)}
    lacking = {
        what: number - counts.get(what, 0.0) for what, number in needed.items() if counts.get(what, 0.0) < number
    }
    waits = [_wait(what, number, counts) for what, number in lacking.items()]
    longest = max(waits, default=math.inf)
    return NextTier(name, needed, lacking, now + math.ceil(longest) * DAY if longest <= FARTHEST_DAYS else None)


def _wait(what: str, lacking: float, counts: Mapping[str, float]) -> float:
    """Days until what is lacking has come together, at the pace of the history so far; infinite without any pace."""
    if what == HISTORY:
        return lacking
    counted, history = counts.get(what, 0.0), counts.get(HISTORY, 0.0)
    return lacking * history / counted if counted and history else math.inf
