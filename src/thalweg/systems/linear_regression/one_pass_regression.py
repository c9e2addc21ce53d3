"""One-pass linear regression: the exact mean over samples, at any size."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from ...mathematics.one_pass_linear import one_pass_edge, one_pass_end, one_pass_means, one_pass_start
from ...rules import Constant, OnePassSGD
from ...rules.demands import ONE_PASS, stable_share
from ...words.fields import vary
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source, Variable
from .isotropic import effective_dimension, scaled_terms
from .problem import LinearRegression

READ_OFF = {"test_loss": 0.2, "overlap": 0.25, "squared_norm": 0.35}


def _rate_strain(setting: Setting) -> float:
    problem, law = setting.problem, setting.problem.law()
    limit = problem.dimension * one_pass_edge(law.values, law.counts, problem.weight_decay)
    return stable_share(problem.rule, lambda: limit)


class OnePassRegression(Limit[LinearRegression]):
    """Exact mean of one-pass SGD over samples, noise and starts, for Gaussian inputs of any covariance and any size.

    With h = learning_rate * schedule / dimension, gamma = weight_decay, l_i the eigenvalues of the covariance,
    D_i = E (w - beta)_i^2, m_i = E (w - beta)_i and R = sum_i l_i D_i + noise^2 = 2 test_loss, at every step
        D_i <- [(1 - h gamma)^2 - 2 (1 - h gamma) h l_i + 2 h^2 l_i^2] D_i + h^2 l_i R
               + h^2 gamma^2 beta_i^2 - 2 h gamma (1 - h gamma - h l_i) beta_i m_i,
        m_i <- (1 - h gamma - h l_i) m_i - h gamma beta_i;
    overlap = 1 + sum_i beta_i m_i/|beta|^2, squared_norm = |beta|^2 + 2 sum_i beta_i m_i + sum_i D_i.
    `stationary_loss` is the test loss at which a constant rate ends: (noise^2/2)/(1 - q) without decay,
    q = (h/2) sum_i l_i/(1 - h l_i); NaN for a schedule and
    for a rate of 0. Cost: O(distinct eigenvalues) a step.
    Clock: steps / dimension; flow time = learning_rate times it. Conditions on nothing; no limit is taken.
    Unstable from q = 1 on (strain 1; learning_rate 2 p/(p + 2) for isotropic inputs), where means are carried by ever
    rarer runs. It says nothing of the best time of a single noisy run. Fails for inputs that are not Gaussian.
    Source: fourth moments of Gaussian inputs; its limit is that of Collins-Woodfin et al. 2023.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (LinearRegression,)
    source: ClassVar[tuple[Source, ...]] = (Source("CollinsWoodfin2023", "the limit of small steps"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    own: ClassVar[tuple[Variable, ...]] = (Variable("stationary_loss", "test loss at which a constant rate ends"),)
    speaks_of: ClassVar[tuple[str, ...]] = ("test_loss", "overlap", "squared_norm", "stationary_loss")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        ONE_PASS,
        Assumption(
            "stable rate",
            "1 means that the mean square is at the edge of growing for ever.",
            _rate_strain,
            broken_by=lambda problem: vary(problem, {"rule": OnePassSGD(2.0)}),
        ),
    )

    @classmethod
    def example(cls) -> LinearRegression:
        return vary(super().example(), {"rule": OnePassSGD(0.4)})

    def predict(self, problem: LinearRegression, data: Any, start: Any, times: Array) -> dict[str, Array]:
        rule: Any = problem.rule
        law, size = problem.law(), problem.dimension
        steps = jnp.round(jnp.asarray(times) * size).astype(int)
        power = jnp.sum(law.signal)

        def step(count: Array) -> Any:
            return rule.learning_rate * rule.schedule.factor(count / size) / size

        begin = one_pass_start(law, problem.init_variance)
        seen = one_pass_means(law, begin, step, problem.weight_decay, steps)
        taught, errors = jnp.sum(seen.taught, axis=1), jnp.sum(seen.errors, axis=1)
        end = one_pass_end(law, step(jnp.zeros(())), problem.weight_decay)
        end = jnp.where(step(jnp.zeros(())) > 0, end, jnp.nan)
        return {
            "test_loss": 0.5 * (seen.errors @ law.values + law.noise),
            "overlap": 1 + taught / jnp.where(power > 0, power, 1.0),
            "squared_norm": power + 2 * taught + errors,
            "stationary_loss": 0.5 * end if isinstance(rule.schedule, Constant) else jnp.asarray(jnp.nan),
        }

    def finite_size(self, problem: LinearRegression) -> Mapping[str, FiniteSize]:
        """Nothing is left out of the means; a half-time read from each noisy run is not that of their mean.

        That difference, measured as an error of the curve: constants / (effective dimension (1 - share of the largest
        stable rate)), benchmarks/regression_order.py.
        """
        law = problem.law()
        limit = problem.dimension * float(one_pass_edge(law.values, law.counts, problem.weight_decay))
        room = max(1 - float(problem.rule.learning_rate) / limit, 0.0)  # pyright: ignore
        return scaled_terms(READ_OFF, effective_dimension(law) * room)
