"""The monitor's report as a page: one file, no script, nothing from elsewhere, in the look of the server's pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from serving.web.page import STYLE, render

SIDE = 240.0
"""Width and height of a diagram."""

TITLES = {"nothing": "The champion fits the shop", "retrain": "Time to retrain", "roll back": "Time to roll back"}

_STYLE = Markup(STYLE.decode() + Path(__file__).with_name("monitor.css").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Mark:
    """The mark of a tenth of the rows: its position, and the ends of its interval."""

    along: float
    up: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """A reliability diagram of tenths of the rows: predicted to the right, realised upwards; the diagonal is right.

    Both axes go from 0 to the probability `reach`.
    """

    realised: Mapping[str, Any]
    reach: float
    marks: list[Mark]


def monitor_page(report: Mapping[str, Any]) -> str:
    """The whole page; `report` is what `training.monitoring.page.page_content` makes of a report."""
    curves = [_curve(realised) for realised in report["realised"]]
    return render("monitor.html", title=TITLES[report["step"]], style=_STYLE, report=report, curves=curves, side=SIDE)


def _curve(realised: Mapping[str, Any]) -> Curve:
    deciles = realised["deciles"]
    reach: float = min(1.0, max(0.05, *(part["high"] for part in deciles), deciles[-1]["predicted"]))

    def place(share: float) -> float:
        return SIDE * min(max(share / reach, 0.0), 1.0)

    marks = [
        Mark(
            place(part["predicted"]), SIDE - place(part["value"]), SIDE - place(part["low"]), SIDE - place(part["high"])
        )
        for part in deciles
    ]
    return Curve(realised, reach, marks)
