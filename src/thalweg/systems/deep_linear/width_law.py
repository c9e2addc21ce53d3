"""How far wide two-layer networks end from the least-norm solution: a law in the width, with its band."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.fields import varied, vary
from ...words.problem import Problem
from ...words.theory import Assumption, Claim, Estimate, FiniteSize, Setting, Source, Variable
from . import regime
from .problem import LATE, DeepLinear
from .starts import BalancedLayers, GaussianLayers

# relative error of the mean over starts, times hidden width over (inputs + outputs), at kappa from 0.5 to 4: measured,
# -0.02 to -0.14 with an error of 0.05 (benchmarks/min_norm_width.py)
MEASURED = 0.2
# logarithmic nodes of the mean of a square root
NODES = np.linspace(-60.0, 60.0, 2001)


def _gaussian_strain(setting: Setting) -> float:
    given = setting.given_start is not None
    return math.inf if given or not isinstance(setting.problem.law, GaussianLayers) else 0.0


GAUSSIAN = Assumption(
    "Gaussian start",
    "The start must be drawn with GaussianLayers(); a start of your own has its own limit, see GramFlow.",
    _gaussian_strain,
    broken_by=lambda problem: vary(problem, {"start": BalancedLayers()}),
)


def _width_strain(setting: Setting) -> float:
    inputs, hidden, outputs = setting.problem.widths
    return (inputs + outputs) / hidden


WIDE = Assumption(
    "wide hidden layer",
    "The hidden layer must be wider than inputs + outputs (strain: their ratio): the law is the leading order in 1/h.",
    _width_strain,
    broken_by=varied(widths=(3, 1, 2)),
)


class MinimumNormWidth(Estimate[DeepLinear]):
    """Distance of the flow's limit to the solution of least norm, for wide two-layer networks from Gaussian starts.

    Entries of deviation sigma = init_scale, hidden width h, kappa^2 = h sigma^2, inputs of rank r < d: only what W does
    outside the span of the inputs is not fixed by the data. There the start is carried along by the flow of the rest,
    whose Gram matrix conserves G J G = kappa^4 J, J = diag(I, -I). To leading order the rows outside are normal,
        |W(inf) - W*|_F^2 = sigma^2 sum_k sqrt(kappa^4 + s_k^2) chi^2_(d - r),  k = 1..m outputs, s_k of W* (0 beyond);
    with sigma = h^(-1/2) it falls like h^(-1/2). distance_to_min_norm is the mean over starts (a limit in time), own
    variable `distance_deviation` the standard deviation, the band of a single start. r counts singular values of the
    inputs above 1e-10 of the largest; r = d: 0. Clock: flow time, infinite. Conditions on the draw.
    Error of the mean: measured, below 0.2 (d + m)/h of it. Fails for narrow layers, other starts, decay and steps.
    Source: the order h^(-1/2): Min et al. 2021; constant and band: derived.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Min2021", "theorem 2, its order; the constant derived"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("distance_deviation", "standard deviation over starts of the distance at the end"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = ("distance_to_min_norm", "distance_deviation")
    claims: ClassVar[Mapping[str, Claim]] = {
        "distance_to_min_norm": Claim("limit", approach=lambda setting: math.exp(-LATE), time=False)
    }
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        regime.FLOW, regime.TWO_LAYERS, regime.NO_DECAY, GAUSSIAN, WIDE,
    )  # fmt: skip

    @classmethod
    def example(cls) -> DeepLinear:
        # fewer samples than inputs: a distance that is not zero
        return vary(super().example(), {"widths": (3, 9, 2), "samples": 2})

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        inputs, hidden, outputs = problem.widths
        missing = inputs - jnp.sum(data.principal()[0] > 0)
        strengths = jnp.concatenate([jnp.asarray(data.strengths), jnp.zeros(max(outputs - inputs, 0))])[:outputs]
        variance = problem.init_scale**2
        weights = variance * jnp.sqrt((hidden * variance) ** 2 + strengths**2)
        mean = mean_root(weights, 1.0 * missing)
        left = missing * jnp.sum(weights) - mean**2
        random = (missing > 0) & (left > 0)
        return {
            "distance_to_min_norm": mean,
            "distance_deviation": jnp.where(random, jnp.sqrt(jnp.where(random, left, 1.0)), 0.0),
        }

    def finite_size(self, problem: DeepLinear) -> Mapping[str, FiniteSize]:
        inputs, hidden, outputs = problem.widths
        return {"distance_to_min_norm": FiniteSize(MEASURED * (inputs + outputs) / hidden, 1.0, relative=True)}


def mean_root(weights: Float[Array, " k"], freedom: Any) -> Float[Array, ""]:
    """E sqrt(sum_k weights_k chi^2_freedom): (4 pi)^(-1/2) int (1 - M(s)) s^(-3/2) ds, M = prod (1 + 2 w s)^(-f/2)."""
    total = jnp.sum(weights)
    unit = jnp.where(total > 0, total, 1.0)
    scaled = jnp.exp(jnp.asarray(NODES))[:, None] * (weights / unit)[None, :]
    logs = -0.5 * freedom * jnp.sum(jnp.log1p(2 * scaled), axis=1)
    integral = jnp.sum(-jnp.expm1(logs) * jnp.exp(-0.5 * jnp.asarray(NODES))) * (NODES[1] - NODES[0])
    return jnp.sqrt(total) * integral / math.sqrt(4 * math.pi)
