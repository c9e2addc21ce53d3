"""Advice about linear regression, against closed forms, minima over grids, and data sets drawn with NumPy."""

import math

import numpy as np
import optax
import pytest

import thalweg as tw

FLOW = tw.GradientFlow()
HALF = {"dimension": 60, "samples": 120, "noise": math.sqrt(0.5)}
UNEVEN = {"dimension": 40, "samples": 60, "spectrum": 1.0 / np.arange(1, 41), "noise": 0.3, "signal_norm": 2.0}


def isotropic_ridge(strength, ratio, signal, noise):
    """Test loss of ridge at C = I: the fixed point of kappa is a quadratic; card, section 2.4."""
    half = 0.5 * (1 - strength - ratio)
    kappa = -half + np.sqrt(half**2 + strength)
    df2 = ratio / (1 + kappa) ** 2
    excess = (signal * kappa**2 / (1 + kappa) ** 2 + noise * df2) / (1 - df2)
    return 0.5 * (excess + noise)


@pytest.mark.parametrize(
    ("samples", "noise", "time", "stopped", "ridged"),
    [(120, 0.5, 2.2371556, 0.2901439096, 0.2807764064), (30, 0.25, 1.1185779, 0.6450719548, 0.6403882032)],
)
def test_stopping_and_ridge_are_the_values_of_the_card(samples, noise, time, stopped, ridged):
    advice = tw.advise(tw.LinearRegression(dimension=60, samples=samples, noise=math.sqrt(noise), rule=FLOW))
    assert advice["stopping_time"].value == pytest.approx(time, abs=1e-5)
    assert advice["stopping_time"].evidence["test loss there"] == pytest.approx((stopped + noise) / 2, rel=1e-8)
    # best ridge: s c / r2
    assert advice["ridge"].value == pytest.approx(noise * 60 / samples, rel=1e-4)
    assert advice["ridge"].evidence["test loss"] == pytest.approx((ridged + noise) / 2, rel=1e-8)
    assert advice["stopping_price"].value == pytest.approx(stopped / ridged, rel=1e-8)
    assert advice["stopping_price"].high == 1.22
    for name in ("stopping_time", "ridge", "test_loss"):
        assert advice[name].low < advice[name].value < advice[name].high


def test_more_samples_buy_what_the_closed_form_says():
    problem = tw.LinearRegression(**HALF, signal_norm=1.5, rule=tw.GradientDescent(learning_rate=0.2))
    advice, grid = tw.advise(problem), np.geomspace(1e-3, 10, 4001)
    best = [isotropic_ridge(grid, 60 / n, 2.25, 0.5).min() for n in (120, 240, 480)]
    more = advice["test_loss_with_twice_the_points"]
    assert [more.evidence["now"], more.value, more.evidence["at 480 samples"]] == pytest.approx(best, rel=1e-6)
    assert advice["test_loss"].value == pytest.approx(best[0], rel=1e-6)
    edge = (1 + math.sqrt(0.5)) ** 2
    assert advice["largest_stable_rate"].value == pytest.approx(2 / edge, rel=1e-9)
    # descent at a small rate stops where flow does
    steps = advice["stopping_time"].value
    times = np.arange(0.0, 200.0)
    losses = tw.predict(problem, times, theory=tw.IsotropicLimit()).test_loss
    assert steps == times[int(np.argmin(losses.values))]


def drawn(rng):
    """A data set of UNEVEN, and its teacher."""
    n, p = UNEVEN["samples"], UNEVEN["dimension"]
    x = rng.standard_normal((n, p)) * np.sqrt(UNEVEN["spectrum"])
    teacher = np.full(p, UNEVEN["signal_norm"] / math.sqrt(p))
    return x, x @ teacher + UNEVEN["noise"] * rng.standard_normal(n), teacher


