"""The published set of problems for advice about learning rates: drawn up before its rule was last changed, run after.

Networks, losses, data and starts that neither of the two older sets holds, so that its table is blind.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from learning_rate_problems import (
    ADAMW,
    MOMENTUM,
    SGD,
    Case,
    Network,
    dense,
    diabetes,
    entropy,
    labelled,
    squared,
    taught,
)
from sklearn import datasets


def binary(out: Any, y: Any) -> Any:
    """Logistic loss of labels 0 and 1."""
    return jax.nn.softplus(out[:, 0]) - y[:, 0] * out[:, 0]


def poisson(out: Any, y: Any) -> Any:
    """Negative log likelihood of counts of mean exp(out), but for a constant."""
    return jnp.exp(out[:, 0]) - y[:, 0] * out[:, 0]


def huber(out: Any, y: Any) -> Any:
    gap = jnp.abs(out[:, 0] - y[:, 0])
    return jnp.where(gap < 1, 0.5 * gap**2, gap - 0.5)


def normalised(sizes: tuple[int, ...]) -> Network:
    """Dense relu layers, each followed by a layer norm; a linear read-out."""
    plain = dense(sizes, jax.nn.relu, 1.4)

    def states(params: Any, x: Any) -> list[Any]:
        found = [x]
        for w, b in params[:-1]:
            h = jax.nn.relu(found[-1] @ w + b[None, :])
            found.append((h - h.mean(1, keepdims=True)) / (h.std(1, keepdims=True) + 1e-5))
        w, b = params[-1]
        return [*found[1:], found[-1] @ w + b[None, :]]

    return Network(states, plain.start)


def tangent_scaled(inputs: int, width: int, outputs: int) -> Network:
    """One hidden tanh layer of standard normal weights, outputs over sqrt(width) (neural tangent scaling)."""

    def states(params: Any, x: Any) -> list[Any]:
        hidden = jnp.tanh(x @ params["in"] / inputs**0.5)
        return [hidden, hidden @ params["out"] / width**0.5]

    def start(key: Any) -> Any:
        first, second = jax.random.split(key)
        return {
            "in": jax.random.normal(first, (inputs, width)),
            "out": jax.random.normal(second, (width, outputs)),
        }

    return Network(states, start)


def quadratic(dimension: int, width: int, scale: float) -> Network:
    """The mean over hidden units of the squares of their fields, from a small start."""

    def states(params: Any, x: Any) -> list[Any]:
        fields = x @ params
        return [fields, jnp.mean(fields**2, axis=1, keepdims=True)]

    return Network(states, lambda key: scale * jax.random.normal(key, (dimension, width)))


def recurrent(inputs: int, width: int, outputs: int) -> Network:
    """A tanh recurrent network over sequences (samples, time, inputs); reads out its last state."""

    def states(params: Any, x: Any) -> list[Any]:
        def step(h: Any, now: Any) -> Any:
            h = jnp.tanh(h @ params["own"] + now @ params["in"])
            return h, None

        last = jax.lax.scan(step, jnp.zeros((x.shape[0], width), x.dtype), x.swapaxes(0, 1))[0]
        return [last, last @ params["out"]]

    def start(key: Any) -> Any:
        keys = jax.random.split(key, 3)
        shapes = {"own": (width, width), "in": (inputs, width), "out": (width, outputs)}
        return {n: jax.random.normal(k, s) / s[0] ** 0.5 for k, (n, s) in zip(keys, shapes.items(), strict=True)}

    return Network(states, start)


def attention(tokens: int, size: int, width: int, outputs: int) -> Network:
    """Rows as tokens: an embedding with positions, one self-attention with a residual path, a mean, a read-out."""

    def states(params: Any, x: Any) -> list[Any]:
        h = x.reshape(x.shape[0], tokens, size) @ params["in"] + params["place"][None, :, :]
        query, key, value = (h @ params[name] for name in ("query", "key", "value"))
        weights = jax.nn.softmax(query @ key.swapaxes(1, 2) / width**0.5, axis=-1)
        mixed = jax.nn.relu(h + weights @ value)
        return [h.reshape(x.shape[0], -1), mixed.reshape(x.shape[0], -1), mixed.mean(1) @ params["out"]]

    def start(key: Any) -> Any:
        keys = jax.random.split(key, 6)
        shapes = {
            "in": (size, width),
            "place": (tokens, width),
            "query": (width, width),
            "key": (width, width),
            "value": (width, width),
            "out": (width, outputs),
        }
        return {n: jax.random.normal(k, s) / s[0] ** 0.5 for k, (n, s) in zip(keys, shapes.items(), strict=True)}

    return Network(states, start)


def itself(samples: int) -> Callable[[int], tuple[Any, Any]]:
    """Digits that are their own targets."""

    def data(seed: int) -> tuple[Any, Any]:
        x = labelled("digits", samples)(seed)[0]
        return x, x

    return data


def spirals(samples: int) -> Callable[[int], tuple[Any, Any]]:
    def data(seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        arm, angle = np.arange(samples) % 2, 3 * np.pi * np.sqrt(rng.random(samples))
        x = np.stack([angle * np.cos(angle + np.pi * arm), angle * np.sin(angle + np.pi * arm)], 1) / 5
        return x + 0.05 * rng.standard_normal(x.shape), arm[:, None].astype(float)

    return data


def moons(samples: int, flipped: float) -> Callable[[int], tuple[Any, Any]]:
    def data(seed: int) -> tuple[Any, Any]:
        x, y = datasets.make_moons(samples, noise=0.2, random_state=seed)
        wrong = np.random.default_rng(seed).random(samples) < flipped
        return x, np.where(wrong, 1 - y, y)[:, None].astype(float)

    return data


def friedman(samples: int) -> Callable[[int], tuple[Any, Any]]:
    def data(seed: int) -> tuple[Any, Any]:
        x, y = datasets.make_friedman1(samples, noise=1.0, random_state=seed)
        return 2 * x - 1, ((y - y.mean()) / y.std())[:, None]

    return data


def counts(dimension: int, samples: int) -> Callable[[int], tuple[Any, Any]]:
    def data(seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((samples, dimension))
        mean = np.exp(0.5 + 0.6 * x @ rng.standard_normal(dimension) / dimension**0.5)
        return x, rng.poisson(mean)[:, None].astype(float)

    return data


def added(samples: int, length: int) -> Callable[[int], tuple[Any, Any]]:
    """The adding problem: the sum of the two numbers that are marked in a sequence."""

    def data(seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        x = np.zeros((samples, length, 2))
        x[:, :, 0] = rng.random((samples, length)) - 0.5
        for row in x:
            row[rng.choice(length, 2, replace=False), 1] = 1.0
        return x, (x[:, :, 0] * x[:, :, 1]).sum(1)[:, None]

    return data


def published() -> list[Case]:
    """The set of the published table: blind."""
    tanh, gelu, digits = jnp.tanh, functools.partial(jax.nn.gelu, approximate=True), labelled("digits", 1024)
    squeeze, line = dense((64, 16, 64), tanh), dense((64, 10), tanh)
    attend, memory = attention(8, 8, 24, 10), recurrent(2, 24, 1)
    deep = dense((10, 20, 20, 5), lambda z: z, 0.7)
    square = quadratic(20, 20, 0.1)
    wave, hinge = dense((2, 32, 32, 1), tanh, 2.0), dense((2, 40, 40, 1), jax.nn.relu, 1.4)
    smooth = dense((10, 50, 50, 1), gelu, 1.4)
    return [
        Case(
            "iris, softplus 4-10-3, SGD, batch 10",
            dense((4, 10, 3), jax.nn.softplus),
            labelled("iris", 150),
            entropy,
            SGD,
            10,
            1000,
        ),
        Case("digits, autoencoder 64-16-64, AdamW, batch 64", squeeze, itself(1024), squared, ADAMW, 64),
        Case("digits, autoencoder 64-16-64, SGD, batch 32", squeeze, itself(1024), squared, SGD, 32),
        Case(
            "digits, layer norms 64-48-48-10, momentum, batch 32",
            normalised((64, 48, 48, 10)),
            digits,
            entropy,
            MOMENTUM,
            32,
        ),
        Case("digits, softmax regression, SGD, batch 16", line, digits, entropy, SGD, 16),
        Case("digits, softmax regression, AdamW, all 1024", line, digits, entropy, ADAMW, 0, 1000),
        Case(
            "digits, tangent scaling, width 256, SGD, batch 64",
            tangent_scaled(64, 256, 10),
            digits,
            entropy,
            SGD,
            64,
            1000,
        ),
        Case("digits, attention, AdamW, batch 32", attend, digits, entropy, ADAMW, 32, 1500),
        Case("digits, attention, SGD, batch 32", attend, digits, entropy, SGD, 32, 1500),
        Case(
            "deep linear 10-20-20-5, SGD, all 200",
            deep,
            taught(dense((10, 5), tanh), 10, 200, 0.1),
            squared,
            SGD,
            0,
            1500,
        ),
        Case(
            "quadratic network, 20 units, SGD, batch 16",
            square,
            taught(quadratic(20, 4, 0.22), 20, 2000),
            squared,
            SGD,
            16,
        ),
        Case("two spirals, tanh 2-32-32-1, AdamW, batch 50", wave, spirals(500), binary, ADAMW, 50),
        Case("two spirals, ReLU 2-40-40-1, momentum, all 400", hinge, spirals(400), binary, MOMENTUM, 0),
        Case(
            "moons, a tenth of labels flipped, ReLU 2-50-1, SGD, batch 1",
            dense((2, 50, 1), jax.nn.relu, 1.4),
            moons(800, 0.1),
            binary,
            SGD,
            1,
        ),
        Case("adding problem, recurrent 24, SGD, batch 20", memory, added(1000, 8), squared, SGD, 20, 1500),
        Case("adding problem, recurrent 24, AdamW, batch 20", memory, added(1000, 8), squared, ADAMW, 20, 1500),
        Case("counts, log-linear, SGD, batch 10", dense((12, 1), tanh), counts(12, 800), poisson, SGD, 10, 1000),
        Case(
            "diabetes, GELU 10-40-1, Huber loss, AdamW, batch 32",
            dense((10, 40, 1), gelu),
            diabetes(416),
            huber,
            ADAMW,
            32,
            1000,
        ),
        Case("Friedman's function, GELU 10-50-50-1, momentum, batch 32", smooth, friedman(1024), squared, MOMENTUM, 32),
        Case("Friedman's function, GELU 10-50-50-1, SGD, batch 8", smooth, friedman(1024), squared, SGD, 8),
    ]
