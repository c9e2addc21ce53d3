"""An intercept without penalty: folds refitted with scikit-learn, real training, what the training rows alone set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

import thalweg as tw
from thalweg.mathematics.held_out import ridge_errors
from thalweg.systems.own_data.held_out_ridge import STRENGTHS
from thalweg.words.problem import seed_keys


def uneven(points=400, share=0.1, features=5, shift=0.7, seed=0):
    """Normal columns; a share of positives, shifted."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(points) < share * points).astype(float)
    return rng.standard_normal((points, features)) + shift * labels[:, None], labels


def drawn(problem, seed=0):
    with jax.enable_x64():
        return jax.tree.map(np.asarray, problem.draw(seed_keys(np.int64(seed))[0]))


def folds(x, y, strength):
    """Errors (n, outputs) of ridge with an intercept, each row held out."""
    n = len(x)
    rows = [np.arange(n) != i for i in range(n)]
    fits = [Ridge(alpha=(n - 1) * strength).fit(x[k], y[k]).predict(x[~k])[0] for k in rows]
    return y - np.asarray(fits)


@pytest.mark.parametrize("share", [0.1, 0.03])
def test_rare_classes_are_told_as_with_an_intercept(share):
    inputs, labels = uneven(share=share)
    problem = tw.DatasetClassifier(inputs=inputs, labels=labels, samples=100)
    advice, data = tw.advise(problem), drawn(problem)
    assert data.labels.mean() == pytest.approx(2 * share - 1, abs=0.041)
    ridge = tw.predict(problem, [0.0], theory=tw.HeldOutRidge(), data=data)
    for at in (40, 60, 75):
        loss = 0.5 * np.mean(folds(data.inputs, data.labels, STRENGTHS[at]) ** 2)
        assert float(ridge.ridge_loss[at]) == pytest.approx(loss, rel=1e-9)
    majority, mean = 1 - share, data.labels.mean()
    assert advice["test_accuracy"].value >= majority - 0.02
    # half the variance of the labels, each seen from the mean of the others
    constant = 0.5 * (1 - mean**2) * (100 / 99) ** 2
    assert advice["test_loss"].value < 1.02 * constant
    assert f"The mean alone would give {constant:.4g}" in advice["test_loss"].reason


def test_several_classes_with_an_intercept_are_every_fold_refitted():
    rng = np.random.default_rng(2)
    numbers = np.repeat([0, 1, 2], [40, 24, 16])
    inputs = rng.standard_normal((80, 3)) + numbers[:, None]
    problem = tw.DatasetClasses(inputs=inputs, labels=np.array(["c", "a", "b"])[numbers], samples=24, weight_decay=0.2)
    data = drawn(problem)
    counts = np.bincount(data.labels.astype(int))
    np.testing.assert_allclose(counts, np.array([24, 16, 40]) * 24 / 80, atol=1)
    np.testing.assert_allclose(data.inputs.mean(axis=0), 0, atol=1e-12)
    errors = folds(data.inputs, np.eye(3)[data.labels.astype(int)], 0.2)
    told = tw.predict(problem, [0.0, 300.0], theory=tw.LeaveOneOut(), data=data)
    assert float(told.test_loss[-1]) == pytest.approx(0.5 * np.sum(errors**2) / 24, rel=1e-8)
    # the constant alone answers with the commonest class, of which every split has its share
    assert float(told.test_accuracy[0]) == pytest.approx(counts.max() / 24)


def test_training_has_the_intercept_and_agrees_in_the_mean():
    inputs, labels = uneven(300, 0.2, seed=1)
    problem = tw.DatasetClassifier(inputs=inputs, labels=labels, samples=60)
    times = np.array([0.0, 0.5, 4.0, 100.0])
    seen, told = tw.train(problem, times, seeds=24), tw.predict(problem, times, theory=tw.LeaveOneOut(), seeds=24)
    data = drawn(problem)
    end = Ridge(alpha=1e-9).fit(data.inputs, data.labels)
    expected = 0.5 * np.mean((data.test_labels - end.predict(data.test_inputs)) ** 2)
    assert float(seen.test_loss[0, -1]) == pytest.approx(expected, rel=1e-6)
    assert float(seen.train_accuracy[0, 0]) == pytest.approx(np.mean(data.labels < 0))
    for name in ("test_loss", "test_accuracy"):
        apart = (told[name] - seen[name]).values
        assert np.all(np.abs(apart.mean(axis=0)) < 4 * apart.std(axis=0, ddof=1) / np.sqrt(24) + 0.003), name


@pytest.mark.nightly
def test_the_mixture_has_the_intercept_too():
    inputs, labels = uneven(3000, 0.25, features=20, shift=0.3, seed=4)
    problem = tw.DatasetClassifier(inputs=inputs, labels=labels, samples=80, moments=1500)
    times = np.array([0.0, 1.0, 8.0])
    seen, told = tw.train(problem, times, seeds=40), tw.predict(problem, times, theory=tw.MeasuredMixture(), seeds=4)
    for name in ("test_loss", "train_loss", "test_accuracy"):
        mean, error = seen[name].mean("seed"), seen[name].std("seed") / np.sqrt(40)
        gap = np.abs(told[name].mean("seed") - mean)
        assert np.all(gap <= 4 * error + mean / 20), f"{name}: {gap.values}"


