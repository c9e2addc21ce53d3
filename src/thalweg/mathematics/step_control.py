"""The next step of an adaptive integrator of order 8, from the error of the last."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

SHRINK, GROW = 0.2, 6.0
# roundings (units in the last place of the state) that the embedded error of a step of some dozen stages may hold
ROUNDINGS = 32 * 2.0**-52


def next_length(length: Any, ratio: Float[Array, ""], tolerance: Any) -> Float[Array, ""]:
    """The length to try next; `ratio` is the error of the last step over what was allowed.

    An estimate below the rounding of its own sum is noise and counts as that rounding: were the step to follow it, the
    last bit of some library's kernel would choose all later steps, and two runs of one start would differ by the
    tolerance.
    """
    known = jnp.maximum(ratio, jnp.minimum(ROUNDINGS / tolerance, 1.0))
    return length * jnp.clip(0.9 * known**-0.125, SHRINK, GROW)
