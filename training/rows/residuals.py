"""The level of a shop ahead: predicted from past levels, for a horizon whose outcome is not known yet.

At a cutoff the *residual* is the shift in log-odds that gives a model's probabilities the mean of the outcomes (prior
shift; Saerens and others, 2002). The newest residuals are one horizon old, and the answer is about the next horizon, so
the level has to be predicted one to two horizons ahead. Recent orders say more: whether a customer ordered within
`SHORT` is known for nearly all cutoffs, and a simple model of that *short question* has residuals, too.
The residuals are modelled by a Gaussian process with two parts: a level that wanders and returns to its mean
(Ornstein-Uhlenbeck), and one that repeats with the year. Amplitude, memory and season are averaged over a grid,
weighted by the marginal likelihood times a prior, so that a pattern counts as far as the past supports it. Without
outcomes there is no shift; the more there are, the nearer it is to the latest level.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from features.events import DAY, days
from models.prediction.level import Level

Floats = NDArray[np.float64]

SHORT = days(6)
"""The horizon of the short question, equal to the distance of cutoffs, so that no answer is counted twice."""

AMPLITUDES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""The grid of standard deviations, in log-odds, of the wandering level."""

MEMORIES = (6.0, 20.0, 60.0, 200.0, 800.0)
"""The grid of days after which the correlation of the wandering level has fallen to 1 / e."""

SEASONS = ((0.0, 0.7), (0.2, 0.2), (0.5, 0.1))
"""The grid of standard deviations of the yearly pattern, and the prior probability of each."""

BELIEVED, VAGUENESS = 0.4, 0.5
"""The log-normal prior of the amplitude: its median, and its standard deviation in logarithms."""

LEFT = 0.2
"""The median of the same prior for a scorer's residuals after those of the short question are accounted for."""

UNTOLD = 0.1
"""The standard deviation in log-odds of the level ahead that neither question explains."""

SLOPE_DEVIATION = 0.5
"""The prior standard deviation of the slope from the short question's residuals to the scorer's."""

DRIFT_DEVIATION = 0.5
"""The prior standard deviation of the level's slope in the logarithm of the log's age, whose prior mean is 0."""

_WIDTH, _YEAR = 0.35, 365.25
_FAINT = 1e-3
_ROUNDS = 50


@dataclass(frozen=True, eq=False)
class Residuals:
    """By how much log-odds were too low at each of `times` (rising, microseconds): `shifts` and their `variances`.

    A shift is about the outcomes in the `width` microseconds after its time.
    """

    times: NDArray[np.int64]
    shifts: Floats
    variances: Floats
    width: int

    def __len__(self) -> int:
        return len(self.times)


def shift_of(margins: Floats, labels: NDArray[np.int8]) -> tuple[float, float]:
    """The shift that gives these log-odds the mean of the labels, and the variance of its sampling error.

    A weak prior for no shift keeps both finite where all labels are the same.
    """
    shift = 0.0
    for _ in range(_ROUNDS):
        given = 1.0 / (1.0 + np.exp(-np.clip(margins + shift, -700.0, 700.0)))
        information = float((given * (1.0 - given)).sum()) + _FAINT
        step = float(np.clip(((labels - given).sum() - _FAINT * shift) / information, -1.0, 1.0))
        shift += step
        if abs(step) < 1e-9:
            break
    return shift, 1.0 / information


def residuals_of(margins: Floats, labels: NDArray[np.int8], cutoff: NDArray[np.int64], width: int) -> Residuals:
    """The residual at every cutoff of these rows."""
    times, place = np.unique(cutoff, return_inverse=True)
    order = np.argsort(place, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(place))[:-1]) if len(order) else []
    shifts = np.array([shift_of(margins[part], labels[part]) for part in parts]).reshape(-1, 2)
    return Residuals(times, shifts[:, 0], shifts[:, 1], width)


