"""Curvature of a loss at the parameters of any network: its largest, and that along a step."""

import warnings
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from ..computing.float64 import root_key
from ..computing.trees import check_finite, matching, split
from ..mathematics.lanczos import TopPair, top_pair
from ..words.problem import Problem
from .as_loss import descent, in_float64, on_data


class Sharpness(eqx.Module):
    """`value`: the largest eigenvalue, negative where the loss curves down everywhere. `vector`: its unit vector, with
    the structure of the parameters. `error`: a bound on the error of the value. `products`: matrix products it took.
    Given as `start` of the next call it saves most of them."""

    value: float
    vector: Any
    error: float
    products: int
    restart: Array


@in_float64
def sharpness(
    loss: Callable[..., Any] | Problem,
    params: Any = None,
    batch: Any = None,
    preconditioner: Any = None,
    start: Sharpness | None = None,
    tolerance: float = 1e-5,
    most: int = 400,
) -> Sharpness:
    """The largest eigenvalue of the Hessian H of loss(params, batch), or of P^-1 H with a diagonal `preconditioner` P.

    Lanczos steps on Hessian-vector products, compiled once a shape, to a relative `tolerance`, at most `most` products.
    `start`: the result at nearby parameters (a step before). P has the structure of `params`, its entries are > 0; the
    vector is then that of P^-1/2 H P^-1/2. Memory: 16 times the parameters, and one minibatch of activations.
    `sharpness(problem)` is that of its objective on its data at the start of seed 0, or at `params` on `batch`.

    In the precision of `params`; UserWarning where `most` is reached first. ValueError: parameters that are integers or
    not finite, a loss that is no single number or not finite. Largest means largest algebraic: at a start with negative
    curvature it may say nothing about the best step. Source: Lanczos; Cohen et al. 2021 (arXiv 2103.00065) for its use.
    """
    loss, params, batch = on_data(loss, params, batch)
    moving, fixed = split(params)
    check_finite(moving, "the parameter")
    scale = None if preconditioner is None else _positive(matching(preconditioner, moving))
    told = _hessian_top(loss, moving, fixed, batch, scale, _restart(start, moving), tolerance, most)
    return _told(*told, tolerance)


def gauss_newton_sharpness(
    outputs: Callable[..., Any],
    criterion: Callable[..., Any],
    params: Any,
    batch: Any,
    start: Sharpness | None = None,
    tolerance: float = 1e-5,
    most: int = 400,
) -> Sharpness:
    """The largest eigenvalue of the Gauss-Newton matrix J^T C J of criterion(outputs(params, inputs), targets).

    J: derivative of the outputs, C: Hessian of the criterion in the outputs (mean over samples included), so that it is
    what is left of the Hessian where residuals vanish; never negative for a convex criterion. `batch` is a pair
    (inputs, targets). Cost, precision, `start` and errors as for `sharpness`.
    """
    moving, fixed = split(params)
    check_finite(moving, "the parameter")
    told = _gauss_newton_top(outputs, criterion, moving, fixed, batch, _restart(start, moving), tolerance, most)
    return _told(*told, tolerance)


@in_float64
def curvature(
    loss: Callable[..., Any] | Problem, params: Any = None, batch: Any = None, direction: Any = None
) -> float:
    """R = d.H d / d.d, the curvature of the loss along a direction; for minus the gradient, the directional sharpness.

    The loss along the direction (minus the gradient unless given) falls first and is lowest near step 1/R (exact for a
    quadratic loss), if R > 0. A problem in place of the loss as for `sharpness`.
    ValueError: a direction of another structure than the parameters, or of zero length.
    """
    loss, params, batch = on_data(loss, params, batch)
    moving, fixed = split(params)
    direction = descent(loss, params, batch) if direction is None else matching(direction, moving)
    check_finite(moving, "the parameter")
    check_finite(direction, "the direction of")
    value = float(_along(loss, moving, fixed, batch, direction))
    if np.isnan(value):
        raise ValueError("the curvature along this direction is not a number: the direction is zero, or the loss NaN.")
    return value


