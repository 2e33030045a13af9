"""Readiness: the tier and evidence of each target today, and the data that the next tier needs.

Everything is read from the cards of a bundle: the counts of its training, and the counts from which each tier is
tried. The date at which a tier will be tried is extrapolated linearly from the data gathered so far.
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
"""The counts that decide whether a tier is tried, in words: singular and plural."""

FARTHEST_DAYS = 10 * 365
"""The farthest day that is extrapolated to: no shop stays as it is for so long."""


@dataclass(frozen=True, slots=True)
class NextTier:
    """The next tier: the counts from which it is tried, those lacking, and when it is expected, microseconds UTC.

    `lacking` is empty when the tier was tried and does not answer, for the reason that `Readiness.why` gives. More of
    the same data may or may not help then, so `expected` is None. It is also None when a lacking count does not grow,
    or would take longer than `FARTHEST_DAYS`.
    """

    tier: str
    needed: Mapping[str, float]
    lacking: Mapping[str, float]
    expected: int | None


@dataclass(frozen=True, slots=True)
class Readiness:
    """One target: its tier and evidence, its counts, the next tier if there is one, and what is missing for a test.

    `why` says why no higher tier answers, and is empty for the highest.
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
    """The tier that answers each target and recommendations, and why no higher one does, as text."""
    texts = {name: _served(card.tier, card.evidence, why_not_higher(card)) for name, card in manifest.targets.items()}
    return texts | {"recommender": _served(manifest.recommender_tier, "", manifest.recommender_why)}


def _served(tier: str, evidence: str, why: str) -> str:
    return f"{tier}{f', evidence {evidence}' if evidence else ''}{f'. {why}' if why else ''}"


def lacking_words(lacking: Mapping[str, float]) -> str:
    """The lacking counts in words: "1 more row with a yes and 25 more days of history"."""
    return " and ".join(f"{number:,.0f} more {_COUNTED[what][number != 1]}" for what, number in lacking.items())


def why_not_higher(card: TargetCard) -> str:
    """Why no higher tier answers: the gate that held it back, its loss in the comparison, or the counts lacking."""
    if card.goes_on:
        return card.goes_on
    if card.held_back:
        reasons = " ".join(f"{tier} was held back: {reason}." for tier, reason in card.held_back.items())
        return f"{reasons} The base rate of the latest period answers." if card.tier in card.held_back else reasons
    above = _above(card)
    tried = [tier for tier in above if tier in card.losses]
    if tried and card.tier in card.losses:
        best = min(tried, key=lambda tier: card.losses[tier])
        return (
            f"{best} was tried, and predicted unseen rows not significantly better: loss {card.losses[best]:.4f}, "
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
    """The lowest higher tier that lacks data, else the lowest higher tier; None for the highest."""
    tiers = [_tier(name, card, now) for name in _above(card)]
    return next((tier for tier in tiers if tier.lacking), tiers[0] if tiers else None)


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
    """Days until the lacking number is gathered, at the pace of the history so far; infinite where nothing grows."""
    if what == HISTORY:
        return lacking
    counted, history = counts.get(what, 0.0), counts.get(HISTORY, 0.0)
    return lacking * history / counted if counted and history else math.inf
