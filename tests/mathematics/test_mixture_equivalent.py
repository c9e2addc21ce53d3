"""Mixtures with a covariance for each class: values of reference, the shared case, drawn data, and what serves them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import multivariate_normal

from thalweg.mathematics import covariance_equivalent as shared
from thalweg.mathematics.elimination import inverse, root, solved
from thalweg.mathematics.gaussian_orthant import orthant
from thalweg.mathematics.mixture_equivalent import Mixture, kernels, outputs, resolvents

NODES = 64
# one shape for all but the shared case: 20 features, 3 classes, 3 outputs
found_kernels = jax.jit(kernels, static_argnums=3)
averages = jax.jit(outputs)


def flow(z, times):
    tau = jnp.asarray(times)[:, None]
    f = jnp.exp(-tau * z[None, :])
    return f, (1 - f) / z[None, :]


def solve(mixture, samples, start, bias, times, largest):
    mixture = Mixture(*(jnp.asarray(part, float) for part in mixture))
    z, weights = shared.contour(largest, max(times), NODES)
    kept = found_kernels(mixture, float(samples), float(start), bias, z, weights)
    return kept, averages(kept, *flow(z, times))


def three_classes():
    """Three classes with a covariance each, one-hot targets."""
    p = 20
    covariances = np.stack([np.eye(p), np.eye(p) / 2, np.diag(np.linspace(0.5, 2, p))])
    return Mixture(2 * np.eye(p)[:, :3], covariances, np.array([0.5, 0.3, 0.2]), np.eye(3))


def test_reference_values_with_bias():
    kept, told = solve(three_classes(), 50, 0.0, 1, [2.0, 0.0], 8.0)
    np.testing.assert_allclose(np.diag(told.means[0]), [0.755786646108, 0.679696751264, 0.498308710966], atol=1e-12)
    assert float(told.train[0]) == pytest.approx(0.169272168845, abs=1e-12)
    assert float(told.covariances[0, 0, 0, 0]) == pytest.approx(0.111050284237, abs=1e-12)
    assert float(kept.defect) < 1e-12
    # at the start: no outputs, all of the targets' power is missed
    np.testing.assert_allclose(told.means[1], 0, atol=1e-12)
    assert float(told.train[1]) == pytest.approx(1.0, abs=1e-12)


def test_one_shared_covariance_is_a_covariance_for_each_that_are_alike():
    """In the basis of the shared one and in any other; values of a mixture of two classes, n = 64."""
    values, mean = np.linspace(0.5, 1.5, 32), np.full(32, 0.2)
    means, fractions, targets = np.stack([-mean, mean], 1), np.array([0.5, 0.5]), np.array([[-1.0], [1.0]])
    turn = np.linalg.qr(np.random.default_rng(4).standard_normal((32, 32)))[0]
    covariance = turn @ np.diag(values) @ turn.T
    _kept, told = solve(Mixture(means, np.diag(values)[None], fractions, targets), 64, 0.1, 0, [1.0, 5.0], 6.0)
    np.testing.assert_allclose(told.means[:, 1, 0], [0.459025356650, 0.563275218233], atol=1e-12)
    np.testing.assert_allclose(told.covariances[:, 0, 0, 0], [0.262781150848, 0.472336805321], atol=1e-12)
    np.testing.assert_allclose(told.train, [0.297647056526, 0.2172893775], atol=1e-10)
    turned = Mixture(turn @ means, covariance[None], fractions, targets)
    each = turned._replace(covariances=np.stack([covariance] * 2))
    _, shared_by_all = solve(turned, 64, 0.1, 1, [1.0, 5.0], 6.0)
    _, of_each = solve(each, 64, 0.1, 1, [1.0, 5.0], 6.0)
    for name in ("means", "train", "size"):
        np.testing.assert_allclose(getattr(shared_by_all, name), getattr(of_each, name), rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(shared_by_all.covariances[:, 0], of_each.covariances[:, 1], rtol=1e-9)
    _, first = solve(turned, 64, 0.1, 0, [1.0, 5.0], 6.0)
    np.testing.assert_allclose(first.size, told.size, rtol=1e-11)


def test_drawn_data_with_unequal_covariances_a_start_and_a_bias():
    """The filter of 300 drawn tables, p = 20, n = 50: means, covariances, train and size, to O(1/p) and the error."""
    mixture, samples, start, times = three_classes(), 50, 0.3, [0.7, 3.0]
    _, told = solve(mixture, samples, start, 1, times, 8.0)
    p, rng, seen = 20, np.random.default_rng(0), {"means": [], "spread": [], "train": [], "size": []}
    roots = np.sqrt(mixture.covariances)
    for _ in range(300):
        classes = rng.permutation(np.repeat([0, 1, 2], [25, 15, 10]))
        inputs = mixture.means.T[classes] + np.einsum("nij,nj->ni", roots[classes], rng.standard_normal((50, p)))
        whole, targets = np.column_stack([inputs, np.ones(50)]), np.eye(3)[classes]
        begin = np.vstack([np.sqrt(start / p) * rng.standard_normal((p, 3)), np.zeros((1, 3))])
        values, vectors = np.linalg.eigh(whole.T @ whole / samples)
        values = np.maximum(values, 1e-15)
        right = vectors.T @ whole.T @ targets / samples
        rows = {name: [] for name in seen}
        for time in times:
            f = np.exp(-time * values)[:, None]
            w = vectors @ (f * (vectors.T @ begin) + (1 - f) / values[:, None] * right)
            rows["means"].append(mixture.means.T @ w[:p] + w[p])
            rows["spread"].append(np.einsum("iq,kij,js->kqs", w[:p], mixture.covariances, w[:p]))
            rows["train"].append(np.sum((targets - whole @ w) ** 2) / samples)
            rows["size"].append(np.sum(w[:p] ** 2))
        for name, values_of in rows.items():
            seen[name].append(values_of)
    theory = {"means": told.means, "spread": told.covariances, "train": told.train, "size": told.size}
    for name, value in theory.items():
        runs = np.array(seen[name])
        error = 4 * runs.std(axis=0) / np.sqrt(len(runs))
        # the limit leaves out a share of about one over the number of samples
        assert np.all(np.abs(runs.mean(axis=0) - value) < error + 1.5 / samples * np.max(np.abs(value))), name


def test_the_fixed_point_holds_on_every_node():
    mixture = Mixture(*(jnp.asarray(part) for part in three_classes()))
    z, _ = shared.contour(8.0, 50.0, NODES)
    _, blocks = mixture.blocks()
    delta, resolvent = jax.jit(resolvents)(blocks, mixture.fractions, 50.0, z)
    for j in range(NODES):
        total = sum(pi / (1 + d) * c for pi, d, c in zip(mixture.fractions, delta[j], mixture.covariances, strict=True))
        q = np.linalg.inv(np.asarray(total) - complex(z[j]) * np.eye(20))
        np.testing.assert_allclose(resolvent[j, 0], q, atol=1e-10 * np.abs(q).max())
        np.testing.assert_allclose(delta[j], np.einsum("kij,ji->k", mixture.covariances, q) / 50, rtol=1e-11)
    assert np.all(np.asarray(delta).imag > 0)


@pytest.mark.parametrize("entries", [1, 2, 4, 9])
def test_orthants_are_those_of_scipy(entries):
    rng = np.random.default_rng(entries)
    for _ in range(3):
        factor, mean = rng.standard_normal((entries, entries)), 1 + rng.standard_normal(entries)
        covariance = factor @ factor.T + 0.2 * np.eye(entries)
        truth = multivariate_normal(-mean, covariance, abseps=1e-6, releps=1e-6, maxpts=10**6).cdf(np.zeros(entries))
        assert float(orthant(jnp.asarray(mean), jnp.asarray(covariance))) == pytest.approx(truth, abs=3e-4)
    # nothing random, or a variance below 0 by rounding: the sign of the mean decides
    assert float(orthant(jnp.ones(entries), -1e-17 * jnp.eye(entries))) == pytest.approx(1.0)
    still = jnp.zeros((entries, entries))
    assert float(orthant(jnp.ones(entries), still)) == pytest.approx(1.0)
    assert float(orthant(-jnp.ones(entries), still)) == pytest.approx(0.0)


def test_elimination_is_that_of_numpy():
    rng = np.random.default_rng(0)
    symmetric = rng.standard_normal((40, 40))
    matrix = symmetric + symmetric.T - 1j * (np.eye(40) + 0.01 * symmetric @ symmetric.T)
    np.testing.assert_allclose(jax.jit(inverse)(jnp.asarray(matrix)), np.linalg.inv(matrix), atol=1e-12)
    left = np.eye(5) + 0.3 * rng.standard_normal((7, 2, 5, 5)) / 5
    right = rng.standard_normal((7, 2, 5, 3))
    np.testing.assert_allclose(solved(jnp.asarray(left), jnp.asarray(right)), np.linalg.solve(left, right), rtol=1e-12)
    covariance = symmetric[:6] @ symmetric[:6].T
    np.testing.assert_allclose(root(jnp.asarray(covariance)), np.linalg.cholesky(covariance), rtol=1e-12, atol=1e-14)
