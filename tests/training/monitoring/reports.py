"""A report of the monitor in which everything is wrong, for the tests of what shows one."""

from __future__ import annotations

import math

from features.events import DAY
from training.evaluation.evaluation import Figure
from training.monitoring import Action, Alarm, Report
from training.monitoring.drift import Drift
from training.monitoring.realised import Decile, Realised
from training.monitoring.report import AlarmKind
from training.monitoring.volumes import Volume


def everything_wrong(now: int) -> tuple[Report, Action]:
    """A report with alarms of every kind, features and scores that drifted, targets that came out otherwise."""
    subjects: dict[AlarmKind, str] = {
        "drift": "days_since_purchase",
        "calibration": "conversion_7d",
        "quality": "churn_28d",
        "volume": "item_view",
        "bundle": "recommender.npz",
    }
    alarms = tuple(
        Alarm(kind, subject, 0.4, 0.25, now - 3 * DAY, f"`{subject}` is not what it was.", "Look at what sends it.")
        for kind, subject in subjects.items()
    )
    drifts = tuple(
        Drift(name, is_score, 500, psi, 0.25, 0.3, math.inf, 0.1, math.inf, 12.5, 9.75, 0.1, 0.1)
        for name, is_score, psi in (
            ("days_since_purchase", False, 0.9), ("purchases_trend_fast", False, 0.1), ("conversion_7d", True, 0.3),
        )
    )  # fmt: skip
    wrong = tuple(_realised(target, now) for target in ("conversion_7d", "churn_28d"))
    volumes = (Volume("item_view", 12, 900, 1_100, 450.0, 2_200.0), Volume("purchase", 5_000, 300, 400, 150.0, 800.0))
    report = Report(
        now, "0123456789ab", now - 60 * DAY, 500, 90_000, 12_000, drifts, wrong, wrong,
        {"churn_28d": Figure(0.02, 0.01, 0.03)}, volumes, {"unsubscribe_30d": "3 rows have ripened"}, alarms=alarms,
    )  # fmt: skip
    return report, Action("retrain", "drift", "`days_since_purchase` is not what it was: train anew.")


def _realised(target: str, now: int) -> Realised:
    deciles = tuple(
        Decile(50, tenth / 10, Figure(tenth / 12, tenth / 12 - 0.02, tenth / 12 + 0.05)) for tenth in range(1, 11)
    )
    line = (Figure(0.8, 0.7, 0.9), Figure(0.0, -0.1, 0.1), Figure(-0.4, -0.5, -0.3), Figure(1.05, 1.0, 1.1))
    return Realised(target, "0123456789ab", 500, 400, now - 40 * DAY, now - 30 * DAY, 0.2, 0.3, *line, 0.8, deciles)
