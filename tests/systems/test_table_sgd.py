"""SGD on a user's table: every sequence of draws summed in NumPy, epochs in random order, and who speaks about them."""

import itertools
from typing import Any, ClassVar

import jax
import numpy as np
import pytest
from sgd_moments import moments

import thalweg as tw
from thalweg.mathematics.sampled_moments import noise_response, row_basis
from thalweg.results.serial import from_json, to_json
from thalweg.testing.contract import same
from thalweg.words.fields import vary
from thalweg.words.problem import SampledProblem, seed_keys, size

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


def test_training_has_the_mean_over_all_sequences_of_draws():
    problem = problem_of(2, tw.SGD(RATE, 2), init_variance=1.0)
    data, start, _ = drawn(problem)
    seen = tw.train(problem, [0, 2], seeds=400, data=data, start=start)
    for name, value in over_all_draws(data, start, 2, 2).items():
        last = seen[name][:, -1].values
        assert last.std() > 0, name
        assert abs(last.mean() - value) < 3 * last.std() / 20, name


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
    with pytest.raises(ValueError, match=r"with replacement fails\. Batches must be drawn anew"):
        tw.predict(problem, [0, 1], theory=tw.SampledModes())
    rows = np.zeros((4, 2))
    with pytest.raises(ValueError, match=r"batch = 3 does not divide the 4 samples.*give batch = 2 or 4"):
        tw.SGD(RATE, 3, replacement=False).rest(problem, None, tw.TableSample(rows, rows[:, 0], rows, rows[:, 0]))


def test_leave_one_out_under_sgd_is_refitting_in_the_mean_over_draws():
    """Exact moments of every fold; the two shortcuts of the theory cost little of the noise and less of the loss."""
    n, steps, batch, rate = 30, 80, 3, 0.1
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((60, 5)) * np.linspace(0.5, 2.0, 5)
    targets = inputs @ np.linspace(1.0, 0.1, 5) + 1.5 * rng.standard_normal(60)
    problem = tw.DatasetRegression(inputs=inputs, targets=targets, samples=n, rule=tw.SGD(rate, batch))
    data, _, _ = drawn(problem)
    told = tw.predict(problem, [0, 7, 80], theory=tw.LeaveOneOut(), data=data)
    silent, noise = np.zeros(n), np.zeros(n)
    for i in range(n):
        keep = np.arange(n) != i
        centre, middle = data.inputs[keep].mean(axis=0), data.targets[keep].mean()
        mean, spread = moments(data.inputs[keep] - centre, data.targets[keep] - middle, rate, batch, steps)
        row = data.inputs[i] - centre
        silent[i] = 0.5 * (data.targets[i] - middle - row @ mean) ** 2
        noise[i] = 0.5 * row @ spread @ row
    assert noise.mean() > 0.04 * silent.mean()
    assert float(told.test_loss[-1]) - silent.mean() == pytest.approx(noise.mean(), rel=0.1)
    assert float(told.test_loss[0]) == pytest.approx(0.5 * np.mean((n / (n - 1) * data.targets) ** 2))
    assert "best_time_loss" not in told


def test_noise_response_is_exact_in_one_dimension():
    """There the diagonal of the covariance is all of it, and every noise is a multiple of S."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((9, 1)), rng.standard_normal(9)
    with jax.enable_x64():
        basis, s = row_basis(jax.numpy.asarray(x), jax.numpy.asarray(y)), np.mean(x**2)
        ticks = jax.numpy.asarray([0, 5, 17])
        found = noise_response(basis, jax.numpy.asarray(y), 0.0, 0.1, 0.0, 0.5, jax.numpy.asarray([s + 0j]), ticks)
    for at, steps in enumerate((0, 5, 17)):
        assert complex(found[at, 0]) == pytest.approx(moments(x, y, 0.1, 2, steps)[1][0, 0], rel=1e-12)


def test_advice_about_sgd():
    problem = vary(tw.DiabetesRegression(), {"rule": tw.SGD(0.03)})
    data, _, _ = drawn(problem)
    advice = tw.advise(problem)
    stop, rate = advice["stopping_time"], advice["largest_stable_rate"]
    path = tw.predict(problem, [0, round(stop.value)], theory=tw.LeaveOneOut(), data=data)
    assert stop.evidence["held-out loss there"] == pytest.approx(float(path.test_loss[-1]), rel=1e-3)
    assert stop.low <= stop.value <= stop.high
    assert "The draws of SGD make" in stop.reason
    assert "feeds itself" in rate.reason
    fast = tw.advise(vary(problem, {"rule.learning_rate": 2 * rate.value}))["stopping_time"]
    assert "beyond the largest stable one" in fast.reason
    shuffled = tw.advise(vary(problem, {"rule.replacement": False}))
    assert np.isnan(shuffled["largest_stable_rate"].value)
    assert shuffled["largest_stable_rate"].evidence["limit with replacement"] == pytest.approx(rate.value)
    assert "SGD without replacement cannot be followed" in shuffled["stopping_time"].reason
    assert shuffled["ridge"].value == advice["ridge"].value


@pytest.mark.parametrize("several", [False, True])
def test_batches_of_other_losses_have_the_objective_as_mean(several):
    rng = np.random.default_rng(1)
    rows, labels = rng.standard_normal((60, 3)), np.arange(60) % (3 if several else 2)
    made = tw.DatasetClasses(inputs=rows, labels=labels, samples=6, weight_decay=0.2)
    problem = made if several else tw.DatasetLogistic(inputs=rows[:7], labels=labels[:7], intercept=1)
    with jax.enable_x64():
        data = problem.draw(jax.random.key(0))
        weights = problem.initial(jax.random.key(1), data) + 0.3
        singles = [
            float(problem.batch_objective(weights, data, jax.numpy.array([i])))
            for i in range(problem.sample_count(data))
        ]
        assert np.mean(singles) == pytest.approx(float(problem.objective(weights, data)), rel=1e-12)


def test_theories_of_logistic_descent_say_that_sgd_is_not_theirs():
    rng = np.random.default_rng(1)
    problem = tw.DatasetLogistic(inputs=rng.standard_normal((8, 2)), labels=np.arange(8) % 2, rule=tw.SGD(0.1))
    with pytest.raises(ValueError, match=r"stable descent fails. The rule must be .*weights scatter under SGD"):
        tw.predict(problem, [0, 1])
    advised = tw.advise(problem)["largest_stable_rate"]
    assert np.isnan(advised.value)
    assert advised.evidence["safe_rate"] == pytest.approx(8 / np.max(np.sum(problem.inputs**2, axis=1)))
