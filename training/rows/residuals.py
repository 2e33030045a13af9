"""The level of a shop ahead: estimated from how it moved, for a horizon whose outcome nobody knows yet.

At a cutoff the *residual* is the shift in log-odds by which a model's probabilities have to be moved to have the mean
that came (prior shift; Saerens and others, 2002). Newest residuals are one horizon old, and the answer is about the
next one, so the level is one to two horizons away from what is known of it. Orders of the last days say more: whether
a customer ordered within `SHORT` is known for nearly all cutoffs, and a plain model of that question has residuals too.
Over them lies a Gaussian process: a level that wanders and comes back (Ornstein-Uhlenbeck), and one that comes again
with the year. How far, how fast and how much of either is weighted by how well it explains the past (the marginal
likelihood, times what is believed of shops), so that a pattern counts as far as it has been seen to hold. Without
outcomes there is no shift; the more there are, the nearer it is to the level that was seen last.
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
"""The horizon of the short question, as long as the cutoffs are apart: no answer is counted twice."""

AMPLITUDES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Standard deviations in log-odds that a level may wander by."""

MEMORIES = (6.0, 20.0, 60.0, 200.0, 800.0)
"""Days after which a level may have forgotten where it was, to a share of 1 / e."""

SEASONS = ((0.0, 0.7), (0.2, 0.2), (0.5, 0.1))
"""Standard deviations of what comes again with the year, and how far each is believed."""

BELIEVED, VAGUENESS = 0.4, 0.5
"""What is believed of the amplitude before a shop has shown its own, and how vaguely (log-normal)."""

LEFT = 0.2
"""The same of what is left of a scorer's own residuals once the short question has said what it knows."""

UNTOLD = 0.1
"""Standard deviation in log-odds of what neither question tells of the level ahead."""

SLOPE_DEVIATION = 0.5
"""How vaguely the slope from the short question to the long one is believed."""

DRIFT_DEVIATION = 0.5
"""How vaguely it is believed that the level does not move with the logarithm of the log's age."""

_WIDTH, _YEAR = 0.35, 365.25
_FAINT = 1e-3
_ROUNDS = 50


@dataclass(frozen=True, eq=False)
class Residuals:
    """By how much log-odds were too low at each of `moments` (rising, microseconds): `shifts` and their `variances`.

    Each is about what came in the `width` microseconds after its moment.
    """

    moments: NDArray[np.int64]
    shifts: Floats
    variances: Floats
    width: int

    def __len__(self) -> int:
        return len(self.moments)


def shift_of(margins: Floats, labels: NDArray[np.int8]) -> tuple[float, float]:
    """The shift that gives these log-odds the mean of the labels, and the variance of its sampling error.

    A faint belief in no shift keeps both finite where all labels are the same.
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
    moments, place = np.unique(cutoff, return_inverse=True)
    order = np.argsort(place, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(place))[:-1]) if len(order) else []
    found = np.array([shift_of(margins[part], labels[part]) for part in parts]).reshape(-1, 2)
    return Residuals(moments, found[:, 0], found[:, 1], width)


def ahead(known: Residuals, now: int, width: int, believed: float = BELIEVED) -> Level:
    """The mean level over the `width` after `now`, from residuals that were known by then.

    `believed` is the amplitude that is believed of the level before it has shown its own.
    """
    number = len(known)
    wandering, yearly = _covariances(known, now, width)
    noise = np.diag(known.variances + 1e-6) + _shared_noise(known)
    amplitudes, seasons = np.array(AMPLITUDES)[:, None], np.array(SEASONS)
    prior = np.log(seasons[:, 1]) - 0.5 * (np.log(amplitudes / believed) / VAGUENESS) ** 2
    means, variances, chances = [], [], []
    for wander in wandering:
        # Covariances of the windows, the one that is asked for last, for every amplitude and every season at once.
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

    `slope` is how far the residuals of the scorer are believed to move with those of the short question; the past says
    more. Without a short question the scorer's own residuals have to do. The log begins at `opened`.
    """
    if short is None or not len(short):
        found = ahead(own, now, width)
        return Level(found.shift, float(np.hypot(found.deviation, UNTOLD)))
    recent = ahead(short, now, width)
    seen = np.array([_mean_within(short, moment, own.width) for moment in own.moments.tolist()])
    line = _line(own, seen, _ages(own.moments, own.width, opened), slope)
    # What the line leaves has a course of its own: who is asked changes too, and the short question does not tell it.
    apart = Residuals(own.moments, own.shifts - line.fitted, own.variances, own.width)
    left = ahead(apart, now, width, LEFT)
    shift, doubt = line.at(recent.shift, float(_ages(np.array([now]), width, opened)[0]))
    variance = (line.slopes[0] * recent.deviation) ** 2 + left.deviation**2 + doubt + UNTOLD**2
    return Level(shift + left.shift, float(np.sqrt(variance)))


@dataclass(frozen=True, eq=False)
class _Line:
    """Residuals of the scorer as a line of two columns: those of the short question, and the log's age.

    `base` is its value where the first is zero and the second in its middle; `slopes` float64[2] have the `covariance`
    of their errors; `fitted` is the line at each residual.
    """

    base: float
    slopes: Floats
    covariance: Floats
    middle: float
    fitted: Floats

    def at(self, seen: float, age: float) -> tuple[float, float]:
        """The line at these two, and the variance of what its slopes may be off by there."""
        place = np.array([seen, age - self.middle])
        return self.base + float(self.slopes @ place), float(place @ self.covariance @ place)


