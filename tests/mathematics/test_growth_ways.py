"""The tabulated ways of the growth law: their time against quadrature, and its inverse to rounding."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from thalweg.mathematics.growth_ways import Falling, Rising, Sinking, logarithm

# (way, depth): ends, at y from nearly 0 or infinity to nearly 1
CASES = [(Rising, 3, -1), (Sinking, 10, 1), (Falling, 7, 0)]


@pytest.mark.parametrize(("kind", "depth", "side"), CASES)
def test_time_and_its_inverse(kind, depth, side):
    way, rng = kind(depth), np.random.default_rng(0)
    pairs = {-1: (0.1, 0.7, 0.99), 1: (3.0, 1.2, 1.01), 0: (4.0, 0.9, 0.2)}[side]

    def slowness(y):
        return 1 / (y ** (depth - 1) * (1 - y**depth)) if side else -1 / (y ** (depth - 1) * (1 + y**depth))

    for begin, end in itertools.pairwise(pairs):
        wanted = scipy.integrate.quad(slowness, begin, end, epsabs=0, epsrel=1e-12)[0]
        found = way.clock(np.log(end), np) - way.clock(np.log(begin), np)
        assert found == pytest.approx(wanted, rel=1e-10)
    sizes = np.exp(rng.uniform(-20, 2.5 - np.log(depth / 3), 400))
    logs = side * sizes if side else rng.choice([-1, 1], 400) * sizes
    with np.errstate(over="ignore", invalid="ignore"):
        clock = way.clock(logs, np)
    back = jax.jit(lambda c: logarithm(kind, depth, c))(jnp.asarray(clock))
    np.testing.assert_allclose(back, depth * logs, rtol=1e-13, atol=1e-13)
