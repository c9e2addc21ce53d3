"""Linear regression: exact finite data, draws that follow their law, refusals, and edges of the parameters."""

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg.words.fields import vary
from thalweg.words.problem import seed_keys

A, J = np.arange(1, 4), np.arange(1, 7)
INPUTS = np.sqrt(2) * np.cos(1.1 * np.outer(J, A) + 0.3 * J[:, None] ** 2)
CARD = tw.RegressionSample(inputs=INPUTS, targets=INPUTS @ (1 / A) + 0.2 * np.sin(3 * J), teacher=1 / A)
EXACT = [
    (
        tw.GradientDescent(0.3),
        20,
        (1.058771007902, 0.491466932470, 0.316461391516),
        0.004466831452814,
        0.003811507031946,
    ),
    (tw.GradientFlow(), 4.0, (1.016037542812, 0.446147246130, 0.350727201468), 0.009041467221497, None),
]


@pytest.mark.parametrize(("rule", "time", "weights", "train", "distance"), EXACT, ids=["descent", "flow"])
def test_the_exact_finite_data_of_the_card(rule, time, weights, train, distance):
    """Trained and by modes; the data come as a mapping or a tuple as well."""
    problem = tw.LinearRegression(dimension=3, samples=6, noise=0.0, rule=rule)
    start = np.zeros(3)
    flow = isinstance(rule, tw.GradientFlow)
    np.testing.assert_allclose(
        tw.replay(problem, [0, time], data=CARD, start=start), weights, rtol=1e-6 if flow else 1e-11
    )
    told = tw.predict(problem, [0, time], theory=tw.RegressionModes(), data=CARD, start=start)
    assert 2 * float(told.train_loss[-1]) == pytest.approx(train, rel=1e-11)
    if distance is not None:
        assert 2 * float(told.test_loss[-1]) == pytest.approx(distance, rel=1e-9)
    same = tw.predict(
        problem, [0, time], theory=tw.RegressionModes(), data=(CARD.inputs, CARD.targets, CARD.teacher), start=start
    )
    assert same.equals(told)


def drawn(problem, seed=0):
    with jax.enable_x64():
        draw, begin, _ = seed_keys(np.int64(seed))
        data = problem.draw(draw)
        return jax.tree.map(np.asarray, (data, problem.initial(begin, data)))


def test_the_data_follow_their_law():
    """Covariance, noise and teacher, within five standard errors."""
    spectrum = np.array([0.0, 0.5, 1.0, 2.5])
    problem = tw.LinearRegression(
        4, 20_000, signal_norm=2.0, noise=0.7, init_variance=0.5, spectrum=spectrum, teacher=(1, 1, 0, 2)
    )
    data, _ = drawn(problem)
    error = 5 / 20_000**0.5
    gap = data.inputs.T @ data.inputs / 20_000 - np.diag(spectrum)
    assert np.all(np.abs(gap) <= error * np.sqrt(np.outer(spectrum, spectrum) + np.diag(spectrum**2)))
    np.testing.assert_allclose(data.teacher, 2.0 * np.array([1, 1, 0, 2]) / 6**0.5, rtol=1e-12)
    missed = data.targets - data.inputs @ data.teacher
    assert missed.std() == pytest.approx(0.7, rel=error)
    assert abs(missed.mean()) < 0.7 * error
    starts = np.array([drawn(problem, seed)[1] for seed in range(3)])
    assert np.unique(starts).size == 12


def test_test_loss_is_a_population_value_with_its_noise():
    problem = tw.LinearRegression(3, 5, noise=0.4, init_variance=1.0, spectrum=(0.2, 1.0, 3.0))
    data, weights = drawn(problem)
    with jax.enable_x64():
        found = problem.observe(*jax.tree.map(jax.numpy.asarray, (weights, data)))
    rng = np.random.default_rng(1)
    fresh = rng.normal(size=(1_000_000, 3)) * np.sqrt([0.2, 1.0, 3.0])
    square = (fresh @ (weights - data.teacher) + 0.4 * rng.normal(size=1_000_000)) ** 2
    assert 2 * float(found["test_loss"]) == pytest.approx(square.mean(), abs=5e-3 * square.std())
    assert float(found["overlap"]) == pytest.approx(weights @ data.teacher, rel=1e-12)


def test_no_signal_and_no_noise_are_legal():
    """Pure noise: no overlap to speak of, the start is best; no noise: the least loss is at the end."""
    nothing = tw.LinearRegression(20, 40, signal_norm=0.0, noise=1.0, rule=tw.GradientDescent(0.1))
    seen = tw.train(nothing, [0, 10], seeds=2)
    assert "overlap" not in seen
    assert np.all(seen.test_loss[:, 1] > seen.test_loss[:, 0])
    assert np.all(np.isnan(seen.best_time_loss))
    told = tw.predict(nothing)
    assert "overlap" not in told
    assert np.isnan(float(told.best_time_loss))
    clean = tw.predict(vary(nothing, {"signal_norm": 1.0, "noise": 0.0}))
    assert np.isnan(float(clean.least_loss))
    assert np.all(np.diff(clean.test_loss) < 0)
    assert "no signal" in seen.attrs["remarks"]


def test_one_pass_has_no_training_loss():
    problem = tw.LinearRegression(8, 4, rule=tw.OnePassSGD(0.5))
    seen = tw.train(problem, [0, 1.0])
    assert "train_loss" not in seen
    assert float(seen.largest_stable_rate[0]) == pytest.approx(16 / 10, rel=1e-12)
    assert "fresh sample" in seen.attrs["remarks"]


REFUSED = [
    ({"samples": 0}, "samples = 0 is not allowed"),
    ({"signal_norm": -1.0}, "signal_norm = -1.0 is not allowed"),
    ({"noise": "much"}, "noise = 'much' is not a number"),
    ({"spectrum": np.ones(5)}, "spectrum has shape .5,.; give 4 numbers"),
    ({"spectrum": (1.0, 1.0, 1.0, -0.1)}, "eigenvalues of a covariance are >= 0"),
    ({"spectrum": np.zeros(4)}, "one at least is > 0"),
    ({"spectrum": (1.0, 1.0, 1.0, np.nan)}, "missing or infinite entry"),
    ({"teacher": np.zeros(4)}, "set signal_norm = 0 instead"),
    ({"teacher": np.ones(3)}, "teacher has shape"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_bad_parameters_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        tw.LinearRegression(**{"dimension": 4, "samples": 6, **changes})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"data": (np.ones((5, 3)), np.ones(6))}, "data.inputs has shape .5, 3."),
        ({"data": (INPUTS, np.full(6, np.nan))}, "data.targets has shape"),
        ({"data": "table.csv"}, "data must be tw.RegressionSample"),
        ({"start": np.ones(4)}, "start has shape"),
    ],
)
def test_bad_data_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        tw.train(tw.LinearRegression(3, 6), [0.0], **given)


def test_rules_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="Fisher"):
        tw.train(tw.LinearRegression(4, 6, rule=tw.OnePassNaturalGradient()), [0, 1.0])
    with pytest.raises(ValueError, match="VolterraSGD cannot speak here: sampled steps"):
        tw.predict(tw.LinearRegression(4, 6), theory=tw.VolterraSGD())
    with pytest.raises(FloatingPointError, match="largest stable one is"):
        tw.train(tw.LinearRegression(4, 6, rule=tw.SGD(learning_rate=5.0)), [0, 4000])
