"""The interpolator of a data set that a network of products selects, without any problem around it."""

import dataclasses
import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...computing.float64 import float64
from ...mathematics.basis_pursuit import basis_pursuit
from ...mathematics.mirror_links import Link, modes
from ...mathematics.mirror_potential import interpolator as dual_newton

# |X beta - y| over |y| up to which targets are in reach
REACHED = 1e-9
# the same, beyond which the search has failed
FAILED = 1e-8


least_l1 = jax.jit(basis_pursuit)


@partial(jax.jit, static_argnums=0)
def _newton(link: Link, matrix: Array, scale: Array, start: Array, goal: Array) -> Any:
    return dual_newton(modes(link, matrix, scale, start), goal)


@dataclasses.dataclass(frozen=True, eq=False)
class Interpolator:
    """What `interpolator` found.

    weights (d,): the selected beta, X beta = y. modes (k,): beta = transform^T modes. dual (n,): multipliers of the
    n equations. l1_norm, l2_norm of the weights; distances from the interpolators of least l1 and of least l2 norm,
    both of the weights. norm: what they minimise, in words.
    """

    weights: np.ndarray
    modes: np.ndarray
    dual: np.ndarray
    l1_norm: float
    l2_norm: float
    distance_to_min_l1: float
    distance_to_min_l2: float
    norm: str

    def __str__(self) -> str:
        return (
            f"Interpolator of {self.dual.size} points with {self.weights.size} weights: {self.norm}\n"
            f"  l1 norm {self.l1_norm:.6g}, {self.distance_to_min_l1:.4g} from the interpolator of least l1 norm\n"
            f"  l2 norm {self.l2_norm:.6g}, {self.distance_to_min_l2:.4g} from the interpolator of least l2 norm"
        )


def interpolator(
    X: Any, y: Any, depth: Any = 2, init_scale: Any = 0.1, shape: Any = None, transform: Any = None
) -> Interpolator:
    """Of all beta with X beta = y, the one at which a network of products ends that starts at this scale.

    X (n, d), y (n,). Without a transform beta = w_+^depth - w_-^depth, w_+(0) = w_-(0) = init_scale x shape (d,), all 1
    if not given. With `transform` S (k, d): beta = S^T rho, rho (k,) products of `depth` factors, all but the last
    from init_scale x shape (k,), the last from 0. init_scale 0 and inf give the limits: least (weighted) l1 norm of the
    modes, least weighted l2 norm. X is taken as it is. Cost: tens of Newton steps of O(n^2 k).
    ValueError: entries that are not finite numbers, shapes that do not fit, a depth that is no whole number >= 2, a
    scale below 0, shape entries that are not > 0 (a transform allows 0: that mode stays 0), rows that are dependent or
    targets out of reach, with the residual.
    Source: Woodworth et al. 2020; Yun, Krishnan & Mobahi 2021.
    """
    rows, targets = _table(X, y)
    matrix, start = _checked(rows, depth, init_scale, shape, transform)
    live = np.abs(start) > 0
    rank, left = _least_miss(np.where(live, matrix, 0.0), targets)
    if rank < rows.shape[0] or left > REACHED:
        raise ValueError(
            f"interpolator: the {rows.shape[0]} rows have rank {rank}, and the best fit misses {left:.3g} of y; an "
            "interpolator needs independent rows and targets in reach (drop copies of rows, or add features)."
        )
    with float64():
        sizes, nu = _solved(matrix, targets, Link(int(depth), transform is not None), float(init_scale), start)
        plain = least_l1(jnp.asarray(rows), jnp.asarray(targets), jnp.ones(rows.shape[1])).output
    weights = sizes if transform is None else sizes @ np.asarray(transform, dtype=np.float64)
    missed = float(np.linalg.norm(rows @ weights - targets) / (np.linalg.norm(targets) or 1.0))
    if not missed < FAILED:
        raise ValueError(
            f"interpolator: the search ended with a residual of {missed:.3g}; scale the columns of X to one size, or "
            "take init_scale = 0."
        )
    euclid = np.linalg.pinv(rows) @ targets
    return Interpolator(
        weights=weights,
        modes=sizes,
        dual=nu,
        l1_norm=float(np.sum(np.abs(weights))),
        l2_norm=float(np.linalg.norm(weights)),
        distance_to_min_l1=float(np.linalg.norm(weights - np.asarray(plain))),
        distance_to_min_l2=float(np.linalg.norm(weights - euclid)),
        norm=_words(int(depth), float(init_scale), start[live], transform is not None),
    )


