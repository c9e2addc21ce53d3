"""Order-parameter equations of committee machines against the values of the card, linear response and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

from thalweg.mathematics.gaussian_averages import Erf, Linear, Relu
from thalweg.systems.committee_machine.natural_gradient import inside_span, metric, natural_velocity
from thalweg.systems.committee_machine.order_parameters import (
    Motion,
    OrderParameters,
    Target,
    gradient_velocity,
    population_loss,
)
from thalweg.systems.committee_machine.plateau import attracting_plateau, identical_students, small_rate_plateau
from thalweg.systems.committee_machine.stability import (
    annealed_loss,
    critical_rate,
    natural_critical_rate,
    natural_floor,
    noise_floor,
    small_rate_floor,
)
from thalweg.systems.committee_machine.trajectories import Constant, InverseTime, integrate, scheduled

SMALL_RATE = 0.0  # a plain number: the second order is not even computed
FULL = np.float64(1.0)


def start(student, teacher, output=None):
    student = np.diag(student) if np.ndim(student) == 1 else np.array(student)
    output = np.ones(len(student)) if output is None else np.array(output)
    return OrderParameters(student.astype(float), np.array(teacher, float), output)


def target(overlap, output=None):
    overlap = np.array(overlap, float)
    return Target(overlap, np.ones(len(overlap)) if output is None else np.array(output))


A = start([[0.3, 0.02], [0.02, 0.25]], [[0.01, -0.002], [0.004, 0.006]])
B = start([0.3, 0.25, 0.2], [[0.01, -0.002, 0.003], [0.004, 0.006, -0.001], [0, 0.002, 0.008]])
C = start([0.3, 0.25, 0.2], [[0.1, -0.02], [0.04, 0.06], [0, 0.02]])
C_OUT = start([0.3, 0.25, 0.2], C.teacher, [0.5, 0.4, -0.3])
HALF = start(A.student, A.teacher, [0.5, 0.5])
TWO = target(np.eye(2))


def rates(eta, eta_v=0.0, decay=0.0, noise=0.0, second=FULL):
    # NumPy numbers: rows of the table are made outside of float64 mode
    return Motion(*(np.float64(x) if isinstance(x, float) else x for x in (eta, eta_v, decay, noise)), second)


@jax.jit
def _gradient(averages, begin, goal, motion, schedule, times):
    def velocity(t, now):
        return gradient_velocity(averages, now, goal, scheduled(motion, schedule, t))

    path = integrate(velocity, begin, times)
    return jax.vmap(lambda now: population_loss(averages, now, goal))(path.states), path


def gradient(averages, begin, goal, motion, times, schedule=None):
    """Losses and the path; a second order that is a plain 0 stays so inside the compiled function."""
    program = _gradient if motion.second_order is not SMALL_RATE else _small_rate
    motion = motion if motion.second_order is not SMALL_RATE else Motion(*jax.tree.leaves(motion)[:4], FULL)
    return program(averages, begin, goal, motion, schedule or Constant(), jnp.asarray(times, float))


@jax.jit
def _small_rate(averages, begin, goal, motion, schedule, times):
    motion = Motion(*jax.tree.leaves(motion)[:4], SMALL_RATE)
    return _gradient.__wrapped__(averages, begin, goal, motion, schedule, times)


@jax.jit
def natural(averages, begin, goal, motion, damping, schedule, times):
    def velocity(t, now):
        return natural_velocity(averages, now, goal, scheduled(motion, schedule, t), damping)

    path = integrate(velocity, begin, times)
    return jax.vmap(lambda now: population_loss(averages, now, goal))(path.states), path


TABLE = [
    (Erf(), A, TWO, rates(1.0), [0, 10, 50, 100, 150, 200],
     [.4743554279, .02137204993, .02039881484, .004701818325, 7.567643038e-5, 9.969358912e-7]),
    (Erf(), A, TWO, rates(0.5, decay=0.1), [20, 100], [.01898003332, .01904266533]),
    (Erf(), B, target(np.diag([1, 1.5, 2])), rates(1.0, second=SMALL_RATE), [0, 5, 20, 50, 100],
     [.7842269067, .03875894984, .03812526814, .03721499357, .007695818443]),
    (Erf(), C_OUT, target([[1, .2], [.2, 1]], [1, 1.5]), rates(0.5, 0.5, noise=0.05), [0, 50, 400],
     [.6398290432, .0157625187, .0005180053514]),
    (Erf(), HALF, target(np.eye(2), [.5, .5]), rates(0.8, noise=0.1), [0, 10, 50, 100],
     [.118588857, .00793694735, .003813746515, .003771795538]),
    (Relu(), C, TWO, rates(0.5, second=SMALL_RATE), [0, 2, 10, 40],
     [.4365466318, .1442271836, .05438872604, .001757449903]),
    (Relu(), start([[0.4]], [[0.1]]), target([[1.0]]), rates(0.8), [0, 1, 3, 10],
     [.223080704, .173408841, .090770748, .00474998964]),
    (Linear(), A, TWO, rates(0.4, noise=0.1), [0, 2, 10], [1.277, .1900617341, .003419597167]),
]  # fmt: skip
NATURAL = [
    (0.0, [10, 20, 40, 60, 100], [.05338051213, .02517092988, .01730427121, .0002526254387, 3.412743e-9]),
    (0.01, [10, 40, 60], [.04290690147, .005324324712, 4.40942703e-5]),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE)
def test_trajectories(row):
    *case, times, truth = row
    losses, path = gradient(*case, times)
    assert bool(path.reached)
    np.testing.assert_allclose(losses, truth, rtol=1e-7)


def test_output_weights_of_the_card():
    _, path = gradient(Erf(), C_OUT, target([[1, 0.2], [0.2, 1]], [1, 1.5]), rates(0.5, 0.5, noise=0.05), [0, 50, 400])
    np.testing.assert_allclose(path.states.output[-1], [0.8712044426, 1.1481649504, -0.4685812939], rtol=1e-7)


@pytest.mark.parametrize("row", NATURAL)
def test_natural_trajectories(row):
    damping, times, truth = row
    losses, _ = natural(Erf(), A, TWO, rates(0.2), damping, Constant(), jnp.asarray(times, float))
    np.testing.assert_allclose(losses, truth, rtol=1e-7)


def test_derivatives_of_the_card():
    now = gradient_velocity(Erf(), A, TWO, rates(1.0))
    np.testing.assert_allclose(now.student, [[0.2084652969, 0.163455654], [0.163455654, 0.2545459969]], atol=6e-11)
    truth = [[0.3890056132, 0.3925821102], [0.3959960425, 0.4011691226]]
    np.testing.assert_allclose(now.teacher, truth, atol=6e-11)
    now = natural_velocity(Erf(), OrderParameters(*map(jnp.asarray, A)), TWO, rates(0.2), 0.0)
    truth = [[2.0014881502, -2.0744632624], [-2.0744632624, 1.9585329632]]
    np.testing.assert_allclose(now.student, truth, atol=6e-11)
    truth = [[0.0663812033, 0.0675549367], [0.088048335, 0.0891060331]]
    np.testing.assert_allclose(now.teacher, truth, atol=6e-11)


def test_metric_of_the_card():
    fisher = metric(Erf(), jnp.asarray(A.student), jnp.ones(2), 0.0)
    np.testing.assert_allclose(fisher.outside[0], [0.503292121, 0.4994671139], atol=6e-11)
    assert float(fisher.outside[1, 1]) == pytest.approx(0.5197978675, abs=6e-11)
    values = np.sort(np.linalg.eigvals(np.asarray(fisher.inside)).real)
    np.testing.assert_allclose(values, [0.0176392181, 0.019502775, 0.8082588457, 0.838778637], atol=6e-11)


@pytest.mark.parametrize(("kind", "dimension", "units"), [(Erf, 3, 2), (Erf, 4, 3), (Linear, 3, 2)])
def test_fisher_matrix_by_quadrature(kind, dimension, units):
    """Blocks E v_i v_j g'(l_i) g'(l_j) x x' over all of input space, applied inside and across the span."""
    random = np.random.default_rng(4)
    weights, v = 0.8 * random.standard_normal((units, dimension)), random.uniform(0.5, 1.5, units)
    nodes, mass = np.polynomial.hermite_e.hermegauss(40 if dimension == 3 else 26)
    x = np.stack([axis.ravel() for axis in np.meshgrid(*[nodes] * dimension)])
    mass = np.prod(np.meshgrid(*[mass / mass.sum()] * dimension), axis=0).ravel()
    slope = v[:, None] * np.asarray(kind().slope(jnp.asarray(weights @ x / dimension**0.5)))
    fisher = np.einsum("is,js,s,as,bs->iajb", slope, slope, mass, x, x, optimize=True)
    told = metric(kind(), jnp.asarray(weights @ weights.T / dimension), jnp.asarray(v), 0.0)
    block, push = random.standard_normal((units, units)), random.standard_normal(units)
    inside = np.einsum("iajb,jb->ia", fisher, block @ weights)
    np.testing.assert_allclose(inside, np.reshape(told.inside @ block.ravel(), block.shape) @ weights, atol=1e-10)
    across = np.linalg.svd(weights)[2][-1]
    outside = np.einsum("iajb,j,b->ia", fisher, push, across)
    np.testing.assert_allclose(outside, np.outer(told.outside @ push, across), atol=1e-10)
    if kind is Erf:
        back = inside_span(told, jnp.reshape(told.inside @ block.ravel(), block.shape))
        np.testing.assert_allclose(back, block, rtol=1e-9, atol=1e-9)


