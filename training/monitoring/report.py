"""What monitoring found, as objects and as JSON."""

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
    """Something that a person, or `decide`, should act on.

    `subject` is a feature, a target or a kind of events; `value` crossed `threshold`. `since` is the moment,
    microseconds, of the first report in a row that said so. `meaning` says what it is, `advice` what to do.
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
    """One look at a bundle at the moment `now`; it was trained at `trained`, both microseconds.

    `drifts` are of every feature and score; `realised` of every target that has ripened rows, `previous` the same of
    the champion before it on the same rows, and `over_previous` by how much the log loss is above that one's.
    `events_before` had been received when the bundle was trained, `events_since` came later. `unjudged` says of each
    target without ripened rows why there are none. `fault` says why the bundle cannot be used, and `damaged` whether
    that is because its files are not what was written; then there is nothing but `volumes` and `alarms`.
    """

    now: int
    version: str
    trained: int
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
        """How long ago the bundle was trained, in days of the log."""
        return (self.now - self.trained) / DAY

    def of(self, kind: AlarmKind) -> list[Alarm]:
        """The alarms of one kind."""
        return [alarm for alarm in self.alarms if alarm.kind == kind]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values; numbers that are not finite are left as they are."""
        features, scores = (
            {each.name: asdict(each) | {"drifted": each.drifted} for each in self.drifts if each.is_score == is_score}
            for is_score in (False, True)
        )
        return {
            "now": self.now,
            "version": self.version,
            "trained": self.trained,
            "customers": self.customers,
            "events_before": self.events_before,
            "events_since": self.events_since,
            "features": features,
            "scores": scores,
            "realised": {each.target: asdict(each) for each in self.realised},
            "previous": {each.target: asdict(each) for each in self.previous},
            "over_previous": {name: asdict(figure) for name, figure in self.over_previous.items()},
            "volumes": {each.kind: asdict(each) for each in self.volumes},
            "unjudged": dict(self.unjudged),
            "fault": self.fault,
            "damaged": self.damaged,
            "alarms": [asdict(each) for each in self.alarms],
        }


def since_of(content: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Since when each alarm of an earlier report, as JSON, has stood, by kind and subject."""
    return {(each["kind"], each["subject"]): each["since"] for each in content.get("alarms", ())}
