"""What a report asks for, the gravest first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.events import days
from tests.training.monitoring.test_volumes import log_of
from training.evaluation.evaluation import Figure
from training.monitoring import Alarm, Report, decide, fault_report, since_of
from training.monitoring.alarms import with_since
from training.monitoring.volumes import Volume

NOW = days(20_000)
REPORT = Report(NOW, "abc", NOW - days(30), events_before=1000, events_since=100)
DRIFT = Alarm("drift", "spend_gross_28d", 1.0, 0.5, NOW, "Spend moved.", "Look.")
OFF = Alarm("calibration", "churn_28d slope", 0.1, 0.5, NOW, "Too extreme.", "Retrain.")
DECAYED = Alarm("quality", "churn_28d", 1.2, 1.0, NOW, "Worse than nothing.", "Retrain.")
SILENT = Volume("purchase", 0, 90, 110, 20.0, 300.0)
FELL = Alarm("volume", "purchase", 0.0, 20.0, NOW, "No orders came.", "Look.")
LOUD = replace(FELL, subject="page_view")


@pytest.mark.parametrize(
    ("report", "step", "cause"),
    [
        (REPORT, "nothing", ""),
        (replace(REPORT, training_time=NOW - days(91)), "retrain", "age"),
        (replace(REPORT, events_since=501), "retrain", "volume"),
        (replace(REPORT, alarms=(DRIFT,), events_since=501), "retrain", "drift"),
        (replace(REPORT, alarms=(DRIFT, OFF)), "retrain", "decay"),
        (replace(REPORT, alarms=(DECAYED, DRIFT)), "retrain", "decay"),
        (replace(REPORT, alarms=(DRIFT, FELL), volumes=(SILENT,)), "nothing", "volume"),
        (replace(REPORT, alarms=(DRIFT, LOUD), volumes=(SILENT,)), "retrain", "drift"),
        (replace(REPORT, over_previous={"churn_28d": Figure(0.02, 0.015, 0.025)}), "roll back", "quality"),
        (replace(REPORT, over_previous={"churn_28d": Figure(0.02, -0.005, 0.045)}), "nothing", ""),
        (replace(REPORT, fault="It is damaged.", damaged=True), "roll back", "bundle"),
        (replace(REPORT, fault="It is of other features."), "retrain", "bundle"),
    ],
)
def test_what_is_asked_for(report: Report, step: str, cause: str) -> None:
    action = decide(report)
    assert (action.step, action.cause) == (step, cause)
    assert action.words
    assert decide(report, can_roll_back=False).step != "roll back"


def test_more_than_one_alarm_is_said() -> None:
    action = decide(replace(REPORT, alarms=(OFF, DECAYED, DRIFT)))
    assert action.words == "Too extreme. And 1 more." and action.subjects == ("churn_28d slope", "churn_28d")


def test_an_alarm_stands_since_the_first_report_that_had_it() -> None:
    earlier = replace(REPORT, alarms=(replace(DRIFT, since=NOW - days(3)),)).to_json()
    again = with_since([DRIFT, OFF], NOW, since_of(earlier))
    assert [each.since for each in again] == [NOW - days(3), NOW]
    assert since_of({}) == {}


def test_a_bundle_that_cannot_be_loaded_has_a_report_too() -> None:
    past, now = log_of([100] * 8)
    report = fault_report(past, now, "data/champion", "It is damaged.", damaged=True)
    assert [each.kind for each in report.alarms] == ["bundle"] and len(report.volumes) == 1
    assert report.age_days == 0.0 and report.to_json()["fault"] == "It is damaged."
