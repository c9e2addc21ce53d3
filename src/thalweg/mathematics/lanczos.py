"""Largest eigenvalue of a symmetric map that is known only by what it does to a vector."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


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


class TopPair(NamedTuple):
    """Largest eigenvalue, its unit vector, a bound on its error, the maps applied, and a start for a nearby map."""

    value: Float[Array, ""]
    vector: Float[Array, " n"]
    error: Float[Array, ""]
    products: Int[Array, ""]
    restart: Float[Array, " n"]


class _Space(NamedTuple):
    basis: Float[Array, "room n"]
    images: Float[Array, "room n"]
    filled: Int[Array, ""]
    following: Float[Array, " n"]
    pair: TopPair


ROOM, KEEP, STRIDE = 8, 4, 4


def top_pair(apply: Callable[[Array], Array], start: Float[Array, " n"], tolerance: float, most: int) -> TopPair:
    """The largest (not the largest in size) eigenvalue to a relative `tolerance`, by restarted Lanczos steps.

    Rayleigh-Ritz every 4 products; a full basis of 8 keeps its 4 best Ritz vectors, so that memory is 16 vectors
    whatever the number of steps. The error bound is min(r, r^2 / gap) with the residual r; the gap is that of the Ritz
    values, so that eigenvalues crowded at the top make it too small, and an eigenvector that `start` has no part in
    stays unseen. Ends after `most` products in any case.
    """
    none = TopPair(jnp.zeros((), start.dtype), start, jnp.asarray(jnp.inf, start.dtype), jnp.asarray(0), start)
    empty = jnp.zeros((ROOM, start.shape[0]), start.dtype)
    begin = _Space(empty, empty, jnp.asarray(0), start / jnp.linalg.norm(start), none)
    tolerance = max(tolerance, 4 * float(jnp.finfo(start.dtype).eps))

    def unfinished(space: _Space) -> Array:
        pair = space.pair
        return (pair.products == 0) | ((pair.error > tolerance * jnp.abs(pair.value)) & (pair.products < most))

    def advance(space: _Space) -> _Space:
        return _ritz(jax.lax.fori_loop(0, STRIDE, lambda _, now: _grow(apply, now), space))

    return jax.lax.while_loop(unfinished, advance, begin).pair


def _grow(apply: Callable[[Array], Array], space: _Space) -> _Space:
    image = apply(space.following)
    basis = space.basis.at[space.filled].set(space.following)
    left = image
    for _ in range(2):
        left = left - (basis @ left) @ basis
    norm, size = jnp.linalg.norm(left), jnp.linalg.norm(image)
    # an invariant subspace is complete: rows of zeros from here on
    live = norm > 10 * jnp.finfo(left.dtype).eps * size
    following = jnp.where(live, left / jnp.where(live, norm, 1), 0)
    pair = space.pair._replace(products=space.pair.products + 1)
    return _Space(basis, space.images.at[space.filled].set(image), space.filled + 1, following, pair)


def _ritz(space: _Space) -> _Space:
    """Ritz pairs of the space; a full one is cut down to the best."""
    matrix = space.basis @ space.images.T
    matrix = 0.5 * (matrix + matrix.T)
    # rows of zeros are no directions: they go below every Ritz value
    below = -1 - 2 * ROOM * jnp.max(jnp.abs(matrix))
    absent = jnp.sum(space.basis**2, axis=1) < 0.5
    values, mixes = jnp.linalg.eigh(matrix + jnp.diag(jnp.where(absent, below, 0)))
    best = mixes[:, ::-1][:, :KEEP].T
    value, vector = values[-1], best[0] @ space.basis
    residual = jnp.linalg.norm(best[0] @ space.images - value * vector)
    gap = value - values[-2]
    error = jnp.where(gap > residual, residual**2 / jnp.where(gap > 0, gap, 1), residual)
    # the next start has a little of the runners-up, so that it sees which of them overtakes
    restart = vector + 0.05 * (jnp.sum(best[1:], axis=0) @ space.basis)
    pair = TopPair(value, vector, error, space.pair.products, restart)

    def cut() -> tuple[Array, Array, Array]:
        rest = jnp.zeros((ROOM - KEEP, vector.shape[0]), vector.dtype)
        basis = jnp.concatenate([best @ space.basis, rest])
        return basis, jnp.concatenate([best @ space.images, rest]), jnp.full_like(space.filled, KEEP)

    full = space.filled + STRIDE > ROOM
    basis, images, filled = jax.lax.cond(full, cut, lambda: (space.basis, space.images, space.filled))
    return _Space(basis, images, filled, space.following, pair)
