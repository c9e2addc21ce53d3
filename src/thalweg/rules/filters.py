"""What a rule does to one eigendirection of a quadratic loss: its spectral filter.

On the loss (1/2) u w^2 - b w every first-order rule with fixed coefficients gives w_k = f(u) w_0 + g(u) b with
g = (1 - f)/u. Theories use this; training never does.
"""

from functools import singledispatch

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from ..problem import Rule
from .discrete import GradientDescent, HeavyBall, Nesterov
from .flow import GradientFlow

Filter = tuple[Inexact[Array, "times points"], Inexact[Array, "times points"]]


@singledispatch
def spectral_filter(rule: Rule, curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
    """f and g of the rule at each curvature (rows: times on the rule's clock); g(u = 0) is its limit.

    Curvatures may be complex: f and g are entire functions, which contour integrals use.
    """
    raise ValueError(f"{type(rule).__name__} has no spectral filter; use one of {', '.join(filtered_rules())}.")


def filtered_rules() -> list[str]:
    """Names of the rules that have a filter."""
    return [kind.__name__ for kind in spectral_filter.registry if kind is not object]


def has_filter(rule: Rule) -> bool:
    """Whether the rule acts on each eigendirection by a filter that is known."""
    return type(rule) in spectral_filter.registry


@spectral_filter.register
def _flow(rule: GradientFlow, curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
    decay = times[:, None] * curvature[None, :]
    f = jnp.exp(-decay)
    # (1 - f)/u cancels where t u is small; there a Taylor sum serves, exact to rounding, and no second exponential
    near = jnp.abs(decay) < 0.05
    x = jnp.where(near, decay, 0.0)
    series = 1 - x * (1 / 2 - x * (1 / 6 - x * (1 / 24 - x * (1 / 120 - x * (1 / 720 - x / 5040)))))
    far = (1.0 - f) * (1.0 / jnp.where(curvature == 0, 1.0, curvature))[None, :]
    return f, jnp.where(near, times[:, None] * series, far)


@spectral_filter.register
def _descent(rule: GradientDescent, curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
    u, k = curvature[None, :], times[:, None]
    shrink, flat = rule.learning_rate * u, u == 0
    safe = jnp.where(flat, 1.0, u)
    if jnp.iscomplexobj(curvature):
        f = jnp.exp(k * jnp.log(1.0 - shrink))
        return f, jnp.where(flat, k * rule.learning_rate, (1.0 - f) / safe)
    # log1p keeps g exact near u = 0; past shrink = 1 the factor is negative and alternates with k
    gentle = shrink < 0.5
    fall = jnp.expm1(k * jnp.log1p(-jnp.where(gentle, shrink, 0.0)))
    size = jnp.exp(k * jnp.log(jnp.maximum(jnp.abs(1.0 - shrink), 1e-300)))
    sign = jnp.where((shrink > 1) & (jnp.mod(k, 2) == 1), -1.0, 1.0)
    f = jnp.where(gentle, 1.0 + fall, sign * size)
    g = jnp.where(flat, k * rule.learning_rate, jnp.where(gentle, -fall, 1.0 - f) / safe)
    return f, g


def _two_term(
    curvature: Inexact[Array, " points"],
    times: Float[Array, " times"],
    rate: Array,
    momentum: Array,
    nesterov: bool,
) -> Filter:
    """The recursion of momentum rules on all points at once, kept at the steps asked for."""
    pull = rate * curvature
    one, zero = jnp.ones_like(curvature), jnp.zeros_like(curvature)

    def mix(now: Array, before: Array) -> Array:
        blend = (1 + momentum) * now - momentum * before
        return (1 - pull) * blend if nesterov else blend - pull * now

    def advance(k: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        p, p_old, g, g_old = state
        return mix(p, p_old), p, mix(g, g_old) + rate, g

    def visit(state: tuple[Array, ...], span: Array) -> tuple[tuple[Array, ...], tuple[Array, Array]]:
        state = jax.lax.fori_loop(span[0], span[1], advance, state)
        return state, (state[0], state[2])

    # before the first step the last displacement is zero: w_{-1} = w_0
    steps = jnp.round(times).astype(int)
    spans = jnp.stack([jnp.concatenate([jnp.zeros_like(steps[:1]), steps[:-1]]), steps], axis=1)
    _, (f, g) = jax.lax.scan(visit, (one, one, zero, zero), spans)
    return f, g


@spectral_filter.register
def _heavy_ball(rule: HeavyBall, curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
    return _two_term(curvature, times, jnp.asarray(rule.learning_rate), jnp.asarray(rule.momentum), False)


@spectral_filter.register
def _nesterov(rule: Nesterov, curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
    return _two_term(curvature, times, jnp.asarray(rule.learning_rate), jnp.asarray(rule.momentum), True)


def largest_stable_rate(rule: Rule, largest: Float[Array, ""]) -> Float[Array, ""]:
    """Largest learning rate with which the rule stays bounded at this largest curvature.

    Descent 2/u, heavy ball 2 (1 + beta)/u, Nesterov 2 (1 + beta)/((1 + 2 beta) u). For a flow, which takes no steps,
    the rate of the descent that would follow it; NaN for other rules.
    """
    if isinstance(rule, HeavyBall):
        return 2 * (1 + rule.momentum) / largest
    if isinstance(rule, Nesterov):
        return 2 * (1 + rule.momentum) / ((1 + 2 * rule.momentum) * largest)
    known = isinstance(rule, GradientDescent | GradientFlow)
    return 2.0 / largest if known else jnp.full_like(largest, jnp.nan)
