"""State evolution, thresholds and spectral reductions of quadratic networks against independent routes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from thalweg.mathematics import factored_minimum as law
from thalweg.mathematics import sensing_thresholds as thresholds
from thalweg.mathematics.riccati import krylov
from thalweg.mathematics.spectral_shrinkage import Fit, Law, equilibrium, height, mass_above, position, tail


def solution(values, shares, ratio, decay, noise, width):
    return _solve(jnp.asarray(values), jnp.asarray(shares), *map(float, (ratio, decay, noise, width)))


@jax.jit
def _solve(values, shares, ratio, decay, noise, width):
    return equilibrium(Law(values, shares), Fit(ratio, decay, noise, width))


def wishart(rank: float, nodes: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Law of N N'/m*, N (d, m*) standard normal, m* = rank d, by Gauss nodes: an atom at zero and a bulk."""
    low, high = (1 - rank**-0.5) ** 2, (1 + rank**-0.5) ** 2
    angle = (np.arange(nodes) + 0.5) * np.pi / nodes
    x = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angle)
    share = rank * np.sqrt((high - x) * (x - low)) / x * 0.25 * (high - low) * np.sin(angle) / nodes
    return np.append(x, 0.0), np.append(share, 1 - rank)


CARD = {
    (0.7, 0.5, 0.3, 0.1, 0.0): (0.7237207, 0.434232, 0.00456140, 0.00456140),
    (0.4, 0.3, 0.35, 0.1, 0.25): (0.642486, 0.324740, 0.013414, 0.045384),
}


@pytest.mark.parametrize("case", CARD)
def test_state_evolution_table(case):
    """xi, MSE, training loss, the same against clean labels: for a Gaussian teacher, free and limited by the width."""
    width, rank, ratio, decay, noise = case
    told = solution(*wishart(rank), ratio, decay, noise, width)
    train = (decay / told.shrinkage) ** 2 * ratio * told.noise
    clean = train + noise / 4 * (1 - 2 * decay / told.shrinkage)
    np.testing.assert_allclose([told.noise, told.error, train, clean], CARD[case], rtol=2e-5)
    if case[0] == 0.7:
        assert float(told.shrinkage) == pytest.approx(0.689917, rel=1e-5)


def test_spread_spectrum_is_that_of_a_random_matrix():
    """Density, mass and all integrals against the cubic equation for g, solved on a grid of the real axis.

    Independent of the curve, of the path and of its quadrature.
    """
    rank, xi = 0.25, 0.5
    spectrum = Law(jnp.array([1 / rank, 0.0]), jnp.array([rank, 1 - rank]))
    x = np.linspace(-4, 8, 6001)
    # g = rank/(z - xi g - 1/rank) + (1 - rank)/(z - xi g), as a cubic in g
    roots = []
    for z in x:
        one, two = np.poly1d([-xi, z - 1 / rank]), np.poly1d([-xi, z])
        found = (np.poly1d([1, 0]) * one * two - rank * two - (1 - rank) * one).roots
        roots.append(found[np.argmin(found.imag)])
    g = np.asarray(roots)
    density, partner = -g.imag / np.pi, g.real
    for u in (1.0, 1.9, 3.5):
        cut = float(position(spectrum, jnp.asarray(xi), jnp.asarray(u)))
        above = tail(spectrum, jnp.asarray(xi), jnp.asarray(u))
        keep = x >= cut
        plain = [scipy.integrate.trapezoid((density * x**k)[keep], x[keep]) for k in range(3)]
        paired = [scipy.integrate.trapezoid((density * partner * x**k)[keep], x[keep]) for k in range(2)]
        np.testing.assert_allclose(above.plain, plain, atol=2e-3)
        np.testing.assert_allclose(above.paired, paired, atol=2e-3)
        assert float(mass_above(spectrum, jnp.asarray(xi), jnp.asarray(u))) == pytest.approx(
            float(above.plain[0]), abs=1e-8
        )
        assert float(height(spectrum, jnp.asarray(xi), jnp.asarray(u))) / (np.pi * xi) == pytest.approx(
            float(np.interp(cut, x, density)), abs=1e-3
        )


