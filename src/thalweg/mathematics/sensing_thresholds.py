"""How many noiseless measurements tr(X_k Z*), in units of d^2, make a fit WW' of share `width` find a positive Z*.

`rank` is the rank of Z* over d, the eigenvalues play no part: the noise that is left as the fit comes near lives on
the null space, where it is a semicircle. M_k(x) = int_x^2 t^k sqrt(4 - t^2)/(2 pi) dt.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

HALVINGS = 60


def semicircle_moments(x: Array) -> Float[Array, " 3"]:
    """M_0, M_1, M_2 above x in [-2, 2]."""
    angle, root = jnp.arcsin(0.5 * x), jnp.sqrt(jnp.maximum(4 - x**2, 0.0))
    plain = 0.5 - x * root / (4 * jnp.pi) - angle / jnp.pi
    square = 0.5 - angle / jnp.pi + jnp.sin(4 * angle) / (4 * jnp.pi)
    return jnp.stack([plain, root**3 / (6 * jnp.pi), square])


def _falling(function: Any, low: Any, high: Any) -> Float[Array, ""]:
    """Root of a falling function; one more step of Newton's method carries the derivatives."""

    def halve(_: Any, span: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (span[0] + span[1])
        above = function(middle) > 0
        return jnp.where(above, middle, span[0]), jnp.where(above, span[1], middle)

    ends = (jnp.asarray(low, float), jnp.asarray(high, float))
    root = jax.lax.stop_gradient(0.5 * sum(jax.lax.fori_loop(0, HALVINGS, halve, ends)))
    speed = jax.lax.stop_gradient(jax.jvp(function, (root,), (jnp.ones(()),))[1])
    found = root - jnp.where(jnp.abs(speed) > 1e-9, function(root) / jnp.where(speed == 0, 1.0, speed), 0.0)
    # where the slope vanishes at an end, rounding leads past it
    return jnp.clip(found, low, high)


def with_vanishing_decay(width: Any, rank: Any) -> Float[Array, ""]:
    """Threshold for a penalty that goes to zero after the run; NaN where the width is below the rank.

    omega: M_0(omega) = (min(1, width) - rank)/(1 - rank);  q: (M_1(b) - q M_0(b))/q = rank/(1 - rank),
    b = max(q, omega).
    """
    width, rank = jnp.asarray(width, float), jnp.asarray(rank, float)
    rest = jnp.maximum(1 - rank, 1e-12)
    share = jnp.clip((jnp.minimum(width, 1.0) - rank) / rest, 0.0, 1.0)
    edge = _falling(lambda x: semicircle_moments(x)[0] - share, -2.0, 2.0)

    def surplus(q: Array) -> Array:
        zero, one, _ = semicircle_moments(q)
        return one - q * zero - q * rank / rest

    free = _falling(surplus, 0.0, 2.0)
    zero, one, _ = semicircle_moments(edge)
    limited = one / (rank / rest + zero + 1e-300)
    q = jnp.where(free >= edge, free, limited)
    cut = jnp.where(free >= edge, free, edge)
    _, one, two = semicircle_moments(cut)
    found = rank - 0.5 * rank**2 + 0.5 * rest**2 * (two - q * one)
    found = jnp.where(rank >= 1, 0.5, found)
    return jnp.where(jnp.minimum(width, 1.0) < jnp.minimum(rank, 1.0), jnp.nan, found)


def without_decay(width: Any, rank: Any) -> Float[Array, ""]:
    """Threshold without a penalty, from a generic start; NaN where the width is below the rank.

    min(a, width - width^2/2): the parameters of a factor of that width; a = (1/2 + rank - rank^2/2)/2 for
    2 width > 1 + rank, else (rank + width (1 - rank))/2 + (1 - rank)^2 v (1 - v^2)^{3/2}/pi with
    (v sqrt(1 - v^2) + asin v)/pi = ((1 + rank)/2 - width)/(1 - rank).
    """
    width, rank = jnp.minimum(jnp.asarray(width, float), 1.0), jnp.minimum(jnp.asarray(rank, float), 1.0)
    rest = jnp.maximum(1 - rank, 1e-12)
    share = jnp.clip((0.5 * (1 + rank) - width) / rest, 0.0, 0.5)
    v = _falling(lambda x: share - (x * jnp.sqrt(jnp.maximum(1 - x**2, 0.0)) + jnp.arcsin(x)) / jnp.pi, 0.0, 1.0)
    v = jnp.clip(v, 0.0, 1.0)
    narrow = 0.5 * (rank + width * (1 - rank)) + rest**2 * v * jnp.maximum(1 - v**2, 0.0) ** 1.5 / jnp.pi
    wide = 0.25 + 0.5 * rank - 0.25 * rank**2
    inner = jnp.where(2 * width > 1 + rank, wide, narrow)
    found = jnp.where(rank >= 1, 0.5, jnp.minimum(inner, width - 0.5 * width**2))
    return jnp.where(width < rank, jnp.nan, found)
