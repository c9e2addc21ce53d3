"""Against the general matrix formula, the isotropic rule, drawn mixtures, and the values of the card."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.mathematics.covariance_equivalent import (
    contour,
    contour_nodes,
    curves,
    largest_eigenvalue,
    overlap,
    shared_covariance,
)
from thalweg.mathematics.marchenko_pastur import closure_rule

kernels = jax.jit(shared_covariance)
average = jax.jit(curves)


@pytest.fixture(autouse=True)
def _x64():
    with jax.enable_x64():
        yield


def flow(x, times):
    tau = jnp.asarray(times)[:, None]
    f = jnp.exp(-tau * x[None, :])
    return f, -jnp.expm1(-tau * x[None, :]) / x[None, :]


def solve(spectrum, means, fractions, targets, samples, start, times, filters=flow):
    """Equivalent and curves, with the contour and the node count that a caller would take."""
    arrays = [jnp.asarray(a, float) for a in (spectrum, means, fractions)]
    largest = float(largest_eigenvalue(*arrays, samples))
    z, weights = contour(largest, max(times), contour_nodes(largest, max(times)))
    found = kernels(*arrays, jnp.asarray(targets, float), samples, start, z, weights)
    f, g = filters(z, times)
    return found, average(found, f, g), overlap(found, g, arrays[1][:, 0] - arrays[1][:, -1])


def three_classes(features, seed=0):
    random = np.random.default_rng(seed)
    means = 1.5 * random.standard_normal((features, 3)) / features**0.5
    return np.linspace(0.3, 2.0, features), means, np.array([0.5, 0.3, 0.2]), np.array([1.0, -0.5, 0.25])


def test_reference_mixture():
    """Card, section 5: shared covariance diag(linspace(.5, 1.5, 32)), n = 64."""
    means = 0.2 * np.stack([-np.ones(32), np.ones(32)], axis=1)
    found, told, along = solve(np.linspace(0.5, 1.5, 32), means, [0.5, 0.5], [-1, 1], 64, 0.1, [1.0, 5.0])
    truth = [0.459025356650, 0.563275218233]
    np.testing.assert_allclose(told.outputs, np.outer(truth, [-1, 1]), atol=1e-12)
    np.testing.assert_allclose(told.variance, [0.262781150848, 0.472336805321], atol=1e-12)
    np.testing.assert_allclose(told.residual, [0.297647056526, 0.2172893775], atol=1e-10)
    np.testing.assert_allclose(told.residual[0], 0.297647056526, atol=1e-12)
    np.testing.assert_allclose(along, told.outputs[:, 0] - told.outputs[:, 1], rtol=1e-12)
    assert float(found.defect) < 1e-10


@pytest.mark.parametrize("ratio", [0.4, 1.0, 2.0])
@pytest.mark.parametrize("signal", [0.5, 3.0])
def test_isotropic_case_is_the_closure_rule(ratio, signal):
    """With C = I every average is one on MP or T; at ratio 1 the bulk touches 0, signal 3 has an outlier."""
    samples, times = 20, [0.3, 4.0, 60.0]
    features = int(ratio * samples)
    mean = np.random.default_rng(1).standard_normal(features)
    mean *= (signal / np.sum(mean**2)) ** 0.5
    means = np.stack([-mean, mean], axis=1)
    _, told, _ = solve(np.ones(features), means, [0.3, 0.7], [-1, 1], samples, 0.2, times)
    x, bulk, weights = closure_rule(ratio, signal, 256)
    safe = jnp.where(x > 0, x, 1.0)
    f, g = flow(safe, times)
    f, g = jnp.where((x > 0)[None, :], f, 1.0), jnp.where((x > 0)[None, :], g, jnp.asarray(times)[:, None])
    size = (signal + ratio) * g**2 @ weights + 0.2 * f**2 @ bulk
    second = (signal + ratio) * (x[None, :] * g**2) @ weights + 0.2 * (x[None, :] * f**2) @ bulk
    np.testing.assert_allclose(told.outputs[:, 1], signal * g @ weights, rtol=1e-10)
    np.testing.assert_allclose(told.variance, size, rtol=1e-10)
    np.testing.assert_allclose(told.size, size, rtol=1e-10)
    np.testing.assert_allclose(told.residual, 1 - 2 * (signal + ratio) * g @ weights + second, atol=1e-10)


def by_matrices(spectrum, means, fractions, targets, samples, start, tau, nodes=48):
    """Card, section 2.8, as written: p x p matrices, one delta a class, a full loop, every pair of nodes."""
    p, k = means.shape
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((p, p)))[0]
    c, m = turn @ np.diag(spectrum) @ turn.T, turn @ means
    d = np.diag(fractions**0.5)
    angle = (np.arange(2 * nodes) + 0.5) * np.pi / (2 * nodes)
    minor, top = 1.2 / tau**0.5, 12.0
    w = (top + minor**2) ** 0.5 * np.cos(angle) + 1j * minor * np.sin(angle)
    dw = -((top + minor**2) ** 0.5) * np.sin(angle) + 1j * minor * np.cos(angle)
    points, steps = w**2, w * dw / (2j * nodes)
    single, stored = 0, []
    for z, step in zip(points, steps, strict=True):
        delta = np.zeros(k, complex)
        for _ in range(4000):
            q = np.linalg.inv(np.sum(fractions / (1 + delta)) * c - z * np.eye(p))
            delta, last = 0.5 * delta + 0.5 * np.trace(c @ q) / samples, delta
            if np.max(np.abs(delta - last)) < 1e-15:
                break
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
            cq = c @ q1 @ c @ q2
            pair = np.full((k, k), np.trace(cq) / samples)
            for i, test in enumerate((c, np.eye(p))):
                t = np.full(k, np.trace(c @ q1 @ test @ q2) / samples)
                dd = np.linalg.solve(np.eye(k) - pair @ np.diag(fractions * a1 * a2), t)
                th = q1 @ test @ q2 + np.sum(fractions * a1 * a2 * dd) * q1 @ c @ q2
                inner = r1 @ (d @ m.T @ th @ m @ d + np.diag(dd)) @ r2
                double[i] += g1 * g2 * inner + start * f1 * f2 * np.trace(th) / p
    residual = np.sum(fractions * targets**2) - single[k].real
    return single[:k].real, double[0].real, residual, double[1].real


@pytest.mark.parametrize("samples", [5, 12])
def test_equals_the_general_matrix_formula(samples):
    spectrum, means, fractions, targets = three_classes(6)
    truth = by_matrices(spectrum, means, fractions, targets, samples, 0.3, 1.5, nodes=24)
    found, told, _ = solve(spectrum, means, fractions, targets, samples, 0.3, [1.5])
    assert float(found.defect) < 1e-10
    for a, b in zip(told, truth, strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-8)


@pytest.mark.parametrize("samples", [100, 400])
def test_against_drawn_mixtures(samples):
    """f(S) w_0 + g(S) b by eigendecomposition of drawn columns; averaged over w_0 exactly."""
    features, start, times, draws = 200, 0.5, (0.5, 4.0), 24
    spectrum, means, fractions, targets = three_classes(features)
    counts = np.round(fractions * samples).astype(int)
    label = np.repeat(np.arange(3), counts)
    y, random, seen = targets[label], np.random.default_rng(2), []
    for _ in range(draws):
        x = means[:, label] + spectrum[:, None] ** 0.5 * random.standard_normal((features, samples))
        values, vectors = np.linalg.eigh(x @ x.T / samples)
        values = np.maximum(values, 1e-14)
        b = vectors.T @ (x @ y / samples)
        test = np.sum(vectors**2 * spectrum[:, None], axis=0)
        rows = []
        for tau in times:
            f, g = np.exp(-tau * values), -np.expm1(-tau * values) / values
            w = vectors @ (g * b)
            scatter = start * np.array([f**2 @ test, f**2 @ values, np.sum(f**2)]) / features
            fit = np.mean((y - x.T @ w) ** 2)
            rows.append([*(means.T @ w), w @ (spectrum * w), fit, w @ w, *scatter])
        seen.append(rows)
    seen = np.array(seen)
    seen = np.concatenate([seen[..., :3], seen[..., 3:6] + seen[..., 6:]], axis=-1)
    found, told, _ = solve(spectrum, means, fractions, targets, samples, start, times)
    assert float(found.defect) < 1e-9
    told = np.concatenate([told.outputs, np.stack([told.variance, told.residual, told.size], axis=1)], axis=1)
    # order of the columns in `seen`: outputs, w C w, residual, w w, to which the scatter of w_0 was added
    error = seen.std(axis=0, ddof=1) / draws**0.5
    assert np.all(np.abs(seen.mean(axis=0) - told) < 4 * error + 2.0 / features * np.abs(told))


def test_largest_eigenvalue_of_isotropic_cases():
    for ratio, signal in [(0.5, 0.5), (0.5, 2.0), (2.0, 0.1), (2.0, 5.0)]:
        samples = 40
        features = int(ratio * samples)
        mean = np.full(features, (signal / features) ** 0.5)
        means = jnp.asarray(np.stack([-mean, mean], axis=1))
        told = largest_eigenvalue(jnp.ones(features), means, jnp.array([0.5, 0.5]), samples)
        spike = 1 + ratio + signal + ratio / signal
        truth = spike if signal**2 > ratio else (1 + ratio**0.5) ** 2
        assert float(told) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_largest_eigenvalue_of_drawn_mixtures(strength):
    features, samples = 300, 600
    spectrum, means, fractions, _ = three_classes(features)
    means = strength * means
    label = np.repeat(np.arange(3), (fractions * samples).astype(int))
    random, seen = np.random.default_rng(4), []
    for _ in range(6):
        x = means[:, label] + spectrum[:, None] ** 0.5 * random.standard_normal((features, samples))
        seen.append(np.linalg.eigvalsh(x @ x.T / samples)[-1])
    told = largest_eigenvalue(jnp.asarray(spectrum), jnp.asarray(means), jnp.asarray(fractions), samples)
    assert float(told) == pytest.approx(np.mean(seen), rel=0.025)


@pytest.mark.parametrize("horizon", [0.0, 0.01, 10.0, 1000.0])
@pytest.mark.parametrize("samples", [6, 24, 240])
def test_twice_the_nodes_change_nothing(samples, horizon):
    """Also for a spectrum over four decades with an exact zero, and for powers at the limit of stability."""
    means, fractions, targets = (jnp.asarray(a) for a in three_classes(24)[1:])
    spectrum = jnp.asarray(np.append(0.0, np.geomspace(1e-3, 3.0, 23)))
    largest = float(largest_eigenvalue(spectrum, means, fractions, samples))
    nodes = min(contour_nodes(largest, horizon), 512)
    steps = np.unique(np.round(np.geomspace(1, max(1.0, horizon * largest / 2), 5)))[:, None]
    seen = []
    for many in (nodes, 2 * nodes):
        z, weights = contour(largest, max(horizon, 2 / largest), many)
        found = kernels(spectrum, means, fractions, targets, samples, 0.1, z, weights)
        f, g = flow(z, np.geomspace(max(horizon, 1e-3) / 100, max(horizon, 1e-3), 5))
        power = (1 - 2 / largest * z[None, :]) ** steps
        told = average(found, jnp.concatenate([f, power]), jnp.concatenate([g, (1 - power) / z[None, :]]))
        assert float(found.defect) < 1e-9
        seen.append(told)
    for a, b in zip(*seen, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-10 * float(jnp.max(jnp.abs(b))))


def test_a_contour_through_the_spectrum_is_reported():
    spectrum, means, fractions, targets = (jnp.asarray(a) for a in three_classes(24))
    for largest in (1.0, 4.0):  # inside the bulk; between bulk and outlier
        z, weights = contour(largest, 50.0, 128)
        assert float(kernels(spectrum, 2 * means, fractions, targets, 24, 0.1, z, weights).defect) > 1e-4


def mean_square(samples, start):
    spectrum, means, fractions, targets = (jnp.asarray(a) for a in three_classes(12))
    largest = largest_eigenvalue(spectrum, means, fractions, samples)
    z, weights = contour(largest, 2.0, 32)
    found = shared_covariance(spectrum, means, fractions, targets, samples, start, z, weights)
    told = curves(found, *flow(z, [2.0]))
    return jnp.concatenate([told.outputs[0], told.variance, told.residual, told.size, largest[None]])


def test_derivatives_and_mapping_over_scalars():
    there, step = (15.0, 0.3), 1e-4
    call = jax.jit(mean_square)
    told = jax.jit(jax.jacfwd(mean_square, argnums=(0, 1)))(*there)
    for i, slope in enumerate(told):
        up, down = ([a + sign * step * (j == i) for j, a in enumerate(there)] for sign in (1, -1))
        np.testing.assert_allclose(slope, (call(*up) - call(*down)) / (2 * step), rtol=1e-6, atol=1e-9)
    many = jax.jit(jax.vmap(mean_square))(jnp.array([6.0, 15.0]), jnp.array([0.1, 0.3]))
    np.testing.assert_allclose(many[1], call(*there), rtol=1e-10)
