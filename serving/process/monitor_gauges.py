"""The newest report of `waypost monitor` as gauges, read from the file that it writes beside the champion's folder."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from features.files import Identity, version
from serving import metrics

FILE = "monitor.json"

KINDS = ("drift", "calibration", "quality", "volume", "bundle")
"""Every kind of alarm; the gauge of a kind without alarms is 0."""

logger = logging.getLogger("waypost")


class Monitoring:
    """The report beside the bundle in a directory, read again when it changes."""

    def __init__(self, bundle: Path) -> None:
        self.place = bundle.with_name(FILE)
        self._seen: Identity | None = None

    def refresh(self) -> bool:
        """Set the gauges if the report changed on disk. True when they were set.

        A file that is not a report is logged once and leaves the gauges as they are.
        """
        seen = version(self.place)
        if seen is None or seen == self._seen:
            return False
        self._seen = seen
        try:
            _show(json.loads(self.place.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning("%s is not a report of `waypost monitor` (%s)", self.place, type(error).__name__)
            return False
        return True


def _show(report: Mapping[str, Any]) -> None:
    """Set every gauge. Raises when the report is not what the monitor writes."""
    kinds = Counter(alarm["kind"] for alarm in report["alarms"])
    drifted = [*report["features"].items(), *((f"score of {name}", drift) for name, drift in report["scores"].items())]
    indices = {name: float(drift["psi"]) for name, drift in drifted}
    slopes = {name: float(realised["slope"]["value"]) for name, realised in report["realised"].items()}
    for name, index in indices.items():
        metrics.DRIFT_PSI.labels(name).set(index)
    for name, slope in slopes.items():
        metrics.CALIBRATION_SLOPE.labels(name).set(slope)
    for kind in KINDS:
        metrics.MONITOR_ALARMS.labels(kind).set(kinds[kind])
