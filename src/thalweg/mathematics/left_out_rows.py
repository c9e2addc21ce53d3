"""Least squares without one row, for every row and filter at once, in NumPy: `held_out`, for tables of any shape.

Nothing is compiled, so that the first answer about a table of a new shape costs what its arithmetic costs. The forms
are those of `held_out`; rows go through in chunks, so that kernels of many rows need no more memory than those of few.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

# rows whose kernels are held at once
CHUNK = 4096
_ROUNDING = 1e-12


class LeftOut(NamedTuple):
    """Rows V d^1/2 W' (n, p), c = V'y (r, K), targets y (n, K); what of each row and target lies outside the span of V.

    d falls, without what is null but for rounding; weight: n/(n-1) for rows and targets of mean 0, else 1.
    """

    vectors: np.ndarray
    values: np.ndarray
    axes: np.ndarray
    share: np.ndarray
    targets: np.ndarray
    beyond: np.ndarray
    missed: np.ndarray
    weight: float

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.targets)

    @property
    def largest(self) -> float:
        """The largest eigenvalue of the scatter of n - 1 rows; 1 where there is none."""
        return float(self.values[0]) / (self.count - 1) if self.values.size else 1.0


def left_out(inputs: np.ndarray, targets: np.ndarray, centred: bool) -> LeftOut:
    """One singular value decomposition; targets (n, K)."""
    count = len(inputs)
    left, sizes, right = np.linalg.svd(inputs, full_matrices=False)
    alive = sizes > max(inputs.shape) * np.finfo(float).eps * max(float(np.max(sizes, initial=0.0)), 1e-300)
    vectors = left[:, alive]
    share = vectors.T @ targets
    weight = count / (count - 1) if centred else 1.0
    beyond = 1 / weight - np.sum(vectors**2, axis=1)
    some = beyond > _ROUNDING
    missed = np.where(some[:, None], targets - vectors @ share, 0.0)
    beyond = np.where(some, beyond, 0.0)
    return LeftOut(vectors, sizes[alive] ** 2, right[alive].T, share, targets, beyond, missed, weight)


def _product(first: Any, second: np.ndarray) -> np.ndarray:
    # one product of real matrices: a complex one converts the second
    if not np.iscomplexobj(first):
        return first @ second
    both = np.concatenate([np.real(first), np.imag(first)]) @ second
    return both[: len(first)] + 1j * both[len(first) :]


def _chunks(count: int) -> Iterator[slice]:
    for low in range(0, count, CHUNK):
        yield slice(low, low + CHUNK)


def _errors(found: LeftOut, q: np.ndarray, leverage: np.ndarray, part: slice) -> np.ndarray:
    """weight x (y - output) (m, rows, K), where leverage (m, rows) is 1/weight - h."""
    vectors = found.vectors[part]
    missed = [
        (found.missed[part, k][None, :] + _product(q, (vectors * found.share[:, k]).T)) / leverage
        for k in range(found.targets.shape[1])
    ]
    return np.stack(missed, axis=2)


def ridge_left_out(found: LeftOut, strengths: np.ndarray) -> np.ndarray:
    """Errors (strengths, n, K) of ridge, (1/2(n-1)) sum (y - x.w)^2 + (strength/2) |w|^2 on the others."""
    shift = (found.count - 1) * strengths
    q = shift[:, None] / (found.values[None, :] + shift[:, None])
    told = []
    for part in _chunks(found.count):
        leverage = found.beyond[part][None, :] + q @ (found.vectors[part] ** 2).T
        told.append(_errors(found, q, leverage, part))
    return np.concatenate(told, axis=1)


def loop(largest: float, horizon: float, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """The contour of `covariance_equivalent`: points z and weights dz/(2 pi i)."""
    minor = 1.2 / np.sqrt(max(horizon, 1 / largest))
    major = np.sqrt(largest + minor**2)
    angle = (np.arange(nodes) + 0.5) * (np.pi / (2 * nodes))
    root = major * np.cos(angle) + 1j * minor * np.sin(angle)
    slope = -major * np.sin(angle) + 1j * minor * np.cos(angle)
    return root**2, root * slope / (2j * nodes)


def _acting(filters: Any, weights: np.ndarray) -> np.ndarray:
    """[Re, Im] of weighted filters, which acts on stacked [Re, Im] as -2 Re sum w g r does."""
    weighted = filters * weights[None, :]
    return np.concatenate([-2 * np.real(weighted), 2 * np.imag(weighted)], axis=1)


def path_left_out(
    found: LeftOut, z: np.ndarray, weights: np.ndarray, filters: tuple[np.ndarray, np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Errors (times, n, K) along the path of filters g (times, nodes), and |f(G_i/(n-1)) x_i|^2 (times, n).

    The second is 0 where no f is given.
    """
    g, f = filters
    shift = (found.count - 1) * z
    scale = 1 / (found.values[None, :] - shift[:, None])
    q = -shift[:, None] * scale
    gains = _acting(g, weights)
    starts = None if f is None else _acting(f**2, weights)
    errors, spreads = [], []
    for part in _chunks(found.count):
        squares = (found.vectors[part] ** 2).T
        leverage = found.beyond[part][None, :] + _product(q, squares)
        targets = found.weight * found.targets[part]
        outputs = targets[None] - _errors(found, q, leverage, part)
        m, rows, outs = outputs.shape
        stacked = np.concatenate([outputs.real, outputs.imag]).reshape(2 * m, rows * outs)
        errors.append(targets[None] - (gains @ stacked).reshape(-1, rows, outs))
        if starts is None:
            spreads.append(np.zeros((len(g), rows)))
            continue
        h = _product(scale, squares * found.values[:, None])
        kernel = found.weight * (found.count - 1) * h / leverage
        spreads.append(starts @ np.concatenate([kernel.real, kernel.imag]))
    return np.concatenate(errors, axis=1), np.concatenate(spreads, axis=1)


def is_followed(found: LeftOut, z: np.ndarray, weights: np.ndarray, last: np.ndarray, known: np.ndarray) -> bool:
    """Whether the contour reproduces a sum of the filter over eigenvalues, g (1, nodes) against g (1, r)."""
    n = found.count
    whole = np.sum((n - 1) / (found.values[None, :] - (n - 1) * z[:, None]), axis=1)
    told = float((_acting(last, weights) @ np.concatenate([whole.real, whole.imag]))[0])
    return bool(abs(told - known.sum()) <= 1e-7 * np.abs(known).sum())