def test_without_noise_of_samples_the_state_is_plain_shrinkage():
    """Many samples: xi -> 0, q -> decay, and eigenvalues are lowered by the decay."""
    told = solution([4.0, 0.0], [0.25, 0.75], 1e9, 0.3, 0.0, 1.0)
    np.testing.assert_allclose(
        [told.shrinkage, told.error, told.trace, told.rank], [0.3, 0.25 * 0.09, 0.25 * 3.7, 0.25], rtol=1e-6
    )


def test_derivatives_of_the_state():
    def error(shifts):
        fit = [v + shift for v, shift in zip((0.45, 0.2, 0.5), shifts, strict=True)]
        return _solve(jnp.array([4.0, 0.0]), jnp.array([0.25, 0.75]), *fit, 1.0).error

    step = 1e-5
    slopes = jax.jacfwd(error)([jnp.zeros(())] * 3)
    for told, one in zip(slopes, step * np.eye(3), strict=True):
        assert float(told) == pytest.approx(float(error(one) - error(-one)) / (2 * step), rel=1e-6)


THRESHOLDS = {
    (1.0, 0.3): (0.32715453, 0.37750000),
    (0.4, 0.3): (0.31761361, 0.32000000),
    (1.0, 0.5): (0.42217498, 0.43750000),
}


@pytest.mark.parametrize("shares", THRESHOLDS)
def test_thresholds_of_recovery(shares):
    found = thresholds.with_vanishing_decay(*shares), thresholds.without_decay(*shares)
    np.testing.assert_allclose(found, THRESHOLDS[shares], atol=6e-9)
    # the state evolution with little decay has its transition there: the error jumps to that of the decay
    errors = [
        float(solution([1 / shares[1], 0.0], [shares[1], 1 - shares[1]], share * found[0], 1e-4, 0.0, shares[0]).error)
        for share in (0.9, 1.1)
    ]
    assert errors[0] > 0.05 > 1e-4 > errors[1]


def test_thresholds_at_their_ends():
    for x in (-1.3, 0.4, 1.7):
        wanted = [
            scipy.integrate.quad(lambda t, k=k: t**k * np.sqrt(4 - t * t) / (2 * np.pi), x, 2)[0] for k in range(3)
        ]
        np.testing.assert_allclose(thresholds.semicircle_moments(jnp.asarray(x)), wanted, atol=1e-10)
    # as many unknowns as a factor of that width has; a teacher of full rank; a width that is too small
    assert float(thresholds.with_vanishing_decay(0.3, 0.3)) == pytest.approx(0.3 - 0.045)
    assert float(thresholds.without_decay(1.0, 1.0)) == 0.5
    assert np.isnan(float(thresholds.without_decay(0.2, 0.3)))


def test_few_rows_keep_the_moments_of_many():
    rng = np.random.default_rng(0)
    values, rows = np.sort(rng.uniform(0, 0.5, 300))[::-1], rng.normal(size=(300, 3))
    few, kept = krylov(jnp.asarray(values), jnp.asarray(rows), 12)
    assert few.shape == (36,)
    for function in (lambda x: 1.0, lambda x: x, lambda x: np.exp(16 * x), lambda x: np.exp(-16 * x)):
        wanted = rows.T @ (np.asarray(function(values))[..., None] * rows)
        found = np.asarray(kept).T @ (np.asarray(function(np.asarray(few)))[..., None] * np.asarray(kept))
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("rho", "centred"), [(0.0, False), (0.2, False), (0.2, True)])
def test_plateaus_of_all_widths_are_the_minima_one_by_one(rho, centred):
    lam = jnp.array([1.0, 0.3, 0.3, 0.1, -0.2])
    told = law.plateaus(lam, rho, centred)
    for i in range(5):
        one = law.minimum(lam, i + 1, rho, centred)
        wanted = [one.risk, jnp.sum(one.values * lam), jnp.sum(one.values**2)]
        np.testing.assert_allclose([part[i] for part in told], wanted, atol=1e-14)


@pytest.mark.parametrize("z", [(0.5, 0.3, 0.2), (0.4, 0.4, 0.1), (0.3, 0.1, 0.1), (0.7,)])
def test_curvatures_are_eigenvalues(z):
    values, active = jnp.array([*z, 0.05]), jnp.array([*[True] * len(z), False])
    root = np.sqrt(np.asarray(z))
    matrix = 4 * np.diag(root**2) + 2 * np.outer(root, root)
    np.testing.assert_allclose(law.curvatures(values, active, False), np.linalg.eigvalsh(matrix)[[0, -1]], rtol=1e-12)
