"""The monitor's report on its way to the gauges."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from serving.process.monitor_gauges import Monitoring

REPORT = {
    "features": {"spend_gross_28d": {"psi": 0.4}},
    "scores": {"churn_28d": {"psi": 0.1}},
    "realised": {"churn_28d": {"slope": {"value": 0.8}}},
    "alarms": [{"kind": "drift"}, {"kind": "drift"}],
}


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"waypost_{name}", labels)


def test_a_report_becomes_gauges_once(tmp_path: Path) -> None:
    monitoring = Monitoring(tmp_path / "champion")
    assert not monitoring.refresh()
    place = tmp_path / "monitor.json"
    place.write_text(json.dumps(REPORT), encoding="utf-8")
    assert monitoring.refresh() and not monitoring.refresh()
    assert value("drift_psi", feature="spend_gross_28d") == 0.4
    assert value("drift_psi", feature="score of churn_28d") == 0.1
    assert value("model_calibration_slope", model="churn_28d") == 0.8
    assert (value("monitor_alarms", kind="drift"), value("monitor_alarms", kind="bundle")) == (2.0, 0.0)
    staged = tmp_path / "next"
    staged.write_text(json.dumps({**REPORT, "alarms": []}), encoding="utf-8")
    staged.replace(place)
    assert monitoring.refresh() and value("monitor_alarms", kind="drift") == 0.0


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"alarms": [1], "features": {}, "scores": {}, "realised": {}}'])
def test_what_is_no_report_changes_nothing_and_is_told_once(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "monitor.json").write_text(content, encoding="utf-8")
    before, monitoring = value("drift_psi", feature="spend_gross_28d"), Monitoring(tmp_path / "champion")
    with caplog.at_level(logging.WARNING, logger="waypost"):
        assert not monitoring.refresh() and not monitoring.refresh()
    assert value("drift_psi", feature="spend_gross_28d") == before
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'monitor.json'} is not a report of `waypost monitor` ({_error(content)})"
    ]


def _error(content: str) -> str:
    return {"{": "JSONDecodeError", "[]": "TypeError", "{}": "KeyError"}.get(content, "TypeError")
