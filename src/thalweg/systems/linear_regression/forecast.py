"""What theory foretells of linear regression at its best: stopping, ridge, more samples, and how far draws scatter."""

import dataclasses
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.extremum import least_time
from ...mathematics.linear_equivalent import LinearLaw
from ...mathematics.sample_modes import sample_modes
from ...mathematics.static_ridge import best_ridge, ridge_excess
from ...rules import GradientDescent, as_descent
from ...words.problem import seed_keys
from ...words.theory import Setting, Theory
from ..shared.square_loss import draw_rate, long_times
from .equivalent import DeterministicEquivalent
from .isotropic import IsotropicLimit
from .problem import LinearRegression
from .regression_modes import RegressionModes
from .volterra import VolterraSGD

# a fresh value lies within the range of D others with probability (D - 1)/(D + 1), whatever its law
DRAWS = 19
LEVEL = (DRAWS - 1) / (DRAWS + 1)
# an eigenproblem a draw: beyond this size they would take longer than a few seconds
LARGEST = 500
# entries of a table times its smaller side, for the stable rate of SGD
MOST_WORK = 2.5e7
# strengths that are tried on a draw, over that of the limit, which is the middle one
FACTORS = np.geomspace(1e-2, 1e2, 81)
# no ridge and nothing but ridge, in units of the largest eigenvalue of the covariance
NONE, ALL = 1e-10, 1e10


class Stopping(NamedTuple):
    """The best time of a path (NaN where it is at an end) and test losses: there, at the start, at the end."""

    time: float
    loss: float
    start: float
    end: float
    last: float


class Ridge(NamedTuple):
    """The best static ridge (0: none, inf: nothing else) and its test loss."""

    strength: float
    loss: float


class Scatter(NamedTuple):
    """DRAWS generated data sets, exactly: best time, loss at the advised time, best strength of ridge, loss at the
    advised one, largest stable rate (NaN where it is not asked for)."""

    time: Float[np.ndarray, " draws"]
    stopped: Float[np.ndarray, " draws"]
    strength: Float[np.ndarray, " draws"]
    ridge: Float[np.ndarray, " draws"]
    rate: Float[np.ndarray, " draws"]


def plain(problem: LinearRegression) -> LinearRegression:
    """The same problem, told as descent where a batch is the whole set."""
    return dataclasses.replace(problem, rule=as_descent(problem.rule, problem.samples))


def path_theory(problem: LinearRegression) -> Theory | None:
    """The theory of the mean path under the problem's rule; None where there is none."""
    if problem.rule.draws_anew:
        return VolterraSGD()
    if not problem.rule.filtered:
        return None
    return IsotropicLimit() if problem.spectrum is None else DeterministicEquivalent()


def broken(theory: Theory, setting: Setting) -> str:
    """What the first assumption that fails here says; empty where all hold."""
    return next((f"{a.name}: {a.words}" for a in theory.assumptions if not a.strain(setting) <= 1), "")


def stopping(problem: LinearRegression, theory: Theory) -> Stopping:
    """Best time of the predicted test loss: the root of its derivative, or the best time looked at if that is better.

    Momentum oscillates, so that a root need not be the least; SGD has no root to be asked for.
    """
    times = long_times(problem)
    told = _predicted(theory.prepare(problem, times), _traced(problem), jnp.asarray(times))
    losses = np.asarray(told["test_loss"])
    root, at = (float(told.get(name, math.nan)) for name in ("best_time_loss", "least_loss"))
    time, loss = least_time(times, losses, root, at)
    return Stopping(time, loss, float(losses[0]), float(losses[-1]), float(times[-1]))


