"""Against closed forms, exhaustive search, and the stopping times of the card."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jax.scipy.stats import norm

from thalweg.mathematics.extremum import integer_extremum, interior_extrema, interior_extremum
from thalweg.mathematics.marchenko_pastur_law import closure_rule


@pytest.fixture(autouse=True)
def _x64():
    with jax.enable_x64():
        yield


@jax.jit
def peak(power, rate, horizon):
    """Maximum of t^a exp(-b t), at a / b."""
    return interior_extremum(lambda t: t**power * jnp.exp(-rate * t), horizon, -1)


@jax.jit
def valley(power, rate, horizon):
    return interior_extremum(lambda t: 3 - t**power * jnp.exp(-rate * t), horizon, 1)


@given(power=st.floats(0.2, 5.0), rate=st.floats(0.01, 20.0), share=st.floats(1e-4, 0.99))
def test_peak_of_a_closed_form(power, rate, share):
    truth = power / rate
    assert float(peak(power, rate, truth / share)) == pytest.approx(truth, rel=1e-9)
    assert float(valley(power, rate, truth / share)) == pytest.approx(truth, rel=1e-9)


@given(power=st.floats(0.2, 5.0), rate=st.floats(0.01, 20.0), share=st.floats(1.001, 100.0))
def test_peak_beyond_the_horizon_is_nan(power, rate, share):
    assert np.isnan(float(peak(power, rate, power / rate / share)))


@pytest.mark.parametrize(
    ("curve", "sign"),
    [
        (lambda t: t, 1),
        (lambda t: t, -1),
        (lambda t: jnp.exp(-t), 1),
        (lambda t: jnp.exp(-50 * t), 1),  # falls to rounding far before the end
        (lambda t: 1 + 1e-9 * jnp.exp(-50 * t), 1),  # and drowns in it
        (jnp.zeros_like, 1),
        (lambda t: jnp.cos(t), 1),  # best at 0 < pi < 3.0 only beyond the horizon
        (lambda t: t * jnp.nan, 1),
    ],
)
def test_monotone_or_broken_curves_have_none(curve, sign):
    assert np.isnan(float(interior_extremum(curve, 3.0, sign)))


def test_the_better_of_two_valleys_and_the_first_of_equals():
    def narrow_and_wide(t):
        return -jnp.exp(-(((t - 1) / 0.2) ** 2)) - 2 * jnp.exp(-((t - 5) ** 2))

    def better_at_the_end(t):
        return -t - jnp.exp(-((t - 1) ** 2))

    assert float(interior_extremum(narrow_and_wide, 9.0, 1)) == pytest.approx(5.0, abs=1e-6)
    equal = interior_extremum(lambda t: (t - 2) ** 2 * (t - 6) ** 2, 8.0, 1)
    assert float(equal) == pytest.approx(2.0, abs=1e-8)
    assert np.isnan(float(interior_extremum(better_at_the_end, 9.0, 1)))


def test_a_start_that_is_not_finite_is_passed_over():
    told = interior_extremum(lambda t: jnp.where(t < 0.1, jnp.nan, (t - 1) ** 2), 4.0, 1)
    assert float(told) == pytest.approx(1)


def test_derivatives_and_mapping():
    """The peak a / b has derivatives 1 / b and -a / b^2."""
    slopes = jax.jit(jax.jacfwd(peak, argnums=(0, 1, 2)))(2.0, 3.0, 5.0)
    np.testing.assert_allclose(slopes, [1 / 3, -2 / 9, 0], atol=1e-9)
    powers = jnp.array([0.5, 1.0, 40.0])
    np.testing.assert_allclose(jax.vmap(lambda a: peak(a, 2.0, 5.0))(powers), [0.25, 0.5, np.nan], rtol=1e-9)


@jax.jit
def best_times(signal, ratio, start):
    """Times of the largest accuracy and the least squared error, flow on a Gaussian mixture (card, 2.4)."""
    rule = closure_rule(ratio, signal, 128)

    def moments(t):
        positive = jnp.where(rule.points > 0, rule.points, 1.0)[None, :]
        f = jnp.exp(-t[:, None] * rule.points[None, :])
        g = jnp.where(rule.points[None, :] > 0, -jnp.expm1(-t[:, None] * positive) / positive, t[:, None])
        return signal * g @ rule.signal, (signal + ratio) * g**2 @ rule.signal + start * f**2 @ rule.bulk

    def accuracy(t):
        mean, variance = moments(t)
        return norm.cdf(mean / jnp.sqrt(variance))

    def error(t):
        mean, variance = moments(t)
        return (1 - mean) ** 2 + variance

    times = interior_extrema(lambda t: (accuracy(t), error(t)), 60.0, (-1, 1))
    return times[0], accuracy(times[0][None])[0], times[1], error(times[1][None])[0]


@pytest.mark.parametrize(
    ("signal", "ratio", "truth"),
    [
        (1.0, 0.5, (1.07413332, 0.771096303, 0.92276769, 0.647092279)),
        (1.0, 2.0, (0.74413086, 0.684670664, 0.48822876, 0.828386272)),
    ],
)
def test_reference_stopping_times(signal, ratio, truth):
    np.testing.assert_allclose(best_times(signal, ratio, 0.1), truth, atol=6e-9)


@pytest.mark.parametrize(
    ("start", "time", "accuracy"),
    [
        (0.001, 0.21341, 0.9693083),
        (0.05, 0.69877, 0.9582062),
        (0.1, 0.96907, 0.9516115),
        (0.5, 3.04053, 0.9301412),
        (2.0, 8.36620, 0.9159564),
        (5.0, 14.46345, 0.9115771),
    ],
)
def test_reference_stopping_times_against_the_start(start, time, accuracy):
    told = best_times(4.0, 0.5, start)
    assert float(told[0]) == pytest.approx(time, abs=6e-6)
    assert float(told[1]) == pytest.approx(accuracy, abs=6e-8)


def test_zero_start_is_best_at_once():
    """Card, section 2.3: at sigma2 = 0 accuracy only falls, the squared error has an interior optimum."""
    told = best_times(1.0, 0.5, 0.0)
    assert np.isnan(float(told[0]))
    assert np.isfinite(float(told[2]))


@jax.jit
def integer_peak(power, rate, horizon):
    return integer_extremum(lambda k: k**power * jnp.exp(-rate * k), horizon, -1)


@given(power=st.floats(0.2, 5.0), rate=st.floats(1e-5, 2.0), horizon=st.integers(0, 10**6))
def test_integer_peak_is_the_exhaustive_one(power, rate, horizon):
    steps = np.arange(min(horizon, int(4 * power / rate) + 3) + 1)
    best = np.argmax(power * np.log(np.maximum(steps, 1e-300)) - rate * steps)
    told = float(integer_peak(power, rate, horizon))
    if best in (0, horizon):
        assert np.isnan(told)
    else:
        values = [power * np.log(k) - rate * k for k in (told, best)]
        assert values[0] >= values[1] - 1e-14 * abs(values[1]) - 1e-14  # equal within rounding
        assert told == pytest.approx(best, rel=1e-6)


@jax.jit
def search(best, horizon):
    return jax.vmap(lambda b: integer_extremum(lambda k: (k - b) ** 2, horizon, 1))(best)


@pytest.mark.parametrize("horizon", [0, 1, 2, 3, 17, 63, 64, 65, 1000, 123457])
def test_every_integer_can_be_the_best(horizon):
    random = np.random.default_rng(horizon)
    best = np.unique(np.concatenate([[0, horizon], random.integers(0, horizon + 1, 40)]))
    inside = (best > 0) & (best < horizon)
    np.testing.assert_array_equal(
        search(jnp.asarray(np.resize(best, 42), float), horizon)[: best.size], np.where(inside, best, np.nan)
    )


@pytest.mark.parametrize(
    ("curve", "sign", "truth"),
    [
        (lambda k: k, 1, np.nan),
        (lambda k: k, -1, np.nan),
        (lambda k: k * jnp.nan, -1, np.nan),
        (lambda k: jnp.where(k == 0, jnp.nan, (k - 7) ** 2), 1, 7),
        (lambda k: jnp.minimum(k, 9) - 20 * (k >= 90), -1, 9),  # the first of equals
    ],
)
def test_integer_extremum_at_the_ends_and_without_values(curve, sign, truth):
    np.testing.assert_equal(float(integer_extremum(curve, 100, sign)), truth)
