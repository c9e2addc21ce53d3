"""Against quadrature in the dimension in which each average lives, and the values of the card."""

import math
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from thalweg.mathematics.gaussian_averages import Erf, Linear, Relu

CARD = np.array([[1, 0.3, 0.2, 0.1], [0.3, 0.8, -0.1, 0.25], [0.2, -0.1, 1.2, 0.4], [0.1, 0.25, 0.4, 0.9]])
SHAPES = {
    Erf: (lambda z: erf(z / 2**0.5), lambda z: (2 / np.pi) ** 0.5 * np.exp(-(z**2) / 2)),
    Linear: (lambda z: z, np.ones_like),
}


@jax.jit
def averages(kind, covariance):
    """second, third, fourth, slopes over the fields 0, 1, 2, 3 in order."""
    return (
        kind.second(covariance, 0, 1),
        kind.third(covariance, 0, 1, 2),
        kind.fourth(covariance, 0, 1, 2, 3),
        kind.slopes(covariance, 0, 1),
    )


@lru_cache
def grid(fields, nodes):
    """Points (fields, nodes^fields) and weights of the standard normal law."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    mesh = np.meshgrid(*[points] * fields, indexing="ij")
    mass = np.prod(np.meshgrid(*[weights / weights.sum()] * fields, indexing="ij"), axis=0)
    return np.stack([axis.ravel() for axis in mesh]), mass.ravel()


def quadrature(function, covariance, nodes):
    points, mass = grid(len(covariance), nodes)
    return mass @ function(*(np.linalg.cholesky(covariance) @ points))


def by_quadrature(kind, covariance):
    g, slope = SHAPES[kind]
    return (
        quadrature(lambda a, b: g(a) * g(b), covariance[:2, :2], 80),
        quadrature(lambda a, b, c: slope(a) * b * g(c), covariance[:3, :3], 60),
        quadrature(lambda a, b, c, d: slope(a) * slope(b) * g(c) * g(d), covariance, 34),
        quadrature(lambda a, b: slope(a) * slope(b), covariance[:2, :2], 80),
    )


@st.composite
def covariances(draw, largest):
    """Covariances of four fields of variance at most `largest`, so that the quadrature has converged."""
    entries = draw(st.lists(st.floats(-1, 1), min_size=16, max_size=16))
    root = np.reshape(entries, (4, 4)) + 1.2 * np.eye(4)
    return root @ root.T * (largest / np.max(np.sum(root**2, axis=1)))


@settings(max_examples=8)
@given(covariance=covariances(largest=0.6))
def test_error_function(covariance):
    np.testing.assert_allclose(averages(Erf(), covariance), by_quadrature(Erf, covariance), rtol=0, atol=1e-12)


@settings(max_examples=4)
@given(covariance=covariances(largest=3.0))
def test_linear(covariance):
    np.testing.assert_allclose(averages(Linear(), covariance), by_quadrature(Linear, covariance), atol=1e-12)


def plane(function, covariance, degree):
    """E f(a, c), f homogeneous of this degree with kinks at a = 0 and c = 0: exact between the kinks' angles."""
    root = np.linalg.cholesky(covariance)
    kinks = [math.pi / 2, -math.pi / 2]
    kinks += [math.atan2(-root[1, 0], root[1, 1]), math.atan2(root[1, 0], -root[1, 1])]
    edges = np.sort(np.mod(kinks, 2 * math.pi))
    points, weights = np.polynomial.legendre.leggauss(24)
    total = 0.0
    for low, high in zip(edges, [*edges[1:], edges[0] + 2 * math.pi], strict=True):
        angle = (low + high) / 2 + (high - low) / 2 * points
        total += (high - low) / 2 * weights @ function(*(root @ [np.cos(angle), np.sin(angle)]))
    return total / (2 * math.pi) * 2 ** (degree / 2) * math.gamma(1 + degree / 2)


@given(covariance=covariances(largest=2.0))
def test_rectifier(covariance):
    """b given a, c is linear in them, which brings the third average down to a plane."""
    pair, outer = covariance[:2, :2], covariance[np.ix_([0, 2], [0, 2])]
    alpha, gamma = np.linalg.solve(outer, covariance[1, [0, 2]])
    truth = (
        plane(lambda a, b: np.maximum(a, 0) * np.maximum(b, 0), pair, 2),
        plane(lambda a, c: (a > 0) * (alpha * a + gamma * c) * np.maximum(c, 0), outer, 2),
        plane(lambda a, b: (a > 0) * (b > 0), pair, 0),
    )
    told = rectifier(covariance)
    np.testing.assert_allclose(told[:3], truth, rtol=0, atol=1e-12)
    relu, positive = lambda z: np.maximum(z, 0), lambda z: z > 0
    four = (
        plane(lambda a, b: positive(a) * relu(b) ** 2, pair, 2),
        plane(lambda a, b: positive(a) * relu(a) * relu(b), pair, 2),
        plane(lambda a, b: positive(a) * positive(b) * relu(b) ** 2, pair, 2),
        plane(lambda a, b: positive(a) * positive(b) * relu(a) * relu(b), pair, 2),
        covariance[0, 0] / 2,
    )
    np.testing.assert_allclose(told[3], four, rtol=0, atol=1e-12)


