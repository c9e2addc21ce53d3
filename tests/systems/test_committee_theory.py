"""Order-parameter equations of committee machines against the values of the card and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from committee_cases import (
    C_OUT,
    HALF,
    SMALL_RATE,
    TWO,
    A,
    B,
    C,
    compiled_gradient,
    gradient,
    natural,
    padded,
    rates,
    start,
    target,
)

from thalweg.mathematics.gaussian_averages import Erf, Linear, Relu
from thalweg.rules import Constant
from thalweg.systems.committee_machine.natural_gradient import inside_span, metric, natural_velocity
from thalweg.systems.committee_machine.order_parameters import State, gradient_velocity

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
    np.testing.assert_allclose(path.observed.output[-1], [0.8712044426, 1.1481649504, -0.4685812939], rtol=1e-7)


@pytest.mark.parametrize("row", NATURAL)
def test_natural_trajectories(row):
    damping, times, truth = row
    losses, _ = natural(Erf(), A, TWO, rates(0.2), damping, Constant(), padded(times))
    np.testing.assert_allclose(losses[: len(times)], truth, rtol=1e-7)


def test_derivatives_of_the_card():
    now = gradient_velocity(Erf(), A, TWO, rates(1.0))
    np.testing.assert_allclose(now.student, [[0.2084652969, 0.163455654], [0.163455654, 0.2545459969]], atol=6e-11)
    truth = [[0.3890056132, 0.3925821102], [0.3959960425, 0.4011691226]]
    np.testing.assert_allclose(now.teacher, truth, atol=6e-11)
    now = natural_velocity(Erf(), State(*map(jnp.asarray, A)), TWO, rates(0.2), 0.0)
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


def test_mapped_over_rates_and_differentiable():
    times = jnp.array([0.0, 10, 50])

    def last(eta):
        return compiled_gradient.__wrapped__(Erf(), A, TWO, rates(eta), Constant(), times)[0][-1]

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
