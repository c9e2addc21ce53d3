"""Pure functions of the layers of a deep linear network, first layer first: W_j has the shape (d_j, d_{j-1})."""

import itertools
from collections.abc import Sequence
from functools import reduce
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

Layers = tuple[Any, ...]


def product(layers: Sequence[Any]) -> Float[Any, "o d"]:
    """W = W_N ... W_1."""
    return reduce(lambda done, layer: layer @ done, layers)


def imbalances(layers: Sequence[Any]) -> list[Array]:
    """D_j = W_{j+1}' W_{j+1} - W_j W_j', one for each hidden layer."""
    return [after.T @ after - before @ before.T for before, after in itertools.pairwise(layers)]


def imbalance_norms(layers: Sequence[Any]) -> Float[Array, " pairs"]:
    """|D_j|_F for each pair of neighbours."""
    return _stacked([_norm(one) for one in imbalances(layers)])


def alignment_defect(layers: Sequence[Any]) -> Float[Array, ""]:
    """Largest |[W_{j+1}' W_{j+1}, W_j W_j']|_F over the pairs of neighbours; 0 where all share their singular axes."""
    found = []
    for before, after in itertools.pairwise(layers):
        right = (after.T @ after) @ (before @ before.T)
        found.append(_norm(right - right.T))
    return jnp.max(_stacked(found), initial=0.0)


def circulant(filter_: Float[Any, " d"]) -> Float[Array, "d d"]:
    """C with C_ij = w_((i - j) mod d)."""
    index = jnp.arange(filter_.shape[0])
    return jnp.asarray(filter_)[(index[:, None] - index[None, :]) % filter_.shape[0]]


def filter_of(matrix: Float[Any, "d d"]) -> Float[Array, " d"]:
    """Mean of a matrix along its cyclic diagonals: the filter of the nearest circulant matrix."""
    index = jnp.arange(matrix.shape[0])
    return jnp.stack([jnp.mean(matrix[(index + k) % matrix.shape[0], index]) for k in range(matrix.shape[0])])


def _norm(matrix: Any) -> Float[Array, ""]:
    return jnp.sqrt(jnp.sum(jnp.square(matrix)))


def _stacked(numbers: list[Any]) -> Float[Array, " pairs"]:
    return jnp.stack(numbers) if numbers else jnp.zeros(0)
