"""Growth through closing gates: the closed form against the card's table and an independent integration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from thalweg.mathematics.gated_growth import final_pattern, gated_growth, state_at

NORMS, LABELS = np.array([1.0, 1.5, 0.8]), np.array([1.0, -0.7, 0.5])
DRIVE = NORMS * LABELS / 3


def start(units: int, gates: int, ratio: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    j, k = np.arange(units)[:, None], np.arange(gates)[None, :]
    u = np.cos(1.3 * j + 2.1 * k + 0.7 * j * k)
    return ratio * np.where(np.arange(units) % 2 == 0, 1, -1) * np.linalg.norm(u, axis=1), u


def alone(level: float, gates: np.ndarray, drive: np.ndarray, end: float) -> np.ndarray:
    """One unit by an adaptive method of order 8 that stops at every closing: (a, u) at the end."""
    state, opened, now = np.concatenate([[level], gates]), gates > 0, 0.0

    def field(_, z):
        return np.concatenate([[np.sum(z[1:] * drive * opened)], z[0] * drive * opened])

    while now < end:
        hits = [lambda _, z, k=k: z[1 + k] for k in np.flatnonzero(opened)]
        for hit in hits:
            hit.terminal, hit.direction = True, -1
        run = scipy.integrate.solve_ivp(field, (now, end), state, "DOP853", rtol=1e-13, atol=1e-15, events=hits)
        state, now = run.y[:, -1].copy(), run.t[-1]
        for k, found in zip(np.flatnonzero(opened), run.t_events, strict=True):
            if found.size:
                opened[k], state[1 + k] = False, 0.0
    return state


@pytest.fixture
def growth():
    level, gates = start(6, 3)
    return gated_growth(jnp.asarray(level), jnp.asarray(gates), jnp.asarray(DRIVE))


def test_the_table_of_the_card(growth):
    last = final_pattern(growth)
    patterns = [{0}, set(), set(), set(), {0}, {1}]
    assert [set(np.flatnonzero(row)) for row in np.asarray(last.pattern)] == patterns
    off = np.asarray(growth.closing)
    for unit, gate, when in [
        (5, 0, 1.906560670012),
        (5, 2, 1.977053063673),
        (2, 1, 1.987902353312),
        (1, 0, 0.831012244086),
        (1, 2, 8.607713789832),
        (3, 2, 7.903410178873),
    ]:
        assert off[unit, gate] == pytest.approx(when, abs=2e-12)
    amplitude = np.asarray(last.sign * jnp.exp(last.log_amplitude))[[0, 4, 5]]
    np.testing.assert_allclose(amplitude, [1.11139701960, 0.82711588180, -0.98443435521], rtol=1e-10)
    level = np.asarray(state_at(growth, jnp.asarray(6.0))[0])[[0, 4, 5]]
    np.testing.assert_allclose(level, [8.22725087316, 6.16013677668, -8.03905821244], rtol=1e-11)
    rate = np.sqrt(np.sum(np.where(LABELS > 0, DRIVE, 0) ** 2)), abs(DRIVE[1])
    np.testing.assert_allclose(rate, [0.359010987, 0.35], rtol=1e-9)


@pytest.mark.parametrize("ratio", [1.0, 0.1])
def test_against_an_integration_that_stops_at_every_closing(ratio):
    level, gates = start(12, 3, ratio)
    growth = gated_growth(jnp.asarray(level), jnp.asarray(gates), jnp.asarray(DRIVE))
    for time in (1.0, 2.5, 10.0):
        a, u, _ = map(np.asarray, state_at(growth, jnp.asarray(time)))
        wanted = np.stack([alone(*unit, DRIVE, time) for unit in zip(level, gates, strict=True)])
        size = np.linalg.norm(wanted, axis=1)[:, None]
        assert np.max(np.abs(np.concatenate([a[:, None], u], axis=1) - wanted) / size) < 1e-9


def test_a_unit_without_open_gates_stays_and_has_a_finite_derivative():
    level, gates = jnp.array([0.3, 0.3]), jnp.array([[-1.0, -2.0], [0.5, -1.0]])

    def end(b):
        return state_at(gated_growth(level, gates, b), jnp.asarray(2.0))[0]

    drive = jnp.array([0.4, -0.2])
    assert end(drive)[0] == 0.3
    assert np.all(np.isfinite(jax.jacfwd(end)(drive)))
    assert final_pattern(gated_growth(level, gates, drive)).log_amplitude[0] == -np.inf
