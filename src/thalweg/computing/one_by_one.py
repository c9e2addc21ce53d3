"""A function at several places, one after the other."""

from collections.abc import Callable
from typing import Any

import jax


def each(function: Callable[[Any], Any], places: Any) -> Any:
    """`jax.vmap(function)(places)`, by a loop.

    For functions with decompositions in them (svd, eigh, ...): jaxlib (0.10) hands a batch of these to the pool of
    threads, and waits in a thread of that pool. Seeds run at the same time as there are cores: once all threads of the
    pool wait, none is left to work, and the program never ends (seen with 8 x 8 singular values on two cores).
    """
    return jax.lax.map(function, places)
