"""Averages of linear least squares: card values, closed forms, and real random matrices."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.mathematics.covariance_equivalent import contour, largest_eigenvalue
from thalweg.mathematics.lens_contour import MOST, loop, loop_nodes
from thalweg.mathematics.linear_equivalent import LinearLaw, linear_averages, linear_kernels
from thalweg.mathematics.static_ridge import best_ridge, effective_ridge, ridge_excess

SPREAD = np.linspace(0.1, 2.0, 64)


def law_of(values, counts=None, signal=None, noise=0.25):
    values = jnp.asarray(values)
    counts = jnp.ones_like(values) if counts is None else jnp.asarray(counts)
    signal = counts / jnp.sum(counts) if signal is None else jnp.asarray(signal)
    return LinearLaw(values, counts, signal, signal[:, None], noise)


@partial(jax.jit, static_argnums=5)
def _averages(law, samples, start, filters, minor, nodes):
    largest = largest_eigenvalue(law.values, jnp.zeros((law.values.size, 1)), jnp.ones(1), samples, law.counts)
    z, weights = contour(largest, (1.2 / minor) ** 2, nodes)
    kernels = linear_kernels(law, samples, start, z, weights)
    return linear_averages(kernels, z, *filters(z)), kernels.defect


def averages(law, samples, start, filters, horizon, nodes=64, minor=None):
    found, defect = _averages(law, samples, start, filters, 1.2 / horizon**0.5 if minor is None else minor, nodes)
    assert float(defect) < 1e-9
    return found


class Flow(eqx.Module):
    times: Any

    def __call__(self, z):
        at = self.times[:, None]
        return jnp.exp(-at * z[None, :]), -jnp.expm1(-at * z[None, :]) / z[None, :]


class Ridge(eqx.Module):
    lam: Any

    def __call__(self, z):
        return 0 * z[None, :], 1 / (z[None, :] + self.lam)


def flow(*times):
    return Flow(jnp.asarray(times))


def test_the_card_with_uneven_eigenvalues():
    found = averages(law_of(SPREAD), 96, 0.1, flow(0.5, 2.0), 2.0)
    np.testing.assert_allclose(found.excess, [0.4872857590, 0.2632398334], rtol=2e-10)
    np.testing.assert_allclose(found.residual, [0.4184551013, 0.1640697190], rtol=3e-10)


def test_equal_eigenvalues_are_one_atom():
    """Whether atoms are told once with a count or one by one, zero eigenvalues included."""
    once = averages(law_of([0.5, 2.0, 0.0], [3.0, 5.0, 2.0]), 12, 0.3, flow(0.0, 1.5), 1.5)
    each = averages(law_of([0.5] * 3 + [2.0] * 5 + [0.0] * 2), 12, 0.3, flow(0.0, 1.5), 1.5)
    for name, value in once._asdict().items():
        np.testing.assert_allclose(value, getattr(each, name), rtol=1e-11, atol=1e-14, err_msg=name)


class Steps(eqx.Module):
    rate: Any
    counts: Any

    def __call__(self, z):
        f = jnp.exp(self.counts[:, None] * jnp.log(1 - self.rate * z[None, :]))
        return f, (1 - f) / z[None, :]


@pytest.mark.parametrize("samples", [40, 64, 200])
def test_the_lens_gives_what_the_thin_loop_gives(samples):
    """Flow, and descent just below its edge, over five decades of time; the thin loop with its own 1024 nodes."""
    law = law_of([0.02, 0.5, 1.5], [24.0, 20.0, 20.0])
    horizon, spread = 6e3, jnp.asarray([0.0, 0.3, 3.0, 40.0, 900.0, 6e3])
    largest = largest_eigenvalue(law.values, jnp.zeros((3, 1)), jnp.ones(1), samples, law.counts)
    nodes = loop_nodes(float(largest), horizon, memory=False)
    assert nodes == 2 * MOST
    for filters in (Flow(spread), Steps(1.95 / largest, jnp.round(spread * largest / 2))):
        found = []
        for z, weights in (loop(largest, horizon, nodes, False), contour(largest, horizon, 1024)):
            kernels = linear_kernels(law, samples, 0.1, z, weights)
            assert float(kernels.defect) < 1e-9
            found.append(linear_averages(kernels, z, *filters(z)))
        for name, value in found[0]._asdict().items():
            np.testing.assert_allclose(value, getattr(found[1], name), rtol=1e-9, atol=1e-10, err_msg=name)


def test_nodes_grow_as_the_logarithm_of_time_without_momentum():
    assert loop_nodes(4.0, 1e12, memory=False) <= 4 * MOST
    assert loop_nodes(4.0, 1e3, memory=True) == 512
    with pytest.raises(ValueError, match="allowed are 4096"):
        loop_nodes(4.0, 1e6, memory=True)


def test_static_ridge_closed_form_is_the_contour():
    """f = 0, g = 1/(z + lam) with the pole outside the loop: excess, residual (lam/kappa)^2 (excess + s)."""
    law, samples, lam = law_of(SPREAD), 96, 0.3
    seen = averages(law, samples, 0.1, Ridge(lam), 1.0, nodes=256, minor=(0.5 * lam) ** 0.5)
    closed = float(ridge_excess(law, samples, jnp.asarray([lam]))[0])
    kappa = float(effective_ridge(law, samples, jnp.asarray([lam]))[0])
    assert float(seen.excess[0]) == pytest.approx(closed, rel=1e-11)
    assert float(seen.residual[0]) == pytest.approx((lam / kappa) ** 2 * (closed + law.noise), rel=1e-11)


def test_ridge_of_isotropic_inputs():
    law = law_of([1.0], [100.0])
    assert float(ridge_excess(law, 200, jnp.asarray([0.125]))[0]) == pytest.approx(0.1753905297, rel=1e-9)
    # kappa by its quadratic equation: kappa^2 + kappa (1 - c - lam...) with c = p/n
    for c, lam in ((0.5, 0.2), (1.0, 1e-6), (2.0, 0.01)):
        kappa = float(effective_ridge(law, 100 / c, jnp.asarray([lam]))[0])
        half = 0.5 * (lam + c - 1)
        assert kappa == pytest.approx(half + (half**2 + lam) ** 0.5, rel=1e-9)


@pytest.mark.parametrize("noise", [0.25, 1.0])
def test_best_ridge_is_noise_over_signal(noise):
    """s c/r2 for a teacher that prefers no direction, whatever the spectrum."""
    for law, samples in ((law_of([1.0], [100.0], noise=noise), 200), (law_of(SPREAD, noise=noise), 96)):
        wanted = noise * float(jnp.sum(law.counts)) / samples
        assert float(best_ridge(law, samples)) == pytest.approx(wanted, rel=1e-7)


def test_no_best_ridge_without_noise_or_signal():
    assert np.isnan(best_ridge(law_of([1.0], [100.0], noise=0.0), 200))
    assert np.isnan(best_ridge(law_of([1.0], [100.0], signal=[0.0]), 200))


def test_real_random_matrices():
    """Means over 300 draws, two-block spectrum with uneven signal, c = 2; all averages within four standard errors."""
    rng, n, time, start, noise = np.random.default_rng(0), 40, 1.5, 0.4, 0.3
    values = np.repeat([0.3, 1.7], 40)
    beta = np.where(values > 1, 0.05, 0.2)
    rows = []
    for _ in range(300):
        x = rng.normal(size=(n, 80)) * np.sqrt(values)
        x_values, vectors = np.linalg.eigh(x.T @ x / n)
        x_values = np.maximum(x_values, 1e-14)
        y = x @ beta + noise**0.5 * rng.normal(size=n)
        begin = (start / 80) ** 0.5 * rng.normal(size=80)
        f, g = np.exp(-time * x_values), -np.expm1(-time * x_values) / x_values
        w = vectors @ (f * (vectors.T @ begin) + g * (vectors.T @ (x.T @ y / n)))
        rows.append([(w - beta) ** 2 @ values, np.mean((y - x @ w) ** 2), w @ w, w @ beta])
    law = LinearLaw(
        jnp.asarray([0.3, 1.7]),
        jnp.asarray([40.0, 40.0]),
        jnp.asarray([1.6, 0.1]),
        jnp.asarray([[1.6], [0.1]]),
        noise,
    )
    told = averages(law, n, start, flow(time), time)
    wanted = [told.excess[0], told.residual[0], told.size[0], told.aims[0, 0]]
    mean, error = np.mean(rows, axis=0), np.std(rows, axis=0) / 300**0.5
    # four errors, and a bias of order 1/n
    assert np.all(np.abs(mean - np.asarray(wanted)) < 4 * error + 0.3 / n * mean), (mean, wanted, error)


def test_derivatives_go_through():
    def last(noise):
        return averages(law_of(SPREAD, noise=noise), 96, 0.1, flow(0.5, 2.0), 2.0).excess[1]

    slope = jax.jacfwd(lambda s: ridge_excess(law_of(SPREAD, noise=s), 96, jnp.asarray([0.3]))[0])(0.25)
    low, high = (ridge_excess(law_of(SPREAD, noise=s), 96, jnp.asarray([0.3]))[0] for s in (0.25, 1.25))
    assert float(slope) == pytest.approx(float(high - low), rel=1e-9)
    assert float(last(0.35) - last(0.25)) == pytest.approx(0.1 * float(last(1.25) - last(0.25)), rel=1e-8)
