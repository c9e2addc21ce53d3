"""The growth law of a mode: the card's values, an independent integration, derivatives, singular points."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import scipy.integrate

from thalweg.mathematics.power_growth import growth_curve

START = np.array([0.05, 0.3, 2.5, -0.4, 0.2, 1.2, 0.9, -1.5, 0.0, 1e-3])
DRIVE = np.array([1.2, 0.8, 1.0, 0.7, 0.0, 1.2, 0.0, 1.3, 1.0, 0.9])
VARIANCE = np.array([1.0, 1.7, 0.6, 1.0, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0])
TIMES = np.array([0.0, 1e-9, 1e-3, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0])


def curve(depth, start, drive, variance, times):
    values = [jnp.asarray(np.atleast_1d(v), dtype=float) for v in (start, drive, variance)]
    return np.asarray(jax.jit(lambda *v: jax.vmap(growth_curve(depth, *v))(jnp.asarray(times)))(*values))


@pytest.mark.parametrize("depth", [1, 2, 3, pytest.param(4, marks=pytest.mark.nightly), 7])
def test_against_an_independent_integration(depth):
    """All cases at once: rising, from above, at rest, of the wrong sign, without drive, without variance, from zero."""
    told = curve(depth, START, DRIVE, VARIANCE, TIMES)
    for k, (u, mu, lam) in enumerate(zip(START, DRIVE, VARIANCE, strict=True)):

        def field(_, u, mu=mu, lam=lam):
            pace = 1.0 if depth == 1 else depth * np.abs(u) ** (2 - 2 / depth)
            return pace * (mu - lam * u)

        run = scipy.integrate.solve_ivp(field, (0, 5), [u], "DOP853", TIMES, rtol=2.3e-14, atol=1e-16)
        np.testing.assert_allclose(told[:, k], run.y[0], rtol=1e-11, atol=1e-11, err_msg=f"case {k}")


def test_values_of_the_card():
    """White and coloured modes of depth two in one call, with their half-times; then depth four."""
    times = np.array([0.5, 1.0, 2.0, 4.0, 3.0, 5.0, 9.0, 1.3064559233, 3.8449101347])
    told = curve(2, [0.05, 1e-3], [1.2, 0.8], [1.0, 1.7], times)
    two = (0.15137243953, 0.38878826329, 1.00901030892, 1.19813359429)
    np.testing.assert_allclose(told[:4, 0], two, atol=6e-12)
    coloured = (0.00491177258, 0.09673744420, 0.40654541867, 0.47046509390)
    np.testing.assert_allclose(told[[1, 4, 5, 6], 1], coloured, atol=2e-11)
    assert told[7, 0] == pytest.approx(0.6, abs=1e-10)
    assert told[8, 1] == pytest.approx(0.4 / 1.7, abs=1e-10)
    told = curve(4, 0.05, 1.2, 1.0, [0.5, 1.0, 2.0, 4.0, 1.5819700419])[:, 0]
    four = (0.08968330354, 0.19374857560, 1.03341796565, 1.19999432842)
    np.testing.assert_allclose(told[:4], four, atol=6e-12)
    assert told[4] == pytest.approx(0.6, abs=1e-9)


def test_the_time_of_the_hypergeometric_form():
    """t = [G(u) - G(u0)]/N with G by 2F1, close to its singular point too."""
    depth, u0, s = 3, 0.05, 1.2
    b = 2 - 2 / depth

    def primitive(u):
        return u ** (1 - b) / (s * (1 - b)) * mpmath.hyp2f1(1, 1 - b, 2 - b, u / s)

    ends = np.array([0.3, 0.9, 1.2 * (1 - 1e-9)])
    with mpmath.workdps(30):
        times = [float((primitive(mpmath.mpf(u)) - primitive(mpmath.mpf(u0))) / depth) for u in ends]
    told = curve(depth, u0, s, 1.0, times)[:, 0]
    np.testing.assert_allclose(told, ends, rtol=1e-13)
    np.testing.assert_allclose(s - told, s - ends, rtol=1e-6)


@pytest.mark.nightly
def test_derivatives_are_those_of_differences():
    def modes(u):
        start, drive, variance = jnp.stack([u, -u]), jnp.asarray([1.2, 1.0]), jnp.asarray([1.0, 0.5])
        return jax.vmap(growth_curve(4, start, drive, variance))(jnp.asarray([0.5, 2.0]))

    modes = jax.jit(modes)
    turned = jax.jacfwd(modes)(0.05)
    np.testing.assert_allclose(turned, (modes(0.05 + 1e-6) - modes(0.05 - 1e-6)) / 2e-6, rtol=1e-6)


def test_far_ends_do_not_overflow():
    told = curve(3, [1e-8, 1e-8, -0.5], [1.0, 2.0, 1.0], [1.0, 1.0, 1.0], [1e3, 1e9])
    np.testing.assert_allclose(told[1], (1.0, 2.0, 0.0), atol=1e-12)
    # a power law towards the saddle: |u| ~ (s t)^-3
    assert told[0, 2] == pytest.approx(-(1e3**-3), rel=0.01)
