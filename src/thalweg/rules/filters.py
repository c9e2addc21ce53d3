"""What a rule does to one eigendirection of a quadratic loss: its spectral filter.

On the loss (1/2) u w^2 - b w every first-order rule with fixed coefficients gives w_k = f(u) w_0 + g(u) b with
g = (1 - f)/u. Theories use this; training never does.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from ..words.rule import Filter


def flow(curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
    """f = exp(-t u)."""
    decay = times[:, None] * curvature[None, :]
    f = jnp.exp(-decay)
    # (1 - f)/u cancels where t u is small; there a Taylor sum serves, exact to rounding, and no second exponential
    near = jnp.abs(decay) < 0.05
    x = jnp.where(near, decay, 0.0)
    series = 1 - x * (1 / 2 - x * (1 / 6 - x * (1 / 24 - x * (1 / 120 - x * (1 / 720 - x / 5040)))))
    far = (1.0 - f) * (1.0 / jnp.where(curvature == 0, 1.0, curvature))[None, :]
    return f, jnp.where(near, times[:, None] * series, far)


def descent(rate: Any, curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
    """f = (1 - rate u)^k."""
    u, k = curvature[None, :], times[:, None]
    shrink, flat = rate * u, u == 0
    safe = jnp.where(flat, 1.0, u)
    if jnp.iscomplexobj(curvature):
        f = jnp.exp(k * jnp.log(1.0 - shrink))
        return f, jnp.where(flat, k * rate, (1.0 - f) / safe)
    # log1p keeps g exact near u = 0; past shrink = 1 the factor is negative and alternates with k
    gentle = shrink < 0.5
    fall = jnp.expm1(k * jnp.log1p(-jnp.where(gentle, shrink, 0.0)))
    size = jnp.exp(k * jnp.log(jnp.maximum(jnp.abs(1.0 - shrink), 1e-300)))
    sign = jnp.where((shrink > 1) & (jnp.mod(k, 2) == 1), -1.0, 1.0)
    f = jnp.where(gentle, 1.0 + fall, sign * size)
    g = jnp.where(flat, k * rate, jnp.where(gentle, -fall, 1.0 - f) / safe)
    return f, g


def momentum(
    rate: Any, beta: Any, nesterov: bool, curvature: Inexact[Array, " points"], times: Float[Array, " times"]
) -> Filter:
    """Heavy ball or Nesterov: the recursion of momentum rules on all points at once, kept at the steps asked for."""
    rate, beta = jnp.asarray(rate), jnp.asarray(beta)
    pull = rate * curvature
    one, zero = jnp.ones_like(curvature), jnp.zeros_like(curvature)

    def mix(now: Array, before: Array) -> Array:
        blend = (1 + beta) * now - beta * before
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
