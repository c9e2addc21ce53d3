"""The numbers of theory and training: float64, and chance that does not hang on the caller's settings of JAX."""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
from jaxtyping import Array

# the counter-based generator whose numbers are the same on every device and in every batch (Salmon et al. 2011)
GENERATOR = "threefry2x32"


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Arithmetic in float64; draws in the layout that every release of the library used; NaN are told, not raised.

    A healthy problem may make NaN on its way (an event that did not happen), which `jax_debug_nans` would stop at.
    """
    with jax.enable_x64(), jax.threefry_partitionable(True), jax.debug_nans(False), jax.debug_infs(False):
        yield


def root_key(number: Any) -> Array:
    """A key that a whole number stands for, of GENERATOR whatever the caller's `jax_default_prng_impl`."""
    return jax.random.key(number, impl=GENERATOR)
