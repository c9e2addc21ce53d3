"""Runs that diverge are never called well, and a setting that makes them is said first."""

import json

import numpy as np
import pytest

import thalweg as tw

SMALL = {"dimension": 8, "samples": 16}


@pytest.mark.parametrize(
    "rule",
    [tw.HeavyBall(learning_rate=3.0), tw.SGD(3.0, batch=4), tw.GradientDescent(5.0), tw.Nesterov(4.0)],
    ids=lambda rule: type(rule).__name__,
)
def test_infinite_losses_end_a_run(rule):
    """Parameters may still be finite where their square is not: the first observable that is not is named."""
    problem = tw.LinearClassifier(**SMALL, rule=rule)
    long = tw.train(problem, range(0, 3000, 5), seeds=4, strict=False)
    losses = long.train_loss.values
    for seed, outcome in enumerate(long.outcome.values):
        assert outcome.startswith("left the finite numbers")
        when = float(outcome.rsplit(" ", 1)[1])
        known = np.isfinite(losses[seed])
        assert known[long.time.values < when].all()
        assert not known[long.time.values >= when].any()
    end = long.time.values[np.argmin(np.isfinite(losses).all(0))]
    short = tw.train(problem, [0, int(end)], seeds=4, strict=False)
    assert any(o.startswith("left the finite numbers in ") or "at step" in o for o in short.outcome.values)


def test_a_comparison_leaves_them_out():
    result = tw.compare(
        tw.LinearClassifier(**SMALL, rule=tw.HeavyBall(learning_rate=3.0)), [0, 400], theory="Eigenmodes", seeds=3
    )
    said = json.loads(result.attrs["remarks"])
    assert said[0].startswith("The learning rate 3 is beyond the largest stable one")
    left = [line for line in said if "left out of the comparison" in line]
    # runs that ended alike share a line
    assert sum(int(line[0]) if " of 3 runs" in line else 1 for line in left) == 3
    assert result.attrs["verdict"] == "inconclusive"


@pytest.mark.parametrize("rate", [2.0, 50.0, 1e4])
def test_a_default_horizon_has_some_steps_and_says_what_diverges(rate):
    problem = tw.LinearClassifier(**SMALL, rule=tw.GradientDescent(rate))
    assert len(problem.horizon()) > 20
    seen = tw.train(problem, seeds=2)
    assert json.loads(seen.attrs["remarks"])[0].startswith(f"The learning rate {rate:g} is beyond the largest stable")
    assert "in 2 of 2 runs: these diverge" in seen.attrs["remarks"]


def test_a_stable_rate_is_not_remarked():
    seen = tw.train(tw.LinearClassifier(**SMALL, rule=tw.GradientDescent(0.01)), seeds=2)
    assert seen.attrs["remarks"] == "[]"


@pytest.mark.parametrize(
    ("rule", "times"),
    [(tw.SGD(3.0, batch=4), [1400]), (tw.SGD(3.0, batch=4), range(0, 1401, 50)), (tw.HeavyBall(3.0), [0, 700, 1400])],
    ids=["one time", "many", "three"],
)
def test_the_step_is_exact_whatever_the_times(rule, times):
    problem = tw.LinearClassifier(**SMALL, rule=rule)
    every = tw.train(problem, range(300), seeds=2, strict=False)
    named = tw.train(problem, times, seeds=2, strict=False)
    for seed, outcome in enumerate(named.outcome.values):
        said, step = outcome.rsplit(" at step ", 1)
        curves = [every[o.name].values[seed].reshape(300, -1) for o in problem.observables if o.name in every]
        known = [np.isfinite(curve).all(1) for curve in curves]
        assert all(one[: int(step)].all() for one in known)
        name = said.removeprefix("left the finite numbers in ")
        assert not np.isfinite(every[name].values[seed, int(step)]).all()


def test_a_fresh_sample_a_step_counts_in_its_own_clock():
    problem = tw.LinearRegression(dimension=8, samples=16, rule=tw.OnePassSGD(40.0))
    seen = tw.train(problem, [0, 100, 200], seeds=1, strict=False)
    time = float(seen.outcome.values[0].rsplit(" ", 1)[1])
    assert (time * 8).is_integer()
    near = tw.train(problem, [0, time - 1 / 8, time], seeds=1, strict=False)
    assert np.isfinite(near.test_loss.values[0, :2]).all()
    assert near.outcome.values[0] == seen.outcome.values[0]