def test_small_rates_are_the_limit_of_the_full_equations():
    slow, _ = gradient(Erf(), A, TWO, rates(1e-4), [1e5])
    limit, _ = gradient(Erf(), A, TWO, rates(1.0, second=SMALL_RATE), [10])
    slower, _ = gradient(Erf(), A, TWO, rates(5e-5), [2e5])
    assert abs(slow[0] / limit[0] - 1) < 1e-3
    assert (slow[0] - limit[0]) / (slower[0] - limit[0]) == pytest.approx(2, rel=0.01)


def test_one_linear_unit_in_closed_form():
    eta, noise, times = 0.7, 0.3, np.array([0, 0.5, 2, 8])
    losses, _ = gradient(Linear(), start([[0.4]], [[0.1]]), target([[1.0]]), rates(eta, noise=noise), times)
    floor = eta * noise**2 / (2 * (2 - eta))
    truth = floor + (losses[0] - floor) * np.exp(-eta * (2 - eta) * times)
    np.testing.assert_allclose(losses, truth, rtol=2e-9)


@pytest.mark.parametrize("units", [2, 3, 5])
def test_small_rate_plateau_is_a_fixed_point(units):
    point = small_rate_plateau(units)
    state = start(np.full((units, units), point.diagonal), np.full((units, units), point.teacher))
    goal = target(np.eye(units))
    still = gradient_velocity(Erf(), state, goal, rates(1.0, second=SMALL_RATE))
    assert max(float(jnp.max(jnp.abs(leaf))) for leaf in jax.tree.leaves(still)) < 1e-14
    assert float(population_loss(Erf(), state, goal)) == pytest.approx(point.loss, rel=1e-12)
    values = {2: 0.011610840312668331, 3: 0.02029658865697687}
    assert units not in values or point.loss == pytest.approx(values[units], rel=1e-12)


