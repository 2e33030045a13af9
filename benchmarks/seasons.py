"""Calibration in later seasons: the answers that would be served at rolling cutoffs, compared with the outcomes.

    python -m benchmarks.seasons [--shops journey cdnow taobao wave ...] [--targets churn_28d ...] [--cutoffs 3]

At every cutoff each target is trained as in production, with the cutoff as now and everything known by then, and the
model served answers for every customer in scope. Figures at each cutoff:

- the calibration error of `training.evaluation.metrics`, in ten bins of equal numbers of rows. With few rows it
  measures noise, so that two figures are shown beside it: the error of a perfect forecaster with as many rows, and how
  often that is at most `CALIBRATED`. The perfect forecaster's outcomes are drawn with the probabilities served;
- in the simulated shops, the error of the true probability of every customer, including the season ahead, and of the
  probability if orders go on at today's pace (`benchmarks.seasons_truth`);
- the error beyond noise: the root mean square of the gaps of the same bins, less the part that sampling adds (Kumar and
  others, 2019);
- the share of groups of 50 whose rate is inside the 90 % interval;
- the log loss less that of the rate at the newest cutoff whose answer is known, and less that of a small LightGBM on
  recency, frequency and money by window, fitted on every row whose answer is known. A difference is significant when
  its 95 % interval from a bootstrap over customers is above zero.

A cutoff counts if it has `LEAST_ROWS` rows, with `LEAST_ANSWERS` of each answer: with fewer, the figures are noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_data import Absent, Shop, cdnow_events, complete_journey, taobao_events
from benchmarks.report import console, print_claims, print_table
from benchmarks.seasons_shops import OPENING, SHOPS, events_of, lives_of
from benchmarks.seasons_truth import order_within
from features.events import DAY
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.outcomes import Happens
from features.replay.snapshots import past_of
from training.evaluation.baselines import RFM_WINDOWS
from training.evaluation.evaluation import plain_figures
from training.evaluation.metrics import BINS
from training.fitting.calibration import row_losses
from training.fitting.intervals import coverage
from training.fitting.tier_selection import select_tier
from training.monitoring.recalibration import mean_of
from training.rows.dataset import Gathered, Slice, gathered, rows_at
from training.targets import TARGETS, InVisit, Target

Floats = NDArray[np.float64]

ASKED = ("conversion_7d", "conversion_30d", "churn_28d", "churn_rhythm", "repeat_purchase_60d")
REAL = ("journey", "cdnow", "taobao")
CDNOW_CUSTOMERS = 8_000
"""The number of customers of CDNOW in the sample: all of them would take as long as all other shops together."""

LEAST_ROWS, LEAST_ANSWERS = 300, 30
CALIBRATED = 0.04
"""The largest calibration error at a cutoff that counts as calibrated."""

PERFECT, ROUNDS = 40, 100
AT_ONCE = 2


@dataclass(frozen=True)
class Served:
    """The answers served at one cutoff, and the outcomes."""

    shop: str
    target: str
    day: float
    tier: str
    rows: int
    said: float
    came: float
    shift: float
    deviation: float
    error: float
    beyond: float
    perfect: float
    perfect_holds: float
    chance: float
    truth: float
    todays: float
    inside: float
    over_rate: tuple[float, float]
    over_small: tuple[float, float]

    @property
    def line(self) -> list[str]:
        """The figures as a row of the table."""
        return [
            f"{self.target} day {self.day:.0f}", self.tier, f"{self.rows:,}", f"{self.said:.1%}", f"{self.came:.1%}",
            f"{self.shift:+.2f} ± {self.deviation:.2f}", f"{self.error:.3f}", f"{self.beyond:.3f}",
            f"{self.perfect:.3f}", f"{self.perfect_holds:.0%}",
            f"{self.truth:.3f}", f"{self.todays:.3f}", f"{self.inside:.0%}",
            f"{self.over_rate[0]:+.4f}", f"{self.over_small[0]:+.4f}",
        ]  # fmt: skip


COLUMNS = (
    "target and day", "tier", "rows", "said", "came", "level", "error", "beyond noise", "of perfect",
    "perfect holds", "of truth", "of today's pace", "inside", "over rate", "over small",
)  # fmt: skip


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shops", nargs="+", choices=[*REAL, *SHOPS], default=[*REAL, *SHOPS])
    parser.add_argument("--targets", nargs="+", choices=[*ASKED, "session_conversion"], default=list(ASKED))
    parser.add_argument("--cutoffs", type=int, default=3, help="rolling cutoffs of each shop and target")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    results: list[Served] = []
    for name in asked.shops:
        began = time.perf_counter()
        try:
            here = served(name, asked.targets, asked.cutoffs, asked.seed)
        except Absent as reason:
            console.print(f"{name} is skipped: {reason}", markup=False)
            continue
        title = f"{name}, {time.perf_counter() - began:.0f} s: {_summary(here)}"
        print_table(title, COLUMNS, [result.line for result in here])
        results += here
    print_claims("seasons", claims(results))


def claims(results: Sequence[Served]) -> dict[str, float]:
    """The figures over all cutoffs, and over those of the real shops only."""
    real = [result for result in results if result.shop in REAL]
    named = {f"real_{name}": value for name, value in _shares(real).items()} if real else {}
    simulated = [result for result in results if result.shop in SHOPS]
    return _shares(results) | named | (_simulated(simulated) if simulated else {})


def _simulated(results: Sequence[Served]) -> dict[str, float]:
    """The figures of the simulated shops, beside those of the true probabilities."""
    return {
        "simulated_cutoffs": float(len(results)),
        "simulated_cutoffs_calibrated_share": float(np.mean([result.error <= CALIBRATED for result in results])),
        "simulated_cutoffs_calibrated_share_of_truth": float(
            np.mean([result.truth <= CALIBRATED for result in results])
        ),
        "simulated_cutoffs_calibrated_share_of_todays_pace": float(
            np.mean([result.todays <= CALIBRATED for result in results])
        ),
    }


def _shares(results: Sequence[Served]) -> dict[str, float]:
    rows = np.array([result.rows for result in results], np.float64)
    within = [result.error <= CALIBRATED for result in results]
    return {
        "cutoffs": float(len(results)),
        "cutoffs_calibrated_share": float(np.mean(within)),
        "cutoffs_calibrated_or_chance_share": float(
            np.mean([result.error <= max(CALIBRATED, result.chance) for result in results])
        ),
        "cutoffs_calibrated_share_of_perfect": float(np.mean([result.perfect_holds for result in results])),
        "cutoffs_calibrated_beyond_noise_share": float(np.mean([result.beyond <= CALIBRATED for result in results])),
        "calibration_error": float(np.mean([result.error for result in results])),
        "calibration_error_of_perfect": float(np.mean([result.perfect for result in results])),
        "interval_coverage": float(np.average([result.inside for result in results], weights=rows)),
        "worse_than_base_rate_share": float(np.mean([result.over_rate[1] > 0.0 for result in results])),
        "worse_than_small_lightgbm_share": float(np.mean([result.over_small[1] > 0.0 for result in results])),
    }


def _summary(results: Sequence[Served]) -> str:
    if not results:
        return "no cutoff with rows enough"
    shares = _shares(results)
    return (
        f"error {shares['calibration_error']:.3f} (perfect {shares['calibration_error_of_perfect']:.3f}), "
        f"{shares['cutoffs_calibrated_share']:.0%} calibrated (perfect "
        f"{shares['cutoffs_calibrated_share_of_perfect']:.0%}), {shares['interval_coverage']:.0%} inside"
    )


def served(name: str, targets: Sequence[str], cutoffs: int, seed: int) -> list[Served]:
    """Every target at the rolling cutoffs of one shop. Raises `Absent`."""
    shop = _shop(name, seed)
    asked = [TARGETS["session_conversion"]] if name == "taobao" else [TARGETS[target_name] for target_name in targets]
    times = [(target, now) for target in asked if _fits(target, name) for now in _rolling(target, shop, cutoffs)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(partial(_served_at, name, shop, seed), times)
        return [result for result in results if result is not None]


def _fits(target: Target, name: str) -> bool:
    return isinstance(target.timing, InVisit) == (name == "taobao")


def _rolling(target: Target, shop: Shop, number: int) -> list[int]:
    """So many cutoffs, evenly over the second half of the log, the last one a horizon before its end."""
    ahead = 2 * target.horizon if isinstance(target.timing, InVisit) else target.horizon
    last = shop.end - ahead
    first = shop.start + (last - shop.start) * 55 // 100
    return [int(cutoff) for cutoff in np.linspace(first, last, number)] if number > 1 else [last]


@cache
def _shop(name: str, seed: int) -> Shop:
    if name == "journey":
        return complete_journey()
    if name == "cdnow":
        events, names = cdnow_events()
        drawn = np.random.default_rng(seed).choice(len(names), CDNOW_CUSTOMERS, replace=False)
        events = events[np.isin(events["customer"], drawn)]
    else:
        events = taobao_events() if name == "taobao" else events_of(SHOPS[name], seed)
    span = int(events["received"].min()), int(events["received"].max())
    return Shop(past_of([events], np.empty(0, MERGE)), *span)


def _served_at(name: str, shop: Shop, seed: int, asked: tuple[Target, int]) -> Served | None:
    """One target at one cutoff; None where too few customers are in scope, or no answers are known yet."""
    target, now = asked
    later = np.array([now, now + DAY]) if isinstance(target.timing, InVisit) else np.array([now])
    rows = rows_at(target, JOURNEY, shop.past, later, shop.end)
    yes = int(rows.labels.sum())
    if len(rows) < LEAST_ROWS or not LEAST_ANSWERS <= yes <= len(rows) - LEAST_ANSWERS:
        return None
    known = gathered(target, JOURNEY, shop.past, shop.start, now, seed=seed)
    if not len(known.rows):
        return None
    scorer = select_tier(known, seed).scorer
    said, day = scorer.score_many(rows.features), (now - shop.start) / DAY
    perfect = np.array(list(_perfect(said, seed)))
    own = row_losses(said, rows.labels)
    return Served(
        name, target.name, day, scorer.tier.name, len(rows), float(said.mean()), float(rows.labels.mean()),
        scorer.level.shift, scorer.level.deviation, _error(said, rows.labels), _beyond(said, rows.labels),
        float(perfect.mean()), float((perfect <= CALIBRATED).mean()), float(np.quantile(perfect, 0.95)),
        *_of_truth(name, seed, target, now, rows, known.names), coverage(said, rows.labels, scorer.intervals, seed),
        _over(own, _newest_rate(known), rows), _over(own, _small(known, rows, seed), rows),
    )  # fmt: skip


def _perfect(said: Floats, seed: int) -> Iterator[float]:
    """The calibration errors of outcomes that are drawn with exactly these probabilities."""
    draw = np.random.default_rng(seed)
    for _ in range(PERFECT):
        labels = (draw.random(len(said)) < said).astype(np.int8)
        yield _error(said, labels)


def _error(said: Floats, labels: NDArray[np.int8]) -> float:
    return plain_figures(said, labels, ("calibration_error",))["calibration_error"]


def _of_truth(name: str, seed: int, target: Target, now: int, rows: Slice, names: Sequence[str]) -> tuple[float, float]:
    """The errors of the true probabilities with the season ahead, and at today's pace; NaN for a real shop."""
    outcome = target.outcome
    if name not in SHOPS or not isinstance(outcome, Happens):
        return np.nan, np.nan
    lengths = outcome.lengths(dict(zip(names, rows.features.T, strict=True)), len(rows)) / DAY
    last = (now - OPENING) / DAY - rows.features[:, names.index("days_since_purchase")]
    lives = lives_of(SHOPS[name], np.random.default_rng(seed))
    orders = [
        order_within(lives, rows.customer, last.astype(np.float64), (now - OPENING) / DAY, lengths, foreseen=foreseen)
        for foreseen in (True, False)
    ]
    season, pace = (_error(chances if outcome.expected else 1.0 - chances, rows.labels) for chances in orders)
    return season, pace


