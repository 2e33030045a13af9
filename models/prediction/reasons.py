"""Why a customer has this probability: the contribution of each family of features, in words.

The contribution of a feature to the log-odds is its exact Shapley value (Lundberg and others, 2020). Among features
about the same subject the contribution is divided arbitrarily, so that a single one means little. Here those of one
family are added up, and the family is described by its feature that contributes most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.catalogues.words import Speaker

LEAST = 0.01
"""A family that contributes less to the log-odds than this is no reason."""


class Reason(NamedTuple):
    """The contribution of one family of features to the log-odds (`effect`; positive makes a yes likelier), in words.

    `features` are the values of its features that contribute most, strongest first.
    """

    about: str
    words: str
    effect: float
    features: Mapping[str, float]


MOST_FEATURES = 3
"""The most features whose values a reason shows."""


class Reasoner:
    """Describes the contributions of the features of one fold in words."""

    def __init__(self, speaker: Speaker, names: Sequence[str]) -> None:
        self._speaker = speaker
        self._names = tuple(names)
        families: dict[str, list[int]] = {}
        for place, name in enumerate(self._names):
            families.setdefault(speaker.family(name), []).append(place)
        self._families = {about: np.array(places) for about, places in families.items()}

    def reasons(
        self, row: NDArray[np.float32], contributions: NDArray[np.float64], limit: int = MOST_FEATURES
    ) -> list[Reason]:
        """The families that contribute most to the log-odds of `row`, strongest first; at most `limit` of them.

        `contributions` is float64[features], or one longer with the base last, which is no reason.
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
        order = places[np.argsort(-towards, kind="stable")][: int(min(MOST_FEATURES, max(1, (towards > 0).sum())))]
        names = [self._names[place] for place in order.tolist()]
        words = self._speaker.say(names[0], values)
        return Reason(about, words, effect, {name: values[name] for name in names})
