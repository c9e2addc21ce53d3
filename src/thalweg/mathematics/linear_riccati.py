"""The matrix Riccati flow P' = FP + PF - P^2 of a factored matrix P = QQ', exactly, for all times at once.

With f the eigenvalues of F and Q(0) in its eigenvectors,
    P(t) = e^{Ft} Q0 [I + Q0' K Q0]^{-1} Q0' e^{Ft},   K = int_0^t e^{2 F s} ds.
It is the flow of `riccati.py` with rates f/2 and the factor Q/2, without its scalar forcing: the same gauge keeps every
factor bounded and the rank exact. Here the factor is found by an elimination over all times together.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .memory_flow import Kernels
from .riccati import echelon, gauged


def riccati_factors(
    growth: Float[Array, " n"], factor: Float[Array, "n h"]
) -> Callable[[Float[Array, ""]], Float[Array, "n c"]]:
    """t -> B(t) with P(t) = B B', for F = diag(growth), growth descending, and P(0) = factor factor'.

    B has min(n, h) columns; a start of lower rank leaves the rest zero, at all times.
    """
    form = echelon(0.5 * factor, min(factor.shape))
    index = np.arange(growth.shape[0])

    def at(time: Float[Array, ""]) -> Float[Array, "n c"]:
        parts = gauged(form, _kernels(growth, time), index)
        return 2 * block_factor(parts.gram, parts.grown)

    return at


def _kernels(growth: Float[Array, " n"], time: Float[Array, ""]) -> Kernels:
    """int_0^t exp(2 f s) ds as mantissa exp(exponent), and the amplitudes f t."""
    decay = 2 * jnp.abs(growth) * time
    small = decay < 1e-5
    safe = jnp.where(small, 1.0, decay)
    # (1 - exp(-x))/x; its series where it cancels
    share = jnp.where(small, 1 - decay * (1 / 2 - decay / 6), -jnp.expm1(-safe) / safe)
    return Kernels(time, jnp.zeros_like(time), growth * time, time * share, 2 * jnp.maximum(growth, 0.0) * time)


def block_factor(gram: Float[Array, "c c"], grown: Float[Array, "n c"]) -> Float[Array, "n c"]:
    """B with B B' = grown gram^{-1} grown': Cholesky of the matrix [gram, .; grown, .] column by column.

    Written with products alone, it runs over many times at once, and its derivative needs no solve.
    """
    count = gram.shape[0]

    def eliminate(j: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        rest, done = state
        column = rest[:, j] / jnp.sqrt(rest[j, j])
        return rest - column[:, None] * column[None, :count], done.at[:, j].set(column[count:])

    rest = jnp.concatenate([gram, grown])
    return jax.lax.fori_loop(0, count, eliminate, (rest, jnp.zeros_like(grown)))[1]
