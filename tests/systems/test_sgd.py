"""SGD on a stored set: the very steps in NumPy, refusals, and what it shares with descent."""

import jax
import numpy as np
import pytest

import thalweg as tw
from thalweg.results.serial import from_json, to_json
from thalweg.testing.contract import same
from thalweg.words.problem import seed_keys

PROBLEM = tw.LinearClassifier(dimension=6, samples=9, weight_decay=0.1, rule=tw.SGD(0.05, batch=3))


def test_every_step_follows_the_drawn_indices():
    """The same indices in a NumPy loop; the path does not depend on where it is looked at."""
    with jax.enable_x64():
        draw, begin, path = seed_keys(np.int64(1))
        data = PROBLEM.draw(draw)
        weights = np.asarray(PROBLEM.initial(begin, data))
        blocks = [jax.random.randint(jax.random.fold_in(path, i), (8, 3), 0, 9) for i in range(3)]
    inputs, labels = np.asarray(data.inputs), np.asarray(data.labels)
    for chosen in np.concatenate(blocks)[:21]:
        x, y = inputs[chosen], labels[chosen]
        weights = weights - 0.05 * (x.T @ (x @ weights - y) / 3 + 0.1 * weights)
    assert np.allclose(tw.replay(PROBLEM, [0, 3, 8, 21], seed=1), weights, rtol=1e-12, atol=0)
    assert np.allclose(tw.replay(PROBLEM, [0, 13, 20, 21], seed=1), weights, rtol=1e-12, atol=0)


def test_the_mean_over_indices_is_the_objective():
    with jax.enable_x64():
        data = PROBLEM.draw(jax.random.key(0))
        weights = PROBLEM.initial(jax.random.key(1), data)
        singles = [
            PROBLEM.batch_objective(weights, data, jax.numpy.array([i])) for i in range(PROBLEM.sample_count(data))
        ]
        assert np.mean(singles) == pytest.approx(float(PROBLEM.objective(weights, data)), rel=1e-12)


def test_the_rule_survives_a_file_and_counts_flow_time():
    assert same(from_json(*to_json(PROBLEM)), PROBLEM)
    assert np.allclose(tw.train(PROBLEM, [0, 10]).flow_time, [0, 0.5])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tw.SGD(learning_rate=0.0), "learning_rate = 0.0 is not allowed"),
        (lambda: tw.SGD(batch=0), "batch = 0 is not allowed"),
        (lambda: tw.SGD(batch=1.5), "batch = 1.5 is not allowed"),
        (lambda: tw.train(tw.CommitteeMachine(dimension=8, rule=tw.SGD()), [0, 1]), "draws from a stored set"),
        (lambda: tw.train(PROBLEM, [0, 0.5]), "whole"),
    ],
)
def test_bad_input_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
