"""From 50 customers to all: the log loss of each tier alone, and of the selection among them.

    python -m benchmarks.cold_start [--sizes 50 100 200 400 800] [--draws 3] [--targets churn_28d conversion_7d]

Customers of Complete Journey are split once: the models are fitted on samples of one half, one of each size, and tested
on all of the other half. The selection uses the same rows as the tiers. Differences have 95 % intervals from a
bootstrap over the customers of the test.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_data import Shop, complete_journey, interval
from benchmarks.report import print_claims, print_table
from features.journey import JOURNEY
from models.prediction.tiers import TIERS
from training.evaluation.evaluation import resamplings
from training.fitting.calibration import row_losses
from training.fitting.tier_selection import select_tier
from training.rows.dataset import Slice, gathered
from training.targets import TARGETS, Target

Floats = NDArray[np.float64]

SIZES = (50, 100, 200, 400, 800)
SELECTED = "selected"
REPLICATES = 500


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--targets", nargs="+", default=["churn_28d", "conversion_7d"])
    asked = parser.parse_args()
    shop = complete_journey()
    claims: dict[str, float] = {}
    for name in asked.targets:
        claims |= measured(TARGETS[name], shop, asked.sizes, asked.draws)
    print_claims("cold_start", claims)


def measured(target: Target, shop: Shop, sizes: list[int], draws: int) -> dict[str, float]:
    """Print the learning curve of one target; returns its claims."""
    everyone = np.random.default_rng(0).permutation(shop.past.apart.customers)
    learners, judges = np.array_split(everyone, 2)
    others = shop.only(judges)
    test = gathered(target, JOURNEY, others.past, shop.start, shop.end, seed=0).dataset.test
    rows, worst, failed = [], -np.inf, 0
    for size in [*(size for size in sizes if size < len(learners)), len(learners)]:
        repeats = draws if size < len(learners) else 1
        losses, chosen = curve_point(target, shop, learners, test, size, repeats)
        alone = [row_loss for name, row_loss in losses.items() if name != SELECTED]
        worse = losses[SELECTED] - min(alone, key=lambda row_loss: float(row_loss.mean()))
        low, high = _interval(worse, test, size)
        worst, failed = max(worst, float(worse.mean())), failed + (low > 0.0)
        shown = [f"{losses[name].mean():.4f}" if name in losses else "" for name in (*TIERS, SELECTED)]
        rows.append([f"{size:,}", *shown, ", ".join(chosen), f"{worse.mean():+.4f} [{low:+.4f}, {high:+.4f}]"])
    columns = ("customers", *TIERS, SELECTED, "chosen", "selected - best tier")
    print_table(f"{target.name}: log loss on {len(test):,} rows of other customers", columns, rows)
    return {f"{target.name}_selected_over_best_tier": worst, f"{target.name}_sizes_worse": float(failed)}


def curve_point(
    target: Target, shop: Shop, learners: NDArray[np.int32], test: Slice, size: int, draws: int
) -> tuple[dict[str, Floats], list[str]]:
    """The log loss of each test row by each tier alone and by the selected one, as the mean over `draws` samples of
    `size` customers, and the tiers selected. A tier that some sample does not allow is left out."""
    losses: dict[str, list[Floats]] = {}
    chosen = []
    for seed in range(draws):
        drawn = np.random.default_rng(seed).choice(learners, size, replace=False)
        gathered_rows = gathered(target, JOURNEY, shop.only(drawn).past, shop.start, shop.end, seed=seed)
        for name in (*TIERS, SELECTED):
            fitted = select_tier(gathered_rows, seed, tuple(TIERS) if name == SELECTED else (name,))
            scorer = fitted.judged or fitted.scorer
            if name == SELECTED:
                chosen.append(scorer.tier.name)
            elif scorer.tier.name != name:
                continue
            losses.setdefault(name, []).append(row_losses(scorer.score_many(test.features), test.labels))
    whole = {name: np.mean(drawn, axis=0) for name, drawn in losses.items() if len(drawn) == draws}
    return whole, list(dict.fromkeys(chosen))


def _interval(differences: Floats, test: Slice, seed: int) -> tuple[float, float]:
    """The 95 % interval of the mean difference, from a bootstrap over customers."""

    def mean(copies: Floats) -> float:
        return float(copies @ differences / copies.sum())

    return interval(mean, resamplings(test.customer, seed, REPLICATES))


if __name__ == "__main__":
    main()