@pytest.mark.parametrize("features", [3, 40])
def test_a_column_that_does_not_move_in_training_is_no_input(features):
    """A 0/1 column true in a few rows of another part: nothing is learned of it, and nothing is foretold with it."""
    inputs, labels = uneven(600, 0.3, features=features)
    still = np.zeros(600)
    problem = tw.DatasetClassifier(inputs=np.column_stack([inputs, still + np.arange(600)]), labels=labels, samples=60)
    parts = drawn(problem)
    # rows of the training part by the column that numbers them
    numbers = np.argsort(np.argsort(np.concatenate([parts.inputs, parts.moment_inputs, parts.test_inputs])[:, -1]))
    away = np.setdiff1d(np.arange(600), numbers[:60])
    still[away[::120]] = 1.0
    told = drawn(tw.DatasetClassifier(inputs=np.column_stack([inputs, still]), labels=labels, samples=60))
    assert np.all(told.inputs[:, -1] == 0)
    assert np.all(told.test_inputs[:, -1] == 0)


def test_one_huge_cell_elsewhere_drops_no_column():
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((60, 4))
    inputs[7, 2] = 9.97e36
    problem = tw.DatasetRegression(inputs=inputs, targets=rng.standard_normal(60), samples=40)
    assert all(np.all(np.any(drawn(problem, seed).inputs != 0, axis=0)) for seed in range(8))


@pytest.mark.parametrize("rare", [4, 5, 9])
def test_rare_classes_are_in_every_part(rare):
    inputs, labels = uneven(300, rare / 300)
    problem = tw.DatasetClassifier(inputs=inputs, labels=labels, samples=100)
    seen = tw.train(problem, [0.0, 1.0], seeds=12)
    assert np.all(seen.outcome == "ok")
    assert all(np.unique(drawn(problem, seed).labels).size == 2 for seed in range(12))
    with pytest.raises(ValueError, match=f"rarest class has {rare} of 300 rows.*raise samples"):
        tw.DatasetClassifier(inputs=inputs, labels=labels, samples=10)


@pytest.mark.parametrize(("features", "common"), [(29, 0.0), (300, 3.0), (500, 0.0)])
def test_wide_tables_are_every_fold_refitted(features, common):
    """More columns than rows, with and without one strong factor, to ridge that is nearly none."""
    rng = np.random.default_rng(features)
    x = rng.standard_normal((30, features)) + common * rng.standard_normal((30, 1)) * rng.standard_normal(features)
    y = x[:, 0] + 0.1 * rng.standard_normal(30)
    x, y = (x - x.mean(axis=0)) / x.std(axis=0), y - y.mean()
    strengths = np.array([1e-6, 1e-2, 1.0])
    with jax.enable_x64():
        found = np.asarray(ridge_errors(jnp.asarray(x), jnp.asarray(y), True, jnp.asarray(strengths)))
    for strength, errors in zip(strengths, found, strict=True):
        expected = np.zeros(30)
        for i in range(30):
            k = np.arange(30) != i
            a, b = x[k] - x[k].mean(axis=0), y[k] - y[k].mean()
            dual = np.linalg.solve(a @ a.T + 29 * strength * np.eye(29), b)
            expected[i] = y[i] - y[k].mean() - (x[i] - x[k].mean(axis=0)) @ (a.T @ dual)
        np.testing.assert_allclose(errors, expected, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("far", [0.0, -4e5, 1.7e9, 3e11])
def test_rows_far_from_the_origin_beside_an_intercept(far):
    found = tw.separation((far + np.arange(8.0))[:, None], np.arange(8) >= 4, intercept=True)
    assert found.separable.all()
    assert found.margin == pytest.approx(0.5 / np.hypot(1, far + 3.5), rel=1e-9)
    flat = np.column_stack([far + np.arange(8.0), np.arange(8) % 3, np.ones(8)])
    # beyond, the second column's rounding hides the first: nothing is said to be sure
    other = tw.separation(flat, np.arange(8) >= 4)
    assert other.margin > 0 if abs(far) < 1e10 else other.lp_margin == 0


def test_truth_values_switch_the_intercept():
    inputs, labels = uneven(100)
    assert tw.DatasetClassifier(inputs=inputs, labels=labels, intercept=False).intercept == 0
    assert tw.DatasetLogistic(inputs=inputs, labels=labels, intercept=True).intercept == 1
    assert tw.DatasetRegression(inputs=inputs, targets=inputs[:, 0]).samples == 80
    through = drawn(tw.DatasetRegression(inputs=inputs + 2, targets=inputs[:, 0] + 1, intercept=False))
    np.testing.assert_allclose(np.mean(through.inputs**2, axis=0), 1)
    assert through.targets.mean() > 0.5
    with pytest.raises(ValueError, match="classes has shape"):
        tw.DatasetClasses(inputs=inputs, labels=labels, classes=np.arange(3))
