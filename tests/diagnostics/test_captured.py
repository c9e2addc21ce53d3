"""Equinox and Flax modules: the states of their layers are those of the same network written by hand."""

import functools
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from step_size_cases import TANH, downhill, formula_data, formula_network, half_square, layers_of

import thalweg as tw

d = tw.diagnostics
NET, DATA = formula_network(), formula_data(0, 5)
ACTIVATIONS = (*TANH[:2], lambda z: z)
STATES = layers_of(ACTIVATIONS)


@pytest.fixture(scope="module")
def by_hand():
    with jax.enable_x64():
        return d.linear_range(STATES, NET, DATA[0], downhill(half_square(STATES), NET, DATA))


def same(found, told):
    assert found.step == pytest.approx(told.step, rel=1e-10)
    np.testing.assert_allclose(found.per_layer, told.per_layer, rtol=1e-10)


def mlp():
    model = eqx.nn.MLP(3, 2, 4, 2, activation=jnp.tanh, key=jax.random.key(0))
    leaves = [jnp.asarray(leaf) for weights, bias in NET for leaf in (weights.T, bias)]
    return eqx.tree_at(lambda m: [leaf for x in m.layers for leaf in (x.weight, x.bias)], model, leaves)


def square(told, wanted):
    return 0.5 * jnp.mean(jnp.sum((told - wanted) ** 2, axis=1))


class Dropped(eqx.Module):
    inner: eqx.nn.MLP
    drop: eqx.nn.Dropout

    def __call__(self, x, key=None):
        return self.drop(self.inner(x), key=key)


def test_an_equinox_module(by_hand):
    def loss(model, batch):
        return square(jax.vmap(model)(batch[0]), batch[1])

    model = mlp()
    down = jax.tree.map(jnp.negative, eqx.filter_grad(loss)(model, DATA))
    same(d.linear_range(d.equinox_states, model, DATA[0], down), by_hand)
    mini = [formula_data(2 * k, 2 * k + 2) for k in range(12)]
    told = d.suggest_learning_rate(loss, model, mini, d.equinox_states, last=8, before=2, after=2)
    wanted = d.suggest_learning_rate(half_square(STATES), NET, mini, STATES, last=8, before=2, after=2)
    assert told.step == pytest.approx(wanted.step, rel=1e-9)
    assert d.sharpness(loss, model, DATA).value == pytest.approx(d.sharpness(half_square(STATES), NET, DATA).value)


def test_an_equinox_module_with_dropout(by_hand):
    model = Dropped(mlp(), eqx.nn.Dropout(0.5))
    quiet = eqx.nn.inference_mode(model)
    down = jax.tree.map(
        jnp.negative, eqx.filter_grad(lambda m: square(jax.vmap(m)(DATA[0]), jnp.asarray(DATA[1])))(quiet)
    )
    with pytest.raises(ValueError, match="training mode: dropout"):
        d.linear_range(d.equinox_states, model, DATA[0], down)
    same(d.linear_range(d.equinox_states, quiet, DATA[0], down), by_hand)
    keyed = functools.partial(d.equinox_states, call=lambda m, x: m(x, key=None))
    same(d.linear_range(keyed, quiet, DATA[0], down), by_hand)


class Looped(eqx.Module):
    layer: eqx.nn.Linear

    def __call__(self, x):
        return jax.lax.scan(lambda now, _: (self.layer(now), None), x, length=2)[0]


def test_layers_inside_a_loop_are_told():
    model = Looped(eqx.nn.Linear(3, 3, key=jax.random.key(0)))
    with pytest.raises(ValueError, match="inside a loop"):
        d.linear_range(d.equinox_states, model, DATA[0], eqx.filter(model, eqx.is_inexact_array))


def test_a_flax_linen_module(by_hand):
    linen = pytest.importorskip("flax.linen")

    class Net(linen.Module):
        drop: float = 0.0

        @linen.compact
        def __call__(self, x, train=True):
            for _ in range(2):
                x = jnp.tanh(linen.Dense(4)(x))
            return linen.Dropout(self.drop, deterministic=not train)(linen.Dense(2)(x))

    layers = {f"Dense_{i}": {"kernel": jnp.asarray(w), "bias": jnp.asarray(c)} for i, (w, c) in enumerate(NET)}
    for params in ({"params": layers}, layers):
        down = downhill(lambda p, b: square(Net().apply({"params": p.get("params", p)}, b[0]), b[1]), params, DATA)
        same(d.linear_range(d.flax_states(Net()), params, DATA[0], down), by_hand)
    with pytest.raises(ValueError, match="training mode"):
        d.linear_range(d.flax_states(Net(drop=0.5)), layers, DATA[0], down)
    states = d.flax_states(Net(drop=0.5), call=lambda m, v, x: m.apply(v, x, train=False))
    same(d.linear_range(states, layers, DATA[0], down), by_hand)


def test_a_flax_nnx_module(by_hand):
    nnx = pytest.importorskip("flax.nnx")

    class Net(nnx.Module):
        def __init__(self, drop, rngs):
            sizes = ((3, 4), (4, 4), (4, 2))
            self.layers = nnx.List([nnx.Linear(*pair, rngs=rngs, param_dtype=jnp.float64) for pair in sizes])
            self.drop = nnx.Dropout(drop, rngs=rngs)

        def __call__(self, x):
            for layer in self.layers[:2]:
                x = jnp.tanh(layer(x))
            return self.layers[2](self.drop(x))

    model = Net(0.5, nnx.Rngs(0))
    for layer, (weights, bias) in zip(model.layers, NET, strict=True):
        layer.kernel.set_value(jnp.asarray(weights))
        layer.bias.set_value(jnp.asarray(bias))
    with pytest.raises(ValueError, match=r"model.eval\(\)"):
        d.flax_states(model)
    model.eval()
    graph, params, rest = nnx.split(model, nnx.Param, ...)
    down = downhill(lambda p, b: square(nnx.merge(graph, p, rest)(b[0]), b[1]), params, DATA)
    same(d.linear_range(d.flax_states(model), nnx.state(model, nnx.Param), DATA[0], down), by_hand)


def test_flax_is_asked_for_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "flax.linen", None)
    with pytest.raises(ImportError, match="pip install flax"):
        d.flax_states(object())


def test_without_pytorch_the_command_is_told(monkeypatch):
    for name in [name for name in sys.modules if name == "torch" or name.startswith("thalweg.torch")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install thalweg\[torch\]"):
        __import__("thalweg.torch")
