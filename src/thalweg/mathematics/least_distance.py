"""The shortest vector that has at least the product 1 with every row.

Source: Lawson and Hanson 1974, chapter 23 (least distance).
"""

import numpy as np


def least_distance(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shortest u with points @ u >= 1, and its multipliers a >= 0: u = points.T @ a. Points (m, k), separable.

    Non-negative least squares finds the support; equations on the support alone then give all digits. Rows may enter
    and leave until the conditions of an optimum hold.
    """
    from scipy.optimize import nnls

    unit = 1e-3 * float(np.median(np.linalg.norm(points, axis=1)))
    count, width = points.shape
    goal = np.concatenate([np.zeros(width), np.ones(1)])
    weights, _ = nnls(np.vstack([points.T / unit, np.ones(count)]), goal, maxiter=30 * max(count, width))
    support = weights > 0
    best, found = np.inf, (np.zeros(width), np.zeros(count))
    for _ in range(3 * width + 10):
        nearest, part = _on_support(points[support])
        seen = points @ nearest
        low = float(np.min(part)) / float(np.max(np.abs(part)))
        missed = max(1 - float(np.min(seen)), -low, 0.0)
        if missed < best:
            best, found = missed, (nearest, np.zeros(count))
            found[1][support] = np.maximum(part, 0.0)
        if missed < 1e-12:
            break
        if low < -1e-12:
            support[np.flatnonzero(support)[np.argmin(part)]] = False
        elif not support[np.argmin(seen)]:
            support[np.argmin(seen)] = True
        else:
            break
    return found


def _on_support(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shortest u with points @ u = 1, once refined, and a with points.T @ a = u."""
    ones = np.ones(points.shape[0])
    nearest = np.linalg.lstsq(points, ones, rcond=None)[0]
    nearest = nearest + np.linalg.lstsq(points, ones - points @ nearest, rcond=None)[0]
    return nearest, np.linalg.lstsq(points.T, nearest, rcond=None)[0]
