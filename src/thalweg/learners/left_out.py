"""Every row left out of ridge regression and of gradient flow, in NumPy: the forms of mathematics/held_out, uncompiled.

An estimator is fitted to tables of any shape, many of them small: nothing is to be compiled for each.
"""

import math
from typing import NamedTuple

import numpy as np

# rows whose kernels are held at once
CHUNK = 4096
_ROUNDING = 1e-12
# gradient flow is followed to here; the mean variance of a column is 1
FLOW_END = 1000.0
TIMES = np.concatenate([[0.0], np.geomspace(1e-5 * FLOW_END, FLOW_END, 60)])
STRENGTHS = np.geomspace(1e-6, 1e6, 121)


class Rows(NamedTuple):
    """Standardised rows as V d^1/2 W', their targets c = V'y (r, K), and what of each lies outside the span of V.

    scale (p,): 1/deviation, 0 for columns that do not move; centre (p,), middle (K,): the means.
    """

    vectors: np.ndarray
    values: np.ndarray
    axes: np.ndarray
    share: np.ndarray
    targets: np.ndarray
    beyond: np.ndarray
    missed: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    middle: np.ndarray

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.targets)

    def weights(self, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (p, K) on the columns as they were given, and intercepts (K,), of g(S) X'y/n, g told as `gain`."""
        inside = self.axes @ ((np.sqrt(self.values) * gain)[:, None] * self.share / self.count)
        weights = self.scale[:, None] * inside
        return weights, self.middle - self.centre @ weights


def rows_of(inputs: np.ndarray, targets: np.ndarray) -> Rows:
    """Rows (n, p) centred and scaled to deviation 1 by themselves, targets (n, K) centred."""
    count = len(inputs)
    centre, middle = inputs.mean(axis=0), targets.mean(axis=0)
    deviation = np.sqrt(np.mean((inputs - centre) ** 2, axis=0))
    moves = deviation > 1e-12 * np.max(np.abs(inputs), axis=0)
    scale = np.where(moves, 1.0, 0.0) / np.where(moves, deviation, 1.0)
    y = targets - middle
    left, sizes, right = np.linalg.svd((inputs - centre) * scale, full_matrices=False)
    alive = sizes > max(inputs.shape) * np.finfo(float).eps * max(float(sizes[0]), 1e-300)
    vectors, share = left[:, alive], left[:, alive].T @ y
    beyond = 1 - 1 / count - np.sum(vectors**2, axis=1)
    some = beyond > _ROUNDING
    missed = np.where(some[:, None], y - vectors @ share, 0.0)
    beyond = np.where(some, beyond, 0.0)
    return Rows(vectors, sizes[alive] ** 2, right[alive].T, share, y, beyond, missed, centre, scale, middle)


def _errors(found: Rows, q: np.ndarray, part: slice) -> np.ndarray:
    """Errors (m, rows, K) on rows left out, at values q (m, r) of -s/(d - s)."""
    vectors = found.vectors[part]
    left = found.beyond[part][None, :] + q @ (vectors**2).T
    return np.stack(
        [
            (found.missed[part, k][None, :] + q @ (vectors * found.share[:, k]).T) / left
            for k in range(found.targets.shape[1])
        ],
        axis=2,
    )


def _parts(count: int) -> list[slice]:
    return [slice(low, low + CHUNK) for low in range(0, count, CHUNK)]


def ridge_path(found: Rows) -> np.ndarray:
    """Errors (strengths, n, K) of ridge on each row left out, without the penalty of an intercept."""
    shift = (found.count - 1) * STRENGTHS
    q = shift[:, None] / (found.values[None, :] + shift[:, None])
    return np.concatenate([_errors(found, q, part) for part in _parts(found.count)], axis=1)


def flow_path(found: Rows) -> np.ndarray:
    """Errors (times, n, K) of gradient flow from zero weights on each row left out."""
    n = found.count
    top = float(found.values[0]) / (n - 1) if found.values.size else 1.0
    nodes = 2 ** math.ceil(math.log2(16 + 5 * math.sqrt(FLOW_END * top)))
    minor = 1.2 / math.sqrt(max(FLOW_END, 1 / top))
    angle = (np.arange(nodes) + 0.5) * (math.pi / (2 * nodes))
    root = math.sqrt(top + minor**2) * np.cos(angle) + 1j * minor * np.sin(angle)
    slope = -math.sqrt(top + minor**2) * np.sin(angle) + 1j * minor * np.cos(angle)
    z, weights = root**2, root * slope / (2j * nodes)
    gains = -np.expm1(-TIMES[:, None] * z[None, :]) / z[None, :]
    shift = (n - 1) * z
    q = -shift[:, None] / (found.values[None, :] - shift[:, None])
    k = n / (n - 1)
    told = []
    for part in _parts(n):
        targets = k * found.targets[part]
        outputs = targets[None] - _errors(found, q, part)
        seen = -2 * np.einsum("tm,mnk->tnk", gains * weights[None, :], outputs, optimize=True).real
        told.append(targets[None] - seen)
    return np.concatenate(told, axis=1)


def lowest(grid: np.ndarray, losses: np.ndarray) -> float:
    """The place of the least loss, between points of the grid by the parabola in log(place); an end as it is."""
    at = int(np.argmin(losses))
    if at in (0, len(grid) - 1) or grid[at - 1] <= 0:
        return float(grid[at])
    low, here, high = losses[at - 1 : at + 2]
    bend = low - 2 * here + high
    shift = 0.5 * (low - high) / bend if bend > 0 else 0.0
    return float(grid[at] * (grid[at + 1] / grid[at]) ** np.clip(shift, -1.0, 1.0))