def ahead(known: Residuals, now: int, width: int, believed: float = BELIEVED) -> Level:
    """The mean level over the `width` after `now`, from residuals that were known by then.

    `believed` is the prior median of the amplitude.
    """
    number = len(known)
    wandering, yearly = _covariances(known, now, width)
    noise = np.diag(known.variances + 1e-6) + _shared_noise(known)
    amplitudes, seasons = np.array(AMPLITUDES)[:, None], np.array(SEASONS)
    prior = np.log(seasons[:, 1]) - 0.5 * (np.log(amplitudes / believed) / VAGUENESS) ** 2
    means, variances, chances = [], [], []
    for wander in wandering:
        # The covariances of the windows, the one ahead last, for all amplitudes and seasons at once.
        both = (amplitudes**2)[..., None, None] * wander + (seasons[:, 0] ** 2)[:, None, None] * yearly
        root = np.linalg.cholesky(both[..., :number, :number] + noise)
        cross = both[..., :number, number]
        sides = np.stack([np.broadcast_to(known.shifts, cross.shape), cross], axis=-1)
        solved = solve_triangular(root, sides, lower=True, check_finite=False)
        whitened, weights = solved[..., 0], solved[..., 1]
        means.append((weights * whitened).sum(axis=-1))
        variances.append(np.maximum(both[..., number, number] - (weights**2).sum(axis=-1), 0.0))
        determinant = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(axis=-1)
        chances.append(prior - 0.5 * (whitened**2).sum(axis=-1) - determinant)
    return _mixed(np.ravel(means), np.ravel(variances), np.ravel(chances))


def level_of(own: Residuals, short: Residuals | None, now: int, width: int, slope: float, opened: int) -> Level:
    """The level of the `width` after `now`, from the residuals of the scorer and of the short question.

    `slope` is the prior mean of the slope of the scorer's residuals in those of the short question. Without a short
    question only the scorer's own residuals are used. The log begins at `opened`.
    """
    if short is None or not len(short):
        level = ahead(own, now, width)
        return Level(level.shift, float(np.hypot(level.deviation, UNTOLD)))
    recent = ahead(short, now, width)
    seen = np.array([_mean_within(short, moment, own.width) for moment in own.times.tolist()])
    line = _line(own, seen, _ages(own.times, own.width, opened), slope)
    # The residuals from the line have a level of their own, because the customers in scope change, too.
    apart = Residuals(own.times, own.shifts - line.fitted, own.variances, own.width)
    left = ahead(apart, now, width, LEFT)
    shift, doubt = line.at(recent.shift, float(_ages(np.array([now]), width, opened)[0]))
    variance = (line.slopes[0] * recent.deviation) ** 2 + left.deviation**2 + doubt + UNTOLD**2
    return Level(shift + left.shift, float(np.sqrt(variance)))


@dataclass(frozen=True, eq=False)
class _Line:
    """Residuals of the scorer as a line of two columns: those of the short question, and the log's age.

    `base` is the value where the first column is zero and the second at its `middle`; `slopes` are float64[2], with the
    `covariance` of their errors; `fitted` is the line at each residual.
    """

    base: float
    slopes: Floats
    covariance: Floats
    middle: float
    fitted: Floats

    def at(self, seen: float, age: float) -> tuple[float, float]:
        """The line at these two values, and the variance of its error there that comes from the slopes."""
        place = np.array([seen, age - self.middle])
        return self.base + float(self.slopes @ place), float(place @ self.covariance @ place)


def _line(own: Residuals, seen: Floats, ages: Floats, slope: float) -> _Line:
    """Weighted least squares with a prior of the slopes; cutoffs within one horizon count as one together."""
    belief = np.diag([SLOPE_DEVIATION**-2.0, DRIFT_DEVIATION**-2.0])
    if not len(seen):
        return _Line(0.0, np.array([slope, 0.0]), np.diag([SLOPE_DEVIATION**2, 0.0]), 0.0, np.empty(0))
    span = float(own.times[-1] - own.times[0]) / own.width + 1.0
    weights = 1.0 / (own.variances + UNTOLD**2)
    noise = 1.0 / float(weights.mean())
    weights *= min(span, float(len(seen))) / weights.sum()
    columns = np.column_stack([seen, ages])
    middle, mean = weights @ columns / weights.sum(), float(weights @ own.shifts / weights.sum())
    weighted = (columns - middle).T * weights / noise
    covariance = np.linalg.inv(belief + weighted @ (columns - middle))
    slopes = covariance @ (belief @ np.array([slope, 0.0]) + weighted @ (own.shifts - mean))
    # The mean of few answers is uncertain, so it is shrunk towards no shift.
    base = (mean - slopes[0] * middle[0]) * BELIEVED**2 / (BELIEVED**2 + noise / weights.sum())
    fitted = base + slopes[0] * seen + slopes[1] * (ages - middle[1])
    return _Line(float(base), slopes, covariance, float(middle[1]), fitted)


