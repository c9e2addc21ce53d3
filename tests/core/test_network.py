"""A user's own network as a problem: closed forms, theories of the user's own, files, and what may go wrong."""

import functools
import json
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import expm

import thalweg as tw
from thalweg.faces.subject import entry_of
from thalweg.results import serial
from thalweg.words.problem import seed_keys
from thalweg.words.theory import structural

RNG = np.random.default_rng(4)
X, Y = RNG.standard_normal((12, 3)), RNG.standard_normal((12, 2))
COVARIANCE, TARGET = X.T @ X / 12, X.T @ Y / 12
BEST = np.linalg.solve(COVARIANCE, TARGET)


def linear(params, inputs):
    return inputs @ params


def normal_start(key):
    return jax.random.normal(key, (3, 2))


def line(**changes):
    return tw.NetworkProblem(**{"apply": linear, "init": normal_start, "data": (X, Y), **changes})


def half(weights):
    return 0.5 * np.mean(np.sum((X @ weights - Y) ** 2, axis=1))


def start_of(problem, seed):
    return tw.replay(problem, [0], seed=seed)


def test_descent_is_the_closed_form_for_every_start():
    seen = tw.train(line(rule=tw.GradientDescent(learning_rate=0.2)), [0, 1, 7, 20], seeds=3)
    for seed in range(3):
        begin = start_of(line(), seed)
        for k, told in zip(seen.time.values, seen.train_loss.sel(seed=seed).values, strict=True):
            shrunk = np.linalg.matrix_power(np.eye(3) - 0.2 * COVARIANCE, int(k))
            assert told == pytest.approx(half(BEST + shrunk @ (begin - BEST)), rel=1e-10)
    np.testing.assert_allclose(seen.squared_norm[1, 0], np.sum(start_of(line(), 1) ** 2), rtol=1e-12)
    assert np.unique(seen.train_loss[:, 0]).size == 3


def test_the_penalty_is_in_the_objective_alone():
    """Under gradient flow with decay: w' = -(C w - c) - lambda w, from the start given."""
    decay, begin = 0.3, np.full((3, 2), 0.7)
    problem = line(weight_decay=decay, rule=tw.GradientFlow())
    seen = tw.train(problem, [0.0, 0.5, 3.0], start=begin)
    pull = COVARIANCE + decay * np.eye(3)
    ridge = np.linalg.solve(pull, TARGET)
    told = [half(ridge + expm(-pull * t) @ (begin - ridge)) for t in seen.time.values]
    np.testing.assert_allclose(seen.train_loss[0], told, rtol=1e-7)
    with jax.enable_x64():
        objective = float(problem.objective(jnp.asarray(begin), problem.draw(jax.random.key(0))))
    assert objective == pytest.approx(half(begin) + 0.5 * decay * np.sum(begin**2))


def test_minibatches_come_from_the_rows():
    """Without replacement and with all rows a batch it is descent; single rows follow the rows' own gradients."""
    whole = tw.train(line(rule=tw.SGD(0.1, batch=12, replacement=False)), [0, 5])
    plain = tw.train(line(rule=tw.GradientDescent(0.1)), [0, 5])
    np.testing.assert_allclose(whole.train_loss, plain.train_loss, rtol=1e-12)
    problem = line(rule=tw.SGD(0.1, batch=5))
    with jax.enable_x64():
        data, begin = problem.draw(jax.random.key(0)), start_of(problem, 0)
        rows = jnp.asarray([3, 3, 0, 11, 7])
        found = float(problem.batch_objective(jnp.asarray(begin), data, rows))
    told = 0.5 * np.mean(np.sum((X[rows] @ begin - Y[rows]) ** 2, axis=1))
    assert found == pytest.approx(told, rel=1e-12)
    assert problem.sample_count(data) == 12


class Relaxation(tw.Theory[tw.NetworkProblem]):
    """The loss of a linear network under gradient flow from its very start; `speed` 1 is right."""

    speed: float = tw.scalar("factor of the time", default=1.0, above=0.0)
    of: ClassVar = (tw.NetworkProblem,)
    source: ClassVar = (tw.Source("LiaoCouillet2018"),)
    conditions_on: ClassVar = ("start",)
    speaks_of: ClassVar = ("train_loss",)
    assumptions: ClassVar = (structural("linear", "It must be `linear`.", lambda problem: problem.apply is linear),)

    def prepare(self, problem, times):
        return self

    def predict(self, problem, data, start, times):
        inputs, targets = problem.data
        rates, ways = jnp.linalg.eigh(inputs.T @ inputs / inputs.shape[0])
        best = jnp.linalg.solve(inputs.T @ inputs, inputs.T @ targets)
        left = jnp.exp(-self.speed * rates[None, :] * times[:, None])[:, :, None] * (ways.T @ (start - best))[None]
        rest = 0.5 * jnp.mean(jnp.sum((inputs @ best - targets) ** 2, axis=1))
        return {"train_loss": rest + 0.5 * jnp.einsum("i,tij->t", rates, left**2)}

    def finite_size(self, problem):
        return {}


