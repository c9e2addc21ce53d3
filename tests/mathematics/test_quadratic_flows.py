"""Riccati flows, their limits and their minima against integration and brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from thalweg.mathematics import factored_minimum as law
from thalweg.mathematics import one_pass_quadratic, projector_flow, random_factor
from thalweg.mathematics.lanczos import largest_eigenvalue
from thalweg.mathematics.memory_flow import Flow, integrate
from thalweg.mathematics.radau import COEFFICIENTS, EXTRAPOLATION, NODES, radau
from thalweg.mathematics.riccati import compress, echelon, inverse

RNG = np.random.default_rng(3)


def test_radau_coefficients_integrate_polynomials():
    for power in range(len(NODES)):
        np.testing.assert_allclose(COEFFICIENTS @ NODES**power, NODES ** (power + 1) / (power + 1), atol=1e-13)
    # order 2s - 1 at the end of the step
    for power in range(2 * len(NODES) - 1):
        assert COEFFICIENTS[-1] @ NODES**power == pytest.approx(1 / (power + 1), abs=1e-13)
    assert pytest.approx(0.0, abs=1e-11) == EXTRAPOLATION @ NODES**3


@pytest.mark.parametrize("stages", [1, 2, 3, 8, 10])
def test_radau_nodes_are_real_zeros_at_any_order(stages):
    """Of P_s - P_{s-1}, the last at 1: the right Gauss-Radau rule, exact for degree 2s - 2."""
    nodes, coefficients = radau(stages)
    assert nodes.dtype == coefficients.dtype == np.float64
    assert nodes[-1] == 1.0
    for degree in range(2 * stages - 1):
        assert coefficients[-1] @ nodes**degree == pytest.approx(1 / (degree + 1), abs=1e-12)


def test_a_forced_kernel_against_an_explicit_integrator():
    """phi' = sum K_i - phi - 1/2 with one growing, one still and one falling amplitude."""
    growth, times = np.array([0.3, 0.0, -0.4]), np.array([0.0, 0.7, 3.0, 9.0])

    def right(t, y):
        a = growth * t - y[3]
        return [*np.exp(2 * a), np.tanh(np.log1p(y[:3]).sum()) - y[3] - 0.5]

    wanted = scipy.integrate.solve_ivp(right, (0, 9), np.zeros(4), "DOP853", times, rtol=1e-12, atol=1e-14).y

    def feedback(k):
        return jnp.tanh(jnp.sum(jnp.log1p(k.mantissa * jnp.exp(k.exponent)))) - k.phi - 0.5

    flow = Flow(feedback, jnp.asarray(growth), 1.0)
    read, watch = lambda k, slope: (k.mantissa * jnp.exp(k.exponent), k.phi), lambda k: k.phi - 0.1
    (kernels, phi), crossing = integrate(flow, jnp.asarray(times), read, watch, 1e-12)
    np.testing.assert_allclose(phi, wanted[3], atol=1e-10)
    np.testing.assert_allclose(kernels, wanted[:3].T, rtol=1e-9, atol=1e-12)
    dense = scipy.integrate.solve_ivp(right, (0, 9), np.zeros(4), "DOP853", rtol=1e-12, atol=1e-14, dense_output=True)
    if np.isfinite(crossing):
        assert float(dense.sol(float(crossing))[3]) == pytest.approx(0.1, abs=1e-9)
    else:
        assert np.all(dense.sol(np.linspace(0, 9, 999))[3] < 0.1)


def test_row_echelon_form_finds_the_rank_and_its_pivots():
    full = RNG.normal(size=(7, 4))
    form = echelon(jnp.asarray(full), 4)
    np.testing.assert_allclose(form.lower @ form.lower.T, full @ full.T, atol=1e-12)
    np.testing.assert_array_equal(form.pivot, np.arange(4))
    # first row zero, third a multiple of the second, columns of rank 2
    poor = np.outer(np.arange(7.0), np.ones(4)) * 0.3
    poor[4:] += np.outer(np.ones(3), np.arange(4.0))
    form = echelon(jnp.asarray(poor), 4)
    np.testing.assert_array_equal(form.live, [True, True, False, False])
    np.testing.assert_array_equal(form.pivot[:2], [1, 4])
    np.testing.assert_allclose(form.lower @ form.lower.T, poor @ poor.T, atol=1e-12)


