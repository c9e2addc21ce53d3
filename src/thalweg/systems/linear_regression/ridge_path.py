"""The ridge path beside the path of gradient flow, and the price of stopping instead of ridge."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics.lens_contour import loop_nodes
from ...mathematics.static_ridge import best_ridge, ridge_excess
from ...rules.demands import flows, under_descent
from ...words.fields import varied, vary
from ...words.problem import Problem
from ...words.theory import Assumption, Certificate, Claim, FiniteSize, Setting, Source, Variable, structural
from .equivalent import equivalent_curves, loop_of, top
from .isotropic import best_values, size_terms
from .problem import LinearRegression

# excess risk of flow over that of ridge at penalty 1/t, at the most: Ali, Kolter & Tibshirani 2018 (not their first
# version)
PATH_RATIO = 1.69


def _start_strain(setting: Setting) -> float:
    start, signal = float(setting.problem.init_variance), float(setting.problem.signal_norm) ** 2
    return 0.0 if start == 0 else start / signal / 0.01 if signal > 0 else math.inf


def _decay_strain(setting: Setting) -> float:
    return float(setting.problem.weight_decay * setting.times[-1]) / 0.01


def _teacher_strain(setting: Setting) -> float:
    problem = setting.problem
    if problem.spectrum is None or problem.teacher is None:
        return 0.0
    share = np.square(np.asarray(problem.teacher, dtype=float))
    return float(np.max(np.abs(share / share.mean() - 1))) / 0.1


class RidgePath(Certificate[LinearRegression]):
    """Ridge regression beside gradient flow, in the limit of many features and samples: a bound, and prices.

    `ridge_loss` (time) is the test loss of the ridge solution (S + lambda)^-1 b at lambda = 1/t, S = X'X/n,
    b = X'y/n, that of (1/2n)|y - Xw|^2 + (lambda/2)|w|^2. With kappa = lambda + kappa (1/n) sum_i l_i/(l_i + kappa)
    and df2 = (1/n) sum_i l_i^2/(l_i + kappa)^2, s = noise^2:
        excess = [kappa^2 sum_i l_i beta_i^2/(l_i + kappa)^2 + s df2]/(1 - df2),    loss = (excess + s)/2.
    `flow_over_ridge` (time): excess of flow at t over excess of ridge at 1/t; at most 1.69 for every t, spectrum and
    sample size, averaged over the direction of the teacher. That is the claim on test_loss: an upper bound.
    `best_ridge` and `best_ridge_loss`: the penalty of least test loss (s c/|beta|^2 for an even teacher, then the best
    of all filters), `stopping_price`: excess of flow at its best time over that of the best ridge, within [1, 1.22]
    for isotropic inputs. NaN where there is no noise or no signal (0/0, or the best time is infinite or 0), and where
    flow has no best time within the given times. Clock: flow time. Conditions on nothing.
    Fails for a start that is not zero, for weight decay beside the flow, for other rules, and for a teacher that
    prefers some directions of uneven inputs (strain 1: a coefficient's square 10 % off their mean).
    Source: Ali, Kolter & Tibshirani 2018 (bounds; limit of both risks there for isotropic inputs).
    """

    nodes: int | None = None

    of: ClassVar[tuple[type[Problem], ...]] = (LinearRegression,)
    source: ClassVar[tuple[Source, ...]] = (Source("AliKolterTibshirani2018", "risk bounds"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("ridge_loss", "test loss of ridge at the penalty 1/t", dims=("time",)),
        Variable("flow_over_ridge", "excess risk of flow at t over that of ridge at 1/t", dims=("time",)),
        Variable("best_ridge", "ridge penalty of the least test loss"),
        Variable("best_ridge_loss", "test loss of the best ridge"),
        Variable("stopping_price", "excess risk of the best stopping over that of the best ridge"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (
        "test_loss", "ridge_loss", "flow_over_ridge", "best_ridge", "best_ridge_loss", "stopping_price",
    )  # fmt: skip
    claims: ClassVar[Mapping[str, Claim]] = {"test_loss": Claim("upper")}
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        structural("gradient flow", "The rule must be gradient flow.", flows, under_descent(0.1)),
        Assumption(
            "zero start",
            "1 means that init_variance is 1 % of |beta|^2.",
            _start_strain,
            broken_by=varied(init_variance=0.1),
        ),
        Assumption(
            "no decay",
            "1 means that decay shrinks the weights by 1 % over the run.",
            _decay_strain,
            broken_by=varied(weight_decay=0.1),
        ),
        Assumption(
            "even teacher",
            "1 means that the square of a coefficient is 10 % off their mean.",
            _teacher_strain,
            broken_by=lambda problem: vary(problem, {"teacher": np.arange(1.0 * problem.dimension)}),
        ),
    )

    def prepare(self, problem: LinearRegression, times: np.ndarray) -> "RidgePath":
        if self.nodes is not None:
            return self
        largest = float(top(problem, problem.law()))
        return dataclasses.replace(self, nodes=loop_nodes(largest, float(times[-1]), memory=False))

    def predict(self, problem: LinearRegression, data: Any, start: Any, times: Array) -> dict[str, Array]:
        assert self.nodes is not None
        times, noise = jnp.asarray(times), problem.noise**2
        loop = loop_of(problem, times[-1], self.nodes)

        def flow(at: Array) -> Array:
            return equivalent_curves(problem, loop, problem.rule, at)["test_loss"]

        # at time 0 the penalty is infinite: so large a one that nothing is left of the weights
        large = 1e12 * loop.largest
        ridge = ridge_excess(loop.law, problem.samples, 1 / jnp.maximum(times, 1 / large))
        best = best_ridge(loop.law, problem.samples)
        # a penalty of 1 stands in where there is no best one: a NaN inside would spoil derivatives
        least = ridge_excess(loop.law, problem.samples, jnp.where(jnp.isnan(best), 1.0, best)[None])[0]
        least = jnp.where(jnp.isnan(best), jnp.nan, least)
        stopped = best_values(problem, flow, times[-1])["least_loss"]
        return {
            "test_loss": 0.5 * (PATH_RATIO * ridge + noise),
            "ridge_loss": 0.5 * (ridge + noise),
            "flow_over_ridge": (2 * flow(times) - noise) / jnp.where(ridge > 0, ridge, jnp.nan),
            "best_ridge": best,
            "best_ridge_loss": 0.5 * (least + noise),
            "stopping_price": (2 * stopped - noise) / least,
        }

    def finite_size(self, problem: LinearRegression) -> Mapping[str, FiniteSize]:
        return {"test_loss": size_terms(problem)["test_loss"]}
