"""Mean and covariance of the weights under SGD on stored rows, by the plain recursion in NumPy."""

import numpy as np


def moments(x, y, rate: float, batch: int, steps: int):
    """Mean and covariance of the weights after some steps from 0, by the plain recursion."""
    n, p = x.shape
    s, b = x.T @ x / n, x.T @ y / n
    mean, spread = np.zeros(p), np.zeros((p, p))
    for _ in range(steps):
        missed = (y - x @ mean) ** 2 + np.sum((x @ spread) * x, axis=1)
        slope, keep = s @ mean - b, np.eye(p) - rate * s
        noise = (x.T * missed) @ x / n - np.outer(slope, slope) - s @ spread @ s
        mean, spread = mean - rate * slope, keep @ spread @ keep + rate**2 / batch * noise
    return mean, spread
