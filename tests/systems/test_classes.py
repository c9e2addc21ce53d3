"""Several classes of real data: training by hand, and the measured mixture with a covariance for each class."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_wine

import thalweg as tw
from thalweg.systems.own_data.class_table import moments_by_class
from thalweg.testing.contract import check_time_zero, check_transparent

TIMES = np.linspace(0.0, 5.0, 26)


def gaussian(points=3000, features=12, seed=0):
    """Three classes of unlike widths and shapes, labelled 10, 20, 30."""
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 3, points)
    widths = np.stack([np.linspace(0.5, 1.5, features), np.full(features, 0.6), np.linspace(1.4, 0.8, features)])
    centres = 0.6 * rng.standard_normal((3, features))
    return centres[numbers] + widths[numbers] * rng.standard_normal((points, features)), 10.0 * (numbers + 1)


INPUTS, LABELS = gaussian()
PROBLEM = tw.DatasetClasses(inputs=INPUTS, labels=LABELS, intercept=0, samples=60)


def test_moments_are_those_of_numpy():
    numbers = LABELS / 10 - 1
    found = moments_by_class(jnp.asarray(INPUTS), jnp.asarray(numbers), 3)
    for k in range(3):
        own = INPUTS[numbers == k]
        np.testing.assert_allclose(found.means[:, k], own.mean(axis=0), rtol=1e-10)
        np.testing.assert_allclose(found.covariances[k], np.cov(own.T), rtol=1e-9, atol=1e-12)
    assert np.sum(found.fractions) == pytest.approx(1.0)


def test_descent_is_descent_by_hand():
    """One-hot targets, a bias in the last row, decay on both; observables by NumPy."""
    rng = np.random.default_rng(5)
    x, xt = (np.column_stack([rng.standard_normal((n, 12)), np.ones(n)]) for n in (60, 40))
    y, yt = rng.integers(0, 3, 60) * 1.0, rng.integers(0, 3, 40) * 1.0
    data = tw.ClassSample(x, y, rng.standard_normal((50, 12)), rng.integers(0, 3, 50) * 1.0, xt, yt)
    problem = tw.DatasetClasses(
        inputs=INPUTS,
        labels=LABELS,
        intercept=0,
        samples=60,
        weight_decay=0.2,
        rule=tw.GradientDescent(learning_rate=0.1),
    )
    seen = tw.train(problem, [0, 9], data=data).isel(seed=0, time=1)
    w, target = np.zeros((13, 3)), np.eye(3)[y.astype(int)]
    for _ in range(9):
        w = w - 0.1 * (x.T @ (x @ w - target) / 60 + 0.2 * w)
    assert float(seen.train_loss) == pytest.approx(0.5 * np.sum((x @ w - target) ** 2) / 60, rel=1e-12)
    assert float(seen.test_loss) == pytest.approx(0.5 * np.sum((xt @ w - np.eye(3)[yt.astype(int)]) ** 2) / 40)
    assert float(seen.test_accuracy) == pytest.approx(np.mean(np.argmax(xt @ w, axis=1) == yt))
    assert float(seen.squared_norm) == pytest.approx(np.sum(w[:12] ** 2), rel=1e-12)


def test_gaussian_classes_of_unlike_covariances_are_confirmed():
    result = tw.compare(PROBLEM, TIMES, theory=tw.MeasuredMixture(), seeds=64)
    assert result.attrs["verdict"] == "confirmed", result.attrs["sentence"]
    late = slice(5, None)
    for name, share in (("train_loss", 0.05), ("test_loss", 0.05), ("squared_norm", 0.05), ("test_accuracy", 0.02)):
        told, seen = (result[part][name].mean("seed").values[late] for part in ("theory", "training"))
        np.testing.assert_allclose(told, seen, rtol=share, err_msg=name)


@pytest.mark.nightly
def test_the_theory_keeps_the_contract_here_too():
    """check_theory looks at the first problem of a theory alone."""
    problem = tw.DatasetClasses(inputs=INPUTS, labels=LABELS, intercept=0, samples=60, init_variance=0.1)
    check_time_zero(tw.MeasuredMixture(), problem)
    check_transparent(tw.MeasuredMixture(), problem)


def test_wine_has_too_few_points_for_its_moments_and_says_so():
    inputs, labels = load_wine(return_X_y=True)
    table = tw.theories(tw.DatasetClasses(inputs=inputs, labels=labels, intercept=0, samples=60)).set_index("theory")
    assert table.loc["MeasuredMixture", "assumption"] == "enough moment points"
    assert 1 < table.loc["MeasuredMixture", "strain"] < 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.ones(3000)}, "1 different values"),
        ({"labels": np.arange(3000.0)}, "the rarest 1 times"),
        ({"labels": LABELS[:5]}, "one label a point"),
        ({"samples": 2999}, "lower samples"),
        ({"classes": 4}, "leave classes out"),
        ({"inputs": [["a"]]}, "not numbers"),
    ],
)
def test_bad_tables_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        tw.DatasetClasses(**{"inputs": INPUTS, "labels": LABELS, "samples": 60, **changes})


def test_more_than_two_classes_are_sent_here_by_the_problem_of_two():
    with pytest.raises(ValueError, match="DatasetClasses"):
        tw.DatasetClassifier(inputs=INPUTS, labels=LABELS, samples=60)
    with pytest.raises(ValueError, match="13, 3"):
        tw.train(PROBLEM, [0, 1], start=np.zeros((12, 3)))
    with pytest.raises(ValueError, match=r"tw\.ClassSample"):
        tw.train(PROBLEM, [0, 1], data=np.zeros(3))
