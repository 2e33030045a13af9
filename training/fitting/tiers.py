"""Fitting the tiers: from labelled rows to a prior, rates by stage, a logistic regression, or trees.

Rows of one customer whose horizons overlap share their answer, so that there are fewer independent answers than rows.
`weights` says how many independent answers a row counts as; rates and their shrinkage use those numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln
from sklearn.linear_model import LogisticRegression

from features.events import Stage, days
from models.prediction.tiers import Logistic, Prior, StageRates, Term, Tier, Trees
from models.prediction.tiers.logistic import FURTHEST, in_logarithms
from models.prediction.tiers.tier import log_odds
from training.rows.dataset import Slice

Fit = Callable[[Slice], Tier]
"""A function that fits a tier on rows; its settings are chosen already."""

LONG_AGO = 3650.0
"""The value of days since an event that never happened."""

FEATURES: dict[str, float] = {
    "days_since_last": LONG_AGO,
    "days_since_first": 0.0,
    "days_since_purchase": LONG_AGO,
    "days_since_second_purchase": LONG_AGO,
    "days_since_fifth_purchase": LONG_AGO,
    "purchases_ever": 0.0,
    "purchases_fading_14d": 0.0,
    "purchases_fading_56d": 0.0,
    "purchase_days_84d": 0.0,
    "spend_net_90d": 0.0,
    "purchase_gap_recent": LONG_AGO,
    "silence_ratio": 0.0,
    "sessions_ever": 0.0,
    "session_depth": 0.0,
    "session_cart_adds": 0.0,
    "session_orders": 0.0,
    "session_item_returns": 0.0,
    "session_category_returns": 0.0,
    "previous_session_ordered": 0.0,
    "item_views_1d": 0.0,
    "item_views_7d": 0.0,
    "cart_adds_7d": 0.0,
    "cart_items": 0.0,
    "checkout_open": 0.0,
    "messages_28d": 0.0,
}
"""The features of the logistic tier, each with the value that replaces an undefined one."""

KNOTS: dict[str, tuple[float, ...]] = {"days_since_purchase": (7.0, 28.0, 84.0)}
"""Values at which the line of a feature may bend: days of silence matter little before the usual gap between orders,
and much after it."""

HALF_LIFE = days(60)
"""The time after which an answer counts half in a rate. A shorter one follows changes sooner, with fewer answers."""

STRENGTHS = (0.003, 0.03, 0.3, 3.0)
"""Inverse strengths of the regularisation that are tried."""

SHRINKAGE = np.geomspace(1.0, 1000.0, 25)
"""Numbers of independent answers that the shop's rate may count as, besides a stage's own."""


def weights(rows: Slice, horizon: int) -> NDArray[np.float64]:
    """How many independent answers each row counts as, float64[n], at most one.

    A customer's rows within one horizon count as one answer together, and an answer's weight halves with every
    `HALF_LIFE` that it is older than the newest, so that a rate is mainly that of the latest period.
    """
    window = rows.cutoff // horizon
    key = rows.customer.astype(np.int64) * (window.max(initial=0) + 1) + window
    _, place, number = np.unique(key, return_inverse=True, return_counts=True)
    shares: NDArray[np.float64] = remembered(rows.cutoff) / number[place]
    return shares


def remembered(times: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight in a rate of an answer of each time, float64[n]: it halves with every `HALF_LIFE`."""
    counted: NDArray[np.float64] = 0.5 ** ((times.max(initial=0) - times) / HALF_LIFE)
    return counted


def believed(prior: float) -> float:
    """How many independent answers the prior counts as: so many that one of them is of the rarer kind."""
    return 1.0 / min(prior, 1.0 - prior)


def fit_prior(rows: Slice, names: tuple[str, ...], horizon: int, prior: float) -> Prior:
    """The shop's rate, shrunk towards the prior."""
    answers = weights(rows, horizon)
    yes = float(answers @ rows.labels)
    return Prior((yes + believed(prior) * prior) / (float(answers.sum()) + believed(prior)), names)


def fit_stage_rates(rows: Slice, names: tuple[str, ...], horizon: int, prior: float) -> StageRates:
    """Each stage's rate, shrunk towards the shop's, which is shrunk towards the prior.

    The strength of the shrinkage is fitted to the differences between stages (empirical Bayes: the beta-binomial of
    greatest likelihood).
    """
    rate = fit_prior(rows, names, horizon, prior).rate
    yes, number = by_stage(rows, names, weights(rows, horizon))
    strength = _strength(yes, number, rate)
    return StageRates(rate, ((yes + strength * rate) / (number + strength)).tolist(), names)


def by_stage(
    rows: Slice, names: tuple[str, ...], row_weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The numbers of yes and of answers in each stage, rows counted by their `row_weights`: two float64[stages]."""
    stages = np.nan_to_num(rows.features[:, names.index("stage")], nan=-1.0).astype(np.int64)
    known = (stages >= 0) & (stages < len(Stage))
    number, yes = (
        np.bincount(stages[known], counted[known], minlength=len(Stage)).astype(np.float64)
        for counted in (row_weights, row_weights * rows.labels)
    )
    return yes, number


def _strength(yes: NDArray[np.float64], number: NDArray[np.float64], rate: float) -> float:
    """How many answers the shop's rate counts as, besides a stage's own."""
    first, second = SHRINKAGE[:, None] * rate, SHRINKAGE[:, None] * (1.0 - rate)
    likelihood = (betaln(first + yes, second + number - yes) - betaln(first, second)).sum(axis=1)
    return float(SHRINKAGE[np.argmax(likelihood)])


def fit_logistic(rows: Slice, names: tuple[str, ...], strength: float) -> Logistic:
    """Logistic regression on the logarithms of `FEATURES`, bent at `KNOTS` and standardised.

    `strength` is the inverse strength of the regularisation. Where all rows have the same answer or the same features,
    the result is the rate of the rows.
    """
    bends = [(name, knot) for name in FEATURES if name in names for knot in (0.0, *KNOTS.get(name, ()))]
    columns, knots = [name for name, _ in bends], np.array([knot for _, knot in bends])
    absent = np.array([FEATURES[name] for name in columns])
    values = in_logarithms(rows.features[:, [names.index(name) for name in columns]], absent, knots)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    varied = deviation > 1e-9
    scale = np.where(varied, deviation, 1.0)
    steps = np.clip((values - mean) / scale, -FURTHEST, FURTHEST)[:, varied]
    yes = float(rows.labels.sum())
    if not varied.any() or not 0 < yes < len(rows):  # a regression is impossible: the rate, kept from 0 and 1
        return Logistic([], log_odds((yes + 0.5) / (len(rows) + 1.0)), names)
    model = LogisticRegression(C=strength, solver="newton-cholesky").fit(steps, rows.labels)
    slopes = np.zeros(len(columns))
    slopes[varied] = model.coef_[0]
    terms = [
        Term(column, *map(float, numbers))
        for column, *numbers in zip(columns, absent, mean, scale, slopes, knots, strict=True)
    ]
    return Logistic([term for term in terms if term.weight != 0.0], float(model.intercept_[0]), names)


def fit_trees(rows: Slice, names: Sequence[str], target: str, parameters: dict[str, object], rounds: int) -> Trees:
    """Boosted trees of so many `rounds`."""
    grown = lightgbm.train(parameters, train_set(rows, names), rounds)
    return Trees(target, grown.model_to_string(), tuple(names))


def train_set(rows: Slice, names: Sequence[str], reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    """The rows as a LightGBM dataset."""
    return lightgbm.Dataset(
        rows.features, rows.labels.astype(np.float32), feature_name=list(names), reference=reference
    )
