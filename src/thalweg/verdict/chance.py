"""What chance leaves open of a mean over seeds: Student's interval, widened where the values are skewed, narrowed
where the chance of the start is known."""

import functools
import math
from typing import NamedTuple

import numpy as np
from scipy.special import chdtri, stdtr, stdtrit

FAMILY_LEVEL = 0.01
# powers under which positive values may be normal: lognormal, squared (twice), squared, plain
POWERS = (0.0, 0.25, 0.5, 1.0)
# powers this near to the likeliest (in natural logarithms of likelihood) are believed, too
AS_LIKELY = 0.5
# a control is used where it leaves at most this share of the variance
WORTH_IT = 0.7
# controls that differ from each other by a smaller share count as one: what is left between them is no chance, but the
# integrator's error, and the gap must not be made of it
ALIKE = 1e-3
# how many runs there must be for each control
RUNS_A_CONTROL = 6
# simulated families of t statistics
DRAWS = 40_000
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


class Chance(NamedTuple):
    """How many independent functionals share a level of error, the level, and whether the theory leaves no chance."""

    family: float
    level: float
    exact: bool


class Mean(NamedTuple):
    """A mean gap (measured - predicted) and what chance may make of no gap at all: from -below to above.

    `shares` are the coefficients of the controls that were taken off, `rest` residuals of
    the standard error's size.
    """

    gap: float
    below: float
    above: float
    shares: np.ndarray = np.zeros(0)
    rest: np.ndarray = np.zeros(0)

    @property
    def width(self) -> float:
        """The larger of both errors."""
        return max(self.below, self.above)

    @property
    def error(self) -> float:
        """The error on the side on which the gap lies."""
        return self.below if self.gap < 0 else self.above


def student(count: int, family: float, level: float = FAMILY_LEVEL) -> float:
    """Two-sided Student quantile for one of `family` functionals at the family's level; inf for a single run."""
    return float(stdtrit(count - 1, 1 - level / (2 * max(family, 1)))) if count > 1 else math.inf


def mean_gap(gaps: np.ndarray, chance: Chance, distances: tuple[np.ndarray, ...] = ()) -> Mean:
    """The mean of gaps (seeds,) and its errors, at the level of one of `chance.family` numbers.

    Student's interval, widened on the side of the long tail by Hall's cubic transformation of the t statistic (Hall
    1992, J. R. Stat. Soc. B 54). `distances` hold, where a prediction is one number, the values (seeds,) and what they
    are short of an upper bound, if there is one: where all are positive, a power of them is taken as normal, too
    (`power_reach`).
    """
    below, above = _interval(gaps, gaps.size - 1, 1.0, chance)
    for index, values in enumerate(distances):
        reach = power_reach(values, chance)
        below, above = (below, max(above, reach)) if index else (max(below, reach), above)
    return Mean(float(gaps.mean()), below, above, rest=gaps - gaps.mean())


def held_mean_gap(
    gaps: np.ndarray,
    controls: np.ndarray,
    chance: Chance,
    population: np.ndarray | None = None,
    rounding: float = 0.0,
) -> Mean | None:
    """The mean gap where `controls` (seeds, k) have the mean that they have in a larger sample `population` (many, k),
    or 0, which they have if the theory is right: control variates.

    Gaps are regressed on them; the intercept has a Student interval of seeds - 1 - k degrees of freedom (exact for
    normal values, Rao 1967), widened for skewed residuals and for what the larger sample leaves open (double sampling,
    Cochran 1977, chapter 12). None where there are too few runs for so many controls, or they explain too little: those
    that vary by less than `rounding` say nothing.
    """
    if gaps.size < 2 + RUNS_A_CONTROL * controls.shape[1]:
        return None
    centre, scale = controls.mean(0), controls.std(0)
    use = scale > np.maximum(rounding, 1e-9 * np.abs(controls).max(0))
    if not use.any():
        return None
    where = np.zeros(controls.shape[1]) if population is None else population.mean(0)
    varied, away = (controls - centre)[:, use] / scale[use], (centre - where)[use] / scale[use]
    shares, _, rank, _ = np.linalg.lstsq(varied, gaps - gaps.mean(), rcond=ALIKE)
    rest, free = gaps - gaps.mean() - varied @ shares, gaps.size - 1 - int(rank)
    if float(rest @ rest) / free > WORTH_IT * float(gaps.var(ddof=1)):
        return None
    lever = 1 + gaps.size * float(away @ np.linalg.pinv(varied.T @ varied, rcond=ALIKE**2) @ away)
    whole = np.zeros(controls.shape[1])
    whole[use] = shares / scale[use]
    below, above = _interval(rest, free, lever, chance)
    if population is not None:
        outside = mean_gap(population @ whole, chance)
        below, above = math.hypot(below, outside.below), math.hypot(above, outside.above)
    rest = rest * math.sqrt(lever * (gaps.size - 1) / free)
    return Mean(float(gaps.mean() - away @ shares), below, above, whole, rest)