def _least_miss(rows: np.ndarray, targets: np.ndarray) -> tuple[int, float]:
    """The rank of the rows, and the least |X b - y| over all b, over |y|."""
    found, _, rank, _ = np.linalg.lstsq(rows, targets, rcond=None)
    return int(rank), float(np.linalg.norm(rows @ found - targets) / (np.linalg.norm(targets) or 1.0))


def _table(X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    try:
        rows, targets = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError("interpolator: X or y holds entries that are not numbers; convert text first.") from None
    if rows.ndim != 2 or rows.size == 0 or targets.shape != rows.shape[:1]:
        raise ValueError(
            f"interpolator: X has shape {rows.shape} and y {targets.shape}; give X (n, d) and one target a row."
        )
    for name, values in (("X", rows), ("y", targets)):
        if not np.all(np.isfinite(values)):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise ValueError(f"interpolator: {name} has a missing or infinite entry at {where}; remove or fill it.")
    return rows, targets


def _checked(
    rows: np.ndarray, depth: Any, init_scale: Any, shape: Any, transform: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The outputs of the modes (n, k), and the shape of the start (k,)."""
    if isinstance(depth, bool) or not isinstance(depth, int | float | np.number) or depth != int(depth) or depth < 2:
        raise ValueError(f"interpolator: depth = {depth!r} is not allowed; give a whole number >= 2.")
    if not isinstance(init_scale, int | float | np.number) or not init_scale >= 0:
        raise ValueError(f"interpolator: init_scale = {init_scale!r} is not allowed; give a number >= 0, or inf.")
    matrix = rows
    if transform is not None:
        table = np.asarray(transform, dtype=np.float64)
        if table.ndim != 2 or table.shape[1] != rows.shape[1] or not np.all(np.isfinite(table)):
            raise ValueError(
                f"interpolator: transform has shape {table.shape}; give finite real numbers (modes, {rows.shape[1]})."
            )
        matrix = rows @ table.T
    start = np.ones(matrix.shape[1]) if shape is None else np.asarray(shape, dtype=np.float64)
    if start.shape != matrix.shape[1:] or not np.all(np.isfinite(start)):
        raise ValueError(
            f"interpolator: shape has shape {start.shape}; give {matrix.shape[1]} finite numbers, one a mode."
        )
    if transform is None and np.any(start <= 0):
        where = int(np.argmax(start <= 0))
        raise ValueError(
            f"interpolator: shape[{where}] = {start[where]:g} is not allowed; entries are > 0. A weight that starts "
            "at 0 stays there: leave its column out."
        )
    return matrix, start


def _solved(
    matrix: np.ndarray, targets: np.ndarray, link: Link, scale: float, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    goal, sizes = jnp.asarray(targets), np.abs(start)
    live = sizes > 0
    power = np.where(live, sizes, 1.0) ** (link.depth - 2)
    if scale == 0:
        found = least_l1(jnp.asarray(np.where(live, matrix, 0.0)), goal, jnp.asarray(1.0 / power))
        return np.where(live, np.asarray(found.output), 0.0), np.asarray(found.dual)
    if math.isinf(scale):
        weighted = np.where(live, matrix * (power * sizes) ** 2, 0.0)
        nu = np.linalg.solve(weighted @ matrix.T, targets)
        return nu @ weighted, nu
    found = _newton(link, jnp.asarray(matrix), jnp.asarray(scale), jnp.asarray(start), goal)
    return np.asarray(found.output), np.asarray(found.nu)


def _words(depth: int, scale: float, start: np.ndarray, moved: bool) -> str:
    what = "modes" if moved else "weights"
    even = bool(np.all(np.abs(start) == np.abs(start[0])))
    l1 = f"least l1 norm of the {what}" + ("" if even or depth == 2 else f", each over shape^{depth - 2}")
    l2 = f"least l2 norm of the {what}" + ("" if even else f", each over shape^{depth - 1}")
    if scale == 0:
        return l1
    return l2 if math.isinf(scale) else f"least potential between {l1} and {l2} (depth {depth}, scale {scale:g})"
