"""The result of a study: the best settings of a target's trees, in `studies/TARGET.json` beside the champion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

SPACE: dict[str, tuple[float, float]] = {
    "learning_rate": (0.015, 0.15),
    "num_leaves": (4, 48),
    "min_data_in_leaf": (20, 1000),
    "feature_fraction": (0.1, 0.8),
    "bagging_fraction": (0.4, 1.0),
    "lambda_l2": (0.1, 100.0),
}
"""The range in which each setting is tried, evenly in its logarithm; other settings stay as they are."""


class BadStudy(ValueError):
    """The settings of a study cannot be read."""


@dataclass(frozen=True, slots=True)
class TunedSettings:
    """The result of a study of one target: the best settings, and the mean log loss over the folds of these and of the
    usual settings.

    `trials` counts those of all runs of the study, of which `pruned` were stopped early; `digest` identifies the rows.
    """

    target: str
    parameters: Mapping[str, float]
    log_loss: float
    usual_log_loss: float
    trials: int
    pruned: int
    seed: int
    digest: str


def read_study(folder: Path, target: str) -> TunedSettings | None:
    """The result of the last study of this target; None when there was none. Raises `BadStudy`."""
    place = place_of(folder, target)
    try:
        settings = TunedSettings(**json.loads(place.read_text(encoding="utf-8")))
        unknown = sorted(set(settings.parameters) ^ set(SPACE))
        if unknown or settings.target != target:
            raise ValueError(f"target {settings.target!r}, settings {', '.join(unknown)}")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise BadStudy(
            f"The study {place} is unreadable ({error}); expected what `waypost train --study MINUTES {target}` "
            "writes. Run that again, or remove the file to train with the usual settings."
        ) from None
    return settings


def write_study(folder: Path, settings: TunedSettings) -> None:
    """Write the result of a study where the next training reads it."""
    place = place_of(folder, settings.target)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(settings), indent=2) + "\n", encoding="utf-8")


def place_of(folder: Path, target: str) -> Path:
    """The file of the settings of a study of this target; `folder` is the champion's."""
    return folder.with_name("studies") / f"{target}.json"
