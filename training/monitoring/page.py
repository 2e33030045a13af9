"""The content of the monitor's page as plain data, from which `serving.web.monitor` makes the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from training.monitoring.decision import Action
from training.monitoring.drift import Drift, furthest
from training.monitoring.realised import Realised
from training.monitoring.report import Report
from training.monitoring.tables import number

SHOWN = 25
"""The number of columns whose drift is shown, those of the largest excess first."""


def page_content(report: Report, action: Action) -> dict[str, Any]:
    """The report and the action; numbers with an interval are text, `columns` is the number of columns tested."""
    return {
        "step": action.step,
        "words": action.words,
        "now": report.now,
        "version": report.version,
        "trained": report.training_time,
        "customers": report.customers,
        "events_since": report.events_since,
        "fault": report.fault,
        "alarms": [asdict(alarm) for alarm in report.alarms],
        "columns": len(report.drifts),
        "drifts": [_drift(drift) for drift in furthest(report.drifts)[:SHOWN]],
        "realised": [_realised(result) for result in report.realised],
        "volumes": [asdict(volume) for volume in report.volumes],
    }


def _drift(drift: Drift) -> dict[str, Any]:
    worst = drift.worst
    return {
        "name": drift.name,
        "is_score": drift.is_score,
        "measure": worst.name,
        "found": number(worst.value),
        "limit": number(worst.limit),
        "excess": worst.excess,
        "drifted": drift.drifted,
        "mean": drift.mean,
        "mean_before": drift.mean_before,
    }


def _realised(realised: Realised) -> dict[str, Any]:
    return {
        "target": realised.target,
        "rows": realised.rows,
        "customers": realised.customers,
        "rate": realised.rate,
        "slope": str(realised.slope),
        "shift": str(realised.shift),
        "loss_ratio": str(realised.loss_ratio),
        "deciles": [
            {
                "predicted": part.predicted,
                "value": part.realised.value,
                "low": part.realised.low,
                "high": part.realised.high,
            }
            for part in realised.deciles
        ],
    }
