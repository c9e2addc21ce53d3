"""The flow of gated products against scipy, a logistic curve, and itself by second moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from thalweg.mathematics.gated_flow import Field, GatedFlow, Units, gated_flow

SCALE, TARGET = np.array([1.0, 1.5, 0.8]), np.array([1.0, -0.7, 0.5])
TIMES = np.linspace(0.0, 30.0, 31)


def start(units: int = 5, size: float = 1e-2) -> np.ndarray:
    j, k = np.arange(units)[:, None], np.arange(3)[None, :]
    u = size * np.cos(1.3 * j + 2.1 * k + 0.7 * j * k)
    a = np.where(np.arange(units) % 2 == 0, 1, -1) * np.linalg.norm(u, axis=1)
    return np.concatenate([a[:, None], u], axis=1)


def kink_blind(state: np.ndarray) -> np.ndarray:
    """The same with relu as it is, at a tolerance that forces tiny steps at the kinks: states at TIMES."""

    def field(_, z):
        z = z.reshape(state.shape)
        a, u = z[:, 0], z[:, 1:]
        g = SCALE * (TARGET - SCALE * (a @ np.maximum(u, 0))) / 3
        return np.concatenate([(np.maximum(u, 0) @ g)[:, None], (u > 0) * a[:, None] * g[None, :]], axis=1).ravel()

    run = scipy.integrate.solve_ivp(field, (0, TIMES[-1]), state.ravel(), "DOP853", TIMES, rtol=1e-12, atol=1e-16)
    return run.y.T.reshape(-1, *state.shape)


def follow(state: jax.Array, field: Field, closes: bool = True, tolerance: float = 1e-11) -> GatedFlow:
    units = Units(state, state[:, 1:] > 0)

    def watch(now: Units) -> jax.Array:
        return jnp.stack([0.5 * field.target[0] - field.outputs(now)[0]])

    return gated_flow(field, units, jnp.asarray(0.0), jnp.asarray(TIMES), tolerance, lambda u: u.state, watch, closes)


def test_against_a_kink_blind_integration():
    field = Field(jnp.asarray(SCALE), jnp.asarray(TARGET))
    run = jax.jit(lambda z: follow(z, field))(jnp.asarray(start()))
    wanted = kink_blind(start())
    assert run.reached
    # the reference jitters at its kinks; relative to the size of the units that carry the output
    assert np.max(np.abs(np.asarray(run.observed) - wanted)[1:]) < 1e-8
    closed = np.isfinite(np.asarray(run.closing))
    np.testing.assert_array_equal(np.asarray(run.end.state)[:, 1:][closed], 0.0)
    # the root is where the dense curve crosses
    outputs = SCALE[0] * np.sum(wanted[:, :, 0] * np.maximum(wanted[:, :, 1], 0), axis=1)
    index = np.argmax(outputs > 0.5)
    assert TIMES[index - 1] < run.roots[0] < TIMES[index]


def test_one_aligned_unit_is_logistic():
    """r' = 2 (xi/n) r (Y - r) for r = xi a |u|, and its half-time carries the derivative of the target."""
    xi, size = 1.3, 1e-5

    def half_time(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        state = size * jnp.array([[1.0, 1.0, 0.0, 0.0]])
        field = Field(jnp.full(3, xi), jnp.stack([y, y * 0 + 1.0, y * 0 + 1.0]))
        run = follow(state, field, closes=False, tolerance=1e-13)
        return run.roots[0], run.observed[:, 0, 0] * run.observed[:, 0, 1] * xi

    y = 2.0
    when, curve = half_time(jnp.asarray(y))
    begun = xi * size**2
    wanted = y / (1 + (y / begun - 1) * np.exp(-2 * xi * y * TIMES / 3))
    np.testing.assert_allclose(curve[1:], wanted[1:], rtol=1e-9)

    def exact(y: float) -> float:
        return 3 / (2 * xi * y) * np.log(y / begun - 1)

    assert float(when) == pytest.approx(exact(y), rel=1e-11)
    slope = jax.jacfwd(lambda v: half_time(v)[0])(jnp.asarray(y))
    assert float(slope) == pytest.approx((exact(y + 1e-5) - exact(y - 1e-5)) / 2e-5, rel=1e-7)


def test_second_moments_stand_for_any_number_of_units():
    """Units of one pattern move by one propagator: the outputs are those of the units themselves."""
    rng = np.random.default_rng(3)
    units = 1e-3 * np.abs(rng.standard_normal((20, 4)))
    units[:, 3] = 0.0
    moments = jnp.asarray(units.T @ units)[None]
    opened = jnp.array([True, True, False])
    scale, target = jnp.asarray(SCALE), jnp.abs(jnp.asarray(TARGET))
    plain, taken = Field(scale, target), Field(scale, target, moments)

    def outputs(field: Field, state: jax.Array) -> jax.Array:
        begun = Units(state, jnp.broadcast_to(opened, (state.shape[0], 3)))
        watch = jnp.zeros(0)
        run = gated_flow(
            field, begun, jnp.asarray(0.0), jnp.asarray(TIMES), 1e-12, field.outputs, lambda u: watch, closes=False
        )
        return run.observed[1:]

    np.testing.assert_allclose(outputs(taken, jnp.eye(4)), outputs(plain, jnp.asarray(units)), rtol=1e-9, atol=1e-15)
