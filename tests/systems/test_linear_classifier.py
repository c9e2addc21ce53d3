"""The linear classifier at its edges: stability limits, no class mean, divergence; and what its draws promise."""

import jax
import numpy as np
import pytest
from scipy.integrate import quad

import thalweg as tw
from thalweg.data.mixture import draw_mixture, noise_power
from thalweg.words.fields import vary
from thalweg.words.problem import seed_keys

SMALL = tw.LinearClassifier(dimension=6, samples=9, init_variance=1.0)


def drawn(problem, seed=0):
    """Data and start of a seed as NumPy arrays."""
    with jax.enable_x64():
        draw, begin, _ = seed_keys(jax.numpy.asarray(seed))
        data = problem.draw(draw)
        return jax.tree.map(np.asarray, (data, problem.initial(begin, data)))


@pytest.mark.parametrize(
    "rule",
    [
        tw.GradientDescent(learning_rate=1.0),
        tw.HeavyBall(learning_rate=1.0, momentum=0.6),
        tw.Nesterov(learning_rate=1.0, momentum=0.6),
    ],
    ids=lambda rule: type(rule).__name__,
)
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_the_largest_stable_rate_separates_falling_from_growing(rule, decay):
    problem = vary(SMALL, {"rule": rule, "weight_decay": decay})
    times = [0, 600]
    limit = float(tw.train(problem, times, strict=False).largest_stable_rate[0])
    told = tw.predict(problem, times, theory=tw.Eigenmodes())
    assert float(told.largest_stable_rate[0]) == pytest.approx(limit, rel=1e-10)
    loss = {
        factor: tw.train(vary(problem, {"rule.learning_rate": factor * limit}), times, strict=False).train_loss[0]
        for factor in (0.98, 1.02)
    }
    assert float(loss[0.98][1]) < float(loss[0.98][0])
    assert float(loss[1.02][1]) > 1e6 * float(loss[1.02][0])


def test_a_run_that_diverges_names_the_step_at_which_it_left_the_numbers():
    """The very step at which the loss of the same loop in NumPy is no longer finite, long before its weights."""
    problem = vary(SMALL, {"rule": tw.GradientDescent(learning_rate=30.0)})
    (data, weights), step = drawn(problem), 0
    with np.errstate(all="ignore"):
        while np.isfinite(np.mean((data.inputs @ weights - data.labels) ** 2)):
            slope = data.inputs.T @ (data.inputs @ weights - data.labels) / problem.samples
            weights, step = weights - 30.0 * slope, step + 1
    assert np.isfinite(weights).all()
    said = f"seed 0 left the finite numbers in train_loss at step {step}. Its learning rate"
    with pytest.raises(FloatingPointError, match=said):
        tw.train(problem, [0, 1000])


