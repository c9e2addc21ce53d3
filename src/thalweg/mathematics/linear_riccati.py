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

# growth times time up to which no gauge is needed: exponentials of twice of it are finite
BARE = 300.0
# columns up to which the elimination is written out, so that every operation runs over all times at once
WRITTEN_OUT = 10


def riccati_factors(
    growth: Float[Array, " n"], factor: Float[Array, "n h"], columns: int
) -> Callable[[Float[Array, ""]], Float[Array, "n c"]]:
    """t -> B(t) with P(t) = B B', for F = diag(growth), growth descending, and P(0) = factor factor'.

    B has `columns` columns, at least the rank of the factor; a start of lower rank leaves the rest zero, at all times.
    """
    form = echelon(0.5 * factor, columns)
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


def riccati_paths(
    growth: Float[Array, " n"],
    factor: Float[Array, "n h"],
    frame: Float[Array, "m n"],
    columns: int,
    times: Float[Array, " times"],
) -> Float[Array, "m c times"]:
    """frame B(t) at all times, times last: for few columns several times faster than one time after the other."""
    factors = riccati_factors(growth, factor, columns)

    def gauged_form() -> Float[Array, "m c times"]:
        return jnp.moveaxis(jax.vmap(lambda time: frame @ factors(time))(times), 0, -1)

    if columns > WRITTEN_OUT:
        return gauged_form()
    short = jnp.max(jnp.abs(growth)) * jnp.max(times) < BARE
    return jax.lax.cond(short, lambda: _bare(growth, factor, frame, columns, times), gauged_form)


def _bare(growth: Array, factor: Array, frame: Array, columns: int, times: Array) -> Float[Array, "m c times"]:
    """The same without a gauge. The Gram matrix is graded, which its Cholesky factor does not mind."""
    lower, count, number = echelon(0.5 * factor, columns).lower, growth.shape[0], times.shape[0]
    phase = growth[:, None] * times[None, :]
    grown = jnp.exp(phase)
    small = jnp.abs(phase) < 5e-6
    safe = jnp.where(small, 1.0, 2 * phase)
    kernels = jnp.where(small, 1 + phase * (1 + 2 * phase / 3), (grown**2 - 1) / safe) * times[None, :]
    pairs = (lower[:, :, None] * lower[:, None, :]).reshape(count, columns**2)
    gram = (4 * pairs.T @ kernels).reshape(columns, columns, number)
    seen = frame @ (lower[:, :, None] * grown[:, None, :]).reshape(count, columns * number)
    seen = seen.reshape(frame.shape[0], columns, number)
    rest = [[gram[i, j] + (1.0 if i == j else 0.0) for j in range(i + 1)] for i in range(columns)]
    left, found = [seen[:, j] for j in range(columns)], []
    for j in range(columns):
        scale = jax.lax.rsqrt(rest[j][j])
        column = {i: rest[i][j] * scale for i in range(j + 1, columns)}
        found.append(left[j] * scale[None, :])
        for k in range(j + 1, columns):
            left[k] = left[k] - found[j] * column[k][None, :]
            for i in range(k, columns):
                rest[i][k] = rest[i][k] - column[i] * column[k]
    return 2 * jnp.stack(found, axis=1)
