"""A scorer: the features of a customer in, the probability of one target out, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.calibration import Calibration
from models.lightgbm_library import Booster, LightGBMError


class Scorer:
    """LightGBM trees under a calibration, for one target.

    Rows are float32 in the order of `names`; NaN means "not defined" and is a value the trees know. One row
    and the same row in a batch give the same bits. Safe to share between threads.
    """

    def __init__(self, target: str, text: str, calibration: Calibration, names: Sequence[str]) -> None:
        """Read the LightGBM model `text`, which must be a binary classifier of the features `names` in that order.

        ValueError when it is not one, or was trained on other features.
        """
        self.target = target
        self.text = text
        self.calibration = calibration
        self.names = tuple(names)
        try:
            self._booster = Booster(text)
        except LightGBMError as error:
            raise ValueError(f"The model of {target} is unreadable: {error}") from error
        _check_header(target, text, self.names)
        self._calibrate = calibration.apply
        self._predict = self._booster.predict_one

    @classmethod
    def from_text(cls, target: str, text: str, calibration: Calibration, names: Sequence[str]) -> Scorer:
        """The scorer of a model's text form, as `lightgbm.Booster.model_to_string()` gives it."""
        return cls(target, text, calibration, names)

    def raw(self, row: NDArray[np.float32]) -> float:
        """Probability before calibration: `lightgbm.Booster.predict` of the same row, bit for bit."""
        return self._predict(row)

    def score(self, row: NDArray[np.float32]) -> float:
        """Calibrated probability of one row, float32[features]."""
        return self._calibrate(self._predict(row))

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """Probabilities before calibration: float32[n, features] -> float64[n]."""
        return self._booster.predict_many(matrix, threads)

    def score_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """Calibrated probabilities: float32[n, features] -> float64[n]."""
        return self.calibration.apply_many(self.raw_many(matrix, threads))

    def reasons(self, row: NDArray[np.float32], limit: int = 5) -> list[tuple[str, float]]:
        """The features that moved this score most, strongest first, with what each added to the log-odds.

        Positive speaks for the target, negative against it. Milliseconds, not microseconds: ask on demand.
        """
        added = self._booster.contributions(row.reshape(1, -1))[0, :-1]
        strongest = np.argsort(-np.abs(added), kind="stable")[:limit]
        return [(self.names[each], float(added[each])) for each in strongest if added[each] != 0.0]


def _check_header(target: str, text: str, names: tuple[str, ...]) -> None:
    """Refuse a model that is no binary classifier of `names`; what a model is stands before its first tree."""
    header = dict(line.partition("=")[::2] for line in text.partition("\n\n")[0].splitlines())
    if not header.get("objective", "").startswith("binary"):
        raise ValueError(f"The model of {target} has objective {header.get('objective')!r}; expected binary.")
    trained_on = tuple(header.get("feature_names", "").split(" "))
    if trained_on != names:
        changed = sorted(set(trained_on) ^ set(names)) or ["their order"]
        raise ValueError(
            f"The model of {target} was trained on {len(trained_on)} features, here are {len(names)} "
            f"(different: {', '.join(changed[:10])}). Retrain with `waypost train`."
        )
