"""Advice about a learning rate: its reasons, its refusals, and whether training agrees."""

import dataclasses
import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw
from thalweg.diagnostics import own_loss

advise = tw.diagnostics.advise_rate
RNG = np.random.default_rng(11)
X = RNG.standard_normal((240, 5))
Y = np.tanh(X @ RNG.standard_normal((5, 1))) + 0.3 * RNG.standard_normal((240, 1))
BATCHES = [(jnp.asarray(X[i : i + 8], jnp.float32), jnp.asarray(Y[i : i + 8], jnp.float32)) for i in range(0, 240, 8)]
START = {
    "in": jnp.asarray(RNG.standard_normal((5, 12)) / 5**0.5, jnp.float32),
    "out": jnp.asarray(RNG.standard_normal((12, 1)) / 12**0.5, jnp.float32),
}
STEPS = 600


def states(params, x):
    hidden = jnp.tanh(x @ params["in"])
    return [hidden, hidden @ params["out"]]


def loss(params, batch):
    return 0.5 * jnp.mean((states(params, batch[0])[-1] - batch[1]) ** 2)


@functools.partial(jax.jit, static_argnums=0)
def trained(transform, rates):
    """Final mean loss at each rate, by a loop of its own."""
    x, y = (jnp.stack([b[i] for b in BATCHES]) for i in (0, 1))

    def one(rate):
        def step(k, carry):
            params, state = carry
            slope = jax.grad(loss)(params, (x[k % 30], y[k % 30]))
            update, state = transform.update(slope, state, params)
            return jax.tree.map(lambda w, u: w + rate * u, params, update), state

        params, _ = jax.lax.fori_loop(0, STEPS, step, (START, transform.init(START)))
        return jnp.mean(jax.vmap(lambda a, b: loss(params, (a, b)))(x, y))

    return jax.vmap(one)(rates)


@pytest.mark.parametrize("rule", [tw.GradientDescent(), tw.Optax(optax.adam)], ids=["descent", "adam"])
def test_training_at_the_advised_rate_is_nearly_as_good_as_the_best(rule):
    told = advise(loss, START, BATCHES, states, rule, steps=STEPS)
    transform = optax.sgd(1.0) if isinstance(rule, tw.GradientDescent) else optax.adam(1.0)
    grid = np.append(10.0 ** np.arange(-4, 1.01, 0.25), told.rate)
    losses = np.asarray(trained(transform, jnp.asarray(grid, jnp.float32)), float)
    first = float(np.mean([loss(START, b) for b in BATCHES]))
    best = np.nanmin(losses)
    assert (losses[-1] - best) / (first - best) < 0.05
    assert told.low <= told.rate <= told.high
    assert not told.refused
    assert told.cost == pytest.approx(told.table["cost"].sum(), abs=0.1)
    assert {"linear range 1", "stability limit", "short run"} <= set(told.table.index)
    assert "learning rate" in str(told)
    assert any("gradients of a minibatch" in reason for reason in told.reasons)


def test_a_loss_in_other_units_scales_the_rate():
    plain, scaled = (
        advise(lambda p, b, f=factor: f * loss(p, b), START, BATCHES, states, steps=200) for factor in (1.0, 64.0)
    )
    assert scaled.rate * 64 == pytest.approx(plain.rate, rel=1e-3)
    assert scaled.high * 64 == pytest.approx(plain.high, rel=1e-3)


def test_a_run_that_is_taken_further_is_one_long_run():
    task = own_loss.checked(loss, START, BATCHES, tw.HeavyBall(), order="drawn", seed=3)
    courses = own_loss.Courses(task, 2)
    # 16 steps are drawn at once: stop inside a block
    parts = [courses.extend(0.05, ticks) for ticks in ([3, 7, 21], [30, 41, 50])]
    whole = own_loss.at_rates(task, [0.05], [0, 3, 7, 21, 30, 41, 50], 2)
    np.testing.assert_allclose(np.concatenate([[courses.first], *parts]), whole.losses[0], rtol=1e-6)
    assert courses.steps(0.05) == 50
    # fifty steps, and two forward passes a reading
    assert courses.cost == pytest.approx(50 + 7 * 2 / 3)