def test_a_theory_of_the_users_own(tmp_path):
    problem, times = line(rule=tw.GradientFlow()), np.linspace(0, 4, 21)
    result = tw.compare(problem, times, theory=Relaxation(), seeds=4)
    assert result.attrs["verdict"] == "confirmed"
    wrong = tw.compare(problem, times, theory=Relaxation(speed=1.1), seeds=4)
    assert wrong.attrs["verdict"] == "contradicted"
    # the file holds the data, and names the functions; a start of any tree is kept by its paths
    tw.save(result, tmp_path / "run.nc")
    again = tw.rerun(tmp_path / "run.nc")
    assert again["training"].to_dataset().equals(result["training"].to_dataset())
    assert "tw.rerun" in tw.report(result, tmp_path / "page.html").read_text()
    other = tw.NetworkProblem(lambda p, x: jnp.tanh(x @ p), normal_start, data=(X, Y), rule=tw.GradientFlow())
    with pytest.raises(ValueError, match="It must be `linear`"):
        tw.predict(other, times, theory=Relaxation())


class Nothing(tw.Theory[tw.NetworkProblem]):
    """A network that does not move keeps its loss."""

    of: ClassVar = (tw.NetworkProblem,)
    source: ClassVar = (tw.Source("LiaoCouillet2018"),)
    conditions_on: ClassVar = ("start",)
    speaks_of: ClassVar = ("train_loss",)
    assumptions: ClassVar = (structural("deep", "It must be `deep`.", lambda problem: problem.apply is deep),)

    def prepare(self, problem, times):
        return self

    def predict(self, problem, data, start, times):
        return {"train_loss": problem.objective(start, problem.data) + 0 * times}

    def finite_size(self, problem):
        return {}


def deep(params, inputs):
    return inputs["rows"] @ params["layers"][0] * params["scale"]


def deep_start(key):
    return {"layers": [jax.random.normal(key, (3, 2))], "scale": jnp.ones(())}


def test_a_start_of_any_tree_is_kept_and_run_again(tmp_path):
    problem = tw.NetworkProblem(deep, deep_start, data=({"rows": X}, Y), rule=tw.GradientDescent(1e-12))
    start = {"layers": [np.full((3, 2), 0.5)], "scale": 2.0}
    result = tw.compare(problem, [0, 1], theory=Nothing(), seeds=1, start=start)
    assert float(result["training"].train_loss[0, 0]) == pytest.approx(half(np.ones((3, 2))), rel=1e-12)
    tw.save(result, tmp_path / "run.nc")
    again = tw.rerun(tmp_path / "run.nc")
    assert again["training"].to_dataset().equals(result["training"].to_dataset())


def test_what_a_file_cannot_keep_is_said(tmp_path):
    problem = line(apply=lambda p, x: x @ p)
    result = tw.train(problem, [0, 5])
    told = json.loads(result.attrs["problem"])["fields"]
    assert told["init"] == {"function": f"{__name__}:normal_start"}
    assert told["loss"] == {"function": "thalweg.own_network.problem:half_square"}
    assert "lost" in told["apply"]
    tw.save(result, tmp_path / "run.nc")
    with pytest.raises(ValueError, match="<lambda> was written in a notebook"):
        tw.rerun(tmp_path / "run.nc")
    for name in ("os:getcwd", "no_such_module:f", "thalweg.own_network.problem:NetworkProblem"):
        with pytest.raises(ValueError, match="import its module first"):
            serial.function_of({"function": name})


def test_a_sweep_does_not_take_one_lambda_for_another(tmp_path):
    """Both functions have the same name; their points stand in the same folder."""
    losses = []
    for factor in (1.0, 2.0, 1.0):
        problem = line(apply=lambda p, x, f=factor: f * x @ p, init=lambda key: jnp.ones((3, 2)))
        tree = tw.sweep(problem, {"rule.learning_rate": [0.01, 0.1]}, [0, 5], theory=False, seeds=1, out=tmp_path)
        losses.append(tree["training"].train_loss.values)
    np.testing.assert_allclose(losses[0][:, 0, 0], half(np.ones((3, 2))), rtol=1e-12)
    np.testing.assert_allclose(losses[1][:, 0, 0], half(2 * np.ones((3, 2))), rtol=1e-12)
    np.testing.assert_array_equal(losses[0], losses[2])
    assert losses[0][0, 0, 1] != losses[0][1, 0, 1]


