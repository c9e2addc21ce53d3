"""Where training ends as the scale falls, how fast it gets there, and how often a random start can interpolate."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
from jax.scipy.special import gammaln
from jaxtyping import Array

from ...words.problem import Problem
from ...words.theory import Assumption, Asymptote, Claim, Exact, Setting, Source, Variable
from . import regime
from .aligned_group import scale_exponents
from .problem import OrthogonalReLU
from .readings import group_norms
from .relu_network import SAMPLE, SIGN, ShallowReLU
from .user_inputs import UserInputsReLU


def _approach(setting: Setting) -> float:
    problem = setting.problem
    sides = regime.least_norms(problem)
    scale = min(float(problem.init_scale), 1.0)
    return float(sum(n * scale**e for n, e in zip(sides, scale_exponents(problem), strict=True)))


class MinimalVariationNorm(Asymptote[ShallowReLU]):
    """The end of training as the scale falls: interpolation with the least norm.

    min (1/2)|theta|^2 = min sum |a_j| |w_j| at zero loss is N_+ + N_-, N_s = sqrt(sum_{sign s} (y_k/xi_k)^2): one
    balanced unit a sign, w_s along sum |y_k| x_k/xi_k^2, a_s = s sqrt(N_s). Certificate: alpha_k = y_k/(xi_k^2 N_s) has
    sum alpha_k y_k = N_+ + N_- and |sum alpha_k relu(w.x_k)| <= 1 on the unit sphere.
    Claims: a limit without time axis, for `half_squared_norm`, `variation_norm` and the final norm. Declared approach:
    sum_s N_s init_scale^(2 (1 - rho_s)), rho_s that of a unit that misses the weakest point of its sign.
    Own variable: `certificate` alpha (sample). Conditions on the start only through its assumptions: some unit of each
    sign must see all points of that sign; then nothing random is left. Clock: none.
    It fails for narrow networks, whose jumps end above this norm, or cannot interpolate at all.
    Source: Boursier et al. 2022, theorem 1; checked against a convex program.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (
        "half_squared_norm",
        "variation_norm",
        "final_half_squared_norm",
        "certificate",
    )
    claims: ClassVar[Mapping[str, Claim]] = {
        **{name: Claim("limit", approach=_approach, time=False) for name in ("half_squared_norm", "variation_norm")},
        "final_half_squared_norm": Claim("limit", approach=_approach),
    }
    own: ClassVar[tuple[Variable, ...]] = (Variable("certificate", "dual certificate alpha", dims=(SAMPLE,)),)
    shapes: ClassVar[tuple[str, ...]] = ("bias",)
    assumptions: ClassVar[tuple[Assumption, ...]] = (regime.FLOW, regime.ORTHOGONAL, regime.FULL_UNITS)

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        given = regime.sample(problem, data)
        labels, norms = jnp.asarray(given.labels), jnp.asarray(given.norms)
        positive, negative = group_norms(labels, norms)
        total = positive + negative
        own = jnp.where(labels > 0, positive, negative)
        return {
            "half_squared_norm": total,
            "variation_norm": total,
            "final_half_squared_norm": total,
            "certificate": labels / (norms**2 * own),
        }