def _ages(times: NDArray[np.int64], width: int, opened: int) -> Floats:
    """The logarithm of the log's age in days, in the middle of the `width` after each time.

    In a young log most customers look new although they are not. So the share of returning customers, among those with
    few orders, changes with the log's age, fast at first and then more and more slowly.
    """
    return np.asarray(np.log(np.maximum((times + width / 2 - opened) / DAY, 1.0)))


def steepness(long: float, short: float) -> float:
    """The ratio of the changes of the log-odds of a long and a short question, from their shares of yes.

    Where orders come at random at a common rate, the log-odds of a share `s` change by -log(1 - s) / s with the
    logarithm of the rate.
    """
    steep = [-np.log1p(-share) / share for share in np.clip([long, short], 0.01, 0.99)]
    return float(steep[0] / steep[1])


def _mean_within(short: Residuals, moment: int, width: int) -> float:
    """The mean residual of the short question over the `width` after a time, weighted by the inverse variance.

    A residual of few answers without a yes is very low and very uncertain.
    """
    last = moment + max(width - SHORT, 0)
    inside = (short.times >= moment) & (short.times <= last)
    if not inside.any():
        return float(short.shifts[int(np.argmin(np.abs(short.times - moment)))])
    return float(np.average(short.shifts[inside], weights=1.0 / (short.variances[inside] + UNTOLD**2)))


def _windows(times: NDArray[np.int64], width: int) -> tuple[Floats, Floats]:
    """Points in days, evenly in the `width` after each time, and their weights: float64[windows, points]."""
    number = max(1, round(width / SHORT))
    steps = (np.arange(number) + 0.5) * (width / number / DAY)
    points, place = np.unique((times[:, None] / DAY + steps).round(2).ravel(), return_inverse=True)
    inside = np.zeros((len(times), len(points)))
    np.add.at(inside, (np.repeat(np.arange(len(times)), number), place), 1.0 / number)
    return points, inside


def _shared_noise(known: Residuals) -> Floats:
    """The covariance of the sampling errors of overlapping windows, which share answers of the same customers."""
    apart = np.abs(known.times[:, None] - known.times[None]) / known.width
    shared = np.clip(1.0 - apart, 0.0, None) * np.sqrt(known.variances[:, None] * known.variances[None])
    np.fill_diagonal(shared, 0.0)
    return np.asarray(shared)


def _covariances(known: Residuals, now: int, width: int) -> tuple[list[Floats], Floats]:
    """The covariances of the window means, of the known windows and the one after `now`, for an amplitude of one.

    A float64[windows, windows] of the wandering level for each of `MEMORIES`, and one of the yearly pattern.
    """
    (points, inside), (after, beyond) = _windows(known.times, known.width), _windows(np.array([now]), width)
    days = np.concatenate([points, after])
    means = np.zeros((len(inside) + 1, len(days)))
    means[:-1, : len(points)], means[-1:, len(points) :] = inside, beyond
    lag = np.abs(days[:, None] - days[None])
    yearly = np.exp(-2.0 * (np.sin(np.pi * lag / _YEAR) / _WIDTH) ** 2)
    return [means @ np.exp(-lag / memory) @ means.T for memory in MEMORIES], means @ yearly @ means.T


def _mixed(means: Floats, variances: Floats, chances: Floats) -> Level:
    """The mean and the standard deviation of a mixture with these log-weights."""
    shares = np.exp(chances - chances.max())
    shares /= shares.sum()
    mean = float(shares @ means)
    return Level(mean, float(np.sqrt(max(shares @ (variances + means**2) - mean**2, 0.0))))
