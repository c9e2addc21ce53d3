"""Estimators that do as advised: scikit-learn's own battery, its refits, and the compiled path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from thalweg.learners import AdvisedRidge, StoppedClassifier, StoppedRegressor
from thalweg.learners.left_out import STRENGTHS, TIMES, flow_path, ridge_path, rows_of
from thalweg.mathematics.held_out import act, ridge_errors, without_each


@parametrize_with_checks([AdvisedRidge(), StoppedRegressor(), StoppedClassifier()])
def test_scikit_learn_takes_them(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("rows", "features"), [(25, 4), (12, 30)])
def test_rows_left_out_are_those_of_the_compiled_forms(rows, features):
    rng = np.random.default_rng(rows)
    x = rng.normal(3.0, 2.0, (rows, features))
    y = x[:, :2] @ np.ones((2, 2)) + rng.normal(size=(rows, 2))
    found = rows_of(x, y)
    a, b = (x - x.mean(axis=0)) / x.std(axis=0), y - y.mean(axis=0)
    ridge, flow = ridge_path(found), flow_path(found)
    with jax.enable_x64():
        for k in range(2):
            own = ridge_errors(jnp.asarray(a), jnp.asarray(b[:, k]), True, jnp.asarray(STRENGTHS))
            np.testing.assert_allclose(ridge[:, :, k], own, rtol=1e-6, atol=1e-9)
            z, kernels = without_each(jnp.asarray(a), jnp.asarray(b[:, k]), True, TIMES[-1], 1024)
            outputs = act(-jnp.expm1(-jnp.outer(TIMES, z)) / z[None, :], kernels.outputs)
            np.testing.assert_allclose(flow[:, :, k], kernels.targets[None, :] - outputs, rtol=1e-6, atol=1e-8)


def test_the_advised_ridge_is_scikit_learns():
    x, y = load_diabetes(return_X_y=True)
    own = AdvisedRidge().fit(x, y)
    other = make_pipeline(StandardScaler(), Ridge(alpha=own.alpha_)).fit(x, y)
    np.testing.assert_allclose(own.predict(x), other.predict(x), rtol=1e-9)
    assert own.advice_["ridge"].value == pytest.approx(own.alpha_ / len(x))
    with pytest.raises(ValueError, match="alpha = -1"):
        AdvisedRidge(alpha=-1).fit(x, y)


def test_the_stopped_flow_is_small_steps_of_descent():
    x, y = load_wine(return_X_y=True)
    own = StoppedClassifier(flow_time=0.7).fit(x, y)
    a, w = (x - x.mean(axis=0)) / x.std(axis=0), np.zeros((13, 3))
    for _ in range(7000):
        w += 1e-4 * a.T @ (np.eye(3)[y] - np.eye(3)[y].mean(axis=0) - a @ w) / len(x)
    np.testing.assert_allclose(own.decision_function(x), a @ w + np.eye(3)[y].mean(axis=0), atol=2e-4)
    chosen = StoppedClassifier().fit(x, y)
    assert chosen.score(x, y) > 0.98
    assert "stopping time" in str(chosen.advice_)
