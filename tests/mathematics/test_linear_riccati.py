"""The factored Riccati flow: its two forms against an independent integration, the inverse root and its derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate

from thalweg.mathematics.linear_riccati import inverse_root, riccati_factors, riccati_rows
from thalweg.mathematics.riccati import echelon

GROWTH = np.array([1.3, 0.6, 0.0, -0.4])
TIMES = np.array([0.0, 1e-7, 0.3, 1.0, 4.0])


def test_both_forms_against_an_independent_integration():
    """Rank two, a row without growth, one column more than needed; rows in another order."""
    factor = np.random.default_rng(0).normal(size=(4, 2)) @ np.random.default_rng(1).normal(size=(2, 3))
    order = np.array([2, 0, 3, 1])

    def field(_, flat):
        p = flat.reshape(4, 4)
        return (GROWTH[:, None] * p + p * GROWTH[None, :] - p @ p).ravel()

    run = scipy.integrate.solve_ivp(field, (0, 4), (factor @ factor.T).ravel(), "DOP853", TIMES, rtol=1e-13, atol=1e-15)
    wanted = run.y.T.reshape(-1, 4, 4)

    @jax.jit
    def both(factor, times):
        form = echelon(0.5 * factor, 3)
        rows = riccati_rows(jnp.asarray(GROWTH), form, jnp.asarray(order), times)
        return jax.vmap(riccati_factors(jnp.asarray(GROWTH), form))(times), jnp.asarray(rows)

    gauged, rows = both(jnp.asarray(factor), jnp.asarray(TIMES))
    np.testing.assert_allclose(np.einsum("tnc,tmc->tnm", gauged, gauged), wanted, atol=1e-11)
    found = np.einsum("nct,mct->tnm", rows, rows)
    np.testing.assert_allclose(found, wanted[:, order][:, :, order], atol=1e-11)


def test_the_inverse_root_and_its_derivative():
    """Eleven columns, graded over twenty orders: written out and from halves."""
    noise = np.random.default_rng(2).normal(size=(11, 30))
    scale = 10.0 ** np.linspace(10, -10, 11)
    gram = scale[:, None] * (noise @ noise.T) * scale[None, :]
    turn = np.random.default_rng(3).normal(size=(11, 11))
    turn = scale[:, None] * (turn + turn.T) * scale[None, :]
    both = jax.jit(lambda n, d: jax.jvp(inverse_root, (n,), (d,)))(jnp.asarray(gram), jnp.asarray(turn))
    found, slope = (np.asarray(one) for one in both)
    np.testing.assert_allclose(found @ gram @ found.T, np.eye(11), atol=1e-11)
    assert np.all(np.triu(found, 1) == 0)
    ahead, behind = (np.linalg.inv(np.linalg.cholesky(gram + sign * 1e-5 * turn)) for sign in (1, -1))
    np.testing.assert_allclose(slope * scale, (ahead - behind) / 2e-5 * scale, atol=1e-7)
