"""Small problems on which advice about learning rates was developed: a first set, and one published earlier.

Every problem draws training data and a start from a seed, in float32. Losses: mean over samples of the cross entropy,
or of one half of the square. `states` returns what the layers hold, samples first, for the linear range.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import datasets

import thalweg as tw

SGD, MOMENTUM, ADAMW = tw.GradientDescent(), tw.HeavyBall(momentum=0.9), tw.Optax(optax.adamw)
USUAL = {"GradientDescent": 0.1, "HeavyBall": 0.01, "Optax": 0.001}


@dataclasses.dataclass(frozen=True)
class Network:
    """States of a forward pass, and a start."""

    states: Callable[[Any, Any], list[Any]]
    start: Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """One problem: network, data of a seed (inputs, targets), error of a sample, rule, batch size (0: all), steps."""

    name: str
    network: Network
    data: Callable[[int], tuple[Any, Any]]
    error: Callable[[Any, Any], Any]
    rule: Any
    batch: int
    steps: int = 2000

    def loss(self, params: Any, batch: Any) -> Any:
        return jnp.mean(self.error(self.network.states(params, batch[0])[-1], batch[1]))

    def batches(self, seed: int) -> list[Any]:
        """Disjoint batches in a random order, all of one size."""
        x, y = self.data(seed)
        size = self.batch or len(x)
        order = np.random.default_rng(seed + 77).permutation(len(x))[: len(x) // size * size].reshape(-1, size)
        return [(jnp.asarray(x[i], jnp.float32), jnp.asarray(y[i], jnp.float32)) for i in order]


def squared(out: Any, y: Any) -> Any:
    return 0.5 * jnp.sum((out - y) ** 2, axis=1)


def entropy(out: Any, y: Any) -> Any:
    return -jnp.sum(jax.nn.log_softmax(out) * y, axis=1)


def dense(sizes: tuple[int, ...], act: Any, scale: float = 1.0, bias: float = 0.0) -> Network:
    """Layers of these sizes, the last one linear; weights of deviation scale / sqrt(inputs)."""

    def states(params: Any, x: Any) -> list[Any]:
        found = [x]
        for i, (w, b) in enumerate(params):
            z = found[-1] @ w + b[None, :]
            found.append(z if i == len(params) - 1 else act(z))
        return found[1:]

    def start(key: Any) -> Any:
        keys = jax.random.split(key, 2 * len(sizes))
        return [
            (scale * jax.random.normal(keys[2 * i], (a, b)) / a**0.5, bias * jax.random.normal(keys[2 * i + 1], (b,)))
            for i, (a, b) in enumerate(itertools.pairwise(sizes))
        ]

    return Network(states, start)


def sigmoid_net(sizes: tuple[int, ...]) -> Network:
    """Ni and Talnikar's: sigmoid at every layer, the last included, standard normal weights and biases."""

    def states(params: Any, x: Any) -> list[Any]:
        found = [x]
        for w, b in params:
            found.append(jax.nn.sigmoid(found[-1] @ w + b[None, :]))
        return found[1:]

    def start(key: Any) -> Any:
        keys = jax.random.split(key, 2 * len(sizes))
        pairs = list(itertools.pairwise(sizes))
        return [
            (jax.random.normal(keys[2 * i], p), jax.random.normal(keys[2 * i + 1], p[1:])) for i, p in enumerate(pairs)
        ]

    return Network(states, start)


def residual(inputs: int, width: int, blocks: int, outputs: int) -> Network:
    """A linear embedding, blocks h + W2 relu(W1 h), a linear read-out."""

    def states(params: Any, x: Any) -> list[Any]:
        found = [x @ params["in"]]
        for first, second in params["blocks"]:
            found.append(found[-1] + jax.nn.relu(found[-1] @ first) @ second)
        return [*found, found[-1] @ params["out"]]

    def start(key: Any) -> Any:
        keys = jax.random.split(key, 2 * blocks + 2)
        draw = lambda k, a, b: jax.random.normal(k, (a, b)) / a**0.5  # noqa: E731
        inner = [
            (1.4 * draw(keys[2 * i], width, width), 0.5 * draw(keys[2 * i + 1], width, width)) for i in range(blocks)
        ]
        return {"in": draw(keys[-2], inputs, width), "blocks": inner, "out": draw(keys[-1], width, outputs)}

    return Network(states, start)


