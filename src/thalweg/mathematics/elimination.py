"""Linear systems by Gauss and Jordan without exchange of rows, in products alone.

For matrices whose pivots cannot vanish: complex symmetric ones with a definite imaginary part, and those near the
identity. Programs that run in several threads at once wait for ever in a batched triangular solve of the compiler;
these do not.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Num


def inverse(matrix: Complex[Array, "p p"]) -> Complex[Array, "p p"]:
    """The inverse of one matrix, in p sweeps."""

    def sweep(i: Array, swept: Array) -> Array:
        pivot, row, column = swept[i, i], swept[i], swept[:, i]
        rest = swept - (column / pivot)[:, None] * row[None, :]
        rest = rest.at[i, :].set(row / pivot).at[:, i].set(-column / pivot)
        return rest.at[i, i].set(1 / pivot)

    return jax.lax.fori_loop(0, matrix.shape[0], sweep, matrix)


def solved(matrices: Num[Array, "*batch k k"], right: Num[Array, "*batch k m"]) -> Num[Array, "*batch k m"]:
    """x with matrices @ x = right for many small systems at once."""
    left, found = matrices, right
    for i in range(matrices.shape[-1]):
        pivot = left[..., i : i + 1, i]
        row, goal = left[..., i, :] / pivot, found[..., i, :] / pivot
        column = left[..., :, i].at[..., i].set(0)
        left = left - column[..., :, None] * row[..., None, :]
        found = found - column[..., :, None] * goal[..., None, :]
        left, found = left.at[..., i, :].set(row), found.at[..., i, :].set(goal)
    return found


def root(matrix: Num[Array, "k k"]) -> Num[Array, "k k"]:
    """Lower triangular L with L L' = matrix, a small positive definite one."""
    count = matrix.shape[0]
    columns, left = [], matrix
    for i in range(count):
        column = jnp.where(jnp.arange(count) < i, 0.0, left[:, i] / jnp.sqrt(left[i, i]))
        left = left - column[:, None] * column[None, :]
        columns.append(column)
    return jnp.stack(columns, axis=1)
