"""Deterministic equivalent of a resolvent of a random factor under a diagonal weight: one scalar equation for h.

For Z0 = w U U' (Haar, m of d columns) or Z0 = (w/m) N N' (N of independent standard normal entries, d x m) and a
positive diagonal matrix C,  E[Z0 (I + C Z0/w)^{-1}]_ii = w h/(1 + h C_i)  up to O(1/d), where
    normal: 1/h = 1 + (1/m) sum_i C_i/(1 + h C_i);    Haar: (1 - h) (1/d) sum_i 1/(1 + h C_i) = 1 - m/d.
Both are solved for log h, so that C may be of any size.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

HALVINGS, POLISHES = 48, 2


def _gap(eta: Array, logs: Array, counts: Array, columns: Any, haar: bool) -> Float[Array, ""]:
    """The equation for eta = log h, increasing in eta."""
    if haar:
        d = jnp.sum(counts)
        # by its logarithm, whose slope stays right where the share is one to rounding
        stays = jnp.sum(counts * jnp.exp(jax.nn.log_sigmoid(-(eta + logs)))) / d
        return (1 - columns / d) + jnp.expm1(eta) * stays
    return jnp.expm1(eta) + jnp.sum(counts * jax.nn.sigmoid(eta + logs)) / columns


def _speed(eta: Array, logs: Array, counts: Array, columns: Any, haar: bool) -> Float[Array, ""]:
    found = jax.jvp(lambda e: _gap(e, logs, counts, columns, haar), (eta,), (jnp.ones(()),))[1]
    return jnp.where(jnp.abs(found) > 1e-300, found, 1.0)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def log_scale(
    log_weights: Float[Array, " k"], counts: Float[Array, " k"], columns: Any, haar: bool
) -> Float[Array, ""]:
    """log h for C given by its logarithms and their multiplicities, with derivatives of any order."""
    d = jnp.sum(counts)
    low = -jnp.maximum(jnp.max(log_weights), 0.0) - jnp.maximum(jnp.log(d / columns), 0.0) - 10.0

    def halve(_: Any, span: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (span[0] + span[1])
        below = _gap(middle, log_weights, counts, columns, haar) < 0
        return jnp.where(below, middle, span[0]), jnp.where(below, span[1], middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, jnp.zeros(())))
    eta = 0.5 * (low + high)
    for _ in range(POLISHES):
        eta = eta - _gap(eta, log_weights, counts, columns, haar) / _speed(eta, log_weights, counts, columns, haar)
    return eta


@log_scale.defjvp
def _log_scale_jvp(columns: Any, haar: bool, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    logs, counts = primals
    eta = log_scale(logs, counts, columns, haar)
    moved = jax.jvp(lambda w: _gap(eta, w, counts, columns, haar), (logs,), (tangents[0],))[1]
    return eta, -moved / _speed(eta, logs, counts, columns, haar)