def convolutional(side: int, channels: int, outputs: int) -> Network:
    """3 x 3 filters, relu, 2 x 2 means, a dense read-out."""

    def states(params: Any, x: Any) -> list[Any]:
        image = x.reshape(x.shape[0], side, side, 1)
        z = jax.lax.conv_general_dilated(image, params["w"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        h = jax.nn.relu(z + params["b"][None, None, None, :])
        small = h.reshape(x.shape[0], side // 2, 2, side // 2, 2, channels).mean((2, 4)).reshape(x.shape[0], -1)
        return [h, small @ params["out"]]

    def start(key: Any) -> Any:
        first, second = jax.random.split(key)
        flat = (side // 2) ** 2 * channels
        return {
            "w": jax.random.normal(first, (3, 3, 1, channels)) * (2 / 9) ** 0.5,
            "b": jnp.zeros(channels),
            "out": jax.random.normal(second, (flat, outputs)) / flat**0.5,
        }

    return Network(states, start)


@functools.cache
def _table(name: str) -> tuple[np.ndarray, np.ndarray, bool]:
    found = getattr(datasets, f"load_{name}")()
    return np.asarray(found.data, float), np.asarray(found.target), hasattr(found, "target_names")


def labelled(name: str, samples: int) -> Callable[[int], tuple[Any, Any]]:
    """A scikit-learn classification set, standardised (digits: divided by 16), classes one-hot."""

    def data(seed: int) -> tuple[Any, Any]:
        x, target, _ = _table(name)
        x = x / 16 if name == "digits" else (x - x.mean(0)) / x.std(0)
        chosen = np.random.default_rng(seed).permutation(len(x))[:samples]
        return x[chosen], np.eye(int(target.max()) + 1)[target[chosen]]

    return data


def diabetes(samples: int) -> Callable[[int], tuple[Any, Any]]:
    def data(seed: int) -> tuple[Any, Any]:
        x, target, _ = _table("diabetes")
        chosen = np.random.default_rng(seed).permutation(len(x))[:samples]
        x, y = (x - x.mean(0)) / x.std(0), (target - target.mean()) / target.std()
        return x[chosen], y[chosen, None]

    return data


def noisy(dimension: int, samples: int, noise: float) -> Callable[[int], tuple[Any, Any]]:
    """A smooth function of a few directions, and noise."""

    def data(seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((samples, dimension))
        axes = rng.standard_normal((dimension, 3)) / dimension**0.5
        clean = np.sin(2 * x @ axes[:, 0]) + (x @ axes[:, 1]) * (x @ axes[:, 2])
        return x, (clean + noise * rng.standard_normal(samples))[:, None]

    return data


def linear(dimension: int, samples: int, noise: float, spread: float) -> Callable[[int], tuple[Any, Any]]:
    """Linear regression whose inputs have variances from 1 down to 1/spread."""

    def data(seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((samples, dimension)) * spread ** (-0.5 * np.arange(dimension) / (dimension - 1))
        y = x @ rng.standard_normal((dimension, 1)) + noise * rng.standard_normal((samples, 1))
        return x, y

    return data


def taught(teacher: Network, dimension: int, samples: int, noise: float = 0.0) -> Callable[[int], tuple[Any, Any]]:
    """Labels of a teacher network."""

    def data(seed: int) -> tuple[Any, Any]:
        first, second, third = jax.random.split(jax.random.key(seed + 1000), 3)
        x = jax.random.normal(second, (samples, dimension))
        y = np.asarray(teacher.states(teacher.start(first), x)[-1])
        return np.asarray(x), y + noise * np.asarray(jax.random.normal(third, y.shape))

    return data


def earlier() -> list[Case]:
    """The set of the first published table; the advice was changed after it, so that it is not blind any more."""
    digits, tanh, relu = labelled("digits", 1024), jnp.tanh, jax.nn.relu
    mlp, deep = dense((64, 64, 10), tanh), dense((64, 64, 64, 10), relu, 1.4)
    conv, res = convolutional(8, 8, 10), residual(64, 48, 3, 10)
    smooth, paper = dense((20, 50, 1), tanh), sigmoid_net((50, 50, 50, 50))
    teach = taught(paper, 50, 5000)
    units, relus = dense((30, 100, 1), relu, 1.4), taught(dense((30, 5, 1), relu, 1.4), 30, 2000, 0.1)
    line, rows = dense((40, 1), tanh), linear(40, 1000, 0.3, 100.0)
    return [
        Case("digits, tanh 64-64-10, SGD, batch 32", mlp, digits, entropy, SGD, 32),
        Case("digits, tanh 64-64-10, momentum, batch 32", mlp, digits, entropy, MOMENTUM, 32),
        Case("digits, tanh 64-64-10, AdamW, batch 32", mlp, digits, entropy, ADAMW, 32),
        Case("digits, ReLU 64-64-64-10, SGD, all 256", deep, labelled("digits", 256), entropy, SGD, 0),
        Case("digits, ReLU 64-64-64-10, SGD, batch 4", deep, digits, entropy, SGD, 4),
        Case("digits, convolutional, SGD, batch 32", conv, digits, entropy, SGD, 32, 1000),
        Case("digits, convolutional, AdamW, batch 32", conv, digits, entropy, ADAMW, 32, 1000),
        Case("digits, residual, SGD, batch 32", res, digits, entropy, SGD, 32),
        Case("digits, residual, momentum, batch 128", res, digits, entropy, MOMENTUM, 128),
        Case("noisy regression, tanh 20-50-1, SGD, batch 1", smooth, noisy(20, 1000, 0.5), squared, SGD, 1),
        Case("noisy regression, tanh 20-50-1, SGD, batch 10", smooth, noisy(20, 1000, 0.5), squared, SGD, 10),
        Case("noisy regression, tanh 20-50-1, AdamW, all 500", smooth, noisy(20, 500, 0.5), squared, ADAMW, 0),
        Case("sigmoid teacher-student, SGD, batch 1", paper, teach, squared, SGD, 1),
        Case("sigmoid teacher-student, SGD, batch 10", paper, teach, squared, SGD, 10),
        Case("sigmoid teacher-student, SGD, batch 100", paper, teach, squared, SGD, 100),
        Case("linear regression, SGD, batch 1", line, rows, squared, SGD, 1),
        Case("linear regression, momentum, batch 10", line, rows, squared, MOMENTUM, 10),
        Case("linear regression, SGD, all 1000", line, rows, squared, SGD, 0),
        Case("ReLU regression 30-100-1, SGD, batch 20", units, relus, squared, SGD, 20),
        Case("ReLU regression 30-100-1, AdamW, batch 20", units, relus, squared, ADAMW, 20),
    ]


def development() -> list[Case]:
    """The set on which the first rule of the advice was tuned."""
    tanh, relu = jnp.tanh, jax.nn.relu
    wine, cancer, digits = labelled("wine", 160), labelled("breast_cancer", 512), labelled("digits", 768)
    logistic, small = dense((30, 2), tanh), dense((13, 20, 3), tanh)
    paper, line = sigmoid_net((30, 30, 30)), dense((20, 1), tanh)
    teach, rows = taught(paper, 30, 3000), linear(20, 600, 1.0, 10.0)
    pair, deep, units = (dense(sizes, relu, 1.4) for sizes in ((30, 40, 40, 2), (10, 40, 40, 1), (15, 60, 1)))
    relus = taught(dense((15, 3, 1), relu, 1.4), 15, 1000, 0.2)
    return [
        Case("wine, tanh 13-20-3, SGD, batch 16", small, wine, entropy, SGD, 16, 600),
        Case("wine, tanh 13-20-3, AdamW, all 160", small, wine, entropy, ADAMW, 0, 600),
        Case("breast cancer, logistic, SGD, batch 8", logistic, cancer, entropy, SGD, 8, 1500),
        Case("breast cancer, ReLU 30-40-40-2, momentum, batch 64", pair, cancer, entropy, MOMENTUM, 64, 800),
        Case(
            "digits, convolutional 4, momentum, batch 16", convolutional(8, 4, 10), digits, entropy, MOMENTUM, 16, 600
        ),
        Case("digits, residual 32 x 2, AdamW, batch 64", residual(64, 32, 2, 10), digits, entropy, ADAMW, 64, 800),
        Case("digits, tanh 64-32-32-10, SGD, batch 1", dense((64, 32, 32, 10), tanh), digits, entropy, SGD, 1, 1500),
        Case("diabetes, tanh 10-30-1, SGD, batch 5", dense((10, 30, 1), tanh), diabetes(400), squared, SGD, 5, 1000),
        Case("diabetes, linear, SGD, all 400", dense((10, 1), tanh), diabetes(400), squared, SGD, 0, 500),
        Case("sigmoid teacher-student 30, SGD, batch 4", paper, teach, squared, SGD, 4, 1500),
        Case("sigmoid teacher-student 30, momentum, batch 50", paper, teach, squared, MOMENTUM, 50, 1000),
        Case("linear regression 20, SGD, batch 2", line, rows, squared, SGD, 2, 1000),
        Case("ReLU regression 15-60-1, momentum, batch 8", units, relus, squared, MOMENTUM, 8, 1000),
        Case("noisy regression, ReLU 10-40-40-1, AdamW, batch 4", deep, noisy(10, 800, 0.3), squared, ADAMW, 4, 1000),
    ]
