"""A start that no theory knows."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .starts import FactorLaw


class _OneColumn(FactorLaw):
    """All entries equal: a start of rank one."""

    def draw(self, key: Array, dimension: int, width: int) -> Float[Array, "d m"]:
        return jnp.ones((dimension, width)) / np.sqrt(dimension * width)

    def mean_trace(self, dimension: Any, width: Any) -> Any:
        return 1.0


def one_column() -> FactorLaw:
    """A start of rank one, of no law of the library."""
    return _OneColumn()
