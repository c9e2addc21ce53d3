"""Rules made of other rules, against loops in NumPy and optax."""

from types import SimpleNamespace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from thalweg.results.serial import from_json, to_json
from thalweg.rules.schedules import check_schedule
from thalweg.words.problem import seed_keys

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
    with pytest.raises(ValueError, match=r"SGD chooses the samples of its steps already.*use it as it is"):
        tw.Minibatches(tw.SGD())
    with pytest.raises(ValueError, match="Minibatches draws from a stored set of samples"):
        tw.train(tw.CommitteeMachine(dimension=4, rule=tw.Minibatches()), [0.0, 1.0])
    with pytest.raises(ValueError, match=r"schedule = 0\.4 is not allowed; give a schedule"):
        check_schedule(SimpleNamespace(schedule=0.4))
    with pytest.raises(ValueError, match=r"batch = 2 does not divide the 3 samples.*give batch = 1 or 3"):
        path(tw.Minibatches(tw.GradientDescent(), "shuffled", 2))
    with pytest.raises(ValueError, match=r"no part 'w'; name one of 'a', 'b\.0'"):
        _leaf_step(tw.LeafRates(tw.GradientDescent(), {"w": 0.5}))
    with pytest.raises(ValueError, match=r"the factor of 'a' is -1\.0"):
        tw.LeafRates(tw.GradientDescent(), {"a": -1.0})


def descent_on(indices, rate, factor=lambda k: 1.0, momentum=0.0):
    """By hand: heavy ball on the mean over these samples at each step."""
    before, w, found = np.ones(2), np.ones(2), [np.ones(2)]
    for k, chosen in enumerate(indices):
        slope = CURVES * (w - DATA[np.asarray(chosen)].mean(axis=0))
        before, w = w, w - rate * factor(k) * slope + momentum * (w - before)
        found.append(w)
    return np.asarray(found)