def _beyond(said: Floats, labels: NDArray[np.int8]) -> float:
    """The root mean square gap of bins of equal numbers of rows, less the variance that each gap has from sampling."""
    parts = np.array_split(np.argsort(said, kind="stable"), BINS)
    rows = np.array([float(len(part)) for part in parts])
    gaps, came = (np.array([float(values[part].mean()) for part in parts]) for values in (said - labels, labels))
    square = float(np.average(gaps**2 - came * (1.0 - came) / (rows - 1.0), weights=rows))
    return float(np.sqrt(max(square, 0.0)))


def _newest_rate(known: Gathered) -> float:
    """The share of yes in the newest horizon whose answer is known."""
    rows = known.rows
    newest = rows.labels[rows.cutoff > rows.cutoff.max() - DAY]
    return float(np.clip(newest.mean(), 1e-3, 1.0 - 1e-3))


def _small(known: Gathered, rows: Slice, seed: int) -> Floats:
    """A small LightGBM on recency, frequency and money by window, fitted on every row whose answer is known."""
    places = [known.names.index(name) for name in RFM_WINDOWS]
    parameters = {
        "objective": "binary", "num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 50, "verbosity": -1,
        "num_threads": 1, "seed": seed, "deterministic": True,
    }  # fmt: skip
    learnt = lightgbm.Dataset(known.rows.features[:, places], known.rows.labels.astype(np.float32))
    trees = lightgbm.train(parameters, learnt, ROUNDS)
    return np.asarray(trees.predict(rows.features[:, places]), np.float64)


def _over(own: Floats, other: Floats | float, rows: Slice) -> tuple[float, float]:
    """The own log loss less that of another: the mean, and the lower end of its 95 % interval."""
    said = np.broadcast_to(np.asarray(other, np.float64), len(rows))
    figure = mean_of(own - row_losses(said, rows.labels), rows.customer)
    return figure.value, figure.low


if __name__ == "__main__":
    main()
