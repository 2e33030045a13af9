"""Complete Journey: every target that its log answers, beside the rules and models one would use instead.

The newest cutoffs whose answers are known are the test; the models are fitted on rows at least a horizon earlier. This
is done with the log as of each of `ENDS`, because a single test covers a single season, here Christmas. All models are
compared on the same rows, and all intervals are 95 % intervals from a bootstrap over customers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_data import Shop, complete_journey
from benchmarks.report import console, print_table
from features.events import DAY, PURCHASE, days
from features.journey import JOURNEY
from features.outcomes import Happens, Spends
from features.replay.snapshots import replay_profiles
from models.prediction.clv import Record
from training.evaluation.amounts import ERRORS, AmountTest, judge_amount
from training.evaluation.baselines import baselines
from training.evaluation.evaluation import Evaluation, evaluate
from training.fitting.amounts import fit_amount
from training.fitting.calibration import fit_calibration, settings
from training.fitting.clv import fit_buying
from training.fitting.intervals import coverage
from training.fitting.tier_selection import select_tier
from training.rows.dataset import Dataset, Gathered, Slice, gathered, joined
from training.targets import TARGETS, Calendar, Target

Floats = NDArray[np.float64]

ASKED = tuple(
    target for target in TARGETS.values() if isinstance(target.outcome, Happens) and isinstance(target.timing, Calendar)
)
"""The targets with the answers yes and no that are asked at cutoffs."""

SPEND = replace(TARGETS["lifetime_value_90d"], name="spend_56d", outcome=Spends(PURCHASE.amount, within=days(56)))
"""Spending over fewer days: a year is too short for a split with horizons of 90 days."""

ENDS = (0, 30, 60)
"""The ends of the log that are simulated, in days before its end."""

COUNTS = (
    "purchases_ever", "purchases_28d", "purchases_90d", "coupons_ever", "coupons_28d", "refunds_ever", "messages_7d",
    "messages_28d", "item_views_7d", "searches_7d", "cart_adds_7d", "list_views_ever", "sessions_ever",
)  # fmt: skip
"""The features that are simple counts of events."""
ROUNDS = 200
SHOWN = ("roc_auc", "pr_auc", "log_loss", "calibration_error")


@dataclass(frozen=True, eq=False)
class Test:
    """The predictions of every model at one of `ENDS`, and the labels."""

    predictions: Mapping[str, Floats]
    labels: NDArray[np.int8]
    customer: NDArray[np.int32]
    tier: str
    coverage: float


def claims(seed: int, targets: tuple[Target, ...] = ASKED) -> dict[str, float]:
    """Fit, judge, print. Raises `Absent`."""
    shop = complete_journey()
    figures: dict[str, float] = {}
    for target in targets:
        tests = {earlier: test for earlier in ENDS if (test := _tested(target, shop, earlier, seed))}
        for earlier, test in tests.items():
            judged = evaluate(test.predictions, test.labels, test.customer, seed)
            name = _name(target, earlier)
            _print(f"{name}, by {test.tier}; {test.coverage:.1%} inside", judged)
            figures |= _claims(name, judged) | {f"{name}_interval_coverage": test.coverage}
        if len(tests) > 1:
            name = f"{target.name}_all_ends"
            judged, covered = _together(list(tests.values()), seed)
            _print(f"{name}; {covered:.1%} inside", judged)
            figures |= _claims(name, judged) | {f"{name}_interval_coverage": covered}
    return figures | _spending(shop, seed)


def _name(target: Target, earlier: int) -> str:
    """The name of the test of a target so many days before the end of the log."""
    return f"{target.name}_{earlier}d_earlier" if earlier else target.name


def _rows(target: Target, shop: Shop, earlier: int, seed: int) -> Gathered | None:
    """The rows of that test, split by time; None, with a message, where the log is too short."""
    rows = gathered(target, JOURNEY, shop.past, shop.start, shop.end - days(earlier), seed=seed)
    if rows.split is None:
        console.print(f"{_name(target, earlier)} is skipped: {rows.missing}", markup=False)
        return None
    return rows


def _tested(target: Target, shop: Shop, earlier: int, seed: int) -> Test | None:
    """The test of a target so many days before the end of the log, if the log is long enough."""
    rows = _rows(target, shop, earlier, seed)
    if rows is None or rows.split is None:
        return None
    data = rows.dataset
    scorer = select_tier(rows, seed).judged
    if scorer is None:
        return None
    own = scorer.score_many(data.test.features)
    predictions = {
        "waypost": own,
        **baselines(data),
        "bg_nbd": _buying(data, shop, int(rows.split.calibrate[-1])),
        "plain_counts": _counted(data, seed),
    }
    covered = coverage(own, data.test.labels, scorer.intervals, seed)
    return Test(predictions, data.test.labels, data.test.customer, scorer.tier.name, covered)


def _together(tests: Sequence[Test], seed: int) -> tuple[Evaluation, float]:
    """All tests as one, with a common bootstrap over customers, and the share of groups inside their intervals."""
    models = tests[0].predictions
    predictions = {model: np.concatenate([test.predictions[model] for test in tests]) for model in models}
    labels = np.concatenate([test.labels for test in tests])
    judged = evaluate(predictions, labels, np.concatenate([test.customer for test in tests]), seed)
    return judged, float(np.average([test.coverage for test in tests], weights=[len(test.labels) for test in tests]))


def _spending(shop: Shop, seed: int) -> dict[str, float]:
    """`SPEND` beside the mean, the pace of the 90 days before, and BG/NBD times Gamma-Gamma, up to each of `ENDS`."""
    claims: dict[str, float] = {}
    for earlier in ENDS:
        name, split_rows = _name(SPEND, earlier), _rows(SPEND, shop, earlier, seed)
        if split_rows is None:
            continue
        tier = fit_amount(split_rows, seed).scorer.tier
        test = judge_amount(tier, split_rows.dataset, seed)
        rows = [
            [model, *(str(figures[kind]) for kind in ("total", *ERRORS))] for model, figures in test.figures.items()
        ]
        title = f"{name}, by {tier.name}: {test.rows:,} rows, {test.mean:.2f} in the mean; {test.coverage:.1%} inside"
        print_table(title, ("model", "total / actual", "mean absolute error", "root mean squared error"), rows)
        claims |= _spend_claims(name, test)
    return claims


def _spend_claims(name: str, test: AmountTest) -> dict[str, float]:
    """The model's errors divided by those of the best other model, with the upper ends of their intervals, the total
    and the coverage."""
    claims = {f"{name}_total": test.total, f"{name}_interval_coverage": test.coverage}
    for kind in ERRORS:
        best = min(test.over, key=lambda other: test.figures[other][kind].value)
        other, more = test.figures[best][kind].value, test.over[best][kind]
        claims[f"{name}_{kind}_to_best"] = 1.0 + more.value / other
        claims[f"{name}_{kind}_to_best_high"] = 1.0 + more.high / other
    return claims


def _claims(name: str, judged: Evaluation) -> dict[str, float]:
    """The differences from the RFM logistic and from the best of all baselines, and the calibration error."""
    rfm = judged.over["rfm_logistic"]["roc_auc"]
    return {
        f"{name}_auc": judged.figures["waypost"]["roc_auc"].value,
        f"{name}_auc_over_rfm": rfm.value,
        f"{name}_auc_over_rfm_low": rfm.low,
        f"{name}_auc_over_best": min(differences["roc_auc"].value for differences in judged.over.values()),
        f"{name}_log_loss_over_best": max(differences["log_loss"].value for differences in judged.over.values()),
        f"{name}_calibration_error": judged.figures["waypost"]["calibration_error"].value,
    }


def _buying(data: Dataset, shop: Shop, known: int) -> Floats:
    """BG/NBD of everyone's orders up to `known`, calibrated like the model."""
    buying = fit_buying(Record.of(replay_profiles(JOURNEY, shop.past, [known]).features, JOURNEY.names))
    outcome = data.target.outcome
    if not isinstance(outcome, Happens):
        raise TypeError(f"BG/NBD predicts whether something happens; {data.target.name} asks for {outcome}")

    def raw(rows: Slice) -> Floats:
        columns: Mapping[str, NDArray[np.float32]] = dict(zip(data.names, rows.features.T, strict=True))
        ahead = outcome.lengths(columns, len(rows)) / DAY
        some = np.nan_to_num(buying.any_within(Record.of(rows.features, data.names), ahead))
        return np.clip(some if outcome.expected else 1.0 - some, 0.0, 1.0)

    held = data.calibrate
    return fit_calibration(raw(held), held.labels, held.customer)[0].apply_many(raw(data.test))


def _counted(data: Dataset, seed: int) -> Floats:
    """LightGBM with Waypost's settings on simple counts only, calibrated like the model."""
    places, held = [data.names.index(name) for name in COUNTS], data.calibrate

    def raw(rows: Slice, asked: Slice) -> Floats:
        parameters = settings(len(rows), seed) | {"feature_fraction": 1.0}
        grown = lightgbm.Dataset(rows.features[:, places], rows.labels.astype(np.float32))
        trees = lightgbm.train(parameters, grown, ROUNDS)
        return np.asarray(trees.predict(asked.features[:, places]), np.float64)

    past = joined([data.fit, data.stop])
    calibration = fit_calibration(raw(past, held), held.labels, held.customer)[0]
    return calibration.apply_many(raw(joined([past, held]), data.test))


def _print(title: str, judged: Evaluation) -> None:
    rows = [[model, *(str(figures[metric]) for metric in SHOWN)] for model, figures in judged.figures.items()]
    print_table(f"{title}: {judged.rows:,} rows, {judged.base_rate:.1%} yes", ("model", *SHOWN), rows)
