"""Formulas that must not hang on the last bit: half angles at every tilt, and steps where the error is rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mpmath import mp

from thalweg.mathematics.half_angle import pairs
from thalweg.mathematics.step_control import next_length
from thalweg.mathematics.watched_flow import watched_flow

TILTED = [(x, y) for x in (-0.2, -1 / 3, 0.0, 0.2, 0.7, 1e8) for y in (0.0, 1e-30, 1e-9, 0.1, 1.0) if x or y]


def test_half_angles_against_many_digits():
    """Relative to each component, where the tilt is 1 - 1e-19, too."""
    mp.dps = 100
    x, y = (jnp.asarray(column) for column in zip(*TILTED, strict=True))
    found = jax.jit(pairs)(x, y)
    for i, (a, b) in enumerate(TILTED):
        length = mp.sqrt(mp.mpf(a) ** 2 + 4 * mp.mpf(b) ** 2)
        wanted = [length, mp.sqrt((1 - a / length) / 2), mp.sqrt((1 + a / length) / 2)]
        np.testing.assert_allclose([part[i] for part in found], [float(w) for w in wanted], rtol=8e-16, atol=0)


def test_half_angles_of_every_near_number():
    """Neighbouring floats on both sides of many numbers: never NaN, always of length 1."""
    x = np.random.default_rng(0).normal(size=2000)
    x = np.concatenate([x, np.nextafter(x, 9), np.nextafter(x, -9)])
    found = pairs(jnp.asarray(x), jnp.zeros_like(x))
    np.testing.assert_allclose(found.low**2 + found.high**2, 1.0, rtol=1e-15)
    free = pairs(jnp.zeros(4), jnp.array([0.0, 1.0, 0.9, 1e-9]))
    assert np.all(free.low == free.high)
    np.testing.assert_allclose(free.low, 0.5**0.5)


@pytest.mark.parametrize(("x", "y"), [(0.0, 1.0), (-0.3, 0.2), (0.3, 1e-3)])
def test_derivatives_of_half_angles(x, y):
    turned = jax.jacfwd(lambda one: jnp.stack(pairs(one, jnp.asarray([y]))))(jnp.asarray(x)).ravel()
    mp.dps = 40
    for slope, sign in zip(turned[1:], (-1, 1), strict=True):
        wanted = mp.diff(lambda a, sign=sign: mp.sqrt((1 + sign * a / mp.sqrt(a**2 + 4 * mp.mpf(y) ** 2)) / 2), x)
        assert float(slope) == pytest.approx(float(wanted), rel=1e-9)


@pytest.mark.parametrize("tolerance", [1e-6, 1e-10, 1e-13])
def test_steps_do_not_follow_rounding(tolerance):
    """Whatever an estimate of the size of the rounding says, the next step is the same."""
    noise = 2.0**-52 / tolerance * np.array([1e-6, 0.1, 1.0, 10.0])
    lengths = jax.vmap(lambda one: next_length(1.0, one, tolerance))(jnp.asarray(noise))
    assert np.ptp(lengths) == 0
    assert 1 <= lengths[0] <= 6


@pytest.mark.parametrize("seed", range(3))
def test_a_run_from_a_neighbouring_start_is_a_neighbouring_run(seed):
    """A matrix Riccati equation from starts a rounding apart: far nearer than the tolerance."""
    rng = np.random.default_rng(seed)
    growth, start = jnp.asarray(rng.normal(size=4)), 0.1 * rng.normal(size=(4, 4))
    start = start @ start.T

    @jax.jit
    def run(begin):
        def move(t, p):
            return growth[:, None] * p + p * growth[None, :] - p @ p

        return watched_flow(move, begin, jnp.linspace(0.0, 9.0, 12), lambda p: p, lambda p: jnp.ones(1)).observed

    moved = [run(jnp.asarray(start * (1 + s))) for s in (0.0, 3e-16, 1e-15, 1e-14, -1e-14)]
    assert max(float(np.max(np.abs(one - moved[0]))) for one in moved) < 1e-12
