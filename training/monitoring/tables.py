"""A report as tables for people: title, columns, and rows of texts and whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from training.monitoring.drift import Drift, furthest
from training.monitoring.realised import Realised
from training.monitoring.report import Report

Rows = list[tuple[str | int, ...]]
Table = tuple[str, tuple[str, ...], Rows]

SHOWN = 15
"""Columns that are shown at most, those nearest to their limits first."""


def tables(report: Report) -> Iterator[Table]:
    """What there is to see, the alarms last: they stand above the prompt."""
    if report.drifts:
        yield _drifts(report)
    if report.realised:
        yield _realised(report)
        yield _deciles(report)
    if report.unjudged:
        yield "not judged by what came of it", ("target", "why"), list(report.unjudged.items())
    if report.volumes:
        yield _volumes(report)
    rows: Rows = [(each.kind, each.subject, f"{each.meaning} {each.advice}") for each in report.alarms]
    yield f"{len(rows) or 'no'} alarm{'' if len(rows) == 1 else 's'}", ("kind", "subject", "what it means"), rows


def _drifts(report: Report) -> Table:
    shown = furthest(report.drifts)[:SHOWN]
    title = (
        f"drift since the training: {len(shown)} of {len(report.drifts)} features and scores of {report.customers:,} "
        "customers with a recent sign of life, those nearest to their limits first"
    )
    return title, ("column", "measure", "found", "limit", "mean", "was"), [_drift(each) for each in shown]


def _drift(each: Drift) -> tuple[str | int, ...]:
    worst = each.worst
    name = f"score of {each.name}" if each.is_score else each.name
    what = f"{worst.short}: DRIFTED" if each.drifted else worst.short
    return name, what, number(worst.value), number(worst.limit), _mean(each.mean), _mean(each.mean_before)


def _mean(value: float) -> str:
    """A mean in as little room as tells it from another."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _realised(report: Report) -> Table:
    title = "realised against predicted, on moments after the training whose answers are known"
    columns = ("target", "bundle", "rows", "customers", "yes", "slope", "shift of log-odds", "log loss over base rate")
    return title, columns, [_line(each) for each in (*report.realised, *report.previous)]


def _line(each: Realised) -> tuple[str | int, ...]:
    numbers = (str(each.slope), str(each.shift), str(each.loss_ratio))
    return each.target, each.version, each.rows, each.customers, f"{each.rate:.1%}", *numbers


def _deciles(report: Report) -> Table:
    rows: Rows = [
        (each.target, *(f"{part.predicted:.0%} {part.realised.value:.0%}" for part in each.deciles))
        for each in report.realised
    ]
    widest = max(map(len, rows)) - 1
    filled: Rows = [row + ("",) * (widest + 1 - len(row)) for row in rows]
    return "predicted and realised share of yes, by tenth", ("target", *map(str, range(1, widest + 1))), filled


def _volumes(report: Report) -> Table:
    rows: Rows = [
        (each.kind, each.week, each.lowest, each.highest, "TOO FEW" if each.fell else "TOO MANY" if each.rose else "")
        for each in report.volumes
    ]
    return "events in the last 7 days", ("kind", "now", "usually from", "to", ""), rows


def number(value: float) -> str:
    """A number with two decimals; nothing where there is none, or no limit yet."""
    return f"{value:.2f}" if math.isfinite(value) else ""
