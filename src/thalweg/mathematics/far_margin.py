"""The largest margin of separable rows far from the origin, whose intercept counts in the norm.

Rows z_i = p_i (x_i, 1), p_i = +-a, and the weights (w, b) of least norm with -z_i.(w, b) >= 1. By duality margin and
ray are the shortest point q of the hull of y_i (x_i, 1), y_i = -sign p_i. With u and v points of the hulls of both
classes, g = (u - v)/2 and m = (u + v)/2 their middle, the best share of either class gives

    |q|^2 = |g_across|^2 + g_along^2/(1 + |m|^2),       along and across the direction of m,

so that far away the problem is the one without penalty on b, the rows being compressed along m by sqrt(1 + |m|^2). That
is solved in centred rows, and m is taken anew; rounding then counts beside the rows' spread, not beside their distance.
Source: derived here.
"""

import numpy as np

from .least_distance import least_distance

# distances from the origin, in spreads of the rows, beyond which digits would be lost
FAR = 1e4
# the intercept's column over the length of the compressed rows: its weight then costs a share of 1e-8
_FREE = 1e4
_ROUNDS = 4


def centring(table: np.ndarray) -> tuple[int | None, np.ndarray]:
    """The last column of constant modulus, an intercept times labels, and how much of it each other column holds."""
    sizes = np.abs(table)
    even = (np.ptp(sizes, axis=0) == 0) & (sizes[0] > 0) if table.shape[0] else np.zeros(table.shape[1], bool)
    if not even.any():
        return None, np.zeros(table.shape[1])
    pivot = int(np.flatnonzero(even)[-1])
    values = table[:, pivot]
    # about the first row first: a mean of large numbers loses the digits that the rows differ in
    start = table[0] / values[0]
    shifts = start + values @ (table - values[:, None] * start[None, :]) / (values @ values)
    shifts[pivot] = 0.0
    return pivot, shifts


def _rows(table: np.ndarray, pivot: int, shifts: np.ndarray) -> np.ndarray:
    centred = np.delete(table / table[:, pivot, None] - shifts[None, :], pivot, axis=1)
    return centred


def is_far(table: np.ndarray, pivot: int, shifts: np.ndarray) -> bool:
    """Whether the rows lie further from the origin than `FAR` times their spread."""
    spread = float(np.sqrt(np.mean(_rows(table, pivot, shifts) ** 2)))
    both = np.unique(np.sign(table[:, pivot])).size == 2
    return both and spread > 0 and float(np.linalg.norm(shifts)) > FAR * max(spread, 1.0)


def far_margin(table: np.ndarray, pivot: int, shifts: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Ray (d,), margin and multipliers (n,) of rows z_i, all separable, of both classes.

    The margin is NaN where even so digits are lost: columns that separate by less than rounding of the others.
    """
    size, labels = abs(float(table[0, pivot])), -np.sign(table[:, pivot])
    rows, centre = _rows(table, pivot, shifts), np.delete(shifts, pivot)
    middle, shares = np.zeros(rows.shape[1]), [np.zeros(len(rows))] * 2
    first, second = middle, middle
    for _ in range(_ROUNDS):
        far = centre + middle
        along = far / np.linalg.norm(far)
        squeeze = 1 / np.hypot(1.0, np.linalg.norm(far))
        flat = rows - middle[None, :]
        flat = flat + (squeeze - 1) * np.outer(flat @ along, along)
        reach = _FREE * float(np.max(np.linalg.norm(flat, axis=1)))
        points = labels[:, None] * np.column_stack([flat, np.full(len(rows), reach)])
        weights = np.maximum(least_distance(points)[1], 0.0)
        if any(np.sum(weights[labels == s]) <= 0 for s in (1.0, -1.0)):
            return np.zeros(table.shape[1]), np.nan, np.zeros(len(rows))
        shares = [np.where(labels == s, weights, 0.0) / np.sum(weights[labels == s]) for s in (1.0, -1.0)]
        first, second = shares[0] @ rows, shares[1] @ rows
        middle = (first + second) / 2
    far, half = centre + middle, (first - second) / 2
    distance = float(np.linalg.norm(far))
    along = far / distance
    straight = float(half @ along)
    tilt = -straight * distance / (2 * (1 + distance**2))
    across = half - straight * along
    point = np.insert(across + straight / (1 + distance**2) * along, pivot, 2 * tilt)
    length = float(np.linalg.norm(point))
    share = (0.5 + tilt) * shares[0] + (0.5 - tilt) * shares[1]
    return point / length, size * length, share / (size * length) ** 2