@pytest.mark.parametrize("rule", [tw.GradientDescent(0.8), tw.HeavyBall(2.0, 0.5), tw.Nesterov(0.6, 0.5)])
def test_theory_beyond_the_limit_answers_with_a_warning(rule):
    problem = vary(tw.LinearClassifier(), {"rule": rule})
    with pytest.warns(tw.TheoryWarning, match="stability limit"):
        told = tw.predict(problem, np.arange(11), theory=tw.MarchenkoPastur())
    limit, rate = float(told.largest_stable_rate), rule.learning_rate
    assert rate > limit
    assert np.all(np.isfinite(told.test_loss))
    row = tw.theories(problem).set_index("theory").loc["MarchenkoPastur"]
    assert row.strain == pytest.approx(rate / limit)
    assert row.assumption == "stable step"


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_no_class_mean(ratio):
    """mean_norm = 0: nothing to learn. Overlap 0, accuracy 1/2, losses by scipy's quadrature of the two densities."""
    start, time = 0.1, 2.0
    problem = tw.LinearClassifier(dimension=int(200 * ratio), samples=200, mean_norm=0.0, init_variance=start)
    told = tw.predict(problem, [0.0, time], theory=tw.MarchenkoPastur()).isel(time=1)
    low, high = (1 - ratio**0.5) ** 2, (1 + ratio**0.5) ** 2

    def average(h, below):
        """Integral of h(x) sqrt((x - low)(high - x)) / (2 pi below(x)), x = low + (high - low) sin^2."""

        def inner(angle):
            x = low + (high - low) * np.sin(angle) ** 2
            half = 0.5 * (high - low) * np.sin(2 * angle)
            return h(x) * half * 2 * half / (2 * np.pi * below(x))

        return quad(inner, 0.0, np.pi / 2, epsabs=1e-13, epsrel=1e-13)[0]

    def f(x):
        return np.exp(-time * x)

    def g(x):
        return -np.expm1(-time * x) / x

    def signal(h):
        return average(h, lambda x: ratio)

    def bulk(h, at_zero):
        return average(h, lambda x: ratio * x) + max(0.0, 1 - 1 / ratio) * at_zero

    norm = ratio * signal(lambda x: g(x) ** 2) + start * bulk(lambda x: f(x) ** 2, 1.0)
    fit = ratio * signal(g)
    power = ratio * signal(lambda x: x * g(x) ** 2) + start * bulk(lambda x: x * f(x) ** 2, 0.0)
    assert float(told.overlap) == 0.0
    assert float(told.test_accuracy) == 0.5
    assert float(told.squared_norm) == pytest.approx(norm, rel=1e-9)
    assert float(told.test_loss) == pytest.approx(0.5 * (1 + norm), rel=1e-9)
    assert float(told.train_loss) == pytest.approx(0.5 * (1 - 2 * fit + power), rel=1e-9)


def test_the_data_follow_their_law():
    """Means, covariance correlation^|j-k|, fair clean labels and the share of flips, within five standard errors."""
    samples, features, r, flip = 20000, 4, 0.6, 0.2
    mean = np.linspace(0.2, 0.8, features)
    with jax.enable_x64():
        data = jax.tree.map(np.asarray, draw_mixture(jax.random.key(3), samples, jax.numpy.asarray(mean), r, flip))
    error = 5 / np.sqrt(samples)
    noise = data.inputs - data.clean_labels[:, None] * mean
    wanted = r ** np.abs(np.subtract.outer(np.arange(features), np.arange(features)))
    # the variance of a product of two standard normal numbers with correlation q is 1 + q^2
    assert np.all(np.abs(noise.T @ noise / samples - wanted) < error * np.sqrt(1 + wanted**2))
    assert np.all(np.abs(noise.mean(axis=0)) < error)
    assert abs(data.clean_labels.mean()) < error
    assert abs(np.mean(data.labels != data.clean_labels) - flip) < error * np.sqrt(flip * (1 - flip))
    assert set(np.unique(data.labels)) == {-1.0, 1.0}


@pytest.mark.parametrize("r", [0.0, 0.6, -0.9])
def test_noise_power_is_the_quadratic_form(r):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=7)
    covariance = r ** np.abs(np.subtract.outer(np.arange(7), np.arange(7))) if r else np.eye(7)
    found = noise_power(jax.numpy.asarray(weights), r)
    assert float(found) == pytest.approx(weights @ covariance @ weights, rel=1e-12)


def test_test_quantities_are_population_values():
    """test_loss and test_accuracy of some weights against a million fresh points of the same law, labels clean."""
    problem = vary(SMALL, {"correlation": 0.5, "mean_norm": 1.5, "label_flip": 0.3})
    data, weights = drawn(problem)
    found = problem.observe(*jax.tree.map(jax.numpy.asarray, (weights, data)))
    rng = np.random.default_rng(1)
    factor = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))))
    # inputs times their clean labels are one Gaussian around mu
    fresh = (data.mean + rng.normal(size=(1_000_000, 6)) @ factor.T) @ weights
    for name, values in (("test_loss", 0.5 * (1 - fresh) ** 2), ("test_accuracy", fresh > 0)):
        assert float(found[name]) == pytest.approx(values.mean(), abs=5e-3 * values.std())
