"""The generator against JAX's own, the law of its numbers against the normal law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy.stats import kstest, norm

from thalweg.mathematics.normal_blocks import normal_block, threefry

draw = jax.jit(normal_block, static_argnums=(1, 2))


def test_rounds_are_those_of_jax():
    random = np.random.default_rng(0)
    key = random.integers(0, 2**32, 2, dtype=np.uint32)
    counters = random.integers(0, 2**32, 64, dtype=np.uint32)
    truth = np.asarray(threefry_2x32(jnp.asarray(key), jnp.asarray(counters)))
    words = [jnp.full(32, word) for word in key]
    told = threefry(*words, jnp.asarray(counters[:32]), jnp.asarray(counters[32:]))
    np.testing.assert_array_equal(np.concatenate(told), truth)


def test_law_of_the_numbers():
    z = np.asarray(draw(jax.random.key(3), 400, 2500))
    assert kstest(z.ravel(), norm.cdf).pvalue > 1e-3
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs(np.mean(z**power) - mean) < 4 * (variance / z.size) ** 0.5
    upper, lower = z[:200], z[200:]  # made from the same words
    for a, b in ((upper, lower), (z[:-1], z[1:]), (z[:, :-1], z[:, 1:])):
        for f in (np.asarray, np.square, np.abs):
            assert abs(np.corrcoef(f(a).ravel(), f(b).ravel())[0, 1]) < 4.5 / a.size**0.5


def test_tails():
    z = np.abs(np.asarray(draw(jax.random.key(5), 4000, 1000)))
    for level in (3.0, 4.0, 4.5):
        expected = 2 * norm.sf(level) * z.size
        assert abs(np.sum(z > level) - expected) < 4.5 * expected**0.5
    assert np.all(np.isfinite(z))


def test_keys_and_shapes():
    z = draw(jax.random.key(0), 8, 5)
    assert z.shape == (8, 5)
    assert z.dtype == jnp.float64
    np.testing.assert_array_equal(z, draw(jax.random.key(0), 8, 5))
    assert len(np.unique(np.concatenate([z.ravel(), draw(jax.random.key(1), 8, 5).ravel()]))) == 80
    with pytest.raises(ValueError, match="multiple of 4"):
        normal_block(jax.random.key(0), 6, 5)
