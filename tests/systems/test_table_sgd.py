"""SGD on a user's table: every sequence of draws summed in NumPy, epochs in random order, and who speaks about them."""

import itertools
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg.fields import vary
from thalweg.problem import SampledProblem, seed_keys, size
from thalweg.serial import from_json, to_json
from thalweg.testing import same

POINTS, RATE, DECAY = 4, 0.15, 0.1


def table(features: int, points: int = 12):
    rng = np.random.default_rng(2)
    inputs = rng.standard_normal((points, features)) * np.linspace(0.5, 2.0, features)
    return inputs, inputs @ np.linspace(1.0, 0.1, features) + rng.standard_normal(points)


def problem_of(features: int, rule: tw.SGD, **more):
    inputs, targets = table(features)
    return tw.DatasetRegression(inputs=inputs, targets=targets, samples=POINTS, rule=rule, weight_decay=DECAY, **more)


def drawn(problem, seed: int = 0):
    with jax.enable_x64():
        draw, begin, path = seed_keys(np.int64(seed))
        data = problem.draw(draw)
        return jax.tree.map(np.asarray, data), np.asarray(problem.initial(begin, data)), path


def over_all_draws(data, start, batch: int, steps: int):
    """Mean losses and squared norm over all n^(batch steps) equally likely sequences of rows."""
    ends = [start]
    for _ in range(steps):
        moved = []
        for w in ends:
            for rows in itertools.product(range(POINTS), repeat=batch):
                x, y = data.inputs[list(rows)], data.targets[list(rows)]
                moved.append(w - RATE * (x.T @ (x @ w - y) / batch + DECAY * w))
        ends = moved
    w = np.stack(ends).T
    return {
        "train_loss": 0.5 * np.mean((data.targets[:, None] - data.inputs @ w) ** 2),
        "test_loss": 0.5 * np.mean((data.test_targets[:, None] - data.test_inputs @ w) ** 2),
        "squared_norm": np.mean(np.sum(w**2, axis=0)),
    }


@pytest.mark.parametrize(("features", "batch", "steps"), [(6, 1, 4), (2, 2, 2)])
def test_the_mean_is_that_over_all_sequences_of_draws(features, batch, steps):
    problem = problem_of(features, tw.SGD(RATE, batch), init_variance=1.0)
    data, start, _ = drawn(problem)
    told = tw.predict(problem, [0, 1, steps], theory=tw.SampledModes(), data=data, start=start)
    for at, count in ((1, 1), (2, steps)):
        for name, value in over_all_draws(data, start, batch, count).items():
            assert float(told[name][at]) == pytest.approx(value, rel=1e-12), (name, count)


def test_training_scatters_around_the_predicted_mean():
    """64 runs on 64 splits, each against its own mean."""
    problem = vary(tw.DiabetesRegression(samples=40), {"rule": tw.SGD(0.04, batch=2)})
    told = tw.predict(problem, [0, 100], theory=tw.SampledModes(), seeds=64)
    seen = tw.train(problem, [0, 100], seeds=64)
    for name in ("train_loss", "test_loss", "squared_norm"):
        gaps = (seen[name] - told[name])[:, -1].values
        assert abs(gaps.mean()) < 3 * gaps.std() / 8, name
        assert gaps.std() / 8 < 0.1 * float(told[name][:, -1].mean()), name


class Visits(SampledProblem):
    """How often each of n samples was looked at: with a learning rate of `batch` the weights are the counts."""

    count: int = size("number of samples", default=12)
    rule: Any = tw.SGD()
    observables: ClassVar = (tw.Observable("visits", "visits of each sample", dims=("sample",)),)

    def draw(self, key):
        return jax.numpy.zeros(self.count)

    def initial(self, key, data):
        return jax.numpy.zeros(self.count)

    def sample_count(self, data):
        return data.shape[0]

    def objective(self, params, data):
        return -jax.numpy.mean(params)

    def batch_objective(self, params, data, indices):
        return -jax.numpy.mean(params[indices])

    def observe(self, params, data):
        return {"visits": params}

    def horizon(self):
        return np.arange(10.0)

    def as_data(self, raw):
        return raw

    def as_start(self, raw):
        return raw


@pytest.mark.parametrize("batch", [1, 3, 12])
def test_every_epoch_sees_each_sample_once(batch):
    problem = Visits(rule=tw.SGD(float(batch), batch, replacement=False))
    epoch = 12 // batch
    told = tw.train(problem, np.arange(4 * epoch + 1), seeds=2).visits.values
    ends = told[:, ::epoch]
    np.testing.assert_array_equal(ends, np.arange(5.0)[None, :, None] * np.ones((2, 5, 12)))
    # one epoch after the other in another order, and another for another seed
    orders = [
        np.argmax(np.diff(told[seed, k * epoch :][: epoch + 1], axis=0), axis=1) for seed in (0, 1) for k in (0, 1)
    ]
    assert len({tuple(order) for order in orders}) == (4 if batch < 12 else 1)
    sparse = tw.train(problem, [0, 2 * epoch + epoch // 2], seeds=2).visits.values
    np.testing.assert_array_equal(sparse[:, 1], told[:, 2 * epoch + epoch // 2])


def test_epochs_of_one_batch_are_descent():
    shuffled = problem_of(2, tw.SGD(RATE, POINTS, replacement=False))
    descent = vary(shuffled, {"rule": tw.GradientDescent(RATE)})
    np.testing.assert_allclose(tw.replay(shuffled, [0, 7]), tw.replay(descent, [0, 7]), rtol=1e-13)
    seen, told = tw.train(shuffled, [0, 3, 7]), tw.predict(shuffled, [0, 3, 7], theory=tw.SampledModes())
    for name in ("train_loss", "test_loss", "squared_norm"):
        np.testing.assert_allclose(told[name], seen[name], rtol=1e-10, atol=1e-13)
    limit = float(tw.train(descent, [0, 1]).largest_stable_rate[0])
    assert float(told.largest_stable_rate[0]) == pytest.approx(limit)


def test_a_rule_without_replacement_survives_a_file_and_is_refused_where_nothing_is_known():
    problem = problem_of(2, tw.SGD(RATE, 2, replacement=False))
    assert same(from_json(*to_json(problem)), problem)
    for theory in (tw.SampledModes(),):
        with pytest.raises(ValueError, match=r"with replacement fails\. Batches must be drawn anew"):
            tw.predict(problem, [0, 1], theory=theory)
    with pytest.raises(ValueError, match="VolterraSGD cannot speak here: with replacement fails"):
        tw.predict(tw.LinearRegression(4, 6, rule=problem.rule), [0, 1], theory=tw.VolterraSGD())
    assert np.isnan(tw.train(problem, [0, 1]).largest_stable_rate[0])
    with pytest.raises(ValueError, match=r"batch = 3 does not divide the 4 samples.*give batch = 2 or 4"):
        tw.train(vary(problem, {"rule.batch": 3}), [0, 1])
    with pytest.raises(ValueError, match="replacement = 'no' is not allowed; give True"):
        tw.SGD(replacement="no")
