"""Renewal equations, stability in the mean square, and one-pass means: card values and brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from thalweg.mathematics import marchenko_pastur_law as mp
from thalweg.mathematics.linear_equivalent import LinearLaw
from thalweg.mathematics.mean_square import mean_square_edge
from thalweg.mathematics.one_pass_linear import one_pass_edge, one_pass_end, one_pass_means, one_pass_start
from thalweg.mathematics.renewal import interpolated, panel_times, panels_needed, renewal


def test_renewal_with_one_exponential():
    """L = 1 + a int exp(-r (t - u)) L du has L = [r - a exp((a - r) t)]/(r - a) in closed form."""
    a, r, end = 0.7, 1.9, 6.0
    panels = panels_needed(end, r)
    found = renewal(jnp.ones((panels, 10)), end, jnp.asarray([r]), jnp.asarray([a]), jnp.asarray([[1.0]]))
    times = jnp.asarray([0.0, 0.3, 2.0, 5.9999, 6.0])
    wanted = (r - a * np.exp((a - r) * np.asarray(times))) / (r - a)
    np.testing.assert_allclose(interpolated(found.solution, end, times), wanted, rtol=1e-11)
    # the further kernel is the same without its factor
    np.testing.assert_allclose(interpolated(found.effects[:, :, 0], end, times), (wanted - 1) / a, atol=1e-11)


@jax.jit
def sgd(ratio, r2, start, noise, gamma, end):
    """Half train MSE and excess at the end, isotropic, on the Marchenko-Pastur nodes; the excess of flow alone."""
    rule = mp.closure_rule(ratio, 0.0, 128)
    x, m, panels = rule.points, rule.bulk, 128
    t = panel_times(end, panels).reshape(-1)
    f = jnp.exp(-t[:, None] * x[None, :])
    fill = jnp.where(x[None, :] > 0, (1 - f) ** 2 / jnp.where(x > 0, x, 1.0)[None, :], 0.0)
    train = 0.5 * ((r2 + start) * (f**2 @ (x * m)) + noise * (1 + ratio * ((f**2 - 1) @ m)))
    excess = (r2 + start) * (f**2 @ m) + noise * ratio * (fill @ m)
    found = renewal(train.reshape(panels, -1), end, 2 * x, gamma * m * x**2, (2 * gamma * m * x)[:, None])
    added = found.effects[-1, -1, 0]
    return found.solution[-1, -1], excess[-1] + added, added


def test_the_card_of_stored_samples():
    loss, excess, added = sgd(0.5, 1.0, 0.0, 0.25, 1.0, 4.0)
    assert float(loss) == pytest.approx(0.1495048944, abs=1e-10)
    assert float(added) == pytest.approx(0.1616290013, abs=1e-10)
    assert float(excess) == pytest.approx(0.3437905317, abs=1e-10)
    assert float(sgd(0.5, 1.0, 0.3, 0.5, 1.8, 40.0)[0]) == pytest.approx(1.24990, abs=5e-6)
    assert sgd(0.5, 1.0, 0.3, 0.5, 2.3, 40.0)[0] > 1e6


def by_brute_force(inputs, decay, batch):
    """The step at which the second-moment operator has an eigenvalue of 1, as a matrix of size p^2."""
    n, p = inputs.shape
    if n < p and decay == 0:
        # the null space does not move: leave it out
        vectors = np.linalg.eigh(inputs.T @ inputs / n)[1]
        inputs = inputs @ vectors[:, p - n :]
        p = n
    s = inputs.T @ inputs / n
    fourth = np.einsum("ia,ib,ic,id->abcd", *[inputs] * 4).reshape(p * p, p * p) / n

    def growth(step):
        mean = np.eye(p) - step * (s + decay * np.eye(p))
        second = np.kron(mean, mean) + step**2 / batch * (fourth - np.kron(s, s))
        return np.max(np.abs(np.linalg.eigvals(second))) - 1

    high = 2.02 / (np.linalg.eigvalsh(s)[-1] + decay)
    return scipy.optimize.brentq(growth, 1e-3 * high, high, xtol=1e-10 * high)


@pytest.mark.parametrize("shape", [(9, 6), (6, 9)])
def test_mean_square_edge_of_a_data_set(shape):
    inputs = np.random.default_rng(0).normal(size=shape)
    for decay in (0.0, 0.3):
        for batch in (1, 3, 50, 1000):
            found = float(mean_square_edge(jnp.asarray(inputs), decay, batch))
            assert found == pytest.approx(by_brute_force(inputs, decay, batch), rel=1e-8), (decay, batch)


def test_edges_in_their_limits():
    # one sample: |x|^2 step < 2
    assert float(mean_square_edge(jnp.asarray([[3.0, 4.0]]), 0.0, 1)) == pytest.approx(2 / 25, rel=1e-9)
    # a huge batch: plain descent
    values = np.diag(np.sqrt([1.5, 3.0, 6.0]))
    assert float(mean_square_edge(jnp.asarray(values), 0.4, 10**9)) == pytest.approx(2 / 2.4, rel=1e-6)
    assert float(one_pass_edge(jnp.ones(1), jnp.asarray([50.0]), 0.0)) == pytest.approx(2 / 52, rel=1e-12)


def card():
    return LinearLaw(1 / jnp.arange(1.0, 17), jnp.ones(16), jnp.ones(16) / 16, jnp.ones((16, 1)), 0.2)


def test_the_card_of_fresh_samples():
    law = card()
    steps = jnp.asarray([0, 1, 10, 50, 200])
    seen = one_pass_means(law, one_pass_start(law, 0.0), lambda k: 0.1, 0.0, steps)
    wanted = [0.411295562077, 0.399507854937, 0.337364553312, 0.272474323574, 0.245258726617]
    np.testing.assert_allclose(seen.errors @ law.values + 0.2, wanted, atol=1e-12)
    assert float(one_pass_end(law, 0.1, 0.0)) == pytest.approx(0.243196030213, abs=1e-12)
    # D_i(0) = 1/16 = beta_i^2 with w = 0: the mean of w grows like 1 - (1 - step l)^k
    np.testing.assert_allclose(seen.taught[-1], -(1 / 16) * (1 - 0.1 * law.values) ** 200, rtol=1e-11)


def test_the_limit_ode_of_the_card_for_small_steps():
    """dD/dtau = -2 l D + eta l R at the card's eta = 0.1: the recursion tends to it as fast as the step falls."""
    values = 1 / np.arange(1.0, 17)

    def slope(_, d):
        return -2 * values * d + 0.1 * values * (values @ d + 0.2)

    times, start = [0.1, 1, 5, 20], np.full(16, 1 / 16)
    path = scipy.integrate.solve_ivp(slope, (0, 20), start, t_eval=times, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(values @ path.y + 0.2, [0.39886071, 0.33451033, 0.26961310, 0.24271484], rtol=3e-8)
    # the relative gap of the exact mean is of the order step * largest eigenvalue: the card's own 1 %
    exact = [0.399507854937, 0.337364553312, 0.272474323574, 0.245258726617]
    assert np.max(np.abs(np.asarray(exact) / (values @ path.y + 0.2) - 1)) < 0.1 * values.max()


def test_one_pass_end_with_decay_is_where_the_recursion_goes():
    law = LinearLaw(
        jnp.asarray([0.0, 0.5, 2.0]), jnp.asarray([2.0, 3.0, 1.0]), jnp.asarray([0.3, 0.5, 0.7]), jnp.zeros((3, 1)), 0.4
    )
    far = one_pass_means(law, one_pass_start(law, 0.3), lambda k: 0.05, 0.2, jnp.asarray([20_000]))
    wanted = float(far.errors[0] @ law.values + 0.4)
    assert float(one_pass_end(law, 0.05, 0.2)) == pytest.approx(wanted, rel=1e-10)
    assert np.isinf(one_pass_end(law, 0.9, 0.2))


def test_one_pass_means_of_many_runs():
    """4000 runs in NumPy, three features, with decay: moments within four standard errors."""
    rng, values, beta, decay = np.random.default_rng(3), np.array([0.4, 1.0, 2.0]), np.array([1.0, -0.5, 0.3]), 0.3
    w = 0.5 * rng.normal(size=(4000, 3))
    for _ in range(12):
        x = rng.normal(size=w.shape) * np.sqrt(values)
        missed = np.sum(x * (w - beta), axis=1) - 0.6 * rng.normal(size=len(w))
        w = w - 0.1 * (x * missed[:, None] + decay * w)
    law = LinearLaw(jnp.asarray(values), jnp.ones(3), jnp.asarray(beta**2), jnp.zeros((3, 1)), 0.36)
    told = one_pass_means(law, one_pass_start(law, 0.75), lambda k: 0.1, decay, jnp.asarray([12]))
    for seen, wanted in (((w - beta) ** 2, told.errors[0]), (beta * (w - beta), told.taught[0])):
        assert np.all(np.abs(seen.mean(axis=0) - np.asarray(wanted)) < 4 * seen.std(axis=0) / len(w) ** 0.5)
