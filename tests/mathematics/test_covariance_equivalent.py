"""Against the general matrix formula, the isotropic rule, drawn mixtures, and values of reference."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.mathematics import mixture_equivalent
from thalweg.mathematics.covariance_equivalent import contour, contour_nodes, largest_eigenvalue
from thalweg.mathematics.marchenko_pastur_law import closure_rule
from thalweg.mathematics.mixture_equivalent import Mixture, outputs


class Averages(NamedTuple):
    """Of one output: mean by class, variance in a class, mean square of what is missed, squared norm."""

    outputs: Any
    variance: Any
    residual: Any
    size: Any


@jax.jit
def kernels(spectrum, means, fractions, targets, samples, start, z, weights):
    """One covariance for all classes, diagonal; one output."""
    mixture = Mixture(means, jnp.diag(spectrum)[None], fractions, targets[:, None])
    return mixture_equivalent.kernels(mixture, samples, start, 0, z, weights)


@jax.jit
def average(found, f, g):
    seen = outputs(found, f, g)
    return Averages(seen.means[:, :, 0], seen.covariances[:, 0, 0, 0], seen.train, seen.size)


# Compilation is most of the time here, so all tests share one shape: three classes, 32 features, 64 nodes.
edge = jax.jit(largest_eigenvalue)
loop = jax.jit(contour, static_argnums=2)
NODES = 64


@pytest.fixture(autouse=True)
def _x64():
    with jax.enable_x64():
        yield


def flow(x, times):
    tau = jnp.asarray(times)[:, None]
    f = jnp.exp(-tau * x[None, :])
    return f, -jnp.expm1(-tau * x[None, :]) / x[None, :]


def solve(spectrum, means, fractions, targets, samples, start, times):
    """Kernels and averages."""
    arrays = [jnp.asarray(a, float) for a in (spectrum, means, fractions)]
    largest = float(edge(*arrays, float(samples)))
    assert contour_nodes(largest, max(times)) <= NODES
    z, weights = loop(largest, float(max(times)), NODES)
    found = kernels(*arrays, jnp.asarray(targets, float), float(samples), float(start), z, weights)
    f, g = flow(z, times)
    return found, average(found, f, g)


def three_classes(features=32):
    random = np.random.default_rng(0)
    means = 1.5 * random.standard_normal((features, 3)) / features**0.5
    return np.linspace(0.3, 2.0, features), means, np.array([0.5, 0.3, 0.2]), np.array([1.0, -0.5, 0.25])


def in_two(mean, fraction):
    """Two mirrored classes, the second cut in two equal ones."""
    signs = np.array([-1.0, 1.0, 1.0])
    return mean[:, None] * signs[None, :], signs, np.array([fraction, (1 - fraction) / 2, (1 - fraction) / 2])


def test_reference_mixture():
    """Shared covariance diag(linspace(.5, 1.5, 32)), n = 64."""
    means, signs, fractions = in_two(np.full(32, 0.2), 0.5)
    spectrum = np.linspace(0.5, 1.5, 32)
    found, told = solve(spectrum, means, fractions, signs, 64, 0.1, [1.0, 5.0])
    truth = [0.459025356650, 0.563275218233]
    np.testing.assert_allclose(told.outputs, np.outer(truth, signs), atol=1e-12)
    np.testing.assert_allclose(told.variance, [0.262781150848, 0.472336805321], atol=1e-12)
    np.testing.assert_allclose(told.residual, [0.297647056526, 0.2172893775], atol=1e-10)
    np.testing.assert_allclose(told.residual[0], 0.297647056526, atol=1e-12)
    assert float(found.defect) < 1e-10


@pytest.mark.parametrize("ratio", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("signal", [0.5, 3.0])
def test_isotropic_case_is_the_closure_rule(ratio, signal):
    """With C = I every average is one on MP or T; at ratio 1 the bulk touches 0, signal 3 has an outlier."""
    features, samples, times = 32, 32 / ratio, [0.3, 8.0]
    mean = np.random.default_rng(1).standard_normal(features)
    mean *= (signal / np.sum(mean**2)) ** 0.5
    means, signs, fractions = in_two(mean, 0.3)
    _, told = solve(np.ones(features), means, fractions, signs, samples, 0.2, times)
    x, bulk, weights = closure_rule(ratio, signal, 128)
    safe = jnp.where(x > 0, x, 1.0)
    f, g = flow(safe, times)
    f, g = jnp.where((x > 0)[None, :], f, 1.0), jnp.where((x > 0)[None, :], g, jnp.asarray(times)[:, None])
    size = (signal + ratio) * g**2 @ weights + 0.2 * f**2 @ bulk
    second = (signal + ratio) * (x[None, :] * g**2) @ weights + 0.2 * (x[None, :] * f**2) @ bulk
    np.testing.assert_allclose(told.outputs[:, 1], signal * g @ weights, rtol=1e-10)
    np.testing.assert_allclose(told.variance, size, rtol=1e-10)
    np.testing.assert_allclose(told.size, size, rtol=1e-10)
    np.testing.assert_allclose(told.residual, 1 - 2 * (signal + ratio) * g @ weights + second, atol=1e-10)


def by_matrices(spectrum, means, fractions, targets, samples, start, tau, nodes=24):
    """The formulas as written: p x p matrices, one delta a class, a full loop, every pair of nodes."""
    p, k = means.shape
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((p, p)))[0]
    c, m = turn @ np.diag(spectrum) @ turn.T, turn @ means
    d = np.diag(fractions**0.5)
    angle = (np.arange(2 * nodes) + 0.5) * np.pi / (2 * nodes)
    minor, top = 1.2 / tau**0.5, 8.0
    w = (top + minor**2) ** 0.5 * np.cos(angle) + 1j * minor * np.sin(angle)
    dw = -((top + minor**2) ** 0.5) * np.sin(angle) + 1j * minor * np.cos(angle)
    points, steps = w**2, w * dw / (2j * nodes)
    single, stored = 0, []
    for z, step in zip(points, steps, strict=True):
        delta = np.zeros(k, complex)
        for _ in range(4000):
            load = np.sum(fractions / (1 + delta)) * spectrum - z
            delta, last = 0.5 * delta + 0.5 * np.sum(spectrum / load) / samples, delta
            if np.max(np.abs(delta - last)) < 1e-15:
                break
        q = np.linalg.inv(np.sum(fractions / (1 + delta)) * c - z * np.eye(p))
        middle = d @ m.T @ q @ m @ d + np.diag(delta)
        r = np.linalg.solve(np.eye(k) + middle, d @ targets)
        f, g = np.exp(-tau * z), -np.expm1(-tau * z) / z
        fit = (d @ targets) @ middle @ r
        row = [*(g * m.T @ q @ m @ d @ r), 2 * g * fit - z * g**2 * fit - start * z * f**2 * np.trace(q) / p]
        single = single - step * np.array(row)
        stored.append((q, 1 / (1 + delta), r, f * step, g * step))
    double = np.zeros(2, complex)
    for q1, a1, r1, f1, g1 in stored:
        for q2, a2, r2, f2, g2 in stored:
            cq1, cq2 = c @ q1, c @ q2
            pair = np.full((k, k), np.sum(cq1 * cq2.T) / samples)
            for i, test in enumerate((c, np.eye(p))):
                t = np.full(k, np.sum(cq1 * (test @ q2).T) / samples)
                dd = np.linalg.solve(np.eye(k) - pair @ np.diag(fractions * a1 * a2), t)
                th = q1 @ test @ q2 + np.sum(fractions * a1 * a2 * dd) * q1 @ c @ q2
                inner = r1 @ (d @ m.T @ th @ m @ d + np.diag(dd)) @ r2
                double[i] += g1 * g2 * inner + start * f1 * f2 * np.trace(th) / p
    residual = np.sum(fractions * targets**2) - single[k].real
    return single[:k].real, double[0].real, residual, double[1].real


@pytest.mark.parametrize("samples", [16, 60])
def test_equals_the_general_matrix_formula(samples):
    spectrum, means, fractions, targets = three_classes()
    truth = by_matrices(spectrum, means, fractions, targets, samples, 0.3, 1.5)
    found, told = solve(spectrum, means, fractions, targets, samples, 0.3, [1.5])
    assert float(found.defect) < 1e-10
    for a, b in zip(told, truth, strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-8)


@pytest.mark.parametrize(("blow", "draws"), [(4, 300), (16, 40)])
def test_against_drawn_mixtures(blow, draws):
    """f(S) w_0 + g(S) b by eigendecomposition of drawn columns; averaged over w_0 exactly.

    The drawn problem repeats each eigenvalue `blow` times with means shrunk to match: the limit is the same,
    and is reached like 1/p (measured: -.17/p in the quadratic forms, less in the others).
    """
    start, times = 0.5, (0.5, 4.0)
    small, narrow, fractions, targets = three_classes()
    spectrum, means = np.repeat(small, blow), np.repeat(narrow, blow, axis=0) / blow**0.5
    features = spectrum.size
    counts = np.round(fractions * features * 2).astype(int)
    label, samples = np.repeat(np.arange(3), counts), counts.sum()
    y, random, seen = targets[label], np.random.default_rng(2), []
    for _ in range(draws):
        x = means[:, label] + spectrum[:, None] ** 0.5 * random.standard_normal((features, samples))
        values, vectors = np.linalg.eigh(x @ x.T / samples)
        b = vectors.T @ (x @ y / samples)
        test = np.sum(vectors**2 * spectrum[:, None], axis=0)
        for tau in times:
            f, g = np.exp(-tau * values), -np.expm1(-tau * values) / values
            w = vectors @ (g * b)
            scatter = start * np.array([f**2 @ test, f**2 @ values, np.sum(f**2)]) / features
            plain = np.array([w @ (spectrum * w), np.mean((y - x.T @ w) ** 2), w @ w])
            seen.append([*(means.T @ w), *(plain + scatter)])
    seen = np.array(seen).reshape(draws, len(times), 6)
    found, told = solve(small, narrow, counts / samples, targets, samples / blow, start, times)
    assert float(found.defect) < 1e-9
    told = np.concatenate([told.outputs, np.stack([told.variance, told.residual, told.size], axis=1)], axis=1)
    error = seen.std(axis=0, ddof=1) / draws**0.5
    assert np.all(np.abs(seen.mean(axis=0) - told) < 4 * error + 0.5 / features)


@pytest.mark.parametrize(("ratio", "signal"), [(0.5, 0.5), (0.5, 2.0), (2.0, 0.1), (2.0, 5.0)])
def test_largest_eigenvalue_of_isotropic_cases(ratio, signal):
    mean = np.full(32, (signal / 32) ** 0.5)
    means, _, fractions = in_two(mean, 0.5)
    told = edge(jnp.ones(32), jnp.asarray(means), jnp.asarray(fractions), 32 / ratio)
    spike = 1 + ratio + signal + ratio / signal
    assert float(told) == pytest.approx(spike if signal**2 > ratio else (1 + ratio**0.5) ** 2, rel=1e-12)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_largest_eigenvalue_of_drawn_mixtures(strength):
    small, narrow, fractions, _ = three_classes()
    spectrum, means = np.repeat(small, 10), strength * np.repeat(narrow, 10, axis=0) / 10**0.5
    label = np.repeat(np.arange(3), (fractions * 600).astype(int))
    random, seen = np.random.default_rng(4), []
    for _ in range(6):
        x = means[:, label] + spectrum[:, None] ** 0.5 * random.standard_normal((320, 600))
        seen.append(np.linalg.eigvalsh(x @ x.T / 600)[-1])
    told = edge(jnp.asarray(small), jnp.asarray(strength * narrow), jnp.asarray(fractions), 60.0)
    assert float(told) == pytest.approx(np.mean(seen), rel=0.025)


@pytest.mark.parametrize("horizon", [0.0, 0.01, 10.0])
@pytest.mark.parametrize("samples", [6.0, 24.0, 240.0])
def test_another_loop_changes_nothing(samples, horizon):
    """Also for a spectrum over four decades with an exact zero, and for powers at the limit of stability."""
    means, fractions, targets = (jnp.asarray(a) for a in three_classes()[1:])
    spectrum = jnp.asarray(np.append(0.0, np.geomspace(1e-3, 1.5, 31)))
    largest = float(edge(spectrum, means, fractions, samples))
    horizon = max(horizon, 2 / largest)
    assert contour_nodes(largest, horizon) <= NODES
    steps = np.round(np.geomspace(1, horizon * largest / 2, 5))[:, None]
    seen = []
    for wider, tighter in ((1.0, 1.0), (1.05, 0.7)):
        z, weights = loop(wider * largest, tighter * horizon, NODES)
        found = kernels(spectrum, means, fractions, targets, samples, 0.1, z, weights)
        f, g = flow(z, np.geomspace(horizon / 100, horizon, 5))
        power = (1 - 2 / largest * z[None, :]) ** steps
        told = average(found, jnp.concatenate([f, power]), jnp.concatenate([g, (1 - power) / z[None, :]]))
        assert float(found.defect) < 1e-9
        seen.append(told)
    for a, b in zip(*seen, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-10, atol=1e-10 * float(jnp.max(jnp.abs(b))))


def test_a_contour_through_the_spectrum_is_reported():
    spectrum, means, fractions, targets = (jnp.asarray(a) for a in three_classes())
    for largest in (1.0, 4.0):  # inside the bulk; between bulk and outlier
        z, weights = loop(largest, 20.0, NODES)
        assert float(kernels(spectrum, 2 * means, fractions, targets, 24.0, 0.1, z, weights).defect) > 1e-4


def everything(parameters):
    samples, start = parameters[0], parameters[1]
    spectrum, means, fractions, targets = (jnp.asarray(a) for a in three_classes())
    largest = edge(spectrum, means, fractions, samples)
    z, weights = loop(largest, 2.0, NODES)
    found = kernels(spectrum, means, fractions, targets, samples, start, z, weights)
    told = average(found, *flow(z, [2.0]))
    return jnp.concatenate([told.outputs[0], told.variance, told.residual, told.size, largest[None]])


def test_derivatives_and_mapping_over_scalars():
    """Both at once: the map over two points of a forward derivative in each scalar, against differences."""
    points, moves = jnp.array([[30.0, 0.3], [12.0, 0.1]]), jnp.array([[1.0, 0.0], [0.0, 1.0]])
    slopes = jax.jit(jax.vmap(lambda at, move: jax.jvp(everything, (at,), (move,))[1]))(points, moves)
    for at, move, slope in zip(points, moves, slopes, strict=True):
        truth = (everything(at + 1e-4 * move) - everything(at - 1e-4 * move)) / 2e-4
        np.testing.assert_allclose(slope, truth, rtol=1e-6, atol=1e-9)