def _interval(rest: np.ndarray, free: int, lever: float, chance: Chance) -> tuple[float, float]:
    """How far the mean may lie below and above by chance, from residuals with `free` degrees of freedom."""
    count = rest.size
    if count < 2 or free < 1:
        return math.inf, math.inf
    quantile = student(free + 1, chance.family, chance.level)
    away = rest - rest.mean()
    spread = math.sqrt(float(away @ away) / free)
    error = spread * math.sqrt(lever / count)
    if error == 0:
        return 0.0, 0.0
    low, high = _cornish_fisher(away, free, quantile)
    return max(-low, quantile) * error, max(high, quantile) * error


def _cornish_fisher(away: np.ndarray, free: int, quantile: float) -> tuple[float, float]:
    """The t statistics at which Hall's transformation T + a T^2/3 + a^2 T^3/27 + a/6 is -quantile and quantile, where a
    is the skewness over sqrt(seeds)."""
    count = away.size
    biased = float(np.mean(away**3)) / float(np.mean(away**2)) ** 1.5
    skewness = biased * math.sqrt(count * max(count - 1, 1)) / max(count - 2, 1)
    a = skewness / math.sqrt(free + 1)
    if abs(a) < 1e-8:
        return -quantile, quantile
    low, high = (3 / a * (np.cbrt(1 + a * (z - a / 6)) - 1) for z in (-quantile, quantile))
    return float(low), float(high)


def power_reach(values: np.ndarray, chance: Chance) -> float:
    """How far above the mean of positive values their expectation may lie; 0 where some value is not positive.

    If z = (x^p - 1)/p (log x for p = 0) is normal with mean m and deviation s, E x = M(m, s); the upper ends of the
    intervals of m (Student) and s (chi squared) are put together by adding squares (Zou, Taleban & Huo 2009), for every
    power about as likely as the likeliest. Few runs of a long-tailed law show no long tail: this is what they hide.
    """
    count = values.size
    if count < 4 or not np.all(values > 0) or np.ptp(values) <= 1e-9 * float(values.max()):
        return 0.0
    middle = math.exp(float(np.mean(np.log(values))))
    tail = chance.level / (2 * max(chance.family, 1))
    quantile, wide = student(count, chance.family, chance.level), math.sqrt((count - 1) / chdtri(count - 1, 1 - tail))
    found = [_of_power(values / middle, power, quantile, wide) for power in POWERS]
    best = max(likely for likely, _ in found)
    reach = max(up for likely, up in found if likely >= best - AS_LIKELY)
    return max(middle * math.exp(min(reach, 600.0)) - float(values.mean()), 0.0)


def _of_power(values: np.ndarray, power: float, quantile: float, wide: float) -> tuple[float, float]:
    """Log-likelihood of a power (geometric mean of the values 1) and the upper end of log E x."""
    z = np.log(values) if power == 0 else (values**power - 1) / power
    mean, spread = float(z.mean()), float(z.std(ddof=1))
    here = _log_mean(power, mean, spread)
    moved = _log_mean(power, mean + quantile * spread / math.sqrt(z.size), spread) - here
    widened = _log_mean(power, mean, spread * wide) - here
    return -0.5 * z.size * math.log(float(z.var())), here + math.hypot(moved, widened)


def _log_mean(power: float, mean: float, spread: float) -> float:
    if power == 0:
        return mean + spread**2 / 2
    base = np.maximum(1 + power * (mean + spread * NODES), 0.0)
    return math.log(max(float(base ** (1 / power) @ WEIGHTS), 1e-300))


@functools.lru_cache(maxsize=4)
def _draws(free: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal draws (DRAWS, free) and chi / sqrt(free), the same in every comparison."""
    random = np.random.default_rng(20261201)
    return random.standard_normal((DRAWS, free)), np.sqrt(random.chisquare(free, DRAWS) / free)


def independent(rest: np.ndarray, level: float) -> float:
    """As how many independent functionals those with residuals `rest` (functionals, seeds) count.

    The largest of their t statistics is multivariate t with the correlations of the residuals (Westfall & Young 1993);
    its quantile at `level`, by simulation, is the Student quantile of so many independent ones by Bonferroni's bound,
    which is never exceeded.
    """
    size = np.sqrt((rest**2).sum(1))
    kept = rest[size > 0] / size[size > 0, None]
    count = rest.shape[1]
    if len(kept) < 2 or count < 4:
        return float(max(len(rest), 1))
    free = count - 1
    axes = np.linalg.svd(np.eye(count) - 1 / count)[0][:, :free]
    normal, chi = _draws(free)
    largest = np.abs(normal @ (kept @ axes).T).max(1) / chi
    quantile = float(np.quantile(largest, 1 - level))
    return min(float(len(kept)), max(level / (2 * float(stdtr(free, -quantile))), 1.0))


def count_error(share: float, cases: float, chance: Chance) -> float:
    """What counting leaves open of a predicted share, over `cases` in all: Bernstein's normal and Poisson parts.

    Runs that all count alike have no spread, and yet could have counted otherwise.
    """
    quantile = float(-stdtrit(1e9, chance.level / (2 * max(chance.family, 1))))
    inside = max(share * (1 - share), 0.0)
    return quantile * math.sqrt(inside / cases) + quantile**2 / (3 * cases)
