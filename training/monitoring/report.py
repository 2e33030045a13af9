"""The report of monitoring, as objects and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from features.events import DAY
from training.evaluation.evaluation import Figure
from training.monitoring.drift import Drift
from training.monitoring.realised import Realised
from training.monitoring.volumes import Volume

AlarmKind = Literal["drift", "calibration", "quality", "volume", "bundle"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A result beyond its limit, for a person, or `decide`, to act on.

    `subject` is a feature, a target or a kind of events; `value` crossed `threshold`. `since` is the time, microseconds
    UTC, of the first of the consecutive reports with this alarm. `meaning` describes it, `advice` says what to do.
    """

    kind: AlarmKind
    subject: str
    value: float
    threshold: float
    since: int
    meaning: str
    advice: str


@dataclass(frozen=True, eq=False)
class Report:
    """The report on a bundle as of `now`; it was trained as of `training_time`, both microseconds UTC.

    `drifts` are those of every feature and score; `realised` those of every target with ripened rows, `previous` the
    same of the previous champion on the same rows, and `over_previous` the log loss less that of the previous champion.
    `events_before` is the number of events received by the training, `events_since` of those received later. `unjudged`
    says why a target has no ripened rows. `fault` says why the bundle cannot be used, and `damaged` whether that is
    because its files have changed; the report then has only `volumes` and `alarms`.
    """

    now: int
    version: str
    training_time: int
    customers: int = 0
    events_before: int = 0
    events_since: int = 0
    drifts: tuple[Drift, ...] = ()
    realised: tuple[Realised, ...] = ()
    previous: tuple[Realised, ...] = ()
    over_previous: Mapping[str, Figure] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    unjudged: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""
    damaged: bool = False
    alarms: tuple[Alarm, ...] = ()

    @property
    def age_days(self) -> float:
        """The time since the bundle was trained, in days of the log."""
        return (self.now - self.training_time) / DAY

    def of(self, kind: AlarmKind) -> list[Alarm]:
        """The alarms of one kind."""
        return [alarm for alarm in self.alarms if alarm.kind == kind]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; numbers that are not finite stay as they are."""
        features, scores = (
            {
                drift.name: asdict(drift) | {"drifted": drift.drifted}
                for drift in self.drifts
                if drift.is_score == is_score
            }
            for is_score in (False, True)
        )
        return {
            "now": self.now,
            "version": self.version,
            "trained": self.training_time,
            "customers": self.customers,
            "events_before": self.events_before,
            "events_since": self.events_since,
            "features": features,
            "scores": scores,
            "realised": {result.target: asdict(result) for result in self.realised},
            "previous": {result.target: asdict(result) for result in self.previous},
            "over_previous": {name: asdict(figure) for name, figure in self.over_previous.items()},
            "volumes": {volume.kind: asdict(volume) for volume in self.volumes},
            "unjudged": dict(self.unjudged),
            "fault": self.fault,
            "damaged": self.damaged,
            "alarms": [asdict(alarm) for alarm in self.alarms],
        }


def since_of(content: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """The `since` of each alarm of an earlier report, given as JSON, by kind and subject."""
    return {(alarm["kind"], alarm["subject"]): alarm["since"] for alarm in content.get("alarms", ())}
