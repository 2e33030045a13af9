"""The highest tier: boosted trees on every feature."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.prediction.lightgbm_library import Booster, LightGBMError

if TYPE_CHECKING:
    from models.prediction.forest import Forest

FEW = 16
"""The number of rows up to which LightGBM itself is no slower."""


class Trees:
    """LightGBM's trees: a binary classifier of the features `names`, in its text form."""

    name = "lightgbm"

    def __init__(self, target: str, text: str, names: tuple[str, ...]) -> None:
        """Read the model `text`, as `lightgbm.Booster.model_to_string()` gives it.

        ValueError when it is no binary classifier, or was trained on other features.
        """
        self.text, self.names = text, names
        try:
            self._booster = Booster(text)
        except LightGBMError as error:
            raise ValueError(f"The model of {target} is unreadable: {error}") from error
        check_header(target, text, names, "binary")
        self.raw = self._booster.predict_one

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """The probabilities of float32[n, features]: `lightgbm.Booster.predict` of the same rows, bit for bit."""
        if len(matrix) <= FEW or self._forest is None:
            return self._booster.predict_many(matrix, threads)
        return self._forest.raw_many(matrix, threads)

    @cached_property
    def _forest(self) -> Forest | None:
        """The same trees laid out for batches, about ten times as fast; None for trees that cannot be laid out so."""
        from models.prediction.forest import (  # numba brings scipy, which a score of one row does without
            Forest,
            UnsuitableForest,
        )

        try:
            return Forest(self.text)
        except UnsuitableForest:
            return None

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Exact tree Shapley values (Lundberg and others, 2020): float64[n, features + 1], the last column the base.

        Takes milliseconds per row.
        """
        return self._booster.contributions(matrix)

    def to_bytes(self) -> bytes:
        """The model's text."""
        return self.text.encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> Trees:
        """What `to_bytes` gave; ValueError for anything else."""
        return cls(target, content.decode(), names)


def check_header(target: str, text: str, names: tuple[str, ...], objective: str) -> None:
    """ValueError when the header of the model `text` names another objective or other features."""
    header = dict(line.partition("=")[::2] for line in text.partition("\n\n")[0].splitlines())
    if not header.get("objective", "").startswith(objective):
        raise ValueError(f"The model of {target} has objective {header.get('objective')!r}; expected {objective}.")
    model_features = tuple(header.get("feature_names", "").split(" "))
    if model_features != names:
        changed = sorted(set(model_features) ^ set(names)) or ["their order"]
        raise ValueError(
            f"The model of {target} was trained on {len(model_features)} features, here are {len(names)} "
            f"(different: {', '.join(changed[:10])}). Retrain with `waypost train`."
        )
