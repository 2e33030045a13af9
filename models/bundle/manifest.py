"""A bundle's manifest: where its models come from, what they predict and how well."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from features.events import Channel, Stage
from models.parts.disk import tier_from_disk, tier_on_disk

FORMAT = 4
"""Version of the layout of a bundle's files; a bundle of another format is refused."""

KINDS: dict[str, type[IntEnum]] = {"stage": Stage, "latest_channel": Channel}
"""Features that divide the customers into kinds, each with the names of its values."""

_TIER = "rung"
"""The key of the tier in a card on disk: a bundle's version is a hash of the keys, so that they stay as they were."""

_BY_TIER = ("losses", "needed", "held_back")
"""Fields of a card whose keys are tiers."""

_CIRCUMSTANCES = ("version", "created", "git_commit")


@dataclass(frozen=True, slots=True)
class TargetCard:
    """What one target is, how well it is predicted, and what its evidence rests on.

    - `definition`, `scope` and `doc`: the target's own texts.
    - `base_rate`: the share of positives among the test rows; for an amount, their mean.
    - `calibration`: the kind of calibration. `metrics`: finite numbers by name.
    - `form`: `probability`, `amount` or `stage`. `tier`: the tier that answers.
    - `evidence`: a letter of `models.prediction.estimate.EVIDENCE`. `prior`: the rate assumed before there is data.
    - `coverage`: the share of groups of test rows whose rate was inside its interval, which should be `interval`;
      None without a test.
    - `counts`: customers, rows, yes and history_days. `losses`: the log loss of each tier tried, on unseen rows.
    - `needed`: the counts from which a tier is tried, by tier.
    - `missing`: why the target could not be tested; empty when it was.
    - `reliability`: the test rows by a feature (`stage`, `latest_channel`) and its value: `rows`, `customers`, the
      mean probability `given`, and the `share` of yes with its 95 % interval from `low` to `high`.
    - `held_back`: for each tier that a gate of this training held back, the gate and by how much it failed; also for
      `tier` itself where the base rate of the latest period answers in its place.
    - `goes_on`: why the champion's model goes on answering; empty for a new model.
    - `seen`: customers of the training rows, by the same features and values as `reliability`.
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
        """The card as JSON values; integers become float in float fields, so that writing and reading agree."""
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
        """The card of `to_fields` or of `written`; TypeError when `fields` is anything else."""
        return cls(**_with_tiers({"tier" if name == _TIER else name: fields[name] for name in fields}, tier_from_disk))

    def written(self) -> dict[str, Any]:
        """The fields as they are on disk."""
        fields = _with_tiers(self.to_fields(), tier_on_disk)
        return {_TIER if name == "tier" else name: value for name, value in fields.items()}


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a bundle comes from and what is in it.

    `created` is ISO 8601, `now` the time as of which the training ran (microseconds UTC) and `log_offset` the last
    event it read. `recommender` holds the recommender's metrics, `recommender_tier` its tier (`neighbours`,
    `popularity` or `nothing`) and `recommender_why` why no higher tier answers. `policy` has the policy's parameters.
    `version` is filled by `Bundle`: 12 hex digits of the contents, the same for the same training on the same log,
    whenever it ran.
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
        """The manifest as JSON values; integers become float in float fields, so that writing and reading agree."""
        cards = {name: card.to_fields() for name, card in self.targets.items()}
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields |= {"features": list(self.features), "targets": cards}
        return fields | {"recommender": _floats(self.recommender), "policy": _floats(self.policy)}

    def written(self) -> dict[str, Any]:
        """The fields as they are on disk."""
        return {**self.to_fields(), "targets": {target: card.written() for target, card in self.targets.items()}}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Manifest:
        """The manifest of `written`; KeyError or TypeError when `fields` is anything else."""
        targets = {name: TargetCard.from_fields(card) for name, card in fields["targets"].items()}
        values = {name: fields[name] for name in cls.__slots__}
        return cls(**values | {"features": tuple(fields["features"]), "targets": targets})

    def hashed(self, digests: Mapping[str, str]) -> str:
        """12 hex digits of the manifest and the `digests` of the files, without the time and the commit of the run."""
        fields = {name: value for name, value in self.written().items() if name not in _CIRCUMSTANCES}
        text = json.dumps({"format": FORMAT, **fields, "files": dict(digests)}, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _with_tiers(fields: dict[str, Any], spelling: Callable[[str], str]) -> dict[str, Any]:
    """The fields of a card with its tiers in another spelling."""
    keyed = {name: {spelling(tier): value for tier, value in fields[name].items()} for name in fields.keys() & _BY_TIER}
    return {name: spelling(value) if name == "tier" else keyed.get(name, value) for name, value in fields.items()}


def _floats(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(number) for name, number in numbers.items()}
