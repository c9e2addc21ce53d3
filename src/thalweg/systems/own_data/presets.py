"""Tables that are ready to try: scikit-learn's, and two generated ones."""

from pathlib import Path

import numpy as np

from ...catalogue.registry import preset
from ...data import example_tables as tables
from ...data.real import Groups, digits
from ...rules import GradientDescent
from ...words.fields import unknown
from .regression_table import DatasetRegression
from .two_classes import DatasetClassifier

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


@preset(
    "digits 1 against 7 of MNIST, from a file of the user's own",
    source="LiaoCouillet2018",
    times=lambda problem: np.unique(np.round(np.linspace(0, 300, 101))),
    seeds=100,
    recalled=True,
)
def MNISTClassifier(path: str, samples: int = 784) -> DatasetClassifier:
    """n = p = 784, start variance 0.1, descent of rate 0.01, digits 1 and 7. Recalled.

    `path` names an .npz file with arrays `x_train` (N, 28, 28) or (N, 784) and `y_train` (N,), as MNIST is often
    stored; nothing is downloaded. ValueError where the file is missing or holds something else.
    """
    place = Path(path)
    if not place.is_file():
        raise ValueError(f"{place} does not exist; give an .npz file with the arrays x_train and y_train of MNIST.")
    with np.load(place) as stored:
        if not {"x_train", "y_train"} <= set(stored.files):
            raise ValueError(f"{place} holds {', '.join(stored.files)}; the arrays x_train and y_train are wanted.")
        images, target = stored["x_train"], stored["y_train"]
    chosen = np.isin(target, (1, 7))
    inputs = images[chosen].reshape(int(chosen.sum()), -1) / 255.0
    return DatasetClassifier(
        inputs=inputs,
        labels=np.where(target[chosen] == 7, 1.0, -1.0),
        samples=samples,
        intercept=0,
        init_variance=0.1,
        deviation_floor=0.05,
        rule=GradientDescent(learning_rate=0.01),
    )


@preset(
    "odd against even (or other groups) of scikit-learn's real digits",
    seeds=50,
    theories=("LeaveOneOut", "MeasuredMixture"),
)
def DigitsClassifier(samples: int = 200, groups: Groups = ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9))) -> DatasetClassifier:
    """8 x 8 digits of scikit-learn, p = 64; `groups` are two disjoint groups of digits, such as (3, 8).

    Real data: half of what is left after training points and fresh test points would measure moments; here two
    thirds do (1064 points with the defaults).
    """
    inputs, labels = digits(groups)
    return DatasetClassifier(inputs=inputs, labels=labels, samples=samples, deviation_floor=0.05, intercept=0)
