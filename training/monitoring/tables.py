"""A report as tables for the terminal: title, columns, and rows of texts and whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from training.monitoring.drift import Drift, furthest
from training.monitoring.realised import Realised
from training.monitoring.report import Report

Rows = list[tuple[str | int, ...]]
Table = tuple[str, tuple[str, ...], Rows]

SHOWN = 15
"""The most columns that are shown, those of the largest excess first."""


def tables(report: Report) -> Iterator[Table]:
    """The tables of the report; the alarms are last, so that they are next to the prompt."""
    if report.drifts:
        yield _drifts(report)
    if report.realised:
        yield _realised(report)
        yield _deciles(report)
    if report.unjudged:
        yield "not yet compared with outcomes", ("target", "why"), list(report.unjudged.items())
    if report.volumes:
        yield _volumes(report)
    rows: Rows = [(alarm.kind, alarm.subject, f"{alarm.meaning} {alarm.advice}") for alarm in report.alarms]
    yield f"{len(rows) or 'no'} alarm{'' if len(rows) == 1 else 's'}", ("kind", "subject", "what it means"), rows


def _drifts(report: Report) -> Table:
    shown = furthest(report.drifts)[:SHOWN]
    title = (
        f"drift since the training: {len(shown)} of {len(report.drifts)} features and scores of {report.customers:,} "
        "recently active customers, those nearest to their limits or furthest beyond first"
    )
    return title, ("column", "measure", "value", "limit", "mean", "before"), [_drift(drift) for drift in shown]


def _drift(drift: Drift) -> tuple[str | int, ...]:
    worst = drift.worst
    name = f"score of {drift.name}" if drift.is_score else drift.name
    what = f"{worst.short}: DRIFTED" if drift.drifted else worst.short
    return name, what, number(worst.value), number(worst.limit), _mean(drift.mean), _mean(drift.mean_before)


def _mean(value: float) -> str:
    """A mean with three digits, or all digits before the decimal point."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _realised(report: Report) -> Table:
    title = "realised against predicted, at cutoffs after the training whose outcomes are known"
    columns = ("target", "bundle", "rows", "customers", "yes", "slope", "shift of log-odds", "log loss over base rate")
    return title, columns, [_line(result) for result in (*report.realised, *report.previous)]


def _line(result: Realised) -> tuple[str | int, ...]:
    numbers = (str(result.slope), str(result.shift), str(result.loss_ratio))
    return result.target, result.version, result.rows, result.customers, f"{result.rate:.1%}", *numbers


def _deciles(report: Report) -> Table:
    rows: Rows = [
        (result.target, *(f"{part.predicted:.0%} {part.realised.value:.0%}" for part in result.deciles))
        for result in report.realised
    ]
    widest = max(map(len, rows)) - 1
    filled: Rows = [row + ("",) * (widest + 1 - len(row)) for row in rows]
    return "predicted and realised share of yes, by tenth", ("target", *map(str, range(1, widest + 1))), filled


def _volumes(report: Report) -> Table:
    rows: Rows = [
        (part.kind, part.week, part.lowest, part.highest, "TOO FEW" if part.fell else "TOO MANY" if part.rose else "")
        for part in report.volumes
    ]
    return "events in the last 7 days", ("kind", "now", "usually from", "to", ""), rows


def number(value: float) -> str:
    """A number with two decimals; empty where it is not finite, such as a limit that is not known yet."""
    return f"{value:.2f}" if math.isfinite(value) else ""