def test_compressed_rows_keep_their_gram_matrix():
    rows = RNG.normal(size=(9, 4))
    short = compress(jnp.asarray(rows), 4)
    assert short.shape == (4, 4)
    np.testing.assert_allclose(short.T @ short, rows.T @ rows, atol=1e-12)


def test_derivative_of_the_inverse():
    root, change = RNG.normal(size=(2, 5, 5))
    matrix = jnp.asarray(root @ root.T + np.eye(5))
    change = jnp.asarray(change + change.T)
    found, slope = jax.jvp(inverse, (matrix,), (change,))
    np.testing.assert_allclose(found, np.linalg.inv(matrix), atol=1e-12)
    wide = (np.linalg.inv(matrix + 1e-5 * change) - np.linalg.inv(matrix - 1e-5 * change)) / 2e-5
    np.testing.assert_allclose(slope, wide, atol=1e-7)


def test_lanczos_finds_the_largest_eigenvalue():
    matrix = RNG.normal(size=(30, 30))
    matrix = matrix + matrix.T
    found = largest_eigenvalue(lambda v: jnp.asarray(matrix) @ v, jnp.asarray(RNG.normal(size=30)), 60)
    assert float(found) == pytest.approx(np.linalg.eigvalsh(matrix)[-1], rel=1e-10)
    # a low rank exhausts the subspace early
    low = matrix[:, :2] @ matrix[:, :2].T
    found = largest_eigenvalue(lambda v: jnp.asarray(low) @ v, jnp.asarray(RNG.normal(size=30)), 20)
    assert float(found) == pytest.approx(np.linalg.eigvalsh(low)[-1], rel=1e-10)


@pytest.mark.parametrize("haar", [True, False])
def test_scale_of_a_random_factor_against_matrices(haar):
    """Mean diagonal of Z0 (I + C Z0/w)^{-1} over draws at d = 200."""
    d, m, draws = 200, 80, 40
    weights = np.repeat([0.5, 8.0], [120, 80])
    seen = np.zeros(d)
    for _ in range(draws):
        n = RNG.normal(size=(d, m))
        z = np.linalg.qr(n)[0] if haar else n / np.sqrt(m)
        z = z @ z.T
        seen += np.diag(z @ np.linalg.inv(np.eye(d) + weights[:, None] * z)) / draws
    logs, counts = jnp.log(jnp.array([0.5, 8.0])), jnp.array([120.0, 80.0])
    h = jnp.exp(random_factor.log_scale(logs, counts, m, haar))
    told = h / (1 + h * np.array([0.5, 8.0]))
    # an error of 1/d, and the spread over draws
    np.testing.assert_allclose([seen[:120].mean(), seen[120:].mean()], told, rtol=2 / d)


def jacobi_average(a: float, b: float, h, nodes: int = 300) -> float:
    """Average of h over the law of eigenvalues of U'P*U (density per dimension), by Gauss-Chebyshev quadrature."""
    low, high = ((np.sqrt(a * (1 - b)) + s * np.sqrt(b * (1 - a))) ** 2 for s in (-1, 1))
    angle = (np.arange(nodes) + 0.5) * np.pi / nodes
    x = 0.5 * (low + high) + 0.5 * (high - low) * np.cos(angle)
    density = (0.5 * (high - low) * np.sin(angle)) ** 2 / (2 * np.pi * x * (1 - x)) * np.pi / nodes
    return density @ h(x) + max(a - b, 0.0) * h(0.0) + max(a + b - 1, 0.0) * h(1.0)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.25), (0.7, 0.6), (0.4, 0.4), (0.3, 0.7)])
