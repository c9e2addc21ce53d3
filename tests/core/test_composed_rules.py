"""Rules made of other rules, against loops in NumPy and optax."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw

BATCHES, STEPS = 3, 7


class _Targets(tw.SampledProblem):
    """(1/2) mean over the targets of |w - target|^2, curvatures 1 and 4."""

    rule: tw.Rule = tw.Minibatches()
    observables: ClassVar = (tw.Observable("place", "the parameters", dims=("entry",)),)

    def sample_count(self, data: Any) -> int:
        return data.shape[0]

    def batch_objective(self, params: Any, data: Any, indices: Any) -> Any:
        return self.objective(params, data[indices])

    def draw(self, key: Any) -> Any:
        return jax.random.normal(key, (BATCHES, 2))

    def initial(self, key: Any, data: Any) -> Any:
        return jnp.ones(2)

    def objective(self, params: Any, data: Any) -> Any:
        return 0.5 * jnp.mean(jnp.sum(jnp.asarray([[1.0, 4.0]]) * (params[None, :] - data) ** 2, axis=1))

    def observe(self, params: Any, data: Any) -> dict[str, Any]:
        return {"place": params}

    def horizon(self) -> np.ndarray:
        return np.arange(STEPS + 1.0)

    def as_data(self, raw: Any) -> Any:
        return np.asarray(raw, float)

    def as_start(self, raw: Any) -> Any:
        return np.asarray(raw, float)


DATA = np.random.default_rng(5).standard_normal((BATCHES, 2))
CURVES = np.asarray([1.0, 4.0])


def path(rule, times=None, seed=0):
    return tw.train(_Targets(rule=rule), times, data=DATA, seeds=[seed]).place.values[0]


def by_hand(rate, steps=STEPS, factor=lambda k: 1.0):
    w, found = np.ones(2), [np.ones(2)]
    for k in range(steps):
        w = w - rate * factor(k) * CURVES * (w - DATA[k % BATCHES])
        found.append(w)
    return np.asarray(found)


def test_batches_one_after_the_other():
    np.testing.assert_allclose(path(tw.Minibatches(tw.GradientDescent(0.2))), by_hand(0.2), rtol=1e-13)


def test_an_optimiser_of_optax_on_batches():
    transform, w = optax.adam(0.3, b1=0.8), jnp.ones(2)
    state, found = transform.init(w), [np.ones(2)]
    for k in range(STEPS):
        step, state = transform.update(jnp.asarray(CURVES) * (w - DATA[k % BATCHES]), state, w)
        w = w + step
        found.append(np.asarray(w))
    np.testing.assert_allclose(path(tw.Minibatches(tw.Optax(optax.adam, 0.3, {"b1": 0.8}))), found, rtol=1e-12)


def test_drawn_batches_do_not_depend_on_where_one_looks():
    rule = tw.Minibatches(tw.GradientDescent(0.2), "drawn")
    long = path(rule, np.arange(41.0))
    np.testing.assert_array_equal(path(rule, [0.0, 3.0, 17.0, 33.0, 40.0]), long[[0, 3, 17, 33, 40]])
    assert not np.array_equal(path(rule, np.arange(41.0), seed=1)[-1], long[-1])
    # which batch a step took is read off the step: all of them, and not in turn
    taken = long[:-1] + (long[1:] - long[:-1]) / (-0.2 * CURVES) * -1.0
    which = np.abs(taken[:, None, :] - DATA[None]).sum(axis=2).argmin(axis=1)
    assert set(which) == {0, 1, 2}
    assert np.any(np.diff(which) % BATCHES != 1)


def test_a_rate_that_changes():
    inner = tw.GradientDescent(0.1)
    for schedule, factor in (
        (tw.Geometric(1.3), lambda k: 1.3**k),
        (tw.Drop(4.0, 0.25), lambda k: 1.0 if k < 4 else 0.25),
        (tw.InverseTime(3.0), lambda k: 3 / max(k, 3)),
    ):
        rule = tw.Minibatches(tw.Scheduled(inner, schedule))
        np.testing.assert_allclose(path(rule), by_hand(0.1, factor=factor), rtol=1e-12)
    times = np.linspace(0, 6, 7)
    for schedule in (tw.Geometric(1.3), tw.Drop(4.0, 0.25)):
        fine = np.linspace(0, 6, 60001)
        values = np.asarray([float(schedule.factor(t)) for t in fine[::10]])
        whole = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(fine[::10]))])
        np.testing.assert_allclose(schedule.integral(times), np.interp(times, fine[::10], whole), atol=1e-3)
    assert tw.Scheduled(inner, tw.Drop(4.0, 0.25)).flow_time(_Targets(), np.asarray([6.0])) == pytest.approx(0.45)


@pytest.mark.parametrize("since", [0, 4])
def test_averaged_weights(since):
    own = by_hand(0.2)
    told = [own[k] if k <= since else own[since : k + 1].mean(axis=0) for k in range(STEPS + 1)]
    np.testing.assert_allclose(path(tw.Minibatches(tw.Averaged(tw.GradientDescent(0.2), since))), told, rtol=1e-12)


def test_the_rate_inside():
    rule = tw.Minibatches(tw.Averaged(tw.Scheduled(tw.HeavyBall(0.1, 0.5), tw.Drop()), 3.0), "drawn")
    moved = rule.at_rate(0.7)
    assert moved.learning_rate == 0.7
    assert moved.rule.rule.rule.momentum == 0.5
    assert (moved.order, moved.rule.since) == ("drawn", 3.0)
    assert tw.rerun(tw.train(tw.LinearClassifier(dimension=3, samples=4, rule=tw.Scheduled()), [0.0, 2.0])) is not None


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="whole steps"):
        tw.Minibatches(tw.GradientFlow())
    with pytest.raises(ValueError, match="'cyclic', 'drawn' or 'shuffled'"):
        tw.Minibatches(tw.GradientDescent(), "random")
