"""The matrix Riccati flow Z' = 2(A Z + Z A) - 4 Z^2 - 2 phi' Z of a factored matrix Z = WW', exactly and stably.

With A = diag(rate) and W(0) = L Q (Q orthonormal rows),
    Z(t) = e^{-2 phi} E L [I + 4 L'K L]^{-1} L'E,   E = exp(2 A t),   K_i = int_0^t exp(-2 phi + 4 rate_i s) ds.
Written in this way it overflows or loses its rank. Here every row of E is measured against the pivot row of each
column of L, so that all factors stay bounded for all times.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .memory_flow import Kernels

# a row counts as dependent on those before it when what is left of it is below this share of the largest row
RANK_TOLERANCE = 1e-12


class Echelon(NamedTuple):
    """W = L Q in row-echelon form: `lower` (rows, columns), the pivot row of each column, and which columns live."""

    lower: Float[Array, "n c"]
    pivot: Int[Array, " c"]
    live: Bool[Array, " c"]


def echelon(factor: Float[Array, "n m"], columns: int) -> Echelon:
    """Rows of `factor`, first to last, by two-pass Gram-Schmidt; dependent rows add no column."""
    count_rows, m = factor.shape
    unit = jnp.max(jnp.sqrt(jnp.sum(factor**2, axis=1)), initial=0.0)

    def include(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        i, count, basis, pivot = carry
        left = factor[i]
        for _ in range(2):
            left = left - (basis @ left) @ basis
        norm = jnp.sqrt(jnp.sum(left**2))
        new = norm > RANK_TOLERANCE * unit
        direction = left / jnp.where(new, norm, 1.0)
        # writing out of range is dropped
        where = jnp.where(new, count, columns)
        return i + 1, count + new, basis.at[where].set(direction), pivot.at[where].set(i)

    begin = (jnp.asarray(0), jnp.asarray(0), jnp.zeros((columns, m)), jnp.full(columns, count_rows - 1))
    _, count, basis, pivot = jax.lax.while_loop(lambda c: (c[0] < count_rows) & (c[1] < columns), include, begin)
    live = jnp.arange(columns) < count
    # what rounding leaves above a pivot would grow against it
    below = jnp.arange(count_rows)[:, None] >= pivot[None, :]
    lower = jnp.where(below & live[None, :], factor @ basis.T, 0.0)
    return Echelon(lower, pivot, live)


class Gauged(NamedTuple):
    """Z = grown N^{-1} grown' with N = `gram`, all entries bounded."""

    grown: Float[Array, "n c"]
    gram: Float[Array, "c c"]


def gauged(form: Echelon, kernels: Kernels, index: Int[np.ndarray | Array, " n"]) -> Gauged:
    """Both factors of Z. `index` gives each row its kernel; amplitudes a = 2 rate t - phi descend along rows."""
    amplitude = kernels.amplitude[index]
    reach = jnp.maximum(amplitude, 0.0)[form.pivot]
    # entries above a pivot are zero; the bound only keeps their exponentials finite
    grown = form.lower * jnp.exp(jnp.minimum(amplitude[:, None] - reach[None, :], 60.0))
    stored = form.lower * jnp.exp(jnp.minimum(0.5 * kernels.exponent[index][:, None] - reach[None, :], 60.0))
    gram = 4 * (stored * kernels.mantissa[index][:, None]).T @ stored
    return Gauged(grown, gram + jnp.diag(jnp.where(form.live, jnp.exp(-2 * reach), 1.0)))


@jax.custom_jvp
def inverse(gram: Float[Array, "c c"]) -> Float[Array, "c c"]:
    """Inverse of a positive matrix, whose derivative is -P dN P: products alone.

    Batched triangular solves, which the derivative of a factorisation would bring, wait for worker threads of the
    compiler; where runs share these threads, they wait for each other for ever.
    """
    root = jnp.linalg.cholesky(gram)
    half = jax.scipy.linalg.solve_triangular(root, jnp.eye(gram.shape[0]), lower=True)
    return half.T @ half


@inverse.defjvp
def _inverse_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    found = inverse(primals[0])
    return found, -found @ tangents[0] @ found


def trace(form: Echelon, kernels: Kernels, index: Int[np.ndarray | Array, " n"]) -> Float[Array, ""]:
    """tr Z."""
    parts = gauged(form, kernels, index)
    return jnp.sum((parts.grown @ inverse(parts.gram)) * parts.grown)


def square_root(form: Echelon, kernels: Kernels, index: Int[np.ndarray | Array, " n"]) -> Float[Array, "n c"]:
    """B with Z = BB'."""
    parts = gauged(form, kernels, index)
    root = jnp.linalg.cholesky(parts.gram)
    return jax.scipy.linalg.solve_triangular(root, parts.grown.T, lower=True).T


def compress(rows: Float[Array, "k m"], keep: int) -> Float[Array, "p m"]:
    """R with R'R = rows'rows and at most `keep` rows: rows that move alike enter by their Gram matrix alone."""
    if rows.shape[0] <= keep:
        return rows
    return jnp.linalg.qr(rows, mode="r")


def krylov(values: Float[Array, " k"], rows: Float[Array, "k m"], steps: int) -> tuple[Array, Array]:
    """Few eigenvalues (descending) and rows with rows' f(values) rows kept for every polynomial of degree 2 steps - 1.

    Block Lanczos with full orthogonalisation: the matrix-valued Gauss rule, positive by construction. The basis carries
    no derivative. Beyond polynomials: exp(c x) over a range of length w is kept to rounding for c w <= 8 in 12 steps.
    """
    count, m = rows.shape
    steps = min(steps, count // m)
    values, still = jax.lax.stop_gradient((values, rows))
    unit = jnp.max(jnp.abs(values), initial=0.0)
    scaled = values / jnp.where(unit > 0, unit, 1.0)
    basis = jnp.linalg.qr(still)[0]
    blocks = [basis]
    for _ in range(steps - 1):
        new = scaled[:, None] * blocks[-1]
        whole = jnp.concatenate(blocks, axis=1)
        for _ in range(2):
            new = jnp.linalg.qr(new - whole @ (whole.T @ new))[0]
        blocks.append(new)
    whole = jnp.concatenate(blocks, axis=1)
    inner, turn = jnp.linalg.eigh(whole.T @ (scaled[:, None] * whole))
    return unit * inner[::-1], (whole @ turn[:, ::-1]).T @ rows
