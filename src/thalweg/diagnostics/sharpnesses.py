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

from ..mathematics.lanczos import TopPair, top_pair
from .parameters import check_finite, matching, split


class Sharpness(eqx.Module):
    """`value`: the largest eigenvalue, negative where the loss curves down everywhere. `vector`: its unit vector, with
    the structure of the parameters. `error`: a bound on the error of the value. `products`: matrix products it took.
    Given as `start` of the next call it saves most of them."""

    value: float
    vector: Any
    error: float
    products: int
    restart: Array


def sharpness(
    loss: Callable[..., Any],
    params: Any,
    batch: Any,
    preconditioner: Any = None,
    start: Sharpness | None = None,
    tolerance: float = 1e-5,
    most: int = 400,
) -> Sharpness:
    """The largest eigenvalue of the Hessian H of loss(params, batch), or of P^-1 H with a diagonal `preconditioner` P.

    Lanczos steps on Hessian-vector products, compiled once a shape, to a relative `tolerance`, at most `most` products.
    `start`: the result at nearby parameters (a step before). P has the structure of `params`, its entries are > 0; the
    vector is then that of P^-1/2 H P^-1/2. Memory: 40 times the parameters, and one minibatch of activations.

    In the precision of `params`; UserWarning where `most` is reached first. ValueError: parameters that are integers or
    not finite, a loss that is no single number or not finite. Largest means largest algebraic: at a start with negative
    curvature it may say nothing about the best step. Source: Lanczos; Cohen et al. 2021 (arXiv 2103.00065) for its use.
    """
    moving, fixed = split(params)
    check_finite(moving, "the parameter")
    scale = None if preconditioner is None else _positive(matching(preconditioner, moving))
    value, pair = _hessian_top(loss, moving, fixed, batch, scale, _begin(start, moving), tolerance, most)
    return _told(value, pair, moving, tolerance)


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
    value, pair = _gauss_newton_top(outputs, criterion, moving, fixed, batch, _begin(start, moving), tolerance, most)
    return _told(value, pair, moving, tolerance)


def curvature(loss: Callable[..., Any], params: Any, batch: Any, direction: Any) -> float:
    """R = d.H d / d.d, the curvature of the loss along a direction; for minus the gradient, the directional sharpness.

    The loss along the direction falls first and is lowest near step 1/R (exact for a quadratic loss), if R > 0.
    ValueError: a direction of another structure than the parameters, or of zero length.
    """
    moving, fixed = split(params)
    direction = matching(direction, moving)
    check_finite(moving, "the parameter")
    check_finite(direction, "the direction of")
    value = float(_along(loss, moving, fixed, batch, direction))
    if np.isnan(value):
        raise ValueError("the curvature along this direction is not a number: the direction is zero, or the loss NaN.")
    return value


def _begin(start: Sharpness | None, moving: Any) -> Array:
    """Where to start: at random (a fixed key), or near the last answer with a little of everything else."""
    flat = ravel_pytree(moving)[0]
    chance = jax.random.normal(jax.random.key(0), flat.shape, flat.dtype)
    if start is None:
        return chance
    if start.restart.shape != flat.shape:
        raise ValueError(
            f"`start` has {start.restart.size} entries, the parameters have {flat.size}; give the result of the same "
            "network, or None."
        )
    return start.restart.astype(flat.dtype) + 0.03 * chance / jnp.linalg.norm(chance)


def _told(loss: Array, pair: TopPair, moving: Any, tolerance: float) -> Sharpness:
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
    vector = ravel_pytree(moving)[1](pair.vector)
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
    loss: Any, moving: Any, fixed: Any, batch: Any, scale: Any, start: Array, tolerance: float, most: int
) -> tuple[Array, TopPair]:
    flat, back = ravel_pytree(moving)

    def value(now: Array) -> Array:
        return _single(loss(eqx.combine(back(now), fixed), batch))

    _, product = jax.linearize(jax.grad(value), flat)
    if scale is None:
        return value(flat), top_pair(product, start, tolerance, most)
    root = jax.lax.rsqrt(ravel_pytree(scale)[0])
    return value(flat), top_pair(lambda way: root * product(root * way), start, tolerance, most)


@eqx.filter_jit
def _gauss_newton_top(
    outputs: Any, criterion: Any, moving: Any, fixed: Any, batch: Any, start: Array, tolerance: float, most: int
) -> tuple[Array, TopPair]:
    flat, back = ravel_pytree(moving)
    inputs, targets = batch
    told, push = jax.linearize(lambda now: outputs(eqx.combine(back(now), fixed), inputs), flat)
    pull = jax.linear_transpose(push, flat)

    def value(out: Array) -> Array:
        return _single(criterion(out, targets))

    _, bend = jax.linearize(jax.grad(value), told)
    return value(told), top_pair(lambda way: pull(bend(push(way)))[0], start, tolerance, most)


@eqx.filter_jit
def _along(loss: Any, moving: Any, fixed: Any, batch: Any, direction: Any) -> Array:
    flat, back = ravel_pytree(moving)
    way = ravel_pytree(direction)[0]
    way = way / jnp.linalg.norm(way)

    def value(now: Array) -> Array:
        return _single(loss(eqx.combine(back(now), fixed), batch))

    return way @ jax.jvp(jax.grad(value), (flat,), (way,))[1]