def test_intervals_hold_for_other_data_sets():
    advice = tw.advise(tw.LinearRegression(**UNEVEN, rule=tw.GradientDescent(learning_rate=0.1)))
    ridge, grid, rng = advice["ridge"], np.geomspace(1e-3, 3, 200), np.random.default_rng(0)
    found = []
    for _ in range(60):
        x, y, teacher = drawn(rng)
        scatter, drive = x.T @ x / len(y), x.T @ y / len(y)
        weights = [np.linalg.solve(scatter + s * np.eye(len(teacher)), drive) for s in (ridge.value, *grid)]
        losses = 0.5 * (((np.stack(weights) - teacher) ** 2) @ UNEVEN["spectrum"] + UNEVEN["noise"] ** 2)
        found.append((losses[0], grid[np.argmin(losses[1:])], 2 / np.linalg.eigvalsh(scatter)[-1]))
    loss, strength, rate = np.transpose(found)
    assert loss.mean() == pytest.approx(ridge.evidence["test loss"], rel=0.02)
    for values, name in ((loss, "test_loss"), (strength, "ridge"), (rate, "largest_stable_rate")):
        held = np.mean((advice[name].low <= values) & (values <= advice[name].high))
        # nine in ten on average; 60 of them, and the interval itself is a draw
        assert held >= 0.75, (name, held)
        assert advice[name].level == pytest.approx(0.9)
    # the same strength is best for all teachers without a preference, whatever the spectrum
    assert ridge.value == pytest.approx(40 * 0.3**2 / (60 * 2.0**2), rel=1e-3)


def test_sgd_is_advised_by_its_own_theory():
    problem = tw.LinearRegression(**HALF, rule=tw.SGD(learning_rate=0.005))
    advice = tw.advise(problem)
    stop, rate = advice["stopping_time"], advice["largest_stable_rate"]
    assert rate.value == pytest.approx(2 / 60, rel=1e-6)
    assert rate.low < rate.value <= rate.high
    exact = tw.predict(problem, [0, stop.value // 4, stop.value, 4 * stop.value], theory=tw.SampledModes(), seeds=12)
    losses = exact.test_loss.mean("seed").values
    assert losses.argmin() == 2
    # 12 draws of 60 features: their mean is known to about 3 %
    assert losses[2] == pytest.approx(stop.evidence["test loss there"], rel=0.05)
    assert advice["stopping_price"].value > 1.03
    # a batch that is the whole set is descent
    whole = tw.LinearRegression(**HALF, rule=tw.SGD(learning_rate=0.1, batch=120, replacement=False))
    descent = tw.LinearRegression(**HALF, rule=tw.GradientDescent(learning_rate=0.1))
    assert tw.advise(whole)["stopping_time"].value == tw.advise(descent)["stopping_time"].value


def test_what_no_theory_says_is_told():
    def advised(**more):
        return tw.advise(tw.LinearRegression(**{**HALF, **more}))

    shuffled = advised(rule=tw.SGD(learning_rate=0.01, replacement=False))
    assert "SGD without replacement" in shuffled["stopping_time"].reason
    assert "SGD without replacement" in shuffled["largest_stable_rate"].reason
    assert shuffled["ridge"].value == pytest.approx(0.25, rel=1e-4)
    assert "path of Optax" in advised(rule=tw.Optax(optax.adam))["stopping_time"].reason
    assert "stability limit" in advised(rule=tw.GradientDescent(learning_rate=0.9))["stopping_time"].reason
    assert "small steps" in advised(rule=tw.SGD(learning_rate=0.1, batch=8))["stopping_time"].reason
    fresh = advised(rule=tw.OnePassSGD(learning_rate=0.5))
    # card, section 2.6: stable below 2 p/(p + 2); plateau (s/2)/(1 - q), q = (h/2) p/(1 - h), h = 0.5/p
    assert fresh["largest_stable_rate"].value == pytest.approx(120 / 62)
    assert fresh["test_loss"].value == pytest.approx(0.25 / (1 - 0.25 / (1 - 0.5 / 60)), rel=1e-6)
    assert "fresh sample" in fresh["ridge"].reason


def test_no_noise_no_signal():
    clean = tw.advise(tw.LinearRegression(dimension=60, samples=120, noise=0.0, rule=FLOW))
    assert clean["ridge"].value == 0
    assert "still falls" in clean["stopping_time"].reason
    assert "nothing to compare" in clean["stopping_price"].reason
    silent = tw.advise(tw.LinearRegression(**HALF, signal_norm=0.0, rule=FLOW))
    assert "no weight at all" in silent["ridge"].reason
    assert "better than the start" in silent["stopping_time"].reason
    assert silent["test_loss"].value == pytest.approx(0.25, rel=1e-9)


def test_a_given_data_set_has_its_own_stable_rate():
    rng = np.random.default_rng(3)
    x, y, teacher = drawn(rng)
    problem = tw.LinearRegression(**UNEVEN, rule=tw.GradientDescent(learning_rate=0.1))
    rate = tw.advise(problem, data=(x, y, teacher))["largest_stable_rate"]
    assert rate.value == pytest.approx(2 / np.linalg.eigvalsh(x.T @ x / 60)[-1])
    assert "this data set" in rate.reason