def _traced(problem: LinearRegression) -> LinearRegression:
    """Scalars as arrays, so that another value compiles nothing anew."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, float) else leaf, problem)


@eqx.filter_jit
def _predicted(theory: Theory, problem: LinearRegression, times: Array) -> dict[str, Array]:
    return theory.predict(problem, None, None, times)


def ridge_of(problem: LinearRegression, samples: float) -> Ridge:
    """The best static ridge with that many samples, in the limit; it knows nothing of rule, decay and start."""
    law = problem.law()
    strength, excess = (float(found) for found in _ridge(law, jnp.asarray(float(samples))))
    return Ridge(strength, 0.5 * (excess + float(law.noise)))


@jax.jit
def _ridge(law: LinearLaw, samples: Array) -> tuple[Array, Array]:
    best, largest = best_ridge(law, samples), jnp.max(law.values)
    # where none is best inside, one of both ends is
    ends = jnp.asarray([NONE, ALL]) * largest
    at_ends = ridge_excess(law, samples, ends)
    inside = ridge_excess(law, samples, jnp.where(jnp.isnan(best), largest, best)[None])[0]
    none = at_ends[0] <= at_ends[1]
    strength = jnp.where(jnp.isnan(best), jnp.where(none, 0.0, jnp.inf), best)
    outer = jnp.where(none, at_ends[0], 0.0) + jnp.where(none, 0.0, jnp.sum(law.values * law.signal))
    return strength, jnp.where(jnp.isnan(best), outer, inside)


def scatter(problem: LinearRegression, stop: Stopping | None, ridge: Ridge) -> Scatter | None:
    """The exact values of DRAWS generated data sets and starts; None where that would take long.

    Under SGD the path is that of descent at the same rate: what the data sets do to the mean over the steps' draws.
    """
    if min(problem.dimension, problem.samples) > LARGEST or problem.dimension > 2 * LARGEST:
        return None
    time = 0.0 if stop is None or math.isnan(stop.time) else stop.time
    # without a path only ridge and rate are asked for: any rule will do
    rule = GradientDescent() if stop is None else problem.rule.mean()
    followed = dataclasses.replace(problem, rule=rule)
    last = 1.0 if stop is None else stop.last
    strength = min(max(ridge.strength, NONE), ALL) * 1.0
    rated = _traced(problem) if _quick_rate(problem) else None
    asked = (jnp.asarray([time, last]), jnp.asarray(strength), jnp.arange(DRAWS))
    return Scatter(*(np.asarray(one) for one in _scatter(_traced(followed), rated, *asked)))


def _quick_rate(problem: LinearRegression) -> bool:
    """Whether the largest stable rate of a draw is found in a moment; that of SGD takes O(n min(n, p)^2)."""
    size = problem.samples * min(problem.samples, problem.dimension) ** 2
    return size <= MOST_WORK or not problem.rule.draws_anew


@eqx.filter_jit
def _scatter(
    followed: LinearRegression, rated: LinearRegression | None, times: Array, strength: Array, seeds: Array
) -> tuple[Array, ...]:
    def one(seed: Array) -> tuple[Array, ...]:
        keys = seed_keys(seed)
        data = followed.draw(keys[0])
        told = RegressionModes().predict(followed, data, followed.initial(keys[1], data), times)
        losses = _ridge_losses(followed, data, strength * jnp.asarray(FACTORS))
        best = strength * jnp.asarray(FACTORS)[jnp.argmin(losses)]
        rate = jnp.asarray(jnp.nan) if rated is None else draw_rate(rated, data)
        return told["best_time_loss"], told["test_loss"][0], best, losses[len(FACTORS) // 2], rate

    return jax.lax.map(one, seeds)


def _ridge_losses(problem: LinearRegression, data: Any, strengths: Array) -> Array:
    """Exact test loss of ridge on one data set, for each strength."""
    values, vectors = sample_modes(data.inputs)
    drive = vectors.T @ (data.targets @ data.inputs / data.inputs.shape[0])
    covariance = vectors.T @ (problem.eigenvalues()[:, None] * vectors)
    off = drive[None, :] / (values[None, :] + strengths[:, None]) - (vectors.T @ data.teacher)[None, :]
    return 0.5 * (jnp.sum((off @ covariance) * off, axis=1) + problem.noise**2)
