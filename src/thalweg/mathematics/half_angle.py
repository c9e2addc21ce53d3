"""Eigenvectors of a symmetric two-by-two matrix without trace, from the half of an angle."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Pairs(NamedTuple):
    """Of [[-x/2, y], [y, x/2]]: the eigenvalues are +- length/2, their eigenvectors (low, high) and (-high, low)."""

    length: Float[Array, " k"]
    low: Float[Array, " k"]
    high: Float[Array, " k"]


def pairs(x: Any, y: Float[Any, " k"]) -> Pairs:
    """`y` >= 0. Each component to its own rounding, also where |x| is far above y, and with its derivatives.

    sqrt((1 - x/length)/2) would lose half of the digits there, and all of them (NaN) where x/length is rounded up
    beyond 1. Where x = y = 0 the vectors are free; (1, 1)/sqrt 2 is chosen, as for x = 0.
    """
    x, y = jnp.broadcast_arrays(1.0 * jnp.asarray(x), 1.0 * jnp.asarray(y))
    some = (x != 0) | (y > 0)
    ahead = x >= 0
    # |x| with the slope of x at zero, so that the derivative goes through
    size = jnp.where(some, jnp.where(ahead, x, -x), 0.0)
    side = jnp.where(some, y, 0.5)
    length = jnp.sqrt(size**2 + 4 * side**2)
    tilt = size / length
    large = jnp.sqrt(0.5 * (1 + tilt))
    # without tilt the two are the same number: opposite starts cancel, and nothing is left to grow
    small = jnp.where(tilt < 0.5, jnp.sqrt(0.5 * (1 - jnp.minimum(tilt, 0.5))), side / (length * large))
    return Pairs(jnp.where(some, length, 0.0), jnp.where(ahead, small, large), jnp.where(ahead, large, small))
