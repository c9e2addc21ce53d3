"""Advice about the Gaussian mixture, from its limit: no data are looked at."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics import marchenko_pastur_law as law
from ...mathematics.extremum import least_time
from ...words.fields import vary
from ...words.problem import Problem
from ...words.recommendations import Adviser, Recommendation, around
from ...words.theory import FiniteSize, Setting
from ..shared.square_loss import draw_rate, long_times
from .marchenko_pastur import MarchenkoPastur, moments
from .problem import LinearClassifier

SOURCE = "Liao & Couillet 2018, theorems 1 and 2"
STRENGTHS = np.geomspace(1e-4, 1e3, 281)
NODES = 256


class MixtureAdviser(Adviser):
    """Stopping time, ridge, rate, expected loss and the worth of more data of the linear classifier, in its limit.

    Intervals are the measured finite-size error of the limit for the mean over draws (MarchenkoPastur.finite_size); a
    single draw scatters about it by O(dimension^-1/2).
    """

    of: ClassVar[tuple[type[Problem], ...]] = (LinearClassifier,)

    def advise(self, setting: Setting) -> tuple[Recommendation, ...]:
        problem = setting.problem
        if not problem.rule.filtered or problem.correlation != 0:
            why = (
                "Its theory speaks about gradient flow, gradient descent, heavy ball and Nesterov on isotropic inputs "
                "(correlation = 0) only."
            )
            silent = (Recommendation(name, math.nan, why) for name in ("stopping_time", "ridge", "test_loss"))
            return *silent, _rate_of_the_draw(problem, setting.data)
        times = long_times(problem)
        told = _told(problem, times)
        ridge, ridge_loss = _ridge(problem)
        double = vary(problem, {"samples": 2 * problem.samples})
        errors = MarchenkoPastur().finite_size(problem)
        stop, at = least_time(times, told["test_loss"], float(told["best_time_loss"]))
        return (
            _stopping(problem, told, stop, at, errors["best_time_loss"]),
            _strength(ridge, ridge_loss, at),
            _rate(problem, float(told["largest_stable_rate"]), errors["largest_stable_rate"]),
            _expected(problem, min(at, ridge_loss), at < ridge_loss, errors["test_loss"]),
            _more(problem, ridge_loss, _ridge(double)[1]),
        )


def _told(problem: LinearClassifier, times: np.ndarray) -> dict[str, np.ndarray]:
    ready = MarchenkoPastur().prepare(problem, times)
    return {k: np.asarray(v) for k, v in _predict(ready, problem, jnp.asarray(times)).items()}


@eqx.filter_jit
def _predict(theory: MarchenkoPastur, problem: LinearClassifier, times: Array) -> dict[str, Array]:
    return theory.predict(problem, None, None, times)


@eqx.filter_jit
def _ridge_losses(problem: LinearClassifier) -> Array:
    rule = law.closure_rule(problem.dimension / problem.samples, problem.mean_norm**2, NODES)
    g = 1 / (rule.points[None, :] + jnp.asarray(STRENGTHS)[:, None])
    at = moments(problem, rule, jnp.zeros_like(g), g)
    return 0.5 * ((1 - at.overlap) ** 2 + at.norm)


def _ridge(problem: LinearClassifier) -> tuple[float, float]:
    """Strength and loss of the best static ridge; the strength is inf where no weight at all is best."""
    losses = np.asarray(_ridge_losses(problem))
    best = int(np.argmin(losses))
    strength = math.inf if best == len(losses) - 1 else 0.0 if best == 0 else float(STRENGTHS[best])
    return strength, float(losses[best])


def _stopping(problem: Any, told: Any, stop: float, loss: float, error: FiniteSize) -> Recommendation:
    evidence = {"test loss there": loss, "at the end": float(told["test_loss"][-1])}
    if not math.isfinite(stop):
        why = "The predicted test loss is best at the start or still falls at the end of a long run."
        return Recommendation("stopping_time", math.nan, why, evidence=evidence, source=SOURCE)
    why = (
        f"The predicted test loss is least here; it rises by {evidence['at the end'] / loss - 1:.1%} in a run 20 times "
        "the usual length."
    )
    return Recommendation(
        "stopping_time", stop, why, *around(stop, error), problem.rule.clock, evidence=evidence, source=SOURCE
    )


def _strength(ridge: float, ridge_loss: float, stopped: float) -> Recommendation:
    evidence = {"test loss": ridge_loss, "stopping instead": stopped}
    if not 0 < ridge < math.inf:
        why = "The classes cannot be told apart: no weight at all is best." if ridge else "No ridge is best here."
        return Recommendation("ridge", math.nan if ridge else 0.0, why, evidence=evidence, source=SOURCE)
    side = "below" if ridge_loss < stopped else "above"
    share = abs(1 - ridge_loss / stopped)
    why = f"Trained to the end with this weight_decay, the test loss is {share:.1%} {side} that of stopping."
    return Recommendation("ridge", ridge, why, evidence=evidence, source=SOURCE)


def _rate(problem: Any, limit: float, error: FiniteSize) -> Recommendation:
    top = 2 / limit
    why = f"Beyond it the weights grow without bound along the largest curvature; 2 / rate = {top:.3g}. Half is safe."
    return Recommendation("largest_stable_rate", limit, why, *around(limit, error), source=SOURCE)


def _rate_of_the_draw(problem: Any, data: Any) -> Recommendation:
    """Where the limit is silent: the exact limit of one draw, where one is known."""
    limit = float(draw_rate(problem, data))
    if math.isnan(limit):
        why = f"No stability limit is known for {problem.rule.title()}."
        return Recommendation("largest_stable_rate", math.nan, why)
    why = "Of this draw: beyond it the weights, or their mean square under SGD, grow without bound. Half is safe."
    return Recommendation("largest_stable_rate", limit, why, 0.0, limit)


def _expected(problem: Any, loss: float, stopped: bool, error: FiniteSize) -> Recommendation:
    how = "stopped as advised" if stopped else "with ridge as advised"
    why = f"Half the mean squared error on fresh points, {how}, in the mean over draws."
    bound = 0.5 / (1 + problem.mean_norm**2)
    return Recommendation(
        "test_loss", loss, why, *around(loss, error), evidence={"least possible": bound}, source=SOURCE
    )


def _more(problem: Any, now: float, then: float) -> Recommendation:
    why = f"Twice as many points would lower the test loss of the best ridge by {1 - then / now:.1%}."
    return Recommendation("test_loss_with_twice_the_points", then, why, evidence={"now": now}, source=SOURCE)
