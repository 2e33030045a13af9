"""The decision on a report: do nothing, retrain, or roll back. It has no effects; `waypost retrain` carries it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from training.monitoring.alarms import over_previous_alarms, realised_alarms
from training.monitoring.report import Alarm, Report

OLD_DAYS = 90.0
"""A bundle older than this, in days of the log, is trained again, because the season has changed."""

GROWN = 0.5
"""A bundle is trained again when the log has grown by this share since the training."""

Step = Literal["nothing", "retrain", "roll back"]
Cause = Literal["", "drift", "decay", "volume", "age", "quality", "calibration", "bundle"]


@dataclass(frozen=True, slots=True)
class Action:
    """What to do, why, and the same in words. `subjects` are the features, targets or kinds of events concerned."""

    step: Step
    cause: Cause
    words: str
    subjects: tuple[str, ...] = ()


def decide(report: Report, *, can_roll_back: bool = True) -> Action:
    """The action for a report; the most serious cause decides.

    *Roll back* when the bundle is damaged, when the previous champion answers the same ripened rows better, or when the
    calibration is beyond its limits and that of the previous champion is not. *Retrain* for decay, drift, growth
    (volume) and age. *Nothing* where events stopped coming, because a training would learn the fault. `can_roll_back`
    says whether there is a previous champion.
    """
    return (
        _unusable(report, can_roll_back)
        or (_rolled_back(report) if can_roll_back else None)
        or _held(report)
        or _retrained(report)
        or Action("nothing", "", "Nothing is beyond its limits.")
    )


def _unusable(report: Report, can_roll_back: bool) -> Action | None:
    if not report.fault:
        return None
    step: Step = "roll back" if report.damaged and can_roll_back else "retrain"
    return Action(step, "bundle", report.fault, _subjects(report.of("bundle")))


def _rolled_back(report: Report) -> Action | None:
    worse = list(over_previous_alarms(report.over_previous))
    if worse:
        return _action("roll back", "quality", worse)
    off = report.of("calibration")
    # Where the previous champion would be off, too, the shop has changed, and only a training helps.
    sound = report.previous and not any(alarm.kind == "calibration" for alarm in realised_alarms(report.previous))
    return _action("roll back", "calibration", off) if off and sound else None


def _held(report: Report) -> Action | None:
    silent = {volume.kind for volume in report.volumes if volume.fell}
    stopped = [alarm for alarm in report.of("volume") if alarm.subject in silent]
    if not stopped:
        return None
    words = f"{stopped[0].meaning} Repair the source first: a training would learn the fault."
    return Action("nothing", "volume", words, _subjects(stopped))


def _retrained(report: Report) -> Action | None:
    decayed = [*report.of("calibration"), *report.of("quality")]
    if decayed:
        return _action("retrain", "decay", decayed)
    if report.of("drift"):
        return _action("retrain", "drift", report.of("drift"))
    if report.events_before and report.events_since > GROWN * report.events_before:
        words = f"{report.events_since:,} events came since the training, which had {report.events_before:,}."
        return Action("retrain", "volume", words)
    if report.age_days > OLD_DAYS:
        return Action("retrain", "age", f"The bundle was trained {report.age_days:.0f} days ago.")
    return None


def _action(step: Step, cause: Cause, alarms: Iterable[Alarm]) -> Action:
    listed = list(alarms)
    more = f" And {len(listed) - 1} more." if len(listed) > 1 else ""
    return Action(step, cause, listed[0].meaning + more, _subjects(listed))


def _subjects(alarms: Iterable[Alarm]) -> tuple[str, ...]:
    return tuple(alarm.subject for alarm in alarms)