attracting = jax.jit(attracting_plateau, static_argnums=1)
identical = jax.jit(identical_students, static_argnums=1)


def test_finite_rate_plateaus_of_the_card():
    rows = [
        (attracting(Erf(), 2, 1.0), [0.43508495, 0.31021282, 0.42613831], 0.020656532848),
        (identical(Erf(), 2, 1.0), [0.35296269, 0.35296269, 0.41423418], 0.021156453871),
        (attracting(Erf(), 3, 0.5), [0.30584558, 0.18324484, 0.27021827], 0.032099795447),
    ]
    for told, state, loss in rows:
        np.testing.assert_allclose(told[:3], state, rtol=0, atol=6e-9)
        assert float(told.loss) == pytest.approx(loss, abs=6e-13)


def test_plateaus_merge_at_small_rates():
    for find in (attracting, identical):
        np.testing.assert_allclose(find(Erf(), 2, 1e-4), small_rate_plateau(2), rtol=1e-3)
    assert np.isnan(identical(Erf(), 2, 2.0).loss)  # Newton's root there belongs to no weights


def test_symmetric_start_settles_on_the_plateau():
    """Integrated, not solved for: the attracting point. (Much later, rounding breaks the symmetry.)"""
    q = 0.3 * np.eye(2) + 0.02 * (1 - np.eye(2))
    losses, path = gradient(Erf(), start(q, np.full((2, 2), 0.01)), TWO, rates(1.0), [0, 10, 50, 80, 100, 450])
    point = attracting(Erf(), 2, 1.0)
    assert float(losses[-1]) == pytest.approx(float(point.loss), abs=3e-8)
    assert float(path.states.student[-1, 0, 0]) == pytest.approx(float(point.diagonal), rel=1e-4)


