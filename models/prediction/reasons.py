"""Why a customer has the probability that it has: what each part of the features adds, in words.

What a feature adds to the log-odds is its exact Shapley value (Lundberg and others, 2020). Features that tell of the
same thing share it out among themselves by chance, so that one of them alone means little: here those of one family
are added up, and the family speaks through the feature that moves it most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalogues.words import Speaker

LEAST = 0.01
"""Log-odds below which a family says nothing."""


class Reason(NamedTuple):
    """What one family of features adds to the log-odds (`effect`, positive: it speaks for the target), and in words.

    `features` are the values of its features that add most to that, strongest first.
    """

    about: str
    words: str
    effect: float
    features: Mapping[str, float]


TOLD = 3
"""Features that a reason shows the values of, at most."""


class Reasoner:
    """Puts contributions of the features of one fold into words."""

    def __init__(self, speaker: Speaker, names: Sequence[str]) -> None:
        self._speaker = speaker
        self._names = tuple(names)
        families: dict[str, list[int]] = {}
        for place, name in enumerate(self._names):
            families.setdefault(speaker.family(name), []).append(place)
        self._families = {about: np.array(places) for about, places in families.items()}

    def reasons(self, row: NDArray[np.float32], contributions: NDArray[np.float64], limit: int = TOLD) -> list[Reason]:
        """The families that move the log-odds of `row` most, strongest first; at most `limit` of them.

        `contributions` is float64[features], or one longer with what everybody starts from, which is no reason.
        """
        values = dict(zip(self._names, row.tolist(), strict=True))
        effects = {about: float(contributions[places].sum()) for about, places in self._families.items()}
        strongest = sorted(effects, key=lambda about: -abs(effects[about]))[:limit]
        return [
            self._reason(about, effects[about], contributions, values)
            for about in strongest
            if abs(effects[about]) >= LEAST
        ]

    def _reason(
        self, about: str, effect: float, contributions: NDArray[np.float64], values: Mapping[str, float]
    ) -> Reason:
        places = self._families[about]
        towards = contributions[places] * np.sign(effect)
        order = places[np.argsort(-towards, kind="stable")][: int(min(TOLD, max(1, (towards > 0).sum())))]
        told = [self._names[place] for place in order.tolist()]
        words = self._speaker.say(told[0], values)
        return Reason(about, words, effect, {name: values[name] for name in told})