def drawn(rule, steps=STEPS):
    """The samples that each step of seed 0 takes, as the rule's source draws them."""
    with jax.enable_x64():
        key, block = seed_keys(0)[2], rule.source.block
        many = [rule.source.draw_block(_Targets(), DATA, jax.random.fold_in(key, i)) for i in range(-(-steps // block))]
    return np.concatenate([np.asarray(one) for one in many])[:steps]


SGD, HEAVY = tw.SGD(0.1, 2), tw.HeavyBall(0.1, 0.5)


def fall(k):
    return (1 + k) ** -0.5


def test_a_rate_that_falls_under_sgd():
    np.testing.assert_allclose(path(tw.Scheduled(SGD, tw.PowerLaw(0.5))), descent_on(drawn(SGD), 0.1, fall), rtol=1e-12)
    # the same samples as without a schedule, over several blocks
    np.testing.assert_array_equal(path(tw.Scheduled(SGD), np.arange(21.0)), path(SGD, np.arange(21.0)))


def test_averages_of_random_steps():
    own = descent_on(drawn(SGD), 0.1)
    told = [own[: k + 1].mean(axis=0) for k in range(STEPS + 1)]
    np.testing.assert_allclose(path(tw.Averaged(SGD)), told, rtol=1e-12)
    own = descent_on([[0, 1, 2]] * STEPS, 0.1, fall, 0.5)
    told = [own[k] if k <= 2 else own[2 : k + 1].mean(axis=0) for k in range(STEPS + 1)]
    for rule in (
        tw.Scheduled(tw.Averaged(HEAVY, 2), tw.PowerLaw(0.5)),
        tw.Averaged(tw.Scheduled(HEAVY, tw.PowerLaw(0.5)), 2),
    ):
        np.testing.assert_allclose(path(rule), told, rtol=1e-12)


def test_momentum_on_several_samples_a_step():
    turns = [[(2 * k + i) % BATCHES for i in range(2)] for k in range(STEPS)]
    np.testing.assert_allclose(path(tw.Minibatches(HEAVY, batch=2)), descent_on(turns, 0.1, momentum=0.5), rtol=1e-12)
    rule = tw.Scheduled(tw.Minibatches(HEAVY, "drawn", 2), tw.PowerLaw(0.5))
    np.testing.assert_allclose(path(rule), descent_on(drawn(rule), 0.1, fall, 0.5), rtol=1e-12)


def test_epochs_in_random_order():
    rule = tw.Minibatches(tw.GradientDescent(0.2), "shuffled")
    long = path(rule, np.arange(31.0))
    taken = long[:-1] + (long[1:] - long[:-1]) / (0.2 * CURVES)
    which = np.abs(taken[:, None, :] - DATA[None]).sum(axis=2).argmin(axis=1).reshape(10, 3)
    np.testing.assert_array_equal(np.sort(which, axis=1), [[0, 1, 2]] * 10)
    assert len({tuple(epoch) for epoch in which}) > 2


def test_an_optimiser_of_optax_with_a_rate_that_falls():
    transform, w = optax.inject_hyperparams(optax.adam)(lambda k: 0.3 * (1.0 + k) ** -0.5), jnp.ones(2)
    state, found = transform.init(w), [np.ones(2)]
    for _ in range(STEPS):
        step, state = transform.update(jnp.asarray(CURVES) * (w - DATA.mean(axis=0)), state, w)
        w = w + step
        found.append(np.asarray(w))
    np.testing.assert_allclose(path(tw.Scheduled(tw.Optax(optax.adam, 0.3), tw.PowerLaw(0.5))), found, rtol=1e-5)


def test_a_schedule_around_fresh_samples_counts_on_their_clock():
    def run(rule):
        return tw.train(tw.LinearRegression(dimension=6, samples=8, rule=rule), np.arange(4.0), seeds=2)

    fall = tw.InverseTime(1.0)
    around, inside = run(tw.Scheduled(tw.OnePassSGD(0.5), fall)), run(tw.OnePassSGD(0.5, schedule=fall))
    np.testing.assert_allclose(around.test_loss, inside.test_loss, rtol=1e-12)
    np.testing.assert_array_equal(around.flow_time, inside.flow_time)
    # averages start at a time of the clock, too: from the end on there is nothing to average
    late = run(tw.Averaged(tw.OnePassSGD(0.5, schedule=fall), 3.0))
    np.testing.assert_allclose(late.test_loss, inside.test_loss, rtol=1e-12)


LEAVES = {"a": np.asarray([1.0, 2.0]), "b": [np.asarray(3.0), np.asarray(4.0)]}


class _Leaves(_Targets):
    """(1/2) the squares of all parameters."""

    def objective(self, params: Any, data: Any) -> Any:
        return 0.5 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))


def _leaf_step(rule):
    """One step from LEAVES, whose slope is LEAVES."""
    problem = _Leaves(rule=rule)
    with jax.enable_x64():
        start = jax.tree.map(jnp.asarray, LEAVES)
        return rule.step(problem, start, rule.rest(problem, start, DATA), DATA, 0, None)[0]


@pytest.mark.parametrize("inner", [tw.GradientDescent(0.1), tw.HeavyBall(0.1, 0.5), tw.Optax(optax.sgd, 0.1)])
def test_parts_of_the_parameters_with_rates_of_their_own(inner):
    rule = tw.LeafRates(tw.Scheduled(inner, tw.Drop(5.0)), {"b": 0.5, "b.1": 0.0})
    moved = _leaf_step(rule)
    np.testing.assert_allclose(moved["a"], 0.9 * LEAVES["a"])
    np.testing.assert_allclose(moved["b"], [0.95 * 3.0, 4.0])
    assert rule.at_rate(0.3).learning_rate == 0.3


def test_an_adaptive_optimiser_takes_rates_of_leaves():
    """Adam's first step is its rate, whatever the slope: scaled slopes would change nothing."""
    moved = _leaf_step(tw.LeafRates(tw.Optax(optax.adam, 0.1), {"b.0": 0.25}))
    np.testing.assert_allclose(moved["a"], LEAVES["a"] - 0.1, rtol=1e-6)
    np.testing.assert_allclose(moved["b"], [3.0 - 0.025, 4.0 - 0.1], rtol=1e-6)


@pytest.mark.parametrize(
    "rule",
    [
        tw.Scheduled(SGD, tw.PowerLaw(0.7)),
        tw.Minibatches(HEAVY, "shuffled", 3),
        tw.LeafRates(tw.Averaged(HEAVY, 2.0), {"b": 0.5}),
    ],
    ids=lambda rule: rule.title(),
)
def test_composed_rules_survive_a_file(rule):
    problem = tw.LinearClassifier(dimension=3, samples=6, rule=rule)
    assert from_json(*to_json(problem)).rule == rule
