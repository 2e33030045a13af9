"""The journey report: where all customers stand, and how they move between the five stages.

Definitions, for a stage `s` and over all customers:

- a *stay* is the time between entering `s` and leaving it; it is *completed* when the customer has left, else *open*;
- a stay *advanced* when it ended in a later stage (any later one: a visitor who buys at once skips a stage),
  and *fell back* when it ended in an earlier one (an emptied cart, a promoter who became a detractor);
- `conversion` = stays that advanced / all stays begun, the open ones included. It is the cautious figure: an
  open stay counts as not advanced, though it still may;
- `advanced_share` and `fell_back_share` = of the completed stays only, so they sum to 1. They say which way
  customers leave, not whether they do: nobody falls back from the first stage, so its `advanced_share` is always 1;
- `median_stay_days` = median over customers of their latest completed stay;
- `median_days_so_far` = median age of the open stays.

A share without a denominator and a median of nothing are NaN, in JSON `null`, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.events import DAY, SECOND, Stage

Array = npt.NDArray[Any]
STAGES = len(Stage)


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage of the journey. Shares are between 0 and 1, times in days; see the module for definitions.

    `share` is of all customers; `lapsing` and `lapsing_share` count those in this stage who have been silent
    for longer than their own rhythm suggests.
    """

    stage: str
    customers: int
    share: float
    lapsing: int
    lapsing_share: float
    stays_completed: int
    advanced: int
    fell_back: int
    conversion: float
    advanced_share: float
    fell_back_share: float
    median_stay_days: float
    median_days_so_far: float


@dataclass(frozen=True, slots=True)
class JourneyReport:
    """All customers on one page, as they stood at `as_of` (microseconds UTC).

    `transitions[i][j]` is how often any customer went from stage `i` to stage `j` (the diagonal is 0);
    `transition_shares` is the same with every row divided by its sum, NaN where nobody left the stage.
    """

    as_of: int
    customers: int
    stages: tuple[StageReport, ...]
    transitions: tuple[tuple[int, ...], ...]
    transition_shares: tuple[tuple[float, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The report as plain JSON values; NaN becomes None."""
        return {
            "as_of": self.as_of,
            "customers": self.customers,
            "stages": [{name: json_value(value) for name, value in asdict(stage).items()} for stage in self.stages],
            "transitions": [list(row) for row in self.transitions],
            "transition_shares": [[json_value(share) for share in row] for row in self.transition_shares],
        }


def json_value(value: Any) -> Any:
    """`value` as JSON can carry it: a number that is not finite becomes None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def journey_report(columns: Mapping[str, Array], stays: Mapping[str, Array], as_of: int) -> JourneyReport:
    """Report on all customers of a scoreboard.

    `columns` holds, one value per customer, `stage`, `previous_stage`, `days_in_stage` and `lapsing`; `stays` holds
    what the stage aggregate remembers: `transitions` uint16[n, 25] (entry `from * 5 + to`) and `stay_days`
    float32[n, 5] (the latest completed stay per stage, NaN if none), both as of the latest event. With `stage` and
    `entered` (the stage at the latest event and the second it was entered), stays that ended by themselves since
    then, as an abandoned cart does, count as completed. Raises ValueError when the lengths disagree.
    """
    stage = np.asarray(columns["stage"]).astype(np.int64)
    counts = _transition_counts(stays["transitions"], len(stage))
    stay_days = np.array(stays["stay_days"], dtype=np.float64)
    if stay_days.shape != (len(stage), STAGES):
        raise ValueError(
            f"stay_days has shape {stay_days.shape}; expected ({len(stage)}, {STAGES}), one row a customer"
        )
    if "stage" in stays:
        _complete_ended_stays(counts, stay_days, columns, stays, as_of)
    lapsing = np.asarray(columns["lapsing"]) > 0
    days_in_stage = np.asarray(columns["days_in_stage"], dtype=np.float64)
    reports = tuple(
        _stage_report(each, counts, stage == each, lapsing, days_in_stage, stay_days[:, each]) for each in Stage
    )
    return JourneyReport(
        as_of=as_of,
        customers=len(stage),
        stages=reports,
        transitions=tuple(tuple(row) for row in counts.tolist()),
        transition_shares=tuple(tuple(share(number, sum(row)) for number in row) for row in counts.tolist()),
    )


def _transition_counts(transitions: Array, customers: int) -> npt.NDArray[np.int64]:
    expected = (customers, STAGES * STAGES)
    if np.shape(transitions) != expected:
        raise ValueError(f"transitions has shape {np.shape(transitions)}; expected {expected}, one row a customer")
    counts: npt.NDArray[np.int64] = np.asarray(transitions).sum(axis=0, dtype=np.int64).reshape(STAGES, STAGES)
    np.fill_diagonal(counts, 0)
    return counts


def _complete_ended_stays(
    counts: Array, stay_days: Array, columns: Mapping[str, Array], stays: Mapping[str, Array], as_of: int
) -> None:
    """Add the stays that ended without an event since the latest one, in place.

    A live cart may end in advocacy, which may end in turn; how long each of the two lasted is then not known.
    """
    stage, before = np.asarray(columns["stage"]).astype(np.int64), np.asarray(stays["stage"]).astype(np.int64)
    moved = np.flatnonzero(stage != before)
    previous = np.asarray(columns["previous_stage"])[moved].astype(np.int64)
    start, end = before[moved], stage[moved]
    np.add.at(counts, (start, previous), previous != start)
    np.add.at(counts, (previous, end), 1)
    direct = previous == start
    entered = np.asarray(stays["entered"], dtype=np.float64)[moved] * SECOND / DAY
    left = as_of / DAY - np.asarray(columns["days_in_stage"], dtype=np.float64)[moved]
    stay_days[moved[direct], start[direct]] = (left - entered)[direct]


def _stage_report(
    stage: Stage, counts: Array, here: Array, lapsing: Array, days_in_stage: Array, stay_days: Array
) -> StageReport:
    present = int(here.sum())
    silent = int((here & lapsing).sum())
    advanced = int(counts[stage, stage + 1 :].sum())
    fell_back = int(counts[stage, :stage].sum())
    completed = advanced + fell_back
    return StageReport(
        stage=stage.name.lower(),
        customers=present,
        share=share(present, len(here)),
        lapsing=silent,
        lapsing_share=share(silent, present),
        stays_completed=completed,
        advanced=advanced,
        fell_back=fell_back,
        conversion=share(advanced, completed + present),
        advanced_share=share(advanced, completed),
        fell_back_share=share(fell_back, completed),
        median_stay_days=median(stay_days),
        median_days_so_far=median(days_in_stage[here]),
    )


def share(part: float, whole: float) -> float:
    """`part / whole`; NaN when there is no whole."""
    return part / whole if whole else math.nan


def median(values: Array) -> float:
    """The median of the values that are known; NaN when none is."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan
