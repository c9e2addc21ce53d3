"""Linear regression solved exactly for a given draw and start."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from ...mathematics.sample_modes import sample_modes
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Source
from ..shared.square_loss import FILTERED
from .isotropic import CURVES, EVENTS, best_values
from .problem import LinearRegression


class RegressionModes(Exact[LinearRegression]):
    """Exact curves of this very data set and start, from one eigendecomposition of the sample covariance.

    S = X'X/n = U diag(x) U', b = X'y/n; every first-order rule with fixed coefficients gives
        w(t) = U [f(x + gamma) U'w_0 + g(x + gamma) U'b],
    with the rule's filter f, g (gamma = weight_decay). All observables follow without integration, for any inputs.
    Shapes: X (samples, dimension), w_0 (dimension,). Clock: the rule's own. Events: best time by the root of the
    derivative, the loss there, largest stable rate from the largest eigenvalue.
    Conditions on the draw and the start; no limit is taken, so nothing is left out but rounding.
    Source: linear algebra; Advani & Saxe 2017, the exact dynamics.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (LinearRegression,)
    source: ClassVar[tuple[Source, ...]] = (Source("AdvaniSaxe2017", "exact dynamics of the modes"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS, "largest_stable_rate")
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "samples")
    assumptions: ClassVar[tuple[Assumption, ...]] = (FILTERED,)

    def predict(self, problem: LinearRegression, data: Any, start: Any, times: Array) -> dict[str, Array]:
        times = jnp.asarray(times)
        values, vectors = sample_modes(data.inputs)
        begin, drive = vectors.T @ start, vectors.T @ (data.targets @ data.inputs / data.inputs.shape[0])
        aim = vectors.T @ data.teacher
        covariance = vectors.T @ (problem.eigenvalues()[:, None] * vectors)

        def weights(at: Array) -> Array:
            f, g = problem.rule.filter(values + problem.weight_decay, at)
            return f * begin[None, :] + g * drive[None, :]

        def test_loss(at: Array) -> Array:
            off = weights(at) - aim[None, :]
            return 0.5 * (jnp.sum((off @ covariance) * off, axis=1) + problem.noise**2)

        now, power = weights(times), jnp.sum(aim**2)
        return {
            "train_loss": 0.5 * jnp.mean((data.targets[None, :] - now @ (vectors.T @ data.inputs.T)) ** 2, axis=1),
            "test_loss": test_loss(times),
            "overlap": now @ aim / jnp.where(power > 0, power, 1.0),
            "squared_norm": jnp.sum(now**2, axis=1),
            **best_values(problem, test_loss, times[-1]),
            "largest_stable_rate": problem.rule.stable_rate(values[-1] + problem.weight_decay),
        }
