"""Several classes seen from the training points alone: every fold refitted with NumPy, real training, advice."""

import jax
import numpy as np
import pytest
from sgd_moments import moments
from sklearn.datasets import load_iris

import thalweg as tw
from thalweg.words.problem import seed_keys

INPUTS, LABELS = load_iris(return_X_y=True)
SMALL = {"inputs": INPUTS, "labels": LABELS, "samples": 40, "intercept": 0}
TIMES = np.array([0.0, 0.3, 3.0, 30.0])


def folds(x, y, gains):
    """Outputs (filters, n, K) on each row held out, W = g(S) X'Y/(n-1) of the others, for g of some eigenvalues."""
    found = []
    for i in range(len(x)):
        rest = np.delete(np.arange(len(x)), i)
        values, vectors = np.linalg.eigh(x[rest].T @ x[rest] / len(rest))
        drive = vectors.T @ (x[rest].T @ y[rest] / len(rest))
        found.append([(x[i] @ vectors) @ (g(np.maximum(values, 0.0))[:, None] * drive) for g in gains])
    return np.transpose(found, (1, 0, 2))


def seen(outputs, y):
    """Loss and accuracy, points held out."""
    loss = 0.5 * np.sum((outputs - y[None]) ** 2, axis=2).mean(axis=1)
    return loss, (outputs.argmax(axis=2) == y.argmax(axis=1)[None]).mean(axis=1)


def drawn(problem):
    """Rows and one-hot labels of the first split."""
    with jax.enable_x64():
        data = problem.draw(seed_keys(np.int64(0))[0])
        return np.asarray(data.inputs), np.eye(3)[np.asarray(data.labels).astype(int)]


def test_leave_one_out_is_every_fold_refitted():
    problem = tw.DatasetClasses(**SMALL)
    x, y = drawn(problem)
    told = tw.predict(problem, TIMES, theory=tw.LeaveOneOut(), seeds=1)
    gains = [lambda v, t=t: -np.expm1(-v * t) / np.where(v > 1e-12, v, 1.0) for t in TIMES]
    loss, share = seen(folds(x, y, gains), y)
    np.testing.assert_allclose(told.test_loss[0], loss, rtol=1e-7)
    np.testing.assert_allclose(told.test_accuracy[0, 1:], share[1:], rtol=1e-12)
    assert loss[0] == 0.5


def test_ridge_of_points_held_out_is_that_of_every_fold():
    problem = tw.DatasetClasses(**SMALL)
    x, y = drawn(problem)
    told = tw.predict(problem, theory=tw.HeldOutRidge(), seeds=1)
    strengths = told.ridge.values[[10, 50, 80]]
    loss, _ = seen(folds(x, y, [lambda v, s=s: 1 / (v + s) for s in strengths]), y)
    np.testing.assert_allclose(told.ridge_loss[0, [10, 50, 80]], loss, rtol=1e-8)
    with jax.enable_x64():
        given = tw.predict(problem, theory=tw.HeldOutRidge(), data=problem.draw(seed_keys(np.int64(0))[0]))
    np.testing.assert_allclose(given.ridge_loss, told.ridge_loss[0], rtol=1e-12)
    # noise: residual variance of each output, added
    missed = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    assert float(told.noise[0]) ** 2 == pytest.approx(np.sum(missed**2) / (len(x) - x.shape[1]), rel=1e-6)


def test_training_confirms_the_mean_over_splits():
    told = tw.predict(tw.DatasetClasses(**SMALL), TIMES, theory=tw.LeaveOneOut(), seeds=30)
    real = tw.train(tw.DatasetClasses(**SMALL), TIMES, seeds=30)
    for name in ("test_loss", "test_accuracy"):
        apart = (told[name] - real[name]).values[:, 1:]
        assert np.all(np.abs(apart.mean(axis=0)) < 3 * apart.std(axis=0, ddof=1) / np.sqrt(30)), name
        assert np.all(np.abs(apart.mean(axis=0)) < 0.08 * real[name].values[:, 1:].mean(axis=0)), name


def test_advice_about_several_classes():
    problem = tw.DatasetClasses(**SMALL)
    advice = tw.advise(problem)
    stop = advice["stopping_time"]
    assert stop.low <= stop.value <= stop.high
    # stopped there, the mean loss over other splits is near the least of the path
    times = np.union1d([0.0, stop.value], np.geomspace(0.2, 60.0, 10))
    path = tw.train(problem, times, seeds=12).test_loss.mean("seed").values
    at = path[times == stop.value][0]
    assert at <= 1.05 * path.min()
    assert advice["test_loss"].low <= at <= 1.3 * advice["test_loss"].high
    assert 0.6 < advice["test_accuracy"].value < 1
    x, _ = drawn(problem)
    top = np.linalg.eigvalsh(x.T @ x / len(x))[-1]
    assert advice["largest_stable_rate"].value == pytest.approx(2 / top)
    assert "No input at all" in advice["test_loss"].reason


def test_sgd_with_several_outputs_is_every_fold_and_output_in_the_mean_over_draws():
    """Outputs share the rows that are drawn, but the loss adds their mean squares: covariances do not count."""
    steps, batch, rate = 60, 2, 0.02
    problem = tw.DatasetClasses(**SMALL, rule=tw.SGD(rate, batch))
    x, y = drawn(problem)
    with jax.enable_x64():
        data = problem.draw(seed_keys(np.int64(0))[0])
    told = tw.predict(problem, [0, steps], theory=tw.LeaveOneOut(), data=data)
    silent, noise = np.zeros(len(x)), np.zeros(len(x))
    for i in range(len(x)):
        rest = np.delete(np.arange(len(x)), i)
        for k in range(3):
            mean, spread = moments(x[rest], y[rest, k], rate, batch, steps)
            silent[i] += 0.5 * (y[i, k] - x[i] @ mean) ** 2
            noise[i] += 0.5 * x[i] @ spread @ x[i]
    assert noise.mean() > 0.01 * silent.mean()
    assert float(told.test_loss[-1]) - silent.mean() == pytest.approx(noise.mean(), rel=0.15)
    advice = tw.advise(problem)
    assert np.isfinite(advice["stopping_time"].value)
    assert "share of the steps' noise" in advice["stopping_time"].evidence
    # in the mean square every output is stable where one is
    assert advice["largest_stable_rate"].value < 2 * batch / np.mean(np.sum(x**2, axis=1)) * 1.001
