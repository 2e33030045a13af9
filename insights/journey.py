"""The journey report: the stages of all customers, and their moves between the five stages.

Definitions, for a stage `s` and over all customers:

- a *stay* is the time between entering `s` and leaving it; it is *completed* when the customer has left, else *open*;
- a stay *advanced* when it ended in a later stage (any later one: a visitor who buys at once skips a stage),
  and *fell back* when it ended in an earlier one (an emptied cart, a promoter who became a detractor);
- `conversion` = stays that advanced / all stays begun, including the open ones. It is a cautious figure: an
  open stay counts as not advanced, although it may still advance;
- `advanced_share` and `fell_back_share` = shares of the completed stays only, so they sum to 1. They say in which
  direction customers leave a stage, not whether they leave it: nobody falls back from the first stage, so its
  `advanced_share` is always 1;
- `median_stay_days` = median over customers of their latest completed stay;
- `median_days_so_far` = median age of the open stays.

A share without a denominator and a median without values are unknown: `null`, never 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from features.events import DAY, SECOND, Stage
from insights.insight import Insight, Schema, Shop
from insights.key_figures import KeyFigure, key_figures
from insights.numbers import known, median, share
from insights.words import StageName

Array = npt.NDArray[Any]
STAGES = len(Stage)


class JourneyStage(Schema):
    """One stage of the journey. Shares are between 0 and 1, times in days."""

    stage: StageName
    customers: int
    share: float | None = Field(description="Of all customers.")
    lapsing: int = Field(description="Customers of the stage who are silent for longer than their own rhythm suggests.")
    lapsing_share: float | None
    stays_completed: int = Field(description="Stays in this stage that have ended.")
    advanced: int = Field(description="Completed stays that ended in a later stage.")
    fell_back: int = Field(description="Completed stays that ended in an earlier stage.")
    conversion: float | None = Field(description="Stays that advanced, of all stays begun.")
    advanced_share: float | None = Field(description="Of the completed stays.")
    fell_back_share: float | None = Field(description="Of the completed stays.")
    median_stay_days: float | None = Field(description="Median over customers of their latest completed stay.")
    median_days_so_far: float | None = Field(description="Median age of the stays that have not ended.")


class Journey(Schema):
    """All customers on one page, as of the last sweep.

    The number of customers at each stage, their moves between the stages, their stays, and the shop's key figures.
    """

    customers: int
    stages: list[JourneyStage]
    transitions: list[list[int]] = Field(description="How often a customer went from stage (row) to stage (column).")
    transition_shares: list[list[float | None]] = Field(description="The same, each row divided by its sum.")
    figures: list[KeyFigure]


def journey(shop: Shop) -> Journey:
    """Report on all customers of a scoreboard.

    It reads the columns `stage`, `previous_stage`, `days_in_stage` and `lapsing`, and those of the key figures. From
    the stage aggregate it reads `transitions` uint16[n, 25] (entry `from * 5 + to`) and `stay_days` float32[n, 5] (the
    latest completed stay per stage, NaN if none), both as of the latest event. With `stage` and `entered` (the stage at
    the latest event and the second it was entered), stays that have expired since then, such as an abandoned cart,
    count as completed. Raises ValueError when the lengths disagree.
    """
    columns, stays = shop.columns, shop.stays
    stage = np.asarray(columns["stage"]).astype(np.int64)
    counts = _transition_counts(stays["transitions"], len(stage))
    stay_days = np.array(stays["stay_days"], dtype=np.float64)
    if stay_days.shape != (len(stage), STAGES):
        raise ValueError(
            f"stay_days has shape {stay_days.shape}; expected ({len(stage)}, {STAGES}), one row a customer"
        )
    if "stage" in stays:
        _complete_ended_stays(counts, stay_days, shop)
    lapsing = np.asarray(columns["lapsing"]) > 0
    days_in_stage = np.asarray(columns["days_in_stage"], dtype=np.float64)
    return Journey(
        customers=len(stage),
        stages=[_stage(part, counts, stage == part, lapsing, days_in_stage, stay_days[:, part]) for part in Stage],
        transitions=counts.tolist(),
        transition_shares=[[known(share(number, sum(row))) for number in row] for row in counts.tolist()],
        figures=key_figures(columns),
    )


def _transition_counts(transitions: Array, customers: int) -> npt.NDArray[np.int64]:
    expected = (customers, STAGES * STAGES)
    if np.shape(transitions) != expected:
        raise ValueError(f"transitions has shape {np.shape(transitions)}; expected {expected}, one row a customer")
    counts: npt.NDArray[np.int64] = np.asarray(transitions).sum(axis=0, dtype=np.int64).reshape(STAGES, STAGES)
    np.fill_diagonal(counts, 0)
    return counts


def _complete_ended_stays(counts: Array, stay_days: Array, shop: Shop) -> None:
    """Add the stays that expired since the latest event, in place.

    A live cart may expire into advocacy, which may expire, too; the lengths of these two stays are then unknown.
    """
    columns, stays = shop.columns, shop.stays
    stage, before = np.asarray(columns["stage"]).astype(np.int64), np.asarray(stays["stage"]).astype(np.int64)
    moved = np.flatnonzero(stage != before)
    previous = np.asarray(columns["previous_stage"])[moved].astype(np.int64)
    start, end = before[moved], stage[moved]
    np.add.at(counts, (start, previous), previous != start)
    np.add.at(counts, (previous, end), 1)
    direct = previous == start
    entered = np.asarray(stays["entered"], dtype=np.float64)[moved] * SECOND / DAY
    left = shop.as_of / DAY - np.asarray(columns["days_in_stage"], dtype=np.float64)[moved]
    stay_days[moved[direct], start[direct]] = (left - entered)[direct]


def _stage(
    stage: Stage, counts: Array, here: Array, lapsing: Array, days_in_stage: Array, stay_days: Array
) -> JourneyStage:
    present = int(here.sum())
    silent = int((here & lapsing).sum())
    advanced = int(counts[stage, stage + 1 :].sum())
    fell_back = int(counts[stage, :stage].sum())
    completed = advanced + fell_back
    return JourneyStage(
        stage=stage.name.lower(),
        customers=present,
        share=known(share(present, len(here))),
        lapsing=silent,
        lapsing_share=known(share(silent, present)),
        stays_completed=completed,
        advanced=advanced,
        fell_back=fell_back,
        conversion=known(share(advanced, completed + present)),
        advanced_share=known(share(advanced, completed)),
        fell_back_share=known(share(fell_back, completed)),
        median_stay_days=known(median(stay_days)),
        median_days_so_far=known(median(days_in_stage[here])),
    )


INSIGHT = Insight(
    name="journey",
    question="At which stages are the customers, and how do they move on?",
    compute=journey,
    schema=Journey,
    template="insights/journey.html",
)