def test_words_and_labels_stay_whole_numbers_and_classes_are_counted():
    words, labels = RNG.integers(0, 5, (20, 3)), RNG.integers(0, 4, 20)

    def apply(table, inputs):
        assert inputs.dtype == jnp.int64
        assert table.dtype == jnp.float64
        return jnp.sum(table[inputs], axis=1)

    def entropy(outputs, targets):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs), targets[:, None], axis=1))

    def init(key):
        return jax.random.normal(key, (5, 4), jnp.float32)

    problem = tw.NetworkProblem(apply, init, entropy, data=(words, labels), test_data=(words[:7], labels[:7]))
    seen = tw.train(problem, [0, 20])
    table = start_of(problem, 0)
    right = np.argmax(table[words].sum(1), axis=1) == labels
    assert float(seen.train_accuracy[0, 0]) == np.mean(right)
    assert float(seen.test_accuracy[0, 0]) == np.mean(right[:7])
    assert float(seen.train_loss[0, 1]) < float(seen.train_loss[0, 0])
    # labels that name no output, and targets that are no classes, have no accuracy
    with pytest.raises(ValueError, match=r"outputs have the shape \(20, 4\), targets \(20,\)"):
        tw.NetworkProblem(apply, init, data=(words, labels))
    far = tw.NetworkProblem(apply, init, lambda o, t: jnp.mean(o**2), data=(words, labels + 1))
    assert "train_accuracy" not in tw.train(far, [0, 1])
    one_hot = tw.NetworkProblem(apply, init, data=(words, np.eye(4)[labels]))
    assert float(tw.train(one_hot, [0, 1]).train_accuracy[0, 0]) == np.mean(right)
    assert not {"train_accuracy", "test_loss"} & set(tw.train(line(), [0, 1]))


def tanh_network(params, inputs):
    (first, bias), (second, other) = params
    return jnp.tanh(inputs @ first + bias[None, :]) @ second + other[None, :]


def test_equinox_and_flax_are_the_network_written_by_hand():
    """An Equinox module as it is, its arrays alone, Flax variables, and a list of tuples from the same numbers."""
    model = eqx.nn.MLP(3, 2, 4, 1, activation=jnp.tanh, key=jax.random.key(3))
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    listed = [(layer.weight.T, layer.bias) for layer in model.layers]
    cases = [
        tw.NetworkProblem(tanh_network, lambda key: listed, data=(X, Y)),
        tw.NetworkProblem(lambda m, x: jax.vmap(m)(x), lambda key: model, data=(X, Y)),
        tw.NetworkProblem(lambda p, x: jax.vmap(eqx.combine(p, rest))(x), lambda key: arrays, data=(X, Y)),
    ]
    try:
        import flax.linen as linen

        flax = linen.Sequential([linen.Dense(4), jnp.tanh, linen.Dense(2)])
        names = ("layers_0", "layers_2")
        dense = {n: {"kernel": w, "bias": b} for n, (w, b) in zip(names, listed, strict=True)}
        cases.append(tw.NetworkProblem(flax.apply, lambda key: {"params": dense}, data=(X, Y)))
    except ImportError:
        pass
    losses = [tw.train(case, [0, 10, 50]).train_loss.values for case in cases]
    for found in losses[1:]:
        np.testing.assert_allclose(found, losses[0], rtol=1e-10)
    moved = tw.replay(cases[1], [0, 10])
    assert isinstance(moved, eqx.nn.MLP)
    assert moved.layers[0].weight.dtype == np.float64
    begun = tw.train(cases[1], [0, 10, 50], start=model)
    np.testing.assert_allclose(begun.train_loss, losses[1], rtol=1e-12)


