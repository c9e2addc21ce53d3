"""Deterministic equivalent of a resolvent of a random factor under a diagonal weight: one scalar equation for h.

For Z0 = w U U' (Haar, m of d columns) or Z0 = (w/m) N N' (N of independent standard normal entries, d x m) and a
positive diagonal matrix C,  E[Z0 (I + C Z0/w)^{-1}]_ii = w h/(1 + h C_i)  up to O(1/d), where
    normal: 1/h = 1 + (1/m) sum_i C_i/(1 + h C_i);    Haar: (1 - h) (1/d) sum_i 1/(1 + h C_i) = 1 - m/d.
Both are solved for log h, so that C may be of any size.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

HALVINGS, POLISHES = 48, 2


def log_scale(
    log_weights: Float[Array, " k"], counts: Float[Array, " k"], columns: Any, haar: bool
) -> Float[Array, ""]:
    """log h for C given by its logarithms and their multiplicities."""
    d = jnp.sum(counts)

    def gap(eta: Array, logs: Array) -> Array:
        if haar:
            # by its logarithm, whose slope stays right where the share is one to rounding
            stays = jnp.sum(counts * jnp.exp(jax.nn.log_sigmoid(-(eta + logs)))) / d
            return (1 - columns / d) + jnp.expm1(eta) * stays
        return jnp.expm1(eta) + jnp.sum(counts * jax.nn.sigmoid(eta + logs)) / columns

    fixed = jax.lax.stop_gradient(log_weights)
    low = -jnp.maximum(jnp.max(fixed), 0.0) - jnp.maximum(jnp.log(d / columns), 0.0) - 10.0

    def halve(_: Any, span: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (span[0] + span[1])
        below = gap(middle, fixed) < 0
        return jnp.where(below, middle, span[0]), jnp.where(below, span[1], middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, jnp.zeros(())))
    eta = 0.5 * (low + high)
    for _ in range(POLISHES):
        # the last correction carries the derivative in the weights
        speed = jax.jvp(lambda e: gap(e, fixed), (eta,), (jnp.ones(()),))[1]
        speed = jnp.where(jnp.abs(speed) > 1e-300, speed, 1.0)
        still = jax.lax.stop_gradient(eta)
        eta = still - gap(still, log_weights) / jax.lax.stop_gradient(speed)
    return eta