def _restart(start: Sharpness | None, moving: Any) -> Array | None:
    size = sum(leaf.size for leaf in jax.tree.leaves(moving))
    if start is not None and start.restart.size != size:
        raise ValueError(
            f"`start` has {start.restart.size} entries, the parameters have {size}; give the result of the same "
            "network, or None."
        )
    return None if start is None else start.restart


def _begin(restart: Array | None, flat: Array) -> Array:
    """Where to start: at random (a fixed key), or near the last answer with a little of everything else."""
    chance = jax.random.normal(root_key(0), flat.shape, flat.dtype)
    return chance if restart is None else restart.astype(flat.dtype) + 0.01 * chance / jnp.linalg.norm(chance)


def _told(loss: Array, pair: TopPair, vector: Any, tolerance: float) -> Sharpness:
    value, error = float(pair.value), float(pair.error)
    if not (np.isfinite(float(loss)) and np.isfinite(value)):
        raise ValueError(f"the loss is {float(loss)} here, its curvature {value}; look for an overflow in it.")
    if error > 10 * max(tolerance, float(jnp.finfo(pair.vector.dtype).eps)) * abs(value):
        warnings.warn(
            f"the largest eigenvalue {value:.6g} is known to {error:.1g} only after {int(pair.products)} products; "
            "raise `most`, or the tolerance.",
            UserWarning,
            stacklevel=3,
        )
    return Sharpness(value, vector, error, int(pair.products), pair.restart)


def _positive(preconditioner: Any) -> Any:
    for leaf in jax.tree.leaves(preconditioner):
        if not bool(jnp.all((leaf > 0) & jnp.isfinite(leaf))):
            raise ValueError("the preconditioner must have positive entries; for Adam: sqrt(second moment) + epsilon.")
    return preconditioner


def _single(value: Any) -> Array:
    if jnp.shape(value) != ():
        raise ValueError(f"the loss has the shape {jnp.shape(value)}; return one number, the mean over the minibatch.")
    return value


@eqx.filter_jit
def _hessian_top(
    loss: Any, moving: Any, fixed: Any, batch: Any, scale: Any, restart: Any, tolerance: float, most: int
) -> tuple[Array, TopPair, Any]:
    flat, back = ravel_pytree(moving)

    def value(now: Array) -> Array:
        return _single(loss(eqx.combine(back(now), fixed), batch))

    _, product = jax.linearize(jax.grad(value), flat)
    root = jnp.ones_like(flat) if scale is None else jax.lax.rsqrt(ravel_pytree(scale)[0])
    pair = top_pair(lambda way: root * product(root * way), _begin(restart, flat), tolerance, most)
    return value(flat), pair, back(pair.vector)


@eqx.filter_jit
def _gauss_newton_top(
    outputs: Any, criterion: Any, moving: Any, fixed: Any, batch: Any, restart: Any, tolerance: float, most: int
) -> tuple[Array, TopPair, Any]:
    flat, back = ravel_pytree(moving)
    inputs, targets = batch
    told, push = jax.linearize(lambda now: outputs(eqx.combine(back(now), fixed), inputs), flat)
    pull = jax.linear_transpose(push, flat)

    def value(out: Array) -> Array:
        return _single(criterion(out, targets))

    _, bend = jax.linearize(jax.grad(value), told)
    pair = top_pair(lambda way: pull(bend(push(way)))[0], _begin(restart, flat), tolerance, most)
    return value(told), pair, back(pair.vector)


@eqx.filter_jit
def _along(loss: Any, moving: Any, fixed: Any, batch: Any, direction: Any) -> Array:
    flat, back = ravel_pytree(moving)
    way = ravel_pytree(direction)[0]
    way = way / jnp.linalg.norm(way)

    def value(now: Array) -> Array:
        return _single(loss(eqx.combine(back(now), fixed), batch))

    return way @ jax.jvp(jax.grad(value), (flat,), (way,))[1]
