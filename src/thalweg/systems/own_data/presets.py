"""Tables that are ready to try: scikit-learn's, and two generated ones."""

import numpy as np

from ...data import tables
from ...fields import unknown
from ...registry import preset
from ..linear_classifier.dataset import DatasetClassifier
from .regression import DatasetRegression

ONLY = ("LeaveOneOut",)


@preset("progress of diabetes from ten columns, scikit-learn's real table", seeds=50, theories=ONLY)
def DiabetesRegression(samples: int = 100) -> DatasetRegression:
    """442 patients, p = 10: age, sex, body mass, blood pressure, six serum values; progress after one year."""
    inputs, targets = tables.diabetes()
    return DatasetRegression(inputs=inputs, targets=targets, samples=samples)


@preset("alcohol of wines from the other columns, scikit-learn's real table", seeds=50, theories=ONLY)
def WineRegression(samples: int = 60) -> DatasetRegression:
    """178 wines, p = 12: alcohol from what else was measured; the cultivar is not used."""
    inputs, _ = tables.wine()
    return DatasetRegression(inputs=inputs[:, 1:], targets=inputs[:, 0], samples=samples)


@preset("one cultivar of wine against the others, scikit-learn's real table", seeds=50, theories=ONLY)
def WineClassifier(samples: int = 60, cultivar: int = 0) -> DatasetClassifier:
    """178 wines, p = 13; cultivar 0, 1 or 2 against the other two. ValueError for another one."""
    inputs, kinds = tables.wine()
    if cultivar not in (0, 1, 2):
        raise ValueError(unknown("cultivar", str(cultivar), ["0", "1", "2"]))
    return DatasetClassifier(inputs=inputs, labels=np.where(kinds == cultivar, 1.0, -1.0), samples=samples)


@preset("malignant against benign, scikit-learn's real table", seeds=50, theories=ONLY)
def BreastCancerClassifier(samples: int = 100) -> DatasetClassifier:
    """569 tumours, p = 30, columns so correlated that the last directions need flow times of 10^4."""
    inputs, labels = tables.breast_cancer()
    return DatasetClassifier(inputs=inputs, labels=labels, samples=samples)


@preset("heavy tails in inputs and noise, a generated table", seeds=50, theories=ONLY)
def HeavyTailedRegression(
    samples: int = 100, points: int = 1000, features: int = 30, freedom: float = 3.0
) -> DatasetRegression:
    """Student's law with `freedom` degrees for every entry and for the noise; the same table every time."""
    inputs, targets = tables.heavy_tailed(points, features, freedom)
    return DatasetRegression(inputs=inputs, targets=targets, samples=samples)


@preset("strongly correlated columns, a generated table", seeds=50, theories=ONLY)
def CorrelatedRegression(
    samples: int = 100, points: int = 1000, features: int = 30, correlation: float = 0.95
) -> DatasetRegression:
    """Columns i and j of correlation `correlation`^|i - j|, noise of deviation 1; the same table every time."""
    inputs, targets = tables.correlated(points, features, correlation)
    return DatasetRegression(inputs=inputs, targets=targets, samples=samples)
