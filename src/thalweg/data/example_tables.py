"""Tables to try things on: those that come with scikit-learn, and two generated ones that are hard on purpose."""

from typing import Any

import numpy as np

Table = tuple[np.ndarray, np.ndarray]


def _bunch(found: Any) -> Table:
    return np.asarray(found.data, dtype=np.float64), np.asarray(found.target, dtype=np.float64)


def diabetes() -> Table:
    """442 patients, 10 columns; the progress of the disease after one year."""
    from sklearn.datasets import load_diabetes

    return _bunch(load_diabetes())


def breast_cancer() -> Table:
    """569 tumours, 30 strongly correlated columns; 0 malignant, 1 benign."""
    from sklearn.datasets import load_breast_cancer

    return _bunch(load_breast_cancer())


def wine() -> Table:
    """178 wines, 13 columns; cultivar 0, 1 or 2."""
    from sklearn.datasets import load_wine

    return _bunch(load_wine())


def heavy_tailed(points: int, features: int, freedom: float = 3.0, seed: int = 0) -> Table:
    """Independent columns and noise of Student's law with `freedom` degrees, on a linear signal of about variance 3."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_t(freedom, size=(points, features))
    weights = rng.standard_normal(features) / np.sqrt(features)
    return inputs, inputs @ weights + rng.standard_t(freedom, size=points)


def correlated(points: int, features: int, correlation: float = 0.95, seed: int = 0) -> Table:
    """Normal columns i and j of correlation `correlation`^|i - j|, and noise of standard deviation 1."""
    rng = np.random.default_rng(seed)
    places = np.arange(features)
    root = np.linalg.cholesky(correlation ** np.abs(places[:, None] - places[None, :]))
    inputs = rng.standard_normal((points, features)) @ root.T
    weights = rng.standard_normal(features) / np.sqrt(features)
    return inputs, inputs @ weights + rng.standard_normal(points)
