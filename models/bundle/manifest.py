"""A bundle's manifest: where its models come from, what they predict and how well."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from features.events import Channel, Stage

FORMAT = 4
"""Version of the layout of a bundle's files; a bundle of another format is refused."""

KINDS: dict[str, type[IntEnum]] = {"stage": Stage, "latest_channel": Channel}
"""Features that part the customers into kinds, each with the names of its values."""

_TIER = "rung"
"""What the tier is called on the disk: a bundle's version is a hash of these names, and earlier ones keep theirs."""

_CIRCUMSTANCES = ("version", "created", "git_commit")


@dataclass(frozen=True, slots=True)
class TargetCard:
    """What one target is, how well it is predicted, and what stands behind the answer.

    `definition`, `scope` and `doc` are the target's own words. `base_rate` is the share of positives among the tested
    rows (of an amount, their mean); `calibration` the kind of calibration; `metrics` finite numbers by name. `form` is
    `probability`, `amount` or `stage`; `tier` the tier that answers, `evidence` a letter of
    `models.prediction.estimate.EVIDENCE`, `prior` what was believed before there was data. `coverage` is the share of
    groups of test rows whose rate was inside the interval that should hold `interval` of them; None where there was no
    test. `counts` are customers, rows, yes and history_days; `losses` the log loss of each tier that was tried, on rows
    it had not seen; `needed` the counts from which a tier is tried, by tier; `missing` says what keeps the target from
    being tested, and is empty otherwise. `reliability` parts the test rows by a feature (`stage`, `latest_channel`) and
    its value: `rows` and `customers`, the mean probability `given`, and the `share` of yes with `low` and `high`, which
    hold the true share with a chance of 95 %. `held_back` says, of each tier that a gate of this training held back,
    which one and by how much, also of `tier` where the base rate of the latest period answers in its place; `goes_on`
    why the champion's model goes on answering, and is empty for a model that is new. `seen` counts the customers of
    the rows learnt from, by the same features and values as `reliability`.
    """

    definition: str
    scope: str
    horizon_days: float
    base_rate: float
    calibration: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    form: str = "probability"
    tier: str = "lightgbm"
    evidence: str = "B"
    doc: str = ""
    prior: float = 0.5
    interval: float = 0.9
    coverage: float | None = None
    counts: Mapping[str, float] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)
    needed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    missing: str = ""
    reliability: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    held_back: Mapping[str, str] = field(default_factory=dict)
    goes_on: str = ""
    seen: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_fields(self) -> dict[str, Any]:
        """The card as JSON values; float where a float is meant, so that writing and reading agree."""
        numbers = {name: float(getattr(self, name)) for name in ("horizon_days", "base_rate", "prior", "interval")}
        mappings = {name: _floats(getattr(self, name)) for name in ("metrics", "counts", "losses")}
        return (
            {name: getattr(self, name) for name in self.__slots__}
            | numbers
            | mappings
            | {
                "coverage": None if self.coverage is None else float(self.coverage),
                "needed": {tier: _floats(counts) for tier, counts in self.needed.items()},
                "reliability": {
                    feature: {value: _floats(numbers) for value, numbers in parts.items()}
                    for feature, parts in self.reliability.items()
                },
                "held_back": dict(self.held_back),
                "seen": {feature: _floats(counts) for feature, counts in self.seen.items()},
            }
        )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> TargetCard:
        """The card of `to_fields`, also as it is written; TypeError when `fields` is anything else."""
        return cls(**{"tier" if name == _TIER else name: value for name, value in fields.items()})


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a bundle comes from and what is in it.

    `created` is ISO 8601, `now` the moment the training looked from and `log_offset` the last event it saw;
    `recommender` holds the recommender's metrics, `recommender_tier` what answers (`neighbours`, `popularity` or
    `nothing`) and `recommender_why` why nothing above it does; `policy` has the policy's parameters. `version` is
    filled by `Bundle`: 12 hex digits of the contents, the same for the same training on the same log, whenever it ran.
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
    recommender_tier: str = "neighbours"
    recommender_why: str = ""
    policy: Mapping[str, float] = field(default_factory=dict)
    version: str = ""

    def to_fields(self) -> dict[str, Any]:
        """The manifest as JSON values; float where a float is meant, so that writing and reading agree."""
        cards = {name: card.to_fields() for name, card in self.targets.items()}
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields |= {"features": list(self.features), "targets": cards}
        return fields | {"recommender": _floats(self.recommender), "policy": _floats(self.policy)}

    def written(self) -> dict[str, Any]:
        """The fields as they are on the disk."""
        fields = self.to_fields()
        cards = {
            target: {_TIER if name == "tier" else name: value for name, value in card.items()}
            for target, card in fields["targets"].items()
        }
        return {**fields, "targets": cards}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Manifest:
        """The manifest of `written`; KeyError or TypeError when `fields` is anything else."""
        targets = {name: TargetCard.from_fields(card) for name, card in fields["targets"].items()}
        values = {name: fields[name] for name in cls.__slots__}
        return cls(**values | {"features": tuple(fields["features"]), "targets": targets})

    def hashed(self, digests: Mapping[str, str]) -> str:
        """12 hex digits of what a bundle says and holds (`digests` of its files), not of when and by which commit."""
        fields = {name: value for name, value in self.written().items() if name not in _CIRCUMSTANCES}
        text = json.dumps({"format": FORMAT, **fields, "files": dict(digests)}, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _floats(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items()}
