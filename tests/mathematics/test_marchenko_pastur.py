"""Against contour integrals, eigenvalues of random matrices, closed forms, and the values of the card."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ive
from scipy.stats import norm

from thalweg.mathematics.marchenko_pastur_law import (
    TRACY_WIDOM_MEAN,
    TRACY_WIDOM_VARIANCE,
    closure_rule,
    edge_fluctuation,
    edge_shift,
    edges,
    has_outlier,
    largest_eigenvalue,
    nodes_needed,
    outlier,
)

# Compiled once for each number of nodes.
closed = jax.jit(closure_rule, static_argnums=2)

RATIOS = st.floats(0.02, 20.0)
PULLS = st.one_of(st.floats(0.0, 3.0), st.sampled_from([0.0, 1e-9, 0.999, 1.0, 1.001]))  # rho / sqrt(c)


@pytest.fixture(autouse=True)
def _x64():
    with jax.enable_x64():
        yield


# Filters f(x) and g(x) = (1 - f(x)) / (x + decay), one row per time: NumPy functions of real or complex x.


def flow(times, decay=0.0):
    def filters(x):
        u, tau = np.asarray(x)[None, :] + decay, np.asarray(times, float)[:, None]
        near = np.where(u == 0, 1, u)
        return np.exp(-tau * u), np.where(u == 0, tau, -np.expm1(-tau * u) / near)

    return filters


def descent(rate, steps):
    def filters(x):
        x, k = np.asarray(x)[None, :], np.asarray(steps)[:, None]
        f = (1 - rate * x) ** k
        return f, np.where(x == 0, rate * k, (1 - f) / np.where(x == 0, 1, x))

    return filters


def momentum(rate, beta, steps, nesterov):
    def filters(x):
        x = np.asarray(x)
        past, now, g_past, g = np.ones_like(x), 1 - rate * x, np.zeros_like(x), np.full_like(x, rate)
        for _ in range(steps - 1):
            if nesterov:
                nxt = (1 - rate * x) * ((1 + beta) * now - beta * past)
                g_nxt = (1 - rate * x) * ((1 + beta) * g - beta * g_past) + rate
            else:
                nxt = (1 + beta - rate * x) * now - beta * past
                g_nxt = (1 + beta - rate * x) * g - beta * g_past + rate
            past, now, g_past, g = now, nxt, g, g_nxt
        return now[None, :], g[None, :]

    return filters


def averages(rule, ratio, signal, start, filters):
    """Columns E, V, E*, M* of the card, section 2.2."""
    x, bulk, weights = (np.asarray(a) for a in rule)
    f, g = filters(x)
    return np.stack(
        [
            signal * g @ weights,
            (signal + ratio) * g**2 @ weights + start * f**2 @ bulk,
            (signal + ratio) * g @ weights,
            (signal + ratio) * (x * g**2) @ weights + start * (x * f**2) @ bulk,
        ],
        axis=1,
    )


def by_contour(ratio, signal, start, filters, horizon, nodes=1000):
    """The same by the contour form of section 2.2, on a loop z = w^2 around [0, largest eigenvalue]."""
    low, high = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2
    largest = 1 + ratio + signal + ratio / signal if signal**2 > ratio else high
    minor = 1.2 / horizon**0.5
    angle = (np.arange(nodes) + 0.5) * np.pi / nodes
    w = (largest + minor**2) ** 0.5 * np.cos(angle) + 1j * minor * np.sin(angle)
    dw = -((largest + minor**2) ** 0.5) * np.sin(angle) + 1j * minor * np.cos(angle)
    z, weight = w**2, w * dw / (1j * nodes)
    m = (1 - ratio - z + np.sqrt(z - low) * np.sqrt(z - high)) / (2 * ratio * z)
    dn = 1 + (signal + ratio) * m
    f, g = filters(z)
    return np.stack(
        [
            (-signal * g @ (weight * m / dn)).real,
            (g**2 @ (weight / dn) - start * f**2 @ (weight * m)).real,
            (g @ (weight / dn)).real,
            (g**2 @ (weight * z / dn) - start * f**2 @ (weight * z * m)).real,
        ],
        axis=1,
    )


def by_long_contour(ratio, signal, start, filters, horizon, nodes=420):
    """`by_contour` for one filter, in 30 digits: on the loop g^2 grows like horizon^2, float64 is short."""
    with mpmath.workdps(30):
        c, rho = mpmath.mpf(ratio), mpmath.mpf(signal)
        low, high = (1 - mpmath.sqrt(c)) ** 2, (1 + mpmath.sqrt(c)) ** 2
        minor = mpmath.mpf(1.2) / mpmath.sqrt(horizon)
        major = mpmath.sqrt((1 + c + rho + c / rho if rho**2 > c else high) + minor**2)
        total = [mpmath.mpf(0)] * 4
        for j in range(nodes):
            angle = (j + mpmath.mpf(0.5)) * mpmath.pi / (2 * nodes)
            cos, sin = mpmath.cos(angle), mpmath.sin(angle)
            w = mpmath.mpc(major * cos, minor * sin)
            z, weight = w**2, w * mpmath.mpc(-major * sin, minor * cos) / (1j * nodes)
            m = (1 - c - z + mpmath.sqrt(z - low) * mpmath.sqrt(z - high)) / (2 * c * z)
            dn = 1 + (rho + c) * m
            f = filters(z)
            g = (1 - f) / z
            size = g**2 / dn - start * f**2 * m
            terms = -rho * g * m / dn, size, g / dn, z * size
            total = [a + (weight * b).real for a, b in zip(total, terms, strict=True)]
        return np.array([float(a) for a in total])


@pytest.mark.parametrize("ratio", [0.1, 0.79, 1.0, 1.25, 20.0])
@pytest.mark.parametrize("pull", [0.3, 0.999, 1.0, 1.001, 2.0])
@pytest.mark.parametrize("horizon", [1.0, 30.0])
def test_rule_equals_contour_integral(ratio, pull, horizon):
    signal = pull * ratio**0.5
    times = np.geomspace(0.01, horizon, 12)
    for slowest in (0.0, (1 - ratio**0.5) ** 2):
        rule = closed(ratio, signal, nodes_needed(ratio, horizon, slowest))
        told = averages(rule, ratio, signal, 0.1, flow(times))
        truth = by_contour(ratio, signal, 0.1, flow(times), horizon)
        np.testing.assert_allclose(told, truth, rtol=1e-10)


@pytest.mark.parametrize(("ratio", "signal"), [(0.79, 0.5), (1.0, 0.99), (0.5, 0.7078), (2.0, 3.0)])
def test_rule_at_long_horizon(ratio, signal):
    horizon = 1000.0
    truth = by_long_contour(ratio, signal, 0.1, lambda z: mpmath.exp(-horizon * z), horizon)
    for slowest in (0.0, (1 - ratio**0.5) ** 2):
        rule = closed(ratio, signal, nodes_needed(ratio, horizon, slowest))
        np.testing.assert_allclose(averages(rule, ratio, signal, 0.1, flow([horizon]))[0], truth, rtol=1e-10)


@pytest.mark.parametrize(
    ("ratio", "pull"), [(0.01, 0.8), (0.5, 0.05), (0.5, 0.999), (1.0, 0.9), (5.0, 0.8), (5.0, 1.3)]
)
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_powers_near_the_limit_of_stability(ratio, pull, share):
    """The upper edge is then as slow as the lower one at c = 1: the cap of the exponential would not do."""
    signal, steps = pull * ratio**0.5, 400
    low, high = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2
    rate = 2 * share / (1 + ratio + signal + ratio / signal if pull > 1 else high)
    slowest = max(0.0, min(-np.log(max(abs(1 - rate * e), 1e-300)) / rate for e in (low, high)))
    truth = by_long_contour(ratio, signal, 0.1, lambda z: (1 - mpmath.mpf(rate) * z) ** steps, rate * steps)
    for bound in (0.0, slowest):
        rule = closed(ratio, signal, nodes_needed(ratio, rate * steps, bound))
        told = averages(rule, ratio, signal, 0.1, descent(rate, [steps]))[0]
        np.testing.assert_allclose(told, truth, rtol=1e-10)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("ratio", [0.5, 1.0])
def test_rules_with_memory(ratio, nesterov):
    rate, beta, steps = 0.3, 0.9, 40
    horizon = rate * steps / (1 - beta)
    rule = closed(ratio, 0.9, nodes_needed(ratio, horizon))
    filters = momentum(rate, beta, steps, nesterov)
    truth = by_contour(ratio, 0.9, 0.1, filters, horizon)
    np.testing.assert_allclose(averages(rule, ratio, 0.9, 0.1, filters), truth, rtol=1e-9)


@given(ratio=RATIOS, pull=PULLS, nodes=st.sampled_from([8, 32]))
def test_masses_and_moments(ratio, pull, nodes):
    signal = pull * ratio**0.5
    rule = closed(ratio, signal, nodes)
    x, bulk, weights = (np.asarray(a) for a in rule)
    assert np.all(bulk >= 0)
    assert np.all(weights >= 0)
    mean = 1 + signal + ratio
    np.testing.assert_allclose([bulk.sum(), bulk @ x], 1, rtol=1e-12)
    np.testing.assert_allclose(bulk @ (x - 1) ** 2, ratio, rtol=1e-11)
    np.testing.assert_allclose([weights.sum(), weights @ x / mean], 1, rtol=1e-12)
    np.testing.assert_allclose(weights @ (x - mean) ** 2, ratio, rtol=1e-9)
    third = weights @ (x - mean) ** 3
    np.testing.assert_allclose(third, -signal * ratio, rtol=1e-9, atol=1e-9 * ratio * (1 + ratio))


@given(ratio=RATIOS, pull=PULLS)
def test_mass_of_the_atoms(ratio, pull):
    rule = closed(ratio, pull * ratio**0.5, 4096)
    away = min(abs(np.log(ratio)), abs(np.log(max(pull, 1e-12))))
    atol = 1e-10 if away > 0.02 else 1e-3  # the rule's own share of an atom at the transition is 1 / (N + 1)
    np.testing.assert_allclose(float(rule.bulk[-2]), max(0.0, 1 - 1 / ratio), atol=atol)
    np.testing.assert_allclose(float(rule.signal[-1]), max(0.0, 1 - 1 / max(pull, 1e-9) ** 2), atol=atol)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0, 3.0])
def test_bessel_identity(ratio):
    """<x exp(-2 tau x)>_MP = exp(-2 tau (1+c)) I_1(4 sqrt(c) tau) / (2 sqrt(c) tau)."""
    tau, root = np.geomspace(0.01, 20, 9), ratio**0.5
    rule = closed(ratio, 1.0, 256)
    told = np.exp(-2 * tau[:, None] * np.asarray(rule.points)[None, :]) @ np.asarray(rule.points * rule.bulk)
    truth = np.exp(-2 * tau * (1 - root) ** 2) * ive(1, 4 * root * tau) / (2 * root * tau)
    np.testing.assert_allclose(told, truth, rtol=1e-11)


@pytest.mark.parametrize("ratio", [0.5, 2.0])
@pytest.mark.parametrize("signal", [0.5, 4.0])
def test_limit_of_long_times(ratio, signal):
    """Card, section 2.3."""
    rule = closed(ratio, signal, 256)
    told = averages(rule, ratio, signal, 0.1, flow([1e4]))[0]
    if ratio < 1:
        fit = (signal + ratio) / (1 + signal)
        truth = signal / (1 + signal), (signal + ratio) / ((1 - ratio) * (1 + signal) ** 2), fit, fit
    else:
        size = ratio / ((signal + ratio) * (ratio - 1)) + 0.1 * (1 - 1 / ratio)
        truth = signal / (signal + ratio), size, 1, 1
    np.testing.assert_allclose(told, truth, rtol=1e-11)


# rho, c, sigma2, tau, gamma; E, V, test accuracy, train accuracy, test error, train error
TABLE = """
1 .5 .1 .5 0 .29020557724 .17505416743 .75603868426 .88641619618 .67886229000 .44879936297
1 .5 .1 10 0 .49414242653 .65389557448 .72942663177 .95764432957 .90978745912 .25182148210
4 .5 0 1 0 .75167426113 .17813917192 .96253910005 .99540241217 .23980484451 .12923013642
1 1 .1 5 0 .43608333142 .73582349820 .69440418328 .99931135259 1.0538255073 .090655374107
1 2 .1 2 0 .30902572736 .46578540165 .67465184722 .99999999979 .94323084711 .027323025861
.25 .1 .1 4 0 .19635186392 .23554878631 .65710350713 .73336238967 .88139911294 .72046474591
2 1 .1 5 .1 .58150587754 .44110672786 .80936336252 .99988996522 .61624405839 .072050688790
"""
RULES = [  # rho, c, sigma2, filters, and the same six columns
    (1, 0.5, 0.1, descent(0.3, [1]), "0.3 0.1885 0.7552109953 0.8626304103 0.6785 0.47225"),
    (
        *(1, 0.5, 0.1, descent(0.3, [100])),
        "0.4997218577 0.7430759165 0.7189453332 0.9583623666 0.9933541361 0.2500132908",
    ),
    (
        *(1, 0.5, 0.1, momentum(0.2, 0.8, 10, nesterov=False)),
        "0.5303247686 0.8080210642 0.7223949109 0.9432964773 1.0286158872 0.2943303974",
    ),
    (
        *(2, 0.5, 0.1, momentum(0.1, 0.6, 25, nesterov=True)),
        "0.6572997458 0.4487284924 0.8367607920 0.9862884598 0.5661719566 0.1706069304",
    ),
    (
        *(2, 0.5, 0.0, lambda x: (0 * x[None, :], 1 / (x[None, :] + 0.5))),
        "0.5395042868 0.2195914906 0.8751948411 0.9790858167 0.4316477925 0.2158238963",
    ),
]


def six_columns(ratio, signal, start, filters, nodes=64):
    e, v, fit, size = averages(closed(ratio, signal, nodes), ratio, signal, start, filters)[0]
    accuracies = norm.cdf(e / v**0.5), norm.cdf(fit / (size - fit**2) ** 0.5)
    return np.array([e, v, *accuracies, 1 - 2 * e + e**2 + v, 1 - 2 * fit + size])


@pytest.mark.parametrize("row", TABLE.split("\n")[1:-1])
def test_reference_table(row):
    signal, ratio, start, tau, decay, *truth = [float(word) for word in row.split()]
    np.testing.assert_allclose(six_columns(ratio, signal, start, flow([tau], decay)), truth, rtol=1e-10)


@pytest.mark.parametrize("row", RULES)
def test_reference_rules(row):
    signal, ratio, start, filters, text = row
    truth = [float(word) for word in text.split()]
    np.testing.assert_allclose(six_columns(ratio, signal, start, filters), truth, rtol=3e-10)


def test_reference_flips():
    """Card, section 2.6, with its reference: rho = 2, c = .5, sigma2 = .3, tau = 3, eps = .15."""
    signal, ratio, start, flipped = 2.0, 0.5, 0.3, 0.15
    x, bulk, weights = (np.asarray(a) for a in closed(ratio, signal, 64))
    f, g = (a[0] for a in flow([3.0])(x))
    k, r = 1 - 2 * flipped, 4 * flipped * (1 - flipped)
    e, clean = k * signal * (g @ weights), k * (signal + ratio) * (g @ weights)
    v = k**2 * (signal + ratio) * (g**2 @ weights) + r * ratio * ((x * g**2) @ bulk) + start * (f**2 @ bulk)
    fit = k * clean + r * ratio * ((x * g) @ bulk)
    size = k**2 * (signal + ratio) * ((x * g**2) @ weights)
    size += (r * ratio * x**2 * g**2 + start * x * f**2) @ bulk
    b = (fit - k * clean) / (1 - k**2)
    a = clean - k * b
    spread = (size - (1 - flipped) * (a + b) ** 2 - flipped * (b - a) ** 2) ** 0.5
    told = [e, v, norm.cdf(e / v**0.5), 1 - 2 * e + e**2 + v, 1 - 2 * fit + size]
    told += [norm.cdf((a + b) / spread), norm.cdf((b - a) / spread)]
    truth = [0.4479477572, 0.4219277580, 0.7547826422, 0.7266894368, 0.3683470843, 0.9506177381, 0.6295843678]
    np.testing.assert_allclose(told, truth, rtol=3e-10)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("pull", [0.6, 1.0, 1.8])
def test_against_random_matrices(ratio, pull):
    """Eigenvalues and overlaps of X X^T / n with a rank-one part, as they are drawn."""
    signal, samples, draws = pull * ratio**0.5, 240, 12
    features = int(ratio * samples)
    random = np.random.default_rng(7)
    signs = np.where(np.arange(samples) % 2, 1.0, -1.0)
    seen = []
    for _ in range(draws):
        x = random.standard_normal((features, samples))
        x[0] += signal**0.5 * signs
        values, vectors = np.linalg.eigh(x @ x.T / samples)
        along = vectors.T @ (x @ signs / samples)
        (f,), (g,) = flow([2.0])(values)
        quadratic = along @ (g * along), along @ (g**2 * along)
        seen.append([np.mean(f**2), np.mean(values * f**2), *quadratic, values[-1]])
    seen = np.array(seen)
    x, bulk, weights = (np.asarray(a) for a in closed(ratio, signal, 64))
    (f,), (g,) = flow([2.0])(x)
    force = (signal + ratio) * weights
    told = [f**2 @ bulk, (x * f**2) @ bulk, g @ force, g**2 @ force]
    error = seen[:, :4].std(axis=0, ddof=1) / draws**0.5
    assert np.all(np.abs(seen[:, :4].mean(axis=0) - told) < 4.5 * error + 2.0 / features * np.abs(told))
    largest = float(largest_eigenvalue(ratio, signal))
    assert abs(seen[:, 4].mean() - largest) < 0.06 * largest


@pytest.mark.parametrize(("features", "samples", "draws"), [(40, 20, 3000), (64, 128, 1500)])
def test_the_largest_stable_rate_is_above_its_limit_by_the_edge_shift(features, samples, draws):
    random = np.random.default_rng(features)
    tops = [np.linalg.norm(random.standard_normal((samples, features)), 2) ** 2 / samples for _ in range(draws)]
    share = float(edges(features / samples)[1]) / np.array(tops) - 1
    error = share.std() / np.sqrt(draws)
    assert share.mean() == pytest.approx(float(edge_shift(features / samples, samples)), abs=4 * error)


def test_edge_fluctuation():
    """Mean and spread of the largest eigenvalue of Gaussian matrices; the neglected centring is O(1/n)."""
    features, samples, draws = 60, 120, 600
    random = np.random.default_rng(3)
    x = random.standard_normal((draws, features, samples))
    seen = np.linalg.eigvalsh(x @ x.transpose(0, 2, 1) / samples)[:, -1]
    scale = float(edge_fluctuation(0.5, samples))
    error = seen.std() / draws**0.5
    expected = float(edges(0.5)[1]) + TRACY_WIDOM_MEAN * scale
    assert abs(seen.mean() - expected) < 4 * error + 3 / samples
    assert abs(seen.mean() - float(edges(0.5)[1])) > 10 * error
    assert seen.std() == pytest.approx(scale * TRACY_WIDOM_VARIANCE**0.5, rel=0.12)
    by_parts = (samples**0.5 + features**0.5) * (samples**-0.5 + features**-0.5) ** (1 / 3) / samples
    assert scale == pytest.approx(by_parts, rel=1e-12)


def test_outlier_and_edges():
    assert float(outlier(0.5, 2.0)) == pytest.approx(3.75)
    assert float(outlier(0.5, 0.5**0.5)) == pytest.approx(float(edges(0.5)[1]))
    assert float(outlier(0.5, 0.0)) == 1.5
    assert bool(has_outlier(0.5, 0.71))
    assert not bool(has_outlier(0.5, 0.70))
    assert float(largest_eigenvalue(0.5, 0.1)) == pytest.approx(float(edges(0.5)[1]))
    assert float(largest_eigenvalue(0.5, 2.0)) == pytest.approx(3.75)


@pytest.mark.parametrize("signal", [0.0, 1e-300, 1e-12, 1e-3])
def test_faint_signals_stay_finite_in_powers(signal):
    rule = closed(0.5, signal, 64)
    filters = descent(2 / float(edges(0.5)[1]), [5000])
    assert np.all(np.isfinite(filters(np.asarray(rule.points))[0]))
    assert np.all(np.isfinite(averages(rule, 0.5, signal, 0.1, filters)))


def exponential(parameters):
    rule = closure_rule(parameters[0], parameters[1], 64)
    return jnp.sum(jnp.exp(-rule.points) * (rule.bulk + 2 * rule.signal))


slope, value = jax.jit(jax.jacfwd(exponential)), jax.jit(exponential)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("pull", [0.0, 0.3, 1.0, 1.7])
def test_derivatives_in_both_parameters(ratio, pull):
    there, step = jnp.array([ratio, pull * ratio**0.5]), 1e-5
    told = slope(there)
    for i in range(2):
        move = step * jnp.eye(2)[i]
        if pull == 0 and i:  # one-sided, second order
            truth = (4 * value(there + move) - value(there + 2 * move) - 3 * value(there)) / (2 * step)
        else:
            truth = (value(there + move) - value(there - move)) / (2 * step)
        assert float(told[i]) == pytest.approx(float(truth), rel=1e-6, abs=1e-8)


def test_mapped_over_parameters():
    ratios, signals = jnp.array([0.3, 1.0, 4.0]), jnp.array([0.1, 1.0, 9.0])
    many = jax.jit(jax.vmap(lambda c, rho: closed(c, rho, 16)))(ratios, signals)
    for i in range(3):
        for a, b in zip(many, closed(float(ratios[i]), float(signals[i]), 16), strict=True):
            np.testing.assert_allclose(a[i], b, rtol=1e-12, atol=1e-15)


def test_node_counts_are_powers_of_two():
    assert nodes_needed(0.5, 1) == 16
    assert nodes_needed(1.0, 1000.0) == 512
    assert nodes_needed(0.5, 1e9, float(edges(0.5)[0])) == 64
    assert nodes_needed(0.5, float("inf"), float(edges(0.5)[0])) == 64
    assert nodes_needed(1.0, 0.0) == 8
