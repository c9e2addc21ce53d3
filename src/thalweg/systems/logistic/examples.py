"""Small data sets, separable in part, barely, or not at all."""

import numpy as np

from .problem import DatasetLogistic

# seven points, the last four of which a plane separates from all others
ROWS = [(1, 0, 0), (-0.6, 0, 0), (0.8, 0, 0), (0.5, 1, 0.3), (-0.7, 1.2, -0.4), (0.2, 0.9, 0.8), (1, 2, -1)]


def partly_separable() -> DatasetLogistic:
    """Seven points, some of which a plane separates."""
    return DatasetLogistic(inputs=np.array(ROWS, dtype=float), labels=np.array([1.0, 1, -1, 1, 1, 1, 1]))


def overlapping() -> DatasetLogistic:
    """The same points with labels that no plane separates for any of them."""
    return DatasetLogistic(inputs=np.array(ROWS, dtype=float), labels=np.array([1.0, 1, -1, 1, -1, -1, 1]))


def hair_apart() -> DatasetLogistic:
    """Rows that a cosine of 1e-8 alone keeps apart."""
    return DatasetLogistic(inputs=np.array([[1.0, 0.0], [-1.0, 1e-8], [0.0, 1.0]]), labels=np.ones(3))


def small_margin() -> DatasetLogistic:
    """A margin of 1/1000 of the rows: the ray shows only after a very long time."""
    return DatasetLogistic(inputs=[[1.0, 0.001], [-1.0, 0.001]], labels=[1.0, 1.0])


def nearly_separable() -> DatasetLogistic:
    """Nothing separable, but by a row of 1/1000 alone: the optimum is far and late."""
    rows = np.array([[1.0, 0.001], [-1.0, 0.001], [1.0, -0.001], [1.0, 0.003]])
    return DatasetLogistic(inputs=rows, labels=[1.0, 1.0, 1.0, -1.0])
