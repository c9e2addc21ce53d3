"""Eigenvectors of a sample covariance, whose null space is exact."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def sample_modes(inputs: Float[Array, "n p"]) -> tuple[Float[Array, " p"], Float[Array, "p p"]]:
    """Eigenvalues, increasing, and eigenvectors (columns) of X'X/n; p - n of them are exactly 0 where p > n."""
    n, p = inputs.shape
    values, vectors = jnp.linalg.eigh(inputs.T @ inputs / n)
    # rounding must not turn the exact zeros of a rank-deficient covariance into growing modes
    return jnp.where(jnp.arange(p) < p - n, 0.0, jnp.maximum(values, 0.0)), vectors
