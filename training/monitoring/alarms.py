"""Alarms: where a finding is beyond its limit, what that means in words, and what to run.

Limits are effect sizes that matter, and a finding must be beyond them by more than chance explains. In the simulated
shops of the tests fifty clean periods raise none, and each of these is noticed: a feature that became a constant, once
`NOTICED_DRIFT` customers had an event since; answers turned round, or log-odds off by 1, within `NOTICED_ANSWERS`
ripened rows.
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
"""Slopes of calibration between these are left to the next training."""

SHIFT = 0.5
"""So may the log-odds be off on average: 0.5 is 38 % for 50 %, or 6 % for 10 %."""

KEPT = 0.5
"""A model that keeps less than this share of what it was better than the base rate by at its test has decayed."""

DEVIATIONS = 3.0
"""Standard errors beyond a limit that are still taken for chance."""

EQUALS = 4.0
"""Standard errors by which a champion has to be worse than another: of two as good, one always is a little."""

_RETRAIN = "Run `waypost retrain --if-needed`, which rolls back to the champion before when that one does better."
_REPLACE = "Run `waypost retrain --if-needed`, which puts an archived bundle in the place of a damaged one, or trains."


def drift_alarms(found: Iterable[Drift]) -> Iterator[Alarm]:
    """One for each column beyond a limit; the distance that is named is the one further beyond."""
    for each in found:
        if each.drifted:
            yield _drift_alarm(each)


def _drift_alarm(each: Drift) -> Alarm:
    worst = each.worst
    what = "score" if each.is_score else "feature"
    meaning = (
        f"The {what} {each.name} is not what it was at the training: its {worst.name} is {worst.value:.2f}, and "
        f"what is usual here reaches {worst.limit:.2f}. Its mean is {each.mean:.4g} and was {each.mean_before:.4g}; it "
        f"is not defined for {each.undefined:.0%} of the customers, and was not for {each.undefined_before:.0%}."
    )
    cause = "Look at the features that drifted with it." if each.is_score else f"See `waypost explain {each.name}`."
    advice = f"{cause} If a source sends something else than before, mend it; if the shop has changed, `waypost train`."
    return Alarm("drift", each.name, worst.value, worst.limit, 0, meaning, advice)


def realised_alarms(found: Iterable[Realised]) -> Iterator[Alarm]:
    """Of each target whose probabilities are off by too much, or no longer better than the base rate."""
    for each in found:
        yield from _calibration_alarms(each)
        yield from _quality_alarms(each)


def _calibration_alarms(each: Realised) -> Iterator[Alarm]:
    seen = f"{each.rows:,} rows of {each.customers:,} customers"
    slope, shift = each.slope, each.shift
    low, high = SLOPES
    if _surely_below(slope, low) or _surely_above(slope, high):
        threshold = low if slope.value < low else high
        what = "the wrong way round" if slope.value < 0 else "too extreme" if slope.value < low else "too timid"
        meaning = f"The probabilities of {each.target} are {what}: the slope of calibration is {slope} over {seen}."
        yield Alarm("calibration", f"{each.target} slope", slope.value, threshold, 0, meaning, _RETRAIN)
    if _surely_above(shift, SHIFT) or _surely_below(shift, -SHIFT):
        meaning = (
            f"The probabilities of {each.target} are too {'low' if shift.value > 0 else 'high'}: {each.rate:.1%} said "
            f"yes; the log-odds are off by {shift} over {seen}."
        )
        yield Alarm(
            "calibration", f"{each.target} shift", shift.value, math.copysign(SHIFT, shift.value), 0, meaning, _RETRAIN
        )


def _quality_alarms(each: Realised) -> Iterator[Alarm]:
    limit, ratio = 1.0, each.loss_ratio
    if each.expected_ratio < 1.0:
        limit = 1.0 - KEPT * (1.0 - each.expected_ratio)
    if _surely_above(ratio, limit):
        worse = "worse than the base rate alone" if ratio.value > 1.0 else "hardly better than the base rate alone"
        meaning = (
            f"The model of {each.target} is {worse}: its log loss is {ratio} times that one's over {each.rows:,} rows, "
            f"and should be at most {limit:.3f}."
        )
        yield Alarm("quality", each.target, ratio.value, limit, 0, meaning, _RETRAIN)


def over_previous_alarms(over: Mapping[str, Figure]) -> Iterator[Alarm]:
    """One for each target that the champion before would have answered better, beyond chance."""
    for target, figure in over.items():
        if _surely_above(figure, 0.0, EQUALS):
            meaning = (
                f"The champion before answers {target} better: on the same ripened rows the log loss is now {figure} "
                "higher."
            )
            yield Alarm("quality", f"{target} beside the champion before", figure.value, 0.0, 0, meaning, _RETRAIN)


def volume_alarms(found: Iterable[Volume]) -> Iterator[Alarm]:
    """One for each kind of events of which there are too few or too many."""
    for each in found:
        if each.fell or each.rose:
            limit = each.low_limit if each.fell else each.high_limit
            meaning = (
                f"{each.week:,} events {each.kind} came in the last 7 days; the weeks before had "
                f"{each.lowest:,} to {each.highest:,}."
            )
            advice = (
                "See whether the source still sends all, and each once: `waypost doctor`, `waypost deadletters list`."
            )
            yield Alarm("volume", each.kind, float(each.week), limit, 0, meaning, advice)


def bundle_alarm(place: str, fault: str) -> Alarm:
    """The bundle cannot be loaded."""
    return Alarm("bundle", place, 1.0, 0.0, 0, fault, _REPLACE)


def standing(alarms: Iterable[Alarm], now: int, since: Mapping[tuple[str, str], int]) -> tuple[Alarm, ...]:
    """The alarms with the moment since when they stand: that of an earlier report that had them, or `now`."""
    return tuple(replace(each, since=min(now, since.get((each.kind, each.subject), now))) for each in alarms)


def _surely_above(figure: Figure, limit: float, deviations: float = DEVIATIONS) -> bool:
    return figure.value - deviations * standard_error(figure) > limit


def _surely_below(figure: Figure, limit: float) -> bool:
    return figure.value + DEVIATIONS * standard_error(figure) < limit
