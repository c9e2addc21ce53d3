"""Advice about linear regression from its theories: when to stop, how much ridge, which rate, what to expect."""

import math
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from ...mathematics.one_pass_linear import one_pass_edge
from ...words.problem import Problem
from ...words.recommendations import Adviser, Recommendation, around
from ...words.theory import FiniteSize, Setting
from ..shared.square_loss import draw_rate
from .forecast import DRAWS, LEVEL, Ridge, Scatter, Stopping, broken, path_theory, plain, ridge_of, scatter, stopping
from .isotropic import edge_term, isotropic_rate
from .one_pass_regression import OnePassRegression
from .problem import LinearRegression
from .volterra import VolterraSGD, stable_rate

RIDGE_SOURCE = "ridge in the limit of many features and samples: Ali, Kolter & Tibshirani 2018; Louart & Couillet 2018"
# of the best stopping of flow over the best ridge, isotropic inputs and zero start: a theorem
MOST_PRICE = 1.22


class RegressionAdviser(Adviser):
    """Stopping time, ridge, rate, expected loss, price of stopping and worth of more samples of LinearRegression.

    Values are those of the limit of many features and samples: IsotropicLimit or DeterministicEquivalent for gradient
    flow, descent and momentum, VolterraSGD for SGD with replacement, the fixed point of ridge (RidgePath). Intervals:
    the range over 19 generated data sets and starts of this size, exactly solved (RegressionModes; under SGD in the
    mean over the steps' draws), in which a fresh one lies nine times in ten; where the problem is too large to be
    generated 19 times, what the limit leaves out of the mean. A data set given by the user is read for the rate alone.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (LinearRegression,)

    def advise(self, setting: Setting) -> tuple[Recommendation, ...]:
        if setting.problem.rule.fresh:
            return _fresh(setting)
        problem = plain(setting.problem)
        theory, why = path_theory(problem), ""
        if theory is None:
            why = _no_path(problem)
        elif fails := broken(theory, Setting(problem)):
            why = f"{type(theory).__name__} cannot be believed here, {fails}"
        stop = None if theory is None or why else stopping(problem, theory)
        ridge, double, four = (ridge_of(problem, times * problem.samples) for times in (1, 2, 4))
        seen = scatter(problem, stop, ridge)
        errors = {} if theory is None or why else theory.finite_size(problem)
        return (
            _stopping(problem, stop, why, seen, errors.get("best_time_loss")),
            _strength(problem, ridge, stop, seen),
            _rate(setting, problem, seen),
            _expected(problem, ridge, stop, seen, errors.get("test_loss")),
            _price(problem, ridge, stop, why),
            _more(problem, ridge, double, four),
        )


def _no_path(problem: LinearRegression) -> str:
    return (
        f"No theory here foretells the path of {problem.rule.title()}; there is one for gradient flow, descent, heavy "
        "ball, Nesterov, and SGD with replacement."
    )


def _range(value: float, drawn: Any, error: FiniteSize | None = None) -> tuple[float, float, float]:
    """Ends and level: the range of generated data sets, else what the limit leaves out of the mean."""
    if drawn is not None and np.all(np.isfinite(drawn)):
        return min(value, float(np.min(drawn))), max(value, float(np.max(drawn))), LEVEL
    if error is None or not math.isfinite(error.amount):
        return math.nan, math.nan, math.nan
    return *around(value, error), math.nan


def _source(problem: LinearRegression) -> str:
    if problem.rule.draws_anew:
        return "Paquette et al. 2021"
    return "Advani & Saxe 2017" if problem.spectrum is None else "Louart & Couillet 2018"


def _stopping(
    problem: LinearRegression, stop: Stopping | None, why: str, seen: Scatter | None, error: FiniteSize | None
) -> Recommendation:
    name = "stopping_time"
    if stop is None:
        return Recommendation(name, math.nan, why)
    told = {"test loss there": stop.loss, "at the start": stop.start, "at the end": stop.end}
    if math.isnan(stop.time):
        falls = stop.end < stop.start
        why = (
            f"The predicted test loss still falls at {stop.last:.4g} {problem.rule.clock}: there is nothing to gain by "
            "stopping earlier."
            if falls
            else "No time is better than the start: what the steps learn is noise."
        )
        return Recommendation(name, math.nan, why, evidence=told, source=_source(problem))
    why = (
        f"The predicted test loss is least here; at {stop.last:.4g} {problem.rule.clock} it is "
        f"{stop.end / stop.loss - 1:.1%} higher. The optimum is flat."
    )
    # the mean path of SGD has no noise of the steps in it: its best time is a later one
    drawn = None if seen is None or problem.rule.draws_anew else seen.time
    low, high, level = _range(stop.time, drawn, error)
    return Recommendation(name, stop.time, why, low, high, problem.rule.clock, level, told, _source(problem))


def _strength(problem: LinearRegression, ridge: Ridge, stop: Stopping | None, seen: Scatter | None) -> Recommendation:
    told = {"test loss": ridge.loss, "samples": float(problem.samples)}
    if stop is not None:
        told["stopping instead"] = stop.loss
    if math.isinf(ridge.strength):
        why = "There is no signal: the stronger the ridge the better, no weight at all is best."
        return Recommendation("ridge", math.nan, why, evidence=told, source=RIDGE_SOURCE)
    if ridge.strength == 0:
        why = "No ridge is best: there is no noise to be held down."
        return Recommendation("ridge", 0.0, why, evidence=told, source=RIDGE_SOURCE)
    even = problem.spectrum is None or problem.teacher is None
    why = (
        "The weight_decay of least test loss when trained to the end; it knows nothing of the rule and of the start. "
    ) + (
        "For a teacher that prefers no direction it is dimension noise^2/(samples signal_norm^2), and no other way of "
        "shrinking does better."
        if even
        else "This teacher prefers some directions, so that it is found by search."
    )
    low, high, level = _range(ridge.strength, None if seen is None else seen.strength)
    return Recommendation("ridge", ridge.strength, why, low, high, "", level, told, RIDGE_SOURCE)


def _rate(setting: Setting, problem: LinearRegression, seen: Scatter | None) -> Recommendation:
    """In the limit where a theory gives it; else the middle of draws; for a data set that is given, its own."""
    name, theory, drawn = "largest_stable_rate", _rate_theory(problem), None if seen is None else seen.rate
    if setting.given_data is not None or (theory is None and drawn is None):
        return _rate_of_the_draw(setting, problem)
    # the first of the generated data sets is the draw of seed 0
    told = {} if drawn is None or math.isnan(drawn[0]) else {"of the draw of seed 0": float(drawn[0])}
    if theory is not None:
        value, error = theory
        low, high, level = _range(value, drawn, error)
        return Recommendation(name, value, _grows(problem), low, high, "", level, told, _source(problem))
    if drawn is None or not told:
        return Recommendation(name, math.nan, _no_limit(problem))
    value = float(np.median(drawn))
    low, high, level = _range(value, drawn)
    why = " The largest eigenvalue of uneven inputs has no limit here: this is the middle of what draws have."
    return Recommendation(name, value, _grows(problem) + why, low, high, "", level, told)


def _rate_of_the_draw(setting: Setting, problem: LinearRegression) -> Recommendation:
    limit = float(draw_rate(problem, setting.data))
    if math.isnan(limit):
        return Recommendation("largest_stable_rate", math.nan, _no_limit(problem))
    whose = "this data set" if setting.given_data is not None else "the draw of seed 0"
    return Recommendation("largest_stable_rate", limit, f"Of {whose}, exactly. {_grows(problem)}", 0.0, limit)


def _grows(problem: LinearRegression) -> str:
    what = "the mean square of the weights grows" if problem.rule.draws_anew else "the weights grow"
    return f"Beyond it {what} without bound. Half of it is safe."


def _no_limit(problem: LinearRegression) -> str:
    return f"No stability limit is known for {problem.rule.title()}, or it has no rate."


def _rate_theory(problem: LinearRegression) -> tuple[float, FiniteSize] | None:
    """The limit of the largest stable rate and its error, where a theory speaks of it."""
    rule: Any = problem.rule
    if rule.draws_anew:
        value = float(stable_rate(problem, rule.batch))
        return value, VolterraSGD().finite_size(problem)["largest_stable_rate"]
    if problem.spectrum is not None:
        return None
    value = float(isotropic_rate(problem))
    return None if math.isnan(value) else (value, edge_term(problem))


def _expected(
    problem: LinearRegression, ridge: Ridge, stop: Stopping | None, seen: Scatter | None, error: FiniteSize | None
) -> Recommendation:
    stopped = stop is not None and stop.loss < ridge.loss
    value = stop.loss if stopped and stop is not None else ridge.loss
    how = "stopped as advised" if stopped else "with ridge as advised"
    drawn = None
    if seen is not None and math.isfinite(ridge.strength):
        drawn = seen.stopped if stopped else seen.ridge
    low, high, level = _range(value, drawn, error)
    around = f"The interval is the range of {DRAWS} generated data sets." if drawn is not None else ""
    why = f"Half the mean squared error on fresh points, {how}, noise included. {around}".rstrip()
    told = {"least possible, noise^2 / 2": 0.5 * float(problem.noise) ** 2}
    if stop is not None:
        told |= {"stopped": stop.loss, "with ridge": ridge.loss}
    source = _source(problem) if stopped else RIDGE_SOURCE
    return Recommendation("test_loss", value, why, low, high, "", level, told, source)


def _price(problem: LinearRegression, ridge: Ridge, stop: Stopping | None, why: str) -> Recommendation:
    """Excess risk of the best stopping over that of the best ridge."""
    name, noise, source = "stopping_price", 0.5 * float(problem.noise) ** 2, "Ali, Kolter & Tibshirani 2018"
    if stop is None:
        return Recommendation(name, math.nan, why)
    if math.isnan(stop.time) or not 0 < ridge.strength < math.inf:
        why = "Stopping has no best time, or ridge no best strength: there is nothing to compare."
        return Recommendation(name, math.nan, why)
    ours, best = stop.loss - noise, ridge.loss - noise
    side = "above" if ours > best else "below"
    why = f"Stopped at its best time, the loss beyond noise^2/2 is {abs(ours / best - 1):.1%} {side} that of the ridge."
    told = {"stopped": ours, "with ridge": best}
    plain_start = problem.init_variance == 0 and problem.weight_decay == 0
    if problem.rule.continuous and plain_start and problem.spectrum is None:
        why += f" For isotropic inputs and a zero start it is never more than {MOST_PRICE - 1:.0%}."
        return Recommendation(name, ours / best, why, 1.0, MOST_PRICE, evidence=told, source=source)
    return Recommendation(name, ours / best, why, evidence=told, source=source)


def _more(problem: LinearRegression, now: Ridge, double: Ridge, four: Ridge) -> Recommendation:
    gain, n = 1 - double.loss / now.loss, problem.samples
    why = f"Twice as many samples, {2 * n}, would lower the test loss of the best ridge by {gain:.1%}."
    floor = 0.5 * float(problem.noise) ** 2
    told = {"now": now.loss, f"at {4 * n} samples": four.loss, "floor, noise^2 / 2": floor}
    return Recommendation("test_loss_with_twice_the_points", double.loss, why, evidence=told, source=RIDGE_SOURCE)


def _fresh(setting: Setting) -> tuple[Recommendation, ...]:
    """One pass over fresh samples: nothing stored can be learned by heart."""
    problem = setting.problem
    never = "Every step sees a fresh sample: no noise is learned by heart, and there is no stored set"
    law = problem.law()
    limit = float(problem.dimension * one_pass_edge(law.values, law.counts, problem.weight_decay))
    rate = "Beyond it the mean square of the weights grows without bound, exactly, at any size. Half of it is safe."
    return (
        Recommendation("stopping_time", math.nan, f"{never} that a best time could come from."),
        Recommendation("ridge", math.nan, f"{never} that ridge could be fitted to."),
        Recommendation("largest_stable_rate", limit, rate, 0.0, limit, source="fourth moments of Gaussian inputs"),
        _plateau(setting),
        Recommendation("stopping_price", math.nan, f"{never} on which to compare stopping with ridge."),
        Recommendation("test_loss_with_twice_the_points", math.nan, f"{never}: train longer, at a smaller rate."),
    )


def _plateau(setting: Setting) -> Recommendation:
    problem, theory = setting.problem, OnePassRegression()
    if fails := broken(theory, setting):
        return Recommendation("test_loss", math.nan, f"OnePassRegression cannot be believed here, {fails}")
    end = float(theory.predict(problem, None, None, jnp.zeros(1))["stationary_loss"])
    if math.isnan(end):
        return Recommendation("test_loss", end, "The rate is no positive constant: there is no level that it ends at.")
    floor = 0.5 * float(problem.noise) ** 2
    why = "The mean test loss at which this constant rate ends, exactly; a smaller rate ends lower, and later."
    return Recommendation("test_loss", end, why, evidence={"least possible, noise^2 / 2": floor})