def test_a_network_problem_is_advised_as_its_loss_is():
    """The same rows in the same order, in float64; with drawn minibatches training at the rate is stable."""
    data = (np.concatenate([x for x, _ in BATCHES]), np.concatenate([y for _, y in BATCHES]))
    network = tw.NetworkProblem(
        lambda p, x: states(p, x)[-1], lambda key: START, lambda o, t: 0.5 * jnp.mean((o - t) ** 2), data
    )
    rows = dataclasses.replace(network, rule=tw.Minibatches(batch=8))
    doubled = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), (START, BATCHES))
    told, found = advise(loss, *doubled, states, steps=100), advise(rows, None, None, states, steps=100)
    assert (found.low, found.rate, found.high) == pytest.approx((told.low, told.rate, told.high), rel=1e-9)
    drawn = advise(dataclasses.replace(network, rule=tw.SGD(batch=8)), steps=100)
    run = tw.train(dataclasses.replace(network, rule=tw.SGD(drawn.rate, batch=8)), [0, 100])
    assert float(run.train_loss[0, 1]) < 0.5 * float(run.train_loss[0, 0])


def test_more_budget_is_spent_and_no_run_is_longer_than_the_training():
    short, long = (advise(loss, START, BATCHES, states, steps=STEPS, budget=share) for share in (0.4, 0.8))
    assert 0.3 * STEPS < short.cost < 0.6 * STEPS < long.cost < 1.2 * STEPS
    assert np.log10(long.high / long.low) < np.log10(short.high / short.low)
    most = advise(loss, START, BATCHES, states, steps=40, budget=10.0)
    assert "up to 40 steps" in most.reasons[0]


def test_a_single_batch_of_a_quadratic_loss_stays_below_the_exact_edge():
    hessian = jnp.asarray([4.0, 1.0, 0.1])

    def bowl(params, batch):
        return 0.5 * jnp.sum(hessian * (params - batch) ** 2)

    told = advise(bowl, np.zeros(3), [np.ones(3)], steps=100)
    assert told.rate * (1 + 1e-3) >= 0.8 * 0.5
    assert told.high <= 0.5 * (1 + 1e-3)
    assert told.warnings


@pytest.mark.parametrize(
    ("own", "start", "words"),
    [
        (lambda p, b: jnp.sum((p - b) ** 2), np.ones(2), "makes the loss fall"),
        (lambda p, b: jnp.sum(1 / (1 + jax.nn.softplus(p * b))), np.zeros(2), "the highest that was tried"),
    ],
    ids=["at the bottom", "never enough"],
)
def test_it_refuses_with_a_reason(own, start, words):
    told = advise(own, start, [np.ones(2)], steps=40)
    assert told.refused
    assert np.isnan([told.low, told.high, told.rate]).all()
    assert words in told.reasons[0]
    assert str(told).startswith("no advice")


def test_bad_input():
    with pytest.raises(ValueError, match="at least 20"):
        advise(loss, START, BATCHES, states, steps=5)
    with pytest.raises(ValueError, match="share of the training"):
        advise(loss, START, BATCHES, states, budget=0.0)
    with pytest.raises(ValueError, match="at least one batch"):
        advise(loss, START, [], states)
    with pytest.raises(ValueError, match="whole steps"):
        advise(loss, START, BATCHES, states, tw.GradientFlow())
    with pytest.raises(ValueError, match="how large a step"):
        advise(lambda p, b: jnp.sum(p * b), np.zeros(2), [np.ones(2)])
    with pytest.raises(ValueError, match="not a map from gradients"):
        tw.SGD().transform()


def test_an_equinox_module_and_an_optimiser_without_a_known_limit():
    model = eqx.nn.MLP(5, 1, 6, 1, activation=jnp.tanh, key=jax.random.key(1))

    def module_states(net, x):
        return [jax.vmap(net)(x)]

    def module_loss(net, batch):
        return 0.5 * jnp.mean((jax.vmap(net)(batch[0]) - batch[1]) ** 2)

    told = advise(module_loss, model, BATCHES, module_states, tw.Optax(optax.lion), steps=40)
    assert np.isnan(told.table.loc["stability limit", "rate"])
    assert np.isfinite(told.table.loc["linear range 1", "rate"])
    assert told.refused or told.low <= told.rate <= told.high