def test_an_unsupervised_loss_and_inputs_in_parts():
    """Targets may be empty: an autoencoder reads its own inputs."""

    def apply(weights, inputs):
        return inputs["rows"] @ weights["down"] @ weights["up"] - inputs["rows"]

    def init(key):
        return {"down": 0.3 * jnp.ones((3, 1)), "up": 0.2 * jnp.ones((1, 3))}

    problem = tw.NetworkProblem(apply, init, lambda gap, _: 0.5 * jnp.mean(gap**2), data=({"rows": X}, ()))
    seen = tw.train(problem, [0, 30])
    assert float(seen.train_loss[0, 0]) == pytest.approx(0.5 * np.mean((0.06 * X @ np.ones((3, 3)) - X) ** 2))
    other = tw.train(problem, [0, 30], data=({"rows": X[:5]}, ()))
    assert float(other.train_loss[0, 0]) == pytest.approx(0.5 * np.mean((0.06 * X[:5] @ np.ones((3, 3)) - X[:5]) ** 2))
    with pytest.raises(ValueError, match=r"data.0.rows is missing; an array of shape \(12, 3\)"):
        tw.train(problem, [0, 1], data=({"row": X}, ()))


def test_the_same_seed_is_the_same_run():
    problem = line(rule=tw.SGD(0.1, batch=3))
    one, two = tw.train(problem, [0, 9], seeds=[5]), tw.train(problem, [0, 9], seeds=[2, 5])
    assert one.equals(two.sel(seed=[5]))
    with jax.enable_x64():
        key = seed_keys(np.int64(5))[1]
        np.testing.assert_array_equal(start_of(problem, 5), normal_start(key))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, r"give data=\(inputs, targets\)"),
        ({"data": X}, r"data = ndarray is not allowed"),
        ({"data": (X, Y[:5])}, r"data\[0\] 12, data\[1\] 5"),
        ({"data": ({"x": X, "y": X[:3]}, Y)}, r"data\[0\]\['x'\] 12, data\[0\]\['y'\] 3"),
        ({"data": (X[:0], Y[:0])}, "holds no samples"),
        ({"data": (X, 3.0)}, r"data\[1\] is a single number"),
        ({"data": (X, np.where(Y > 1, np.nan, Y))}, r"data\[1\] has a missing or infinite entry"),
        ({"data": (X, "targets")}, "not numbers"),
        ({"test_data": (X[:, :2], Y)}, r"test_data.0 has shape \(12, 2\); \(12, 3\) is wanted"),
        ({"apply": lambda p, x: (x @ p)[:5]}, r"has the shape \(5, 2\) for 12 samples"),
        ({"apply": lambda p, x: jnp.sum(x @ p)}, r"has the shape \(\) for 12 samples"),
        ({"apply": 3.0}, "apply = 3.0 is not allowed"),
        ({"data": (X, Y[:, 0])}, r"outputs have the shape \(12, 2\), targets \(12,\)"),
        ({"loss": lambda o, t: (o - t) ** 2}, "return one number"),
        ({"loss": lambda o, t: jnp.log(0 * jnp.sum(o))}, "start of seed 0 is"),
        ({"init": lambda key: jnp.ones((3, 2), int)}, "params is of type int64; a step moves floating-point"),
        ({"init": lambda key: {"w": jnp.ones((3, 2)), "n": 4}}, r"params\['n'\] is of type int64"),
        ({"weight_decay": -1.0}, "weight_decay = -1.0"),
        ({"rule": tw.SGD(batch=5, replacement=False)}, None),
    ],
)
def test_bad_input(change, words):
    if words is None:  # told by the rule, once it runs
        with pytest.raises(ValueError, match="batch = 5 does not divide the 12 samples"):
            tw.train(line(**change), [0, 1])
        return
    with pytest.raises(ValueError, match=words):
        line(**change)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({"a": [np.ones(2)], "b": np.ones(3)}, r"start.b has shape \(3,\); \(2, 1\) is wanted"),
        ({"a": [np.ones(2), np.ones(2)], "b": np.ones((2, 1))}, "start.a.1 is not wanted"),
        ({"a": [np.ones(2)]}, "start.b is missing"),
        ({"a": [np.full(2, np.nan)], "b": np.ones((2, 1))}, "start.a.0 is not finite"),
    ],
)
def test_a_start_that_does_not_fit_is_named_by_its_path(start, words):
    problem = tw.NetworkProblem(
        lambda p, x: (x[:, :2] * p["a"][0][None, :]) @ p["b"],
        lambda key: {"a": [jnp.ones(2)], "b": jnp.ones((2, 1))},
        data=(X, Y[:, :1]),
    )
    with pytest.raises(ValueError, match=words):
        tw.train(problem, [0, 1], start=start)


def test_without_a_theory_and_on_the_command_line():
    with pytest.raises(ValueError, match=r"no theory applies .* It must be `linear`"):
        tw.predict(line(apply=functools.partial(linear)))
    with pytest.raises(ValueError, match="made of functions, which a command cannot give"):
        entry_of("NetworkProblem")
