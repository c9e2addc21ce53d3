"""The matrix Riccati flow P' = FP + PF - P^2 of a factored matrix P = QQ', exactly, for all times at once.

With f the eigenvalues of F and Q(0) in its eigenvectors,
    P(t) = e^{Ft} Q0 [I + Q0' K Q0]^{-1} Q0' e^{Ft},   K = int_0^t e^{2 F s} ds.
It is the flow of `riccati.py` with rates f/2 and the factor Q/2, without its scalar forcing: the same gauge keeps every
factor bounded and the rank exact.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .memory_flow import Kernels
from .riccati import Echelon, gauged

# growth times time up to which no gauge is needed: exponentials of twice of it are finite
BARE = 300.0
# size up to which a triangular inverse is written out row by row
WRITTEN_OUT = 8


def riccati_factors(growth: Float[Array, " n"], form: Echelon) -> Callable[[Float[Array, ""]], Float[Array, "n c"]]:
    """t -> B(t) with P(t) = B B', for F = diag(growth), growth descending, and P(0) = 4 L L', L the lower form.

    A start of lower rank than it has columns leaves the rest zero, at all times.
    """
    index = np.arange(growth.shape[0])

    def at(time: Float[Array, ""]) -> Float[Array, "n c"]:
        parts = gauged(form, _kernels(growth, time), index)
        return 2 * parts.grown @ inverse_root(parts.gram).T

    return at


def _kernels(growth: Float[Array, " n"], time: Float[Array, ""]) -> Kernels:
    """int_0^t exp(2 f s) ds as mantissa exp(exponent), and the amplitudes f t."""
    decay = 2 * jnp.abs(growth) * time
    small = decay < 1e-5
    safe = jnp.where(small, 1.0, decay)
    # (1 - exp(-x))/x; its series where it cancels
    share = jnp.where(small, 1 - decay * (1 / 2 - decay / 6), -jnp.expm1(-safe) / safe)
    return Kernels(time, jnp.zeros_like(time), growth * time, time * share, 2 * jnp.maximum(growth, 0.0) * time)


@jax.custom_jvp
def inverse_root(gram: Float[Array, "c c"]) -> Float[Array, "c c"]:
    """The inverse U of the lower Cholesky factor of a positive matrix N: U N U' = I.

    By products alone but for the factor, the derivative too (dU = -low(U dN U') U, low the lower triangle with half of
    the diagonal): a triangular solve would be called once for each of many times.
    """
    return _lower_inverse(jnp.linalg.cholesky(gram))


@inverse_root.defjvp
def _inverse_root_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    found = inverse_root(primals[0])
    moved = found @ tangents[0] @ found.T
    return found, -(jnp.tril(moved) - 0.5 * jnp.diag(jnp.diagonal(moved))) @ found


def _lower_inverse(root: Float[Array, "c c"]) -> Float[Array, "c c"]:
    """Row by row, from halves where there are many."""
    count = root.shape[0]
    if count > WRITTEN_OUT:
        cut = count // 2
        first, second = _lower_inverse(root[:cut, :cut]), _lower_inverse(root[cut:, cut:])
        return jnp.block([[first, jnp.zeros((cut, count - cut))], [-second @ root[cut:, :cut] @ first, second]])
    rows: list[Array] = []
    for i in range(count):
        known = sum((root[i, j] * rows[j] for j in range(i)), jnp.zeros(count))
        rows.append((jnp.zeros(count).at[i].set(1.0) - known) / root[i, i])
    return jnp.stack(rows)


def is_short(growth: Float[Array, " n"], times: Float[Array, " times"]) -> Bool[Array, ""]:
    """Whether riccati_rows is finite at all times."""
    return jnp.max(jnp.abs(growth)) * jnp.max(times) < BARE


def riccati_rows(
    growth: Float[Array, " n"], form: Echelon, order: Int[Array, " n"], times: Float[Array, " times"]
) -> list[list[Float[Array, " times"]]]:
    """Rows of B(t), taken in this order, entry by entry at all times; without a gauge, so for short times alone.

    For few columns many times faster than matrices: all of it, and what is read from it, is compiled into one loop
    over the times, which holds its intermediate values in the nearest cache. The Gram matrix is graded, which its
    Cholesky factor does not mind. Work and compilation grow like rows x columns^2.
    """
    lower, columns = form.lower, form.lower.shape[1]
    entries = [(i, j) for i in range(columns) for j in range(i + 1)]
    pairs = jnp.stack([4 * lower[:, i] * lower[:, j] for i, j in entries])
    phase = growth[:, None] * times[None, :]
    grown, small = jnp.exp(phase), jnp.abs(phase) < 5e-6
    half = 0.5 / jnp.where(jnp.all(small, axis=1), 1.0, growth)
    series = (1 + phase * (1 + 2 * phase / 3)) * times[None, :]
    gram = pairs @ jnp.where(small, series, (grown**2 - 1) * half[:, None])
    rest = {entry: gram[k] + (1.0 if entry[0] == entry[1] else 0.0) for k, entry in enumerate(entries)}
    root: dict[tuple[int, int], Array] = {}
    rows: list[list[Array]] = [[] for _ in range(growth.shape[0])]
    lower, grown = 2 * lower[order], grown[order]
    for j in range(columns):
        scale = jax.lax.rsqrt(rest[j, j] - sum(root[j, k] ** 2 for k in range(j)))
        for i in range(j + 1, columns):
            root[i, j] = (rest[i, j] - sum(root[i, k] * root[j, k] for k in range(j))) * scale
        for r, row in enumerate(rows):
            row.append((lower[r, j] * grown[r] - sum(row[k] * root[j, k] for k in range(j))) * scale)
    return rows
