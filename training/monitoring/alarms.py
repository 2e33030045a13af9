"""Alarms: results beyond their limits, their meaning in words, and the command to run.

Limits are effect sizes that matter, and a result must be beyond them by more than chance explains. In the simulated
shops of the tests fifty periods without a fault raise no alarm, and each of these faults raises one: a feature that
became a constant, once `NOTICED_DRIFT` customers have had an event since; reversed answers, or log-odds off by 1,
within `NOTICED_ANSWERS` ripened rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from training.evaluation.evaluation import Figure
from training.monitoring.drift import Drift
from training.monitoring.realised import Realised
from training.monitoring.recalibration import standard_error
from training.monitoring.report import Alarm
from training.monitoring.volumes import Volume

NOTICED_DRIFT = 500
NOTICED_ANSWERS = 2000

SLOPES = (0.5, 2.0)
"""The range of calibration slopes that raise no alarm."""

SHIFT = 0.5
"""The largest mean error of the log-odds without an alarm: 0.5 is 38 % instead of 50 %, or 6 % instead of 10 %."""

KEPT = 0.5
"""A model has decayed if it keeps less than this share of its advantage over the base rate in the test."""

DEVIATIONS = 3.0
"""The number of standard errors beyond a limit that counts as chance."""

EQUALS = 4.0
"""The number of standard errors by which a champion has to be worse than another one to raise an alarm."""

_RETRAIN = "Run `waypost retrain --if-needed`, which rolls back to the previous champion when that one does better."
_REPLACE = "Run `waypost retrain --if-needed`, which replaces a damaged bundle by an archived one, or trains."


def drift_alarms(drifts: Iterable[Drift]) -> Iterator[Alarm]:
    """An alarm for each column beyond a limit; it names the measure that is furthest beyond."""
    for drift in drifts:
        if drift.drifted:
            yield _drift_alarm(drift)


def _drift_alarm(drift: Drift) -> Alarm:
    worst = drift.worst
    what = "score" if drift.is_score else "feature"
    meaning = (
        f"The {what} {drift.name} differs from its distribution at the training: its {worst.name} is "
        f"{worst.value:.2f}, the limit is {worst.limit:.2f}. Its mean is {drift.mean:.4g} and was "
        f"{drift.mean_before:.4g}; it is undefined for {drift.undefined:.0%} of the customers and was for "
        f"{drift.undefined_before:.0%}."
    )
    cause = "Look at the features that drifted with it." if drift.is_score else f"See `waypost explain {drift.name}`."
    advice = f"{cause} If a source sends other data than before, repair it; if the shop has changed, `waypost train`."
    return Alarm("drift", drift.name, worst.value, worst.limit, 0, meaning, advice)


def realised_alarms(results: Iterable[Realised]) -> Iterator[Alarm]:
    """Alarms for each target whose probabilities are off by too much, or no longer better than the base rate."""
    for result in results:
        yield from _calibration_alarms(result)
        yield from _quality_alarms(result)


def _calibration_alarms(result: Realised) -> Iterator[Alarm]:
    seen = f"{result.rows:,} rows of {result.customers:,} customers"
    slope, shift = result.slope, result.shift
    low, high = SLOPES
    if _significantly_below(slope, low) or _significantly_above(slope, high):
        threshold = low if slope.value < low else high
        what = "reversed" if slope.value < 0 else "too extreme" if slope.value < low else "too moderate"
        meaning = f"The probabilities of {result.target} are {what}: the slope of calibration is {slope} over {seen}."
        yield Alarm("calibration", f"{result.target} slope", slope.value, threshold, 0, meaning, _RETRAIN)
    if _significantly_above(shift, SHIFT) or _significantly_below(shift, -SHIFT):
        meaning = (
            f"The probabilities of {result.target} are too {'low' if shift.value > 0 else 'high'}: the share of yes is "
            f"{result.rate:.1%}; the log-odds are off by {shift} over {seen}."
        )
        limit = math.copysign(SHIFT, shift.value)
        yield Alarm("calibration", f"{result.target} shift", shift.value, limit, 0, meaning, _RETRAIN)


def _quality_alarms(result: Realised) -> Iterator[Alarm]:
    limit, ratio = 1.0, result.loss_ratio
    if result.expected_ratio < 1.0:
        limit = 1.0 - KEPT * (1.0 - result.expected_ratio)
    if _significantly_above(ratio, limit):
        worse = "worse than the base rate alone" if ratio.value > 1.0 else "hardly better than the base rate alone"
        meaning = (
            f"The model of {result.target} is {worse}: its log loss is {ratio} times that of the base rate over "
            f"{result.rows:,} rows, and should be at most {limit:.3f}."
        )
        yield Alarm("quality", result.target, ratio.value, limit, 0, meaning, _RETRAIN)


def over_previous_alarms(over: Mapping[str, Figure]) -> Iterator[Alarm]:
    """An alarm for each target that the previous champion would have answered better, beyond chance."""
    for target, figure in over.items():
        if _significantly_above(figure, 0.0, EQUALS):
            meaning = (
                f"The previous champion answers {target} better: on the same ripened rows the log loss is now {figure} "
                "higher."
            )
            yield Alarm("quality", f"{target} beside the previous champion", figure.value, 0.0, 0, meaning, _RETRAIN)


def volume_alarms(volumes: Iterable[Volume]) -> Iterator[Alarm]:
    """An alarm for each kind of event of which there are too few or too many."""
    for volume in volumes:
        if volume.fell or volume.rose:
            limit = volume.low_limit if volume.fell else volume.high_limit
            meaning = (
                f"{volume.week:,} events {volume.kind} came in the last 7 days; the weeks before had "
                f"{volume.lowest:,} to {volume.highest:,}."
            )
            advice = (
                "Check whether the source still sends all events, and each once: `waypost doctor`, "
                "`waypost deadletters list`."
            )
            yield Alarm("volume", volume.kind, float(volume.week), limit, 0, meaning, advice)


def bundle_alarm(place: str, fault: str) -> Alarm:
    """The alarm of a bundle that cannot be loaded."""
    return Alarm("bundle", place, 1.0, 0.0, 0, fault, _REPLACE)


def with_since(alarms: Iterable[Alarm], now: int, since: Mapping[tuple[str, str], int]) -> tuple[Alarm, ...]:
    """The alarms with the time since which they hold: that of an earlier report that had them, or `now`."""
    return tuple(replace(alarm, since=min(now, since.get((alarm.kind, alarm.subject), now))) for alarm in alarms)


def _significantly_above(figure: Figure, limit: float, deviations: float = DEVIATIONS) -> bool:
    return figure.value - deviations * standard_error(figure) > limit


def _significantly_below(figure: Figure, limit: float) -> bool:
    return figure.value + DEVIATIONS * standard_error(figure) < limit
