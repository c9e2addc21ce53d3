"""Standardised rows of an estimator, each left out of ridge regression and of gradient flow."""

import math
from typing import NamedTuple

import numpy as np

from ..mathematics.left_out_rows import LeftOut, left_out, loop, path_left_out, ridge_left_out

# gradient flow is followed to here; the mean variance of a column is 1
FLOW_END = 1000.0
TIMES = np.concatenate([[0.0], np.geomspace(1e-5 * FLOW_END, FLOW_END, 60)])
STRENGTHS = np.geomspace(1e-6, 1e6, 121)


class Rows(NamedTuple):
    """Rows centred and scaled to deviation 1 by themselves, targets centred.

    scale (p,): 1/deviation, 0 for columns that do not move; centre (p,), middle (K,): the means.
    """

    rows: LeftOut
    centre: np.ndarray
    scale: np.ndarray
    middle: np.ndarray

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.rows.count

    @property
    def values(self) -> np.ndarray:
        """Eigenvalues of X'X/n."""
        return self.rows.values / self.count

    def weights(self, gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights (p, K) on the columns as they were given, and intercepts (K,), of g(S) X'y/n, g told as `gain`."""
        found = self.rows
        inside = found.axes @ ((np.sqrt(found.values) * gain)[:, None] * found.share / self.count)
        weights = self.scale[:, None] * inside
        return weights, self.middle - self.centre @ weights


def rows_of(inputs: np.ndarray, targets: np.ndarray) -> Rows:
    """Rows (n, p) and targets (n, K)."""
    centre, middle = inputs.mean(axis=0), targets.mean(axis=0)
    deviation = np.sqrt(np.mean((inputs - centre) ** 2, axis=0))
    moves = deviation > 1e-12 * np.max(np.abs(inputs), axis=0)
    scale = np.where(moves, 1.0, 0.0) / np.where(moves, deviation, 1.0)
    return Rows(left_out((inputs - centre) * scale, targets - middle, True), centre, scale, middle)


def ridge_path(found: Rows) -> np.ndarray:
    """Errors (strengths, n, K) of ridge on each row left out, without the penalty of an intercept."""
    return ridge_left_out(found.rows, STRENGTHS)


def flow_path(found: Rows) -> np.ndarray:
    """Errors (times, n, K) of gradient flow from zero weights on each row left out."""
    top = found.rows.largest
    nodes = 2 ** math.ceil(math.log2(16 + 5 * math.sqrt(FLOW_END * top)))
    z, weights = loop(top, FLOW_END, nodes)
    gains = -np.expm1(-TIMES[:, None] * z[None, :]) / z[None, :]
    return path_left_out(found.rows, z, weights, (gains, None))[0]


def lowest(grid: np.ndarray, losses: np.ndarray) -> float:
    """The place of the least loss, between points of the grid by the parabola in log(place); an end as it is."""
    at = int(np.argmin(losses))
    if at in (0, len(grid) - 1) or grid[at - 1] <= 0:
        return float(grid[at])
    low, here, high = losses[at - 1 : at + 2]
    bend = low - 2 * here + high
    shift = 0.5 * (low - high) / bend if bend > 0 else 0.0
    return float(grid[at] * (grid[at + 1] / grid[at]) ** np.clip(shift, -1.0, 1.0))
