"""What a study left: the best settings of a target's trees, in `studies/TARGET.json` beside the champion."""

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
"""Between which numbers each setting is tried, evenly in its logarithm; the others stay as they are."""


class BadStudy(ValueError):
    """The settings that a study left cannot be read."""


@dataclass(frozen=True, slots=True)
class TunedSettings:
    """What a study of one target came to: its best settings, their mean log loss over the folds, and of the usual ones.

    `trials` of all sittings, `pruned` of which were cut short; `digest` stands for the rows.
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
    """What the last study of this target came to; None when there was none. Raises `BadStudy`."""
    place = place_of(folder, target)
    try:
        found = TunedSettings(**json.loads(place.read_text(encoding="utf-8")))
        unknown = sorted(set(found.parameters) ^ set(SPACE))
        if unknown or found.target != target:
            raise ValueError(f"target {found.target!r}, settings {', '.join(unknown)}")
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise BadStudy(
            f"The study {place} is unreadable ({error}); expected what `waypost train --study MINUTES {target}` "
            "writes. Run that again, or remove the file to train with the usual settings."
        ) from None
    return found


def write_study(folder: Path, found: TunedSettings) -> None:
    """Leave what a study came to where the next training finds it."""
    place = place_of(folder, found.target)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")


def place_of(folder: Path, target: str) -> Path:
    """Where a study of this target leaves its settings; `folder` is the champion's."""
    return folder.with_name("studies") / f"{target}.json"