def _line(own: Residuals, seen: Floats, ages: Floats, slope: float) -> _Line:
    """Weighted least squares with a belief about the slopes; cutoffs within one horizon count as one together."""
    belief = np.diag([SLOPE_DEVIATION**-2.0, DRIFT_DEVIATION**-2.0])
    if not len(seen):
        return _Line(0.0, np.array([slope, 0.0]), np.diag([SLOPE_DEVIATION**2, 0.0]), 0.0, np.empty(0))
    span = float(own.moments[-1] - own.moments[0]) / own.width + 1.0
    weights = 1.0 / (own.variances + UNTOLD**2)
    noise = 1.0 / float(weights.mean())
    weights *= min(span, float(len(seen))) / weights.sum()
    columns = np.column_stack([seen, ages])
    middle, mean = weights @ columns / weights.sum(), float(weights @ own.shifts / weights.sum())
    weighted = (columns - middle).T * weights / noise
    covariance = np.linalg.inv(belief + weighted @ (columns - middle))
    slopes = covariance @ (belief @ np.array([slope, 0.0]) + weighted @ (own.shifts - mean))
    # What is known of the mean of few answers is little: it is shrunk towards no shift.
    base = (mean - slopes[0] * middle[0]) * BELIEVED**2 / (BELIEVED**2 + noise / weights.sum())
    fitted = base + slopes[0] * seen + slopes[1] * (ages - middle[1])
    return _Line(float(base), slopes, covariance, float(middle[1]), fitted)


def _ages(moments: NDArray[np.int64], width: int, opened: int) -> Floats:
    """The logarithm of how many days old the log is in the middle of the `width` after each moment.

    In a young log most customers look new who are not, and those who stay are ever fewer: the share of who comes back
    among those with so few orders moves with it, fast at first and ever more slowly.
    """
    return np.asarray(np.log(np.maximum((moments + width / 2 - opened) / DAY, 1.0)))


def steepness(long: float, short: float) -> float:
    """By how much more the log-odds of a long question move than those of a short one, for shares of orders.

    Where orders come at random at a common pace, a share `s` has the log-odds' slope -log(1 - s) / s in its logarithm.
    """
    steep = [-np.log1p(-share) / share for share in np.clip([long, short], 0.01, 0.99)]
    return float(steep[0] / steep[1])


def _mean_within(short: Residuals, moment: int, width: int) -> float:
    """The mean residual of the short question over the `width` after a moment, each as far as it is known.

    Of few answers, with none of them yes, a residual is far below and hardly known.
    """
    last = moment + max(width - SHORT, 0)
    inside = (short.moments >= moment) & (short.moments <= last)
    if not inside.any():
        return float(short.shifts[int(np.argmin(np.abs(short.moments - moment)))])
    return float(np.average(short.shifts[inside], weights=1.0 / (short.variances[inside] + UNTOLD**2)))


def _windows(moments: NDArray[np.int64], width: int) -> tuple[Floats, Floats]:
    """Days, evenly in the `width` after each moment, and how each window is their mean: float64[windows, points]."""
    number = max(1, round(width / SHORT))
    steps = (np.arange(number) + 0.5) * (width / number / DAY)
    points, place = np.unique((moments[:, None] / DAY + steps).round(2).ravel(), return_inverse=True)
    inside = np.zeros((len(moments), len(points)))
    np.add.at(inside, (np.repeat(np.arange(len(moments)), number), place), 1.0 / number)
    return points, inside


def _shared_noise(known: Residuals) -> Floats:
    """The covariance of the sampling errors of windows that overlap: they share the answers of the same customers."""
    apart = np.abs(known.moments[:, None] - known.moments[None]) / known.width
    shared = np.clip(1.0 - apart, 0.0, None) * np.sqrt(known.variances[:, None] * known.variances[None])
    np.fill_diagonal(shared, 0.0)
    return np.asarray(shared)


def _covariances(known: Residuals, now: int, width: int) -> tuple[list[Floats], Floats]:
    """Covariances of the means of the windows, those known and the one after `now`, of a level of amplitude one.

    One float64[windows, windows] for each of `MEMORIES`, and that of what comes again with the year.
    """
    (points, inside), (after, beyond) = _windows(known.moments, known.width), _windows(np.array([now]), width)
    days = np.concatenate([points, after])
    means = np.zeros((len(inside) + 1, len(days)))
    means[:-1, : len(points)], means[-1:, len(points) :] = inside, beyond
    lag = np.abs(days[:, None] - days[None])
    yearly = np.exp(-2.0 * (np.sin(np.pi * lag / _YEAR) / _WIDTH) ** 2)
    return [means @ np.exp(-lag / memory) @ means.T for memory in MEMORIES], means @ yearly @ means.T


def _mixed(means: Floats, variances: Floats, chances: Floats) -> Level:
    """Mean and deviation of a mixture with these log-weights."""
    shares = np.exp(chances - chances.max())
    shares /= shares.sum()
    mean = float(shares @ means)
    return Level(mean, float(np.sqrt(max(shares @ (variances + means**2) - mean**2, 0.0))))
