"""Diagnostics of any two-layer ReLU network h(x) = sum_j a_j relu(w_j . x) on any data, in the user's precision.

A bias of the hidden units is a constant input. Shapes: m units, n points, d inputs; `network` is a TwoLayer with
hidden w (m, d) and output a (m,). Convention relu'(0) = 0: a unit at 0 is not active. Loss (1/2n) sum (h_k - y_k)^2.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ..data.two_layer import TwoLayer


def preactivations(network: TwoLayer, inputs: Float[Any, "n d"]) -> Float[Array, "m n"]:
    """w_j . x_k."""
    return jnp.asarray(network.hidden) @ inputs.T


def outputs(network: TwoLayer, inputs: Float[Any, "n d"]) -> Float[Array, " n"]:
    """h(x_k)."""
    return jnp.asarray(network.output) @ jax.nn.relu(preactivations(network, inputs))


def patterns(network: TwoLayer, inputs: Float[Any, "n d"]) -> Bool[Array, "m n"]:
    """Which unit is active on which point: w_j . x_k > 0."""
    return preactivations(network, inputs) > 0


def drives(network: TwoLayer, inputs: Float[Any, "n d"], labels: Float[Any, " n"]) -> Float[Array, "m d"]:
    """D_j = (1/n) sum over the points where unit j is active of (y_k - h_k) x_k.

    Under gradient flow a_j' = w_j . D_j and w_j' = a_j D_j.
    """
    missed = labels - outputs(network, inputs)
    active = patterns(network, inputs).astype(inputs.dtype)
    return (active * missed[None, :]) @ inputs / labels.shape[0]


def alignment(network: TwoLayer, drives: Float[Any, "m d"]) -> Float[Array, " m"]:
    """sign(a_j) cos(w_j, D_j): 1 where a unit grows straight, -1 where it shrinks; 0 where w_j, D_j or a_j is zero."""
    return jnp.sign(network.output) * jnp.sum(_unit(network.hidden) * _unit(drives), axis=1)


def balance(network: TwoLayer) -> Float[Array, " m"]:
    """(a_j^2 - |w_j|^2) / (a_j^2 + |w_j|^2), in [-1, 1]; 0 for a unit of zero weights.

    The numerator is conserved by gradient flow, on any data. Once a unit has grown by a factor F, rounding leaves the
    numerator uncertain by 1e-16 F^2 of its start; the quotient is sure to rounding always.
    """
    size = jnp.maximum(jnp.abs(network.output), jnp.max(jnp.abs(network.hidden), axis=1))
    size = jnp.where(size > 0, size, 1.0)
    out, into = (network.output / size) ** 2, jnp.sum((network.hidden / size[:, None]) ** 2, axis=1)
    total = out + into
    return (out - into) / jnp.where(total > 0, total, 1.0)


def dead_units(patterns: Bool[Any, "m n"]) -> Bool[Array, " m"]:
    """Units active on no point: no gradient reaches them."""
    return ~jnp.any(patterns, axis=1)


def distinct_patterns(patterns: Bool[Any, "m n"]) -> Int[Array, ""]:
    """Number of different activation patterns among the units that are not dead.

    Patterns are told apart by two sums of fixed random 32-bit numbers: two different ones count as one with
    probability 2^-64.
    """
    marks = jnp.asarray(_marks(patterns.shape[1]))
    first, second = (jnp.where(patterns, row[None, :], 0).sum(axis=1, dtype=jnp.uint32) for row in marks)
    alive = ~dead_units(patterns)
    order = jnp.lexsort((second, first, ~alive))
    first, second, alive = first[order], second[order], alive[order]
    new = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    return alive[0].astype(int) + jnp.sum(new & alive[1:])


def activation_changes(before: Bool[Any, "m n"], after: Bool[Any, "m n"]) -> Int[Array, "m n"]:
    """+1 where a unit was switched on at a point between two states, -1 where off, 0 where nothing changed."""
    return jnp.asarray(after, int) - jnp.asarray(before, int)


def half_squared_norm(network: TwoLayer) -> Float[Array, ""]:
    """(1/2) sum_j (a_j^2 + |w_j|^2); at least the variation norm, equal to it iff every unit is balanced."""
    return 0.5 * (jnp.sum(network.output**2) + jnp.sum(network.hidden**2))


def shares(network: TwoLayer) -> Float[Array, " m"]:
    """|a_j| |w_j|: what each unit adds to the variation norm."""
    return jnp.abs(network.output) * _lengths(network.hidden)


def variation_norm(network: TwoLayer) -> Float[Array, ""]:
    """sum_j |a_j| |w_j|, with the Euclidean norm of the hidden weights."""
    return jnp.sum(shares(network))


def path_norm(network: TwoLayer) -> Float[Array, ""]:
    """sum over all paths input i -> unit j -> output of |a_j w_ji|: the path norm of Neyshabur et al. 2015."""
    return jnp.sum(jnp.abs(network.output) * jnp.sum(jnp.abs(network.hidden), axis=1))


def effective_units(network: TwoLayer) -> Float[Array, ""]:
    """(sum p)^2 / sum p^2 with p_j = |a_j| |w_j|: m if all units share alike, 1 if one does all; 0 without weights."""
    share = shares(network)
    largest = jnp.max(share)
    part = share / jnp.where(largest > 0, largest, 1.0)
    square = jnp.sum(part**2)
    return jnp.sum(part) ** 2 / jnp.where(square > 0, square, 1.0)


def gradient_norm(network: TwoLayer, drives: Float[Any, "m d"]) -> Float[Array, ""]:
    """|grad loss| from the drives: its square is sum_j (w_j . D_j)^2 + a_j^2 |D_j|^2."""
    towards = jnp.sum(network.hidden * drives, axis=1)
    return jnp.sqrt(jnp.sum(towards**2) + jnp.sum(network.output**2 * jnp.sum(drives**2, axis=1)))


def _lengths(rows: Float[Any, "m d"]) -> Float[Array, " m"]:
    # scaled before squaring: weights of 1e-200 have no squares
    size = jnp.max(jnp.abs(rows), axis=1)
    size = jnp.where(size > 0, size, 1.0)
    return size * jnp.sqrt(jnp.sum((rows / size[:, None]) ** 2, axis=1))


def _unit(rows: Float[Any, "m d"]) -> Float[Array, "m d"]:
    length = _lengths(rows)
    return rows / jnp.where(length > 0, length, 1.0)[:, None]


def _marks(points: int) -> np.ndarray:
    return np.random.default_rng(1805).integers(0, 2**32, (2, points), dtype=np.uint32)
