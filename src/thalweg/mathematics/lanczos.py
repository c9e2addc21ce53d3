"""Largest eigenvalue of a symmetric map that is known only by what it does to a vector."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def largest_eigenvalue(apply: Callable[[Array], Array], start: Float[Array, " n"], steps: int) -> Float[Array, ""]:
    """Largest Ritz value after `steps` Lanczos steps with full orthogonalisation; exact once steps >= dimension."""
    count = min(steps, start.shape[0])
    floor = 1e-13

    def grow(i: Array, carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        basis, diagonal, beside, scale = carry
        image = apply(basis[i])
        alpha = basis[i] @ image
        for _ in range(2):
            image = image - (basis @ image) @ basis
        norm = jnp.sqrt(jnp.sum(image**2))
        scale = jnp.maximum(scale, jnp.abs(alpha) + norm)
        # an invariant subspace is complete: zero rows from here on add nothing
        live = norm > floor * scale
        following = jnp.where(live, image / jnp.where(live, norm, 1.0), 0.0)
        return (
            basis.at[i + 1].set(following),
            diagonal.at[i].set(alpha),
            beside.at[i].set(jnp.where(live, norm, 0.0)),
            scale,
        )

    first = start / jnp.sqrt(jnp.sum(start**2))
    basis = jnp.zeros((count + 1, start.shape[0])).at[0].set(first)
    carry = (basis, jnp.zeros(count), jnp.zeros(count), jnp.zeros(()))
    _, diagonal, beside, _ = jax.lax.fori_loop(0, count, grow, carry)
    matrix = jnp.diag(diagonal) + jnp.diag(beside[:-1], 1) + jnp.diag(beside[:-1], -1)
    return jnp.linalg.eigvalsh(matrix)[-1]
