"""Largest step at which stochastic gradient descent on stored least squares stays bounded in the mean square.

Batches of B rows of X (n, p), drawn with replacement, penalty g. The second moment M of w - w_inf moves by
M <- E (I - h H) M (I - h H), H = g + X_b' X_b / B, which has a largest eigenvalue of 1 at the edge. In the eigenbasis
of S = X'X/n, where A holds the rows of X and u = x + g, that is a positive eigenproblem for the n numbers
m_i = x_i' M x_i:

    m = (h/B) K m,   K m = diag(A L(A' diag(m) A / n) A'),   L(G)_kl = G_kl / [u_k + u_l - h (u_k u_l - x_k x_l / B)]
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

Scalar = int | float | Real[Array, ""]

_TURNS = 40


def mean_square_edge(inputs: Float[Array, "n p"], decay: Scalar, batch: Scalar) -> Float[Array, ""]:
    """Largest stable step for this very data set; iterations of cost n min(n, p)^2."""
    n, p = inputs.shape
    if p <= n:
        values, vectors = jnp.linalg.eigh(inputs.T @ inputs / n)
        rows = inputs @ vectors
    else:
        values, vectors = jnp.linalg.eigh(inputs @ inputs.T / n)
        rows = vectors * jnp.sqrt(n * jnp.maximum(values, 0.0))[None, :]
    values = jnp.maximum(values, 0.0)
    rate = values + decay
    # no step may pass the pole of a mode, nor twice its own curvature
    both = rate[:, None] * rate[None, :] - values[:, None] * values[None, :] / batch
    sums = rate[:, None] + rate[None, :]
    pole = jnp.min(jnp.where(both > 1e-12 * sums**2, sums / jnp.where(both > 0, both, 1.0), jnp.inf))
    safe = jnp.where(sums > 1e-12 * rate[-1], 1.0, 0.0) / jnp.where(sums > 0, sums, 1.0)

    def turn(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        # a power iteration for m, and Newton's method for 1/growth = 1, which is nearly straight up to the pole
        mass, step = state
        seen = (rows.T * mass[None, :]) @ rows
        each = safe / (1 - step * both * safe)
        out = jnp.sum((rows @ (seen * each)) * rows, axis=1)
        size = n * batch * jnp.sum(mass**2)
        plain, steep = jnp.sum(seen**2 * each) / size, jnp.sum(seen**2 * each**2 * both) / size
        growth, slope = step * plain, plain + step * steep
        moved = step + growth * (1 - growth) / slope
        moved = jnp.clip(moved, 0.5 * step, 0.5 * (step + pole))
        return (out / jnp.max(out), moved), None

    trace = jnp.sum(values)
    first = jnp.minimum(batch / trace, 0.5 * pole)
    (_, step), _ = jax.lax.scan(turn, (jnp.ones(n), first), None, length=_TURNS)
    return jnp.where(trace > 0, step, jnp.nan)
