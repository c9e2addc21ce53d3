"""One step against solutions in closed form: its order, the order of its error and of its dense output, derivatives."""

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.mathematics.prince_dormand import ERROR, WEIGHTS, step

BEGIN = 0.3


def start(time):
    return jnp.stack([jnp.exp(jnp.sin(time)), 1 / (1 + time)])


def velocity(time, state):
    return jnp.stack([jnp.cos(time) * state[0], -(state[1] ** 2)])


@jax.jit
def one(length):
    begin = jnp.asarray(BEGIN)
    return step(velocity, begin, begin + length, start(begin), velocity(begin, start(begin)))


def test_errors_fall_by_their_orders():
    lengths = np.array([0.4, 0.2])
    runs = [one(length) for length in lengths]
    ends = [np.max(np.abs(run.state - start(BEGIN + h))) for run, h in zip(runs, lengths, strict=True)]
    told = [np.max(np.abs(run.error)) for run in runs]
    inside = [
        np.max(np.abs(run.path.at(jnp.asarray(BEGIN + 0.37 * h)) - start(BEGIN + 0.37 * h)))
        for run, h in zip(runs, lengths, strict=True)
    ]
    # a step of order 8 is off by h^9, its neighbour of order 7 by h^8, the polynomial of degree 6 between by h^6
    for errors, order in ((ends, 8.0), (told, 7.0), (inside, 5.0)):
        assert np.log2(errors[0] / errors[1]) > order, errors


def test_the_slope_at_the_end_and_both_ends_of_the_path():
    run = one(0.4)
    np.testing.assert_allclose(run.slope, velocity(BEGIN + 0.4, run.state), rtol=1e-13)
    np.testing.assert_allclose(run.path.at(run.path.begin), start(BEGIN), rtol=1e-15)
    np.testing.assert_allclose(run.path.at(run.path.end), run.state, rtol=1e-14)


def test_weights_are_consistent():
    assert abs(WEIGHTS[-1].sum() - 1) < 1e-15
    assert abs(ERROR.sum()) < 1e-15


def test_the_derivative_with_respect_to_the_length():
    slope = jax.jacfwd(lambda h: one(h).state)(0.4)
    np.testing.assert_allclose(slope, velocity(BEGIN + 0.4, start(BEGIN + 0.4)), rtol=1e-7)
