"""Mean and covariance of the weights of stochastic gradient descent on stored least squares, exact at any step.

A step is w <- w - h [(1/B) sum_b x_b (x_b.w - y_b) + g w], the B rows drawn independently from all n. With S = X'X/n,
b = X'y/n, m the mean of w, M its covariance, q = S m - b and r_i = y_i - x_i.m the means before the step:

    m <- m - h (q + g m),
    M <- (I - h (S + g)) M (I - h (S + g)) + (h^2/B) [(1/n) sum_i (r_i^2 + x_i'M x_i) x_i x_i' - q q' - S M S].

Nothing is assumed about rows or targets: the gradient is linear in w, so that two moments close. M lives in the span
of the rows and is kept in its eigenbasis, of size r = min(n, p). Cost: n r^2 a step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int, Real

from .held_out import scatter

Scalar = int | float | Real[Array, ""]


class RowBasis(NamedTuple):
    """Eigenvalues of S (r,), eigenvectors (p, r; 0 where the rows do not reach), rows (n, r) and b (r,) in them."""

    values: Float[Array, " r"]
    vectors: Float[Array, "p r"]
    rows: Float[Array, "n r"]
    drive: Float[Array, " r"]


class SampledMoments(NamedTuple):
    """At each tick: the mean weights, and tr(Q M) for each of the matrices that were watched."""

    means: Float[Array, "ticks p"]
    traces: Float[Array, "ticks q"]


def row_basis(inputs: Float[Array, "n p"], targets: Float[Array, " n"]) -> RowBasis:
    """The eigenbasis of the rows' second moments."""
    n = inputs.shape[0]
    found = scatter(inputs, targets)
    # what is null but for rounding never moves within any number of steps
    alive = found.values > 1e-13 * found.values[-1]
    rows = jnp.where(alive[None, :], found.rows, 0.0)
    vectors = inputs.T @ (rows / jnp.where(alive, found.values, 1.0)[None, :])
    values = jnp.where(alive, found.values, 0.0) / n
    return RowBasis(values, vectors, rows, jnp.where(alive, found.drive, 0.0) / n)


def sampled_moments(
    basis: RowBasis,
    targets: Float[Array, " n"],
    start: Float[Array, " p"],
    step: Scalar,
    decay: Scalar,
    share: Scalar,
    watched: Float[Array, "q p p"],
    ticks: Int[Array, " ticks"],
) -> SampledMoments:
    """Follow both moments from `start`; `share` is 1/B, or 0 for steps on all rows. `ticks` rise from 0."""
    values, vectors, rows, drive = basis
    keep = 1 - step * (values + decay)
    fade, both = keep[:, None] * keep[None, :], values[:, None] * values[None, :]
    gain = step**2 * share

    def advance(_: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        mean, spread = state
        slope = values * mean - drive
        missed = (targets - rows @ mean) ** 2 + jnp.sum((rows @ spread) * rows, axis=1)
        noise = (rows * missed[:, None]).T @ rows / rows.shape[0] - slope[:, None] * slope[None, :] - both * spread
        return mean - step * (slope + decay * mean), fade * spread + gain * noise

    seen = jnp.einsum("pr,qps,st->qrt", vectors, watched, vectors)

    def visit(state: tuple[Array, Array], span: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        state = jax.lax.fori_loop(span[0], span[1], advance, state)
        return state, (state[0], jnp.sum(seen * state[1][None], axis=(1, 2)))

    spans = jnp.stack([jnp.concatenate([jnp.zeros_like(ticks[:1]), ticks[:-1]]), ticks], axis=1)
    inside = vectors.T @ start
    begin = inside, jnp.zeros((values.shape[0], values.shape[0]), dtype=values.dtype)
    _, (means, traces) = jax.lax.scan(visit, begin, spans)
    # decay alone moves what the rows do not reach
    left = (1 - step * decay) ** ticks
    return SampledMoments(means @ vectors.T + left[:, None] * (start - vectors @ inside)[None, :], traces)


def noise_response(
    basis: RowBasis,
    targets: Float[Array, " n"],
    start_variance: Scalar,
    step: Scalar,
    decay: Scalar,
    share: Scalar,
    z: Complex[Array, " nodes"],
    ticks: Int[Array, " ticks"],
) -> Complex[Array, "ticks nodes"]:
    """What the noise of the steps adds to the covariance of the weights, as a function of S at complex z.

    Two shortcuts make a step cost n r, not n r^2. The power P of the noise, its trace over that of S, is found from the
    diagonal of M in the eigenbasis of S; and the noise is taken to be P S, which it is in the mean over rows that do
    not know their residuals. Then M(k) = (h^2/B) sum_l P_l S (1 - h (S + g))^(2 (k - 1 - l)), told at S = z.
    The start has mean 0 and the variance `start_variance` in every direction.
    """
    values, _, rows, drive = basis
    keep, turn = 1 - step * (values + decay), (1 - step * (z + decay)) ** 2
    gain, squares, whole = step**2 * share, rows**2, jnp.sum(values)

    def advance(_: Array, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        mean, spread, told = state
        slope = values * mean - drive
        missed = (targets - rows @ mean) ** 2 + squares @ spread
        noise = missed @ squares / rows.shape[0] - slope**2 - values**2 * spread
        power = jnp.sum(noise) / jnp.where(whole > 0, whole, 1.0)
        return mean - step * (slope + decay * mean), keep**2 * spread + gain * noise, turn * told + gain * power * z

    def visit(state: tuple[Array, Array, Array], span: Array) -> tuple[tuple[Array, Array, Array], Array]:
        state = jax.lax.fori_loop(span[0], span[1], advance, state)
        return state, state[2]

    spans = jnp.stack([jnp.concatenate([jnp.zeros_like(ticks[:1]), ticks[:-1]]), ticks], axis=1)
    begin = jnp.zeros_like(values), jnp.full_like(values, start_variance), jnp.zeros_like(z)
    return jax.lax.scan(visit, begin, spans)[1]