@jax.jit
def rectifier(covariance):
    kind = Relu()
    a, b, c, d = np.array([[0, 0, 1, 1], [0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0]]).T
    four = kind.fourth(covariance, a, b, c, d)
    return kind.second(covariance, 0, 1), kind.third(covariance, 0, 1, 2), kind.slopes(covariance, 0, 1), four


def test_rectifier_of_many_fields_is_refused():
    with pytest.raises(ValueError, match="at most two different fields"):
        Relu().fourth(jnp.asarray(CARD), 0, 1, 2, 3)


def test_values_of_the_card():
    truth = [0.10108262410425987, -0.039635124858236406, 0.044128212642937856, 0.3398024960834521]
    np.testing.assert_allclose(averages(Erf(), CARD), truth, rtol=1e-14)
    told = Relu().second(jnp.asarray(CARD), 0, 1), Relu().third(jnp.asarray(CARD), 0, 1, 2)
    np.testing.assert_allclose(told, [0.2254375751908599, 0.02350238732445966], rtol=1e-14)
    assert float(Relu().slopes(jnp.asarray(CARD), 0, 1)) == pytest.approx(0.30443745475830963, rel=1e-14)


@pytest.mark.parametrize("kind", [Erf, Relu, Linear])
def test_moments(kind):
    points, weights = np.polynomial.legendre.leggauss(100)
    z = 7 * (points + 1)  # each half apart: the slopes are smooth on each
    density = 7 * weights * np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5
    for power in range(5):
        truth = sum(density @ np.asarray(kind().slope(jnp.asarray(sign * z))) ** power for sign in (1, -1))
        assert kind().moment(power) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("kind", [Erf, Relu, Linear])
def test_slope_is_the_derivative_of_the_value(kind):
    z = jnp.array([-2.0, -0.3, 0.4, 1.7])
    _, rate = jax.jvp(kind().value, (z,), (jnp.ones_like(z),))
    np.testing.assert_allclose(rate, kind().slope(z), rtol=1e-14)


@pytest.mark.parametrize("kind", [Erf, Relu, Linear])
def test_curvatures_are_derivatives_of_the_slopes(kind):
    """Price: d E f / d C_ab = E d_a d_b f, half of it on the diagonal."""
    covariance = jnp.asarray(CARD)
    rate = jax.jacfwd(lambda v: kind().slopes(v, 0, 1))(covariance)
    truth = [2 * rate[0, 0], 2 * rate[1, 1], rate[0, 1] + rate[1, 0]]
    np.testing.assert_allclose(kind().curvatures(covariance, 0, 1), truth, rtol=1e-13, atol=1e-16)
    alone = jax.jacfwd(lambda v: kind().slopes(v, 1, 1))(covariance)[1, 1]
    first, second, mixed = kind().curvatures(covariance, 1, 1)
    assert float(first + second + 2 * mixed) == pytest.approx(2 * float(alone), abs=1e-14)


@pytest.mark.parametrize("kind", [Erf, Relu, Linear])
def test_equal_fields(kind):
    """Singular covariances, with rounding on either side of an arcsine's end, are answered like regular ones."""
    for size in (0.3, 1.0, 1 / 3, 7.0):
        for slip in (-1e-16, 0.0, 1e-16):
            covariance = jnp.full((4, 4), size).at[0, 1].add(slip).at[1, 0].add(slip)
            nearly = jnp.full((4, 4), size) * (1 - 1e-9) + 1e-9 * size * jnp.eye(4)
            # the arcsine of the rectifier has a root there
            np.testing.assert_allclose(basic(kind(), covariance), basic(kind(), nearly), rtol=1e-4)


@jax.jit
def basic(kind, covariance):
    return kind.second(covariance, 0, 1), kind.third(covariance, 0, 1, 2), kind.slopes(covariance, 0, 1)


@pytest.mark.parametrize("kind", [Erf, Relu])
def test_derivative_of_the_pair_at_equal_fields(kind):
    """E g(a) g(b) is smooth there: d/dC_ab = E g'(a) g'(b), though each of its terms has an infinite slope."""
    covariance = jnp.full((2, 2), 0.7)
    rate = jax.jacfwd(lambda v: kind().second(v, 0, 1))(covariance)
    assert float(rate[0, 1]) == pytest.approx(float(kind().slopes(covariance, 0, 0)), rel=1e-12)


def test_tables_equal_single_entries():
    a, b, c, d = np.ix_(*[np.arange(4)] * 4)
    table = Erf().fourth(jnp.asarray(CARD), a, b, c, d)
    assert table.shape == (4, 4, 4, 4)
    assert float(table[0, 1, 2, 3]) == pytest.approx(0.044128212642937856, rel=1e-14)
    np.testing.assert_allclose(table, np.transpose(table, (1, 0, 2, 3)), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(table, np.transpose(table, (0, 1, 3, 2)), rtol=1e-13, atol=1e-16)