def test_the_projector_limit_against_quadrature_of_the_jacobi_law(a, b):
    """tr Z = tr Z* and both norms, from the eigenvalues x of U'P*U: kernels k1 on P*, k0 off it."""

    def right(gamma, y):
        phi, k1, k0 = y
        e = np.exp(4 * gamma / b - 2 * phi)
        f = np.exp(-2 * phi)
        return phi_slope(gamma, phi, k1, k0), e, f

    def mean_trace(gamma, phi, k1, k0):
        e = np.exp(4 * gamma / b)
        return np.exp(-2 * phi) * jacobi_average(a, b, lambda x: (1 + (e - 1) * x) / (a + 4 * (k0 + (k1 - k0) * x)))

    def phi_slope(gamma, phi, k1, k0):
        # phi stays where the trace is one: differentiate that constraint
        h = 1e-6
        e, f = np.exp(4 * gamma / b - 2 * phi), np.exp(-2 * phi)
        drift = (
            mean_trace(gamma + h, phi, k1 + h * e, k0 + h * f) - mean_trace(gamma - h, phi, k1 - h * e, k0 - h * f)
        ) / (2 * h)
        pull = (mean_trace(gamma, phi + h, k1, k0) - mean_trace(gamma, phi - h, k1, k0)) / (2 * h)
        return -drift / pull

    gammas = np.array([0.05, 0.2, 0.6])
    phi = scipy.integrate.solve_ivp(right, (0, 0.6), np.zeros(3), "DOP853", gammas, rtol=1e-8, atol=1e-10).y[0]
    with_limit = projector_flow.follow(jnp.asarray(a), jnp.asarray(b), jnp.asarray(gammas), jnp.asarray(1e-11))[0]
    told = projector_flow.observe(jnp.asarray(a), jnp.asarray(b), jnp.asarray(gammas), with_limit)
    np.testing.assert_allclose(told.phi, phi, atol=1e-6)


def descend(lam: np.ndarray, columns: int, rho: float, centred: bool) -> tuple[float, float, np.ndarray]:
    """The best of a few minimisations from generic starts: value without penalty, tr D, eigenvalues."""
    d = lam.size

    def parts(flat):
        w = flat.reshape(d, columns)
        error = w @ w.T - np.diag(lam)
        gap = 0.0 if centred else np.trace(error)
        value = 0.5 * np.sum(error**2) + 0.25 * gap**2
        return value, w, (2 * error + gap * np.eye(d) + rho * np.eye(d)) @ w

    def objective(flat):
        value, w, slope = parts(flat)
        return value + 0.5 * rho * np.sum(w**2), slope.ravel()

    runs = [
        scipy.optimize.minimize(
            objective, RNG.normal(size=d * columns), jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 4000}
        )
        for _ in range(3)
    ]
    value, w, _ = parts(min(runs, key=lambda r: r.fun).x)
    return value, np.sum(w**2) - lam.sum(), np.sort(np.linalg.eigvalsh(w @ w.T))[::-1]


@pytest.mark.parametrize(
    ("lam", "columns", "rho", "centred"),
    [
        ((0.9, 0.5, 0.3, 0.1), 2, 0.0, False),
        ((1.0, 0.3, -0.2, -0.6), 3, 0.0, False),
        ((1.0, 0.3, 0.1, 0.0), 3, 0.3, False),
        ((-0.1, -0.3, -0.5, -0.6), 2, 0.1, False),
        ((1.0, 0.3, 0.1, -0.2), 3, 0.3, True),
    ],
)
def test_the_minimum_against_minimisation(lam, columns, rho, centred):
    value, gap, values = descend(np.asarray(lam), columns, rho, centred)
    told = law.minimum(jnp.asarray(lam), columns, rho, centred)
    assert float(told.risk) == pytest.approx(value, abs=1e-9)
    assert float(told.gap) == pytest.approx(gap, abs=1e-6)
    np.testing.assert_allclose(told.values, values, atol=1e-6)


