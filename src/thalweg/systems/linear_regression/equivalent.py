"""Linear regression with inputs of any covariance: its deterministic equivalent, by contour integrals."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from ...mathematics.covariance_equivalent import largest_eigenvalue
from ...mathematics.lens_contour import loop, loop_nodes
from ...mathematics.linear_equivalent import Kernels, LinearLaw, linear_averages, linear_kernels
from ...rules.demands import stable_share, under_descent
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source
from ..shared.square_loss import FILTERED, SquareLossProblem
from .isotropic import CURVES, EVENTS, STABLE, best_values, size_terms
from .problem import LinearRegression


def top(problem: SquareLossProblem, law: LinearLaw) -> Array:
    """Limit of the largest sample eigenvalue, without decay."""
    return _edge(law.values, law.counts, problem.samples)


# compiled by itself, for it is asked for outside of predictions too
@jax.jit
def _edge(values: Array, counts: Array, samples: Any) -> Array:
    return largest_eigenvalue(values, jnp.zeros((values.shape[0], 1)), jnp.ones(1), samples, counts)


def _step(setting: Setting) -> float:
    problem = setting.problem
    if problem.rule.continuous:
        return 0.0
    return stable_share(
        problem.rule, lambda: problem.rule.stable_rate(top(problem, problem.law()) + problem.weight_decay)
    )


class Loop(NamedTuple):
    """A law, the largest sample eigenvalue, the contour around the spectrum, and the kernels on it."""

    law: LinearLaw
    largest: Array
    z: Complex[Array, " nodes"]
    weights: Complex[Array, " nodes"]
    kernels: Kernels


def loop_of(problem: SquareLossProblem, horizon: Any, nodes: int, memory: bool = False) -> Loop:
    """All that does not depend on times, for filters that decay like exp(-x t), t <= horizon; `memory`: as `loop`."""
    law = problem.law()
    largest = top(problem, law)
    z, weights = loop(largest, horizon, nodes, memory)
    return Loop(law, largest, z, weights, linear_kernels(law, problem.samples, problem.init_variance, z, weights))


def equivalent_curves(problem: SquareLossProblem, loop: Loop, rule: Any, times: Array) -> dict[str, Array]:
    """All curves under a rule with a filter; NaN where the contour integrals fail their own check."""
    f, g = rule.filter(loop.z + problem.weight_decay, times)
    seen = linear_averages(loop.kernels, loop.z, f, g)
    found = {
        "train_loss": jnp.maximum(0.5 * seen.residual, 0.0),
        "test_loss": 0.5 * (seen.excess + loop.law.noise) - seen.aims[:, 1],
        "overlap": seen.aims[:, 0],
        "squared_norm": seen.size,
    }
    sound = loop.kernels.defect < 1e-6
    return {name: jnp.where(sound, value, jnp.nan) for name, value in found.items()}


class DeterministicEquivalent(Limit[LinearRegression]):
    """Learning curves for inputs of any covariance in the limit of many features and samples, by contour integrals.

    With l_i the eigenvalues of C, beta_i the teacher's coefficients, Q_i(z) = 1/(a l_i - z), a = 1/(1 + delta),
    delta = (1/n) sum_i l_i Q_i, the rule's filter f, g at z + weight_decay, k = 1 - z g, s = noise^2 and
    v = init_variance, over loops around the sample spectrum (anticlockwise, 1/(2 pi i) each):
        excess = oint oint [k1 k2 sum_i l_i beta_i^2 Q_i(z1) Q_i(z2)/U + v f1 f2 sum_i l_i Q_i(z1) Q_i(z2)/(p U)]
                 - s oint z g^2 delta,      U = 1 - a(z1) a(z2) (1/n) sum_i l_i^2 Q_i(z1) Q_i(z2),
        2 train_loss = -oint z [k^2 sum_i beta_i^2 Q_i + v f^2 (1/p) sum_i Q_i] + s [1 - (1/n) oint (k^2-1) sum_i Q_i],
        test_loss = (excess + s)/2, and overlap and squared_norm alike. Equal to IsotropicLimit at C = I.
    Cost: N nodes on the loop, O(N^2 p) once, O(N^2) a time; N grows as the logarithm of the time, with momentum as its
    root. Events: `best_time_loss` (root of the derivative), `least_loss`. Clock: the rule's own. No dim `seed`. The
    loop encloses an upper bound of the largest sample eigenvalue (the edge), which is no prediction of the largest
    stable rate where single eigenvalues stand apart.
    Conditions on nothing. Error: O(1/min(dimension, samples)) in averages over seeds, power laws included; constants
    measured (benchmarks/regression_order.py). It fails beyond the stability limit of a discrete rule.
    Source: Louart & Couillet 2018 for the resolvent; curves by the same resolvent.
    """

    nodes: int | None = None

    of: ClassVar[tuple[type[Problem], ...]] = (LinearRegression,)
    source: ClassVar[tuple[Source, ...]] = (
        Source("LouartCouillet2018"),
        Source("AliKolterTibshirani2018", "the isotropic case"),
    )
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS)
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        FILTERED,
        Assumption("stable step", STABLE, _step, broken_by=under_descent(0.8)),
    )

    def prepare(self, problem: LinearRegression, times: np.ndarray) -> "DeterministicEquivalent":
        if self.nodes is not None:
            return self
        rule, largest = problem.rule, float(top(problem, problem.law()))
        horizon = float(times[-1] * rule.effective_pace())
        return dataclasses.replace(self, nodes=loop_nodes(largest, horizon, memory=not rule.descends()))

    def predict(self, problem: LinearRegression, data: Any, start: Any, times: Array) -> dict[str, Array]:
        assert self.nodes is not None
        times = jnp.asarray(times)
        rule = problem.rule
        known = loop_of(problem, times[-1] * rule.effective_pace(), self.nodes, memory=not rule.descends())

        def curves(at: Array) -> dict[str, Array]:
            return equivalent_curves(problem, known, rule, at)

        return {
            **curves(times),
            **best_values(problem, lambda t: curves(t)["test_loss"], times[-1]),
        }

    def finite_size(self, problem: LinearRegression) -> Mapping[str, FiniteSize]:
        return size_terms(problem)
