"""A bundle's manifest: where its models come from, what they predict and how well."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

FORMAT = 1
"""Version of the layout of a bundle's files; a bundle of another format is refused."""

_CIRCUMSTANCES = ("version", "created", "git_commit")


@dataclass(frozen=True, slots=True)
class TargetCard:
    """What one target is and how well it is predicted.

    `definition` and `scope` are the target's own words; `base_rate` is the share of positives among the
    tested rows; `calibration` the kind of calibration; `metrics` finite numbers by name.
    """

    definition: str
    scope: str
    horizon_days: float
    base_rate: float
    calibration: str
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a bundle comes from and what is in it.

    `created` is ISO 8601, `now` the moment the training looked from and `log_offset` the last event it saw;
    `recommender` holds the recommender's metrics and `policy` the policy's parameters. `version` is filled by
    `Bundle`: 12 hex digits of the contents, the same for the same training on the same log, whenever it ran.
    """

    fingerprint: str
    features: tuple[str, ...]
    targets: Mapping[str, TargetCard]
    created: str
    now: int
    log_offset: int
    git_commit: str
    seed: int
    recommender: Mapping[str, float] = field(default_factory=dict)
    policy: Mapping[str, float] = field(default_factory=dict)
    version: str = ""

    def to_fields(self) -> dict[str, Any]:
        """The manifest as JSON values; float where a float is meant, so that writing and reading agree."""
        cards = {name: asdict(replace(card, metrics=_floats(card.metrics))) for name, card in self.targets.items()}
        for card in cards.values():
            card["horizon_days"], card["base_rate"] = float(card["horizon_days"]), float(card["base_rate"])
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields |= {"features": list(self.features), "targets": cards}
        return fields | {"recommender": _floats(self.recommender), "policy": _floats(self.policy)}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Manifest:
        """The manifest written by `to_fields`; KeyError or TypeError when `fields` is anything else."""
        targets = {name: TargetCard(**card) for name, card in fields["targets"].items()}
        values = {name: fields[name] for name in cls.__slots__}
        return cls(**values | {"features": tuple(fields["features"]), "targets": targets})

    def hashed(self, digests: Mapping[str, str]) -> str:
        """12 hex digits of what a bundle says and holds (`digests` of its files), not of when and by which commit."""
        fields = {name: value for name, value in self.to_fields().items() if name not in _CIRCUMSTANCES}
        text = json.dumps({"format": FORMAT, **fields, "files": dict(digests)}, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _floats(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items()}