RATES_OF_THE_CARD = [
    (critical_rate, Erf, 1, 4.055778675973612), (critical_rate, Erf, 2, 2.3068276960833516),
    (critical_rate, Erf, 4, 1.2493927807143732), (natural_critical_rate, Erf, 1, 1.4907119849998598),
    (natural_critical_rate, Erf, 2, 0.6624436714100802), (natural_critical_rate, Erf, 5, 0.3221134396063442),
    (critical_rate, Relu, 1, 2.0), (critical_rate, Relu, 2, 1.2679491924), (critical_rate, Linear, 1, 2.0),
]  # fmt: skip


@pytest.mark.parametrize(("find", "kind", "units", "truth"), RATES_OF_THE_CARD)
def test_critical_rates_of_the_card(find, kind, units, truth):
    assert find(kind(), units) == pytest.approx(truth, rel=1e-10)


def test_critical_rates_at_many_units():
    for find, limit in ((critical_rate, 3**0.5 * np.pi), (natural_critical_rate, 2.0)):
        assert 100000 * find(Erf(), 100000) == pytest.approx(limit, rel=1e-4)


def packed_jacobian(velocity, units):
    """Derivative of the velocities of (upper triangle of Q, R) at Q = R = T = 1, as a function of the rate."""
    upper = np.triu_indices(units)

    def moved(flat, eta):
        q = jnp.zeros((units, units)).at[upper].set(flat[: len(upper[0])])
        q = q + q.T - jnp.diag(jnp.diag(q))
        now = OrderParameters(q, flat[len(upper[0]) :].reshape(units, units), jnp.ones(units))
        out = velocity(now, eta)
        return jnp.concatenate([out.student[upper], out.teacher.ravel()])

    solution = jnp.concatenate([jnp.eye(units)[upper], jnp.eye(units).ravel()])
    return jax.jit(lambda eta: jax.jacfwd(moved)(solution, eta))


@pytest.mark.parametrize("units", [1, 2, 3, 4])
@pytest.mark.parametrize("name", ["gradient", "natural"])
def test_critical_rates_by_the_jacobian(name, units):
    """The rate at which an eigenvalue of the full equations passes 0."""
    goal = target(np.eye(units))
    if name == "gradient":
        told = critical_rate(Erf(), units)
        jacobian = packed_jacobian(lambda now, eta: gradient_velocity(Erf(), now, goal, rates(eta)), units)
    else:
        told = natural_critical_rate(Erf(), units)
        jacobian = packed_jacobian(lambda now, eta: natural_velocity(Erf(), now, goal, rates(eta), 0.0), units)
    found = brentq(lambda eta: np.max(np.linalg.eigvals(np.asarray(jacobian(eta))).real), 0.9 * told, 1.1 * told)
    assert told == pytest.approx(found, rel=1e-9)


def test_noise_floor_of_the_full_equations():
    losses, _ = gradient(Erf(), start(np.eye(2), np.eye(2)), TWO, rates(0.05, noise=0.1), [0, 1, 2, 3, 4, 20000])
    assert float(losses[-1]) == pytest.approx(9.3894133e-5, rel=1e-7)
    small_noise = float(noise_floor(Erf(), 2, 0.05, 0.1))
    assert small_noise == pytest.approx(9.390906e-5, rel=1e-6)
    assert float(losses[-1]) == pytest.approx(small_noise, rel=1.7e-4)
    assert small_rate_floor(2, 2, 0.05, 0.1) == pytest.approx(9.18881e-5, rel=1e-6)
    assert float(noise_floor(Erf(), 2, 1e-6, 0.1)) == pytest.approx(small_rate_floor(2, 2, 1e-6, 0.1), rel=1e-6)
    # with a tenth of the noise, a hundredth of the relative error
    losses, _ = gradient(Erf(), start(np.eye(2), np.eye(2)), TWO, rates(0.05, noise=0.01), [0, 1, 2, 3, 4, 20000])
    assert float(losses[-1]) == pytest.approx(float(noise_floor(Erf(), 2, 0.05, 0.01)), rel=1.7e-6)
    assert np.isinf(noise_floor(Erf(), 2, 2.4, 0.1))