class ScaleRate(Asymptote[ShallowReLU]):
    """How fast the limit of small scale is reached: errors fall like init_scale^(2 (1 - rho)).

    rho_s = (largest |D_j| of the units of sign s that miss a point) / |D_s|, from the patterns of this start; a unit
    that misses the weakest point alone gives rho = sqrt(1 - xi^2 y^2 / sum xi^2 y^2), for n_s equal points
    sqrt(1 - 1/n_s): exponents 0.586, 0.367, 0.211, 0.103, 0.051 for n_s = 2, 3, 5, 10, 20, so that from about five
    points of a sign on the limit is out of reach at any scale: use ClassFlow. 2 where there is no such unit.
    Own variables: `scale_exponent` (sign; claim `rate`: slope of log(norm gap) and of log(error of a quarter time)
    against log(init_scale)), `slower_rate` rho (sign). Conditions on the start. NaN for a sign without a full unit.
    Source: derived here from the phases of Boursier et al. 2022; slopes checked by the exact flow.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Boursier2022", "theorem 1 and section 4"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start",)
    speaks_of: ClassVar[tuple[str, ...]] = ("scale_exponent", "slower_rate")
    claims: ClassVar[Mapping[str, Claim]] = {"scale_exponent": Claim("rate")}
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("scale_exponent", "power of the scale with which the limit is approached", dims=(SIGN,)),
        Variable("slower_rate", "largest growth rate of a unit that misses a point, over the group's", dims=(SIGN,)),
    )
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (regime.FLOW, regime.ORTHOGONAL, regime.FULL_UNITS)

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        data = regime.sample(problem, data)
        case = regime.reduced(data, start)
        last = regime.final_pattern(regime.early(case))
        whole = regime.full(case, last)
        other = regime.belongs(case, last) & ~whole
        rate = regime.rates(case)
        slower = jnp.max(jnp.where(other, last.rate[None, :], 0.0), axis=1) / jnp.where(rate > 0, rate, 1.0)
        some = jnp.any(whole, axis=1)
        return {
            "scale_exponent": jnp.where(some, 2 * (1 - slower), jnp.nan),
            "slower_rate": jnp.where(some, slower, jnp.nan),
        }


class Coverage(Exact[ShallowReLU]):
    """How often a random start of this width can interpolate, and how often the limit theorem applies.

    Signs of units fair coins, weights symmetric, labels fixed, n_+ and n_- points of each sign, width m:
        P(every point is seen by a unit of its sign) = sum_r C(m, r) 2^-m (1 - 2^-r)^n_+ (1 - 2^-(m - r))^n_-;
        P(a full unit of each sign) = 1 - (1-p)^m - (1-q)^m + (1-p-q)^m,  p = 2^-(n_+ + 1),  q = 2^-(n_- + 1),
    (a sign without points asks for nothing). Interpolation needs m ~ ln n / ln(4/3), full units m exponential in n_s.
    Own variables: `covered_probability`, `full_probability`. Conditions on nothing; balanced starts.
    Source: counting; width log n suffices with high probability, Dana et al. 2025.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (OrthogonalReLU, UserInputsReLU)
    source: ClassVar[tuple[Source, ...]] = (Source("Dana2025", "width for interpolation"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = ("covered_probability", "full_probability")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("covered_probability", "probability that every point is seen by a unit of its sign"),
        Variable("full_probability", "probability of a unit of each sign that sees all points of its sign"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("width", "bias")
    assumptions: ClassVar[tuple[Assumption, ...]] = (regime.FLOW, regime.ORTHOGONAL, regime.BALANCED)

    def predict(self, problem: ShallowReLU, data: Any, start: Any, times: Array) -> dict[str, Array]:
        labels = jnp.asarray(regime.points(problem).labels)
        plus, minus = jnp.sum(labels > 0) * 1.0, jnp.sum(labels < 0) * 1.0
        m = problem.width
        r = jnp.arange(m + 1.0)
        log = gammaln(m + 1.0) - gammaln(r + 1) - gammaln(m - r + 1) - m * jnp.log(2.0)
        covered = jnp.sum(jnp.exp(log) * (1 - 2.0**-r) ** plus * (1 - 2.0 ** -(m - r)) ** minus)
        p, q = 2.0 ** -(plus + 1), 2.0 ** -(minus + 1)
        both = 1 - (1 - p) ** m - (1 - q) ** m + (1 - p - q) ** m
        alone = 1 - (1 - jnp.where(plus > 0, p, q)) ** m
        return {
            "covered_probability": covered,
            "full_probability": jnp.where((plus > 0) & (minus > 0), both, alone),
        }