def one_pass_case(d: int) -> tuple[np.ndarray, one_pass_quadratic.Moments]:
    i, j = np.arange(d)[:, None], np.arange(3)[None, :]
    weights = np.cos((i + 1) * (2 * j + 1) * 0.7 + 0.3 * j) / np.sqrt(3 * d)
    return weights, one_pass_quadratic.Moments(jnp.asarray(weights[:2]), jnp.asarray(weights[2:].T @ weights[2:]))


def one_pass_risk(law, start, nu, times):
    """Risk along the equations, by scipy."""
    shape = start.along.shape

    def unpack(y):
        return one_pass_quadratic.Moments(y[: np.prod(shape)].reshape(shape), y[np.prod(shape) :].reshape(3, 3))

    move = jax.jit(lambda y: jnp.concatenate([p.ravel() for p in one_pass_quadratic.velocity(law, nu, unpack(y))]))
    begin = np.concatenate([np.ravel(part) for part in start])
    path = scipy.integrate.solve_ivp(
        lambda t, y: move(y), (0, times[-1]), begin, "DOP853", times, rtol=1e-10, atol=1e-12
    )
    gaps = [one_pass_quadratic.gaps(law.lam, unpack(y)) for y in path.y.T]
    return np.array([0.5 * square + 0.25 * trace**2 for trace, square in gaps])


def test_one_pass_table():
    """d = 60, m = 3, lam = (.6, .4), nu = .05, label noise of variance .1."""
    law, times = one_pass_quadratic.Law(jnp.array([0.6, 0.4]), 0.1), [0.0, 2.0, 5.0, 10.0, 20.0]
    risk = one_pass_risk(law, one_pass_case(60)[1], 0.05, times)
    np.testing.assert_allclose(risk, (0.35935417, 0.1729154, 0.02286907, 0.00189647, 0.00147992), atol=6e-9)


@pytest.mark.parametrize("coupling", [1.0, 0.0])
def test_one_pass_noise_is_the_gaussian_moment(coupling):
    """C = E e^2 W'xx'W by Monte Carlo, with and without the means of f and y."""
    d, count = 6, 400_000
    lam = np.array([0.6, 0.4])
    weights, start = one_pass_case(d)
    law = one_pass_quadratic.Law(jnp.asarray(lam), 0.1, 0.0, coupling)
    still, moved = (one_pass_quadratic.velocity(law, nu, start).across for nu in (0.0, 1.0))
    x = RNG.normal(size=(count, d))
    fields = x @ weights
    error = np.sum(fields**2, 1) - x[:, :2] ** 2 @ lam + np.sqrt(0.1) * RNG.normal(size=count)
    error = error - (1 - coupling) * (np.sum(weights**2) - np.sum(lam))
    samples = error[:, None, None] ** 2 * fields[:, :, None] * fields[:, None, :]
    off = np.abs(samples.mean(0) - np.asarray(moved - still))
    assert np.all(off < 5 * samples.std(0) / np.sqrt(count))


def test_the_next_order_is_the_mean_of_real_projectors():
    """J Psi'(J - 1) over random pairs of subspaces: the limit is off by many errors, with the next order by none."""
    d, m, r, y, draws = 20, 10, 5, 30.0, 3000
    frames = RNG.normal(size=(draws, d, m))
    gram = frames.transpose(0, 2, 1) @ frames
    shadow = frames[:, :r].transpose(0, 2, 1) @ frames[:, :r]
    # x/(1 + x y) over eigenvalues of gram^{-1} shadow, without taking them
    seen = (1 + y) / d * np.trace(np.linalg.solve(gram + y * shadow, shadow), axis1=1, axis2=2)
    ratios, u = (jnp.asarray(m / d), jnp.asarray(r / d)), jnp.log1p(jnp.asarray(y))
    limit, mean = (float(projector_flow.transform(*ratios, u, order).value) for order in (0.0, 1 / d))
    error = seen.std() / np.sqrt(draws)
    assert abs(seen.mean() - mean) < 4 * error < 0.5 * abs(seen.mean() - limit)