NEAR = start(0.95 * np.eye(2) + 0.01, 0.93 * np.eye(2) + 0.01)


def test_noise_floor_of_natural_gradient():
    times = jnp.array([10, 20, 40, 60, 2000.0])
    losses, _ = natural(Erf(), NEAR, TWO, rates(0.01, noise=0.1), 0.0, Constant(), times)
    assert float(losses[-1]) == pytest.approx(5.070331e-5, rel=1e-7)
    assert natural_floor(2, 0.01, 0.1) == pytest.approx(5e-5)
    assert float(losses[-1]) == pytest.approx(natural_floor(2, 0.01, 0.1), rel=0.02)


@pytest.mark.nightly
@pytest.mark.parametrize(("units", "truth"), [(1, 1.0018), (2, 1.0020), (3, 1.0021)])
def test_annealing_reaches_the_bound_of_cramer_and_rao(units, truth):
    begin = start(0.95 * np.eye(units) + 0.01, 0.93 * np.eye(units) + 0.01)
    goal, times = target(np.eye(units)), jnp.array([1e5])
    losses, _ = natural(Erf(), begin, goal, rates(1.0, noise=0.1), 0.0, InverseTime(20.0), times)
    assert float(losses[0]) / annealed_loss(units, 0.1, 1e5) == pytest.approx(truth, abs=6e-5)


@pytest.mark.nightly
def test_noise_floor_of_idle_units():
    begin = start([0.3, 0.25, 0.2, 0.22], [[0.1, -0.02], [0.04, 0.06], [0, 0.02], [0.01, 0.03]])
    losses, _ = gradient(Erf(), begin, TWO, rates(0.01, noise=0.1), [2e6])
    assert small_rate_floor(4, 2, 0.01, 0.1) == pytest.approx(5.02086e-5, rel=1e-6)
    assert float(losses[0]) == pytest.approx(5.01757e-5, rel=1e-3)


def first_below(losses, times, level=1e-3):
    k = int(np.argmax(np.asarray(losses) < level))
    near = np.log(np.asarray(losses[k - 2 : k + 2]))
    return brentq(
        lambda t: np.polyval(np.polyfit(times[k - 2 : k + 2], near, 3), t) - np.log(level), *times[k - 1 : k + 1]
    )


@pytest.mark.nightly
def test_times_to_a_thousandth_of_the_card():
    times = np.linspace(0, 150, 6001)
    for eta, truth in ((1.0, 119.678971), (1.8, 89.288420)):
        assert first_below(gradient(Erf(), A, TWO, rates(eta), times)[0], times) == pytest.approx(truth, abs=1e-5)
    for eta, truth in ((0.2, 55.007051), (0.4, None)):
        losses, _ = natural(Erf(), A, TWO, rates(eta), 0.0, Constant(), jnp.asarray(times))
        if truth is None:
            assert np.min(losses) > 1e-3  # the plateau outlasts the run, though .4 is below the critical rate
        else:
            assert first_below(losses, times) == pytest.approx(truth, abs=1e-5)


def test_mapped_over_rates_and_differentiable():
    times = jnp.array([0.0, 10, 50])

    def last(eta):
        return _gradient.__wrapped__(Erf(), A, TWO, rates(eta), Constant(), times)[0][-1]

    etas = jnp.array([0.5, 1.0, 1.5])
    many, slopes = jax.jit(jax.vmap(lambda eta: jax.jvp(last, (eta,), (1.0,))))(etas)
    for eta, loss in zip(etas, many, strict=True):
        assert float(gradient(Erf(), A, TWO, rates(eta), [0, 1, 2, 3, 10, 50.0])[0][-1]) == pytest.approx(
            float(loss), rel=1e-9
        )
    step = 1e-4
    sides = [gradient(Erf(), A, TWO, rates(1.0 + s), [0, 1, 2, 3, 10, 50.0])[0][-1] for s in (step, -step)]
    assert float(slopes[1]) == pytest.approx(float(sides[0] - sides[1]) / (2 * step), rel=1e-5)


def test_divergence_is_reported():
    losses, path = gradient(Linear(), start([[0.4]], [[0.1]]), target([[1.0]]), rates(40.0), [0, 0.01, 0.02, 8])
    assert not bool(path.reached)
    assert np.all(np.isfinite(losses[:3]))
    assert np.isnan(losses[-1])
