"""A small network as a user would write it, on inputs in two parts."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def outputs(params: Any, inputs: Any) -> Any:
    """Two outputs from three numbers and a word, the word a whole number."""
    hidden = jnp.tanh(inputs["numbers"] @ params["layers"][0] + params["words"][inputs["words"]])
    return hidden @ params["layers"][1]


def start(key: Any) -> Any:
    """Its parameters: a tuple and a table of words."""
    one, two, three = jax.random.split(key, 3)
    layers = (0.5 * jax.random.normal(one, (3, 4)), 0.5 * jax.random.normal(two, (4, 2)))
    return {"layers": layers, "words": 0.1 * jax.random.normal(three, (5, 4))}


def rows(points: int, seed: int) -> tuple[Any, Any]:
    """Numbers and words, and two classes as one-hot rows."""
    rng = np.random.default_rng(seed)
    inputs = {"numbers": rng.standard_normal((points, 3)), "words": rng.integers(0, 5, points)}
    return inputs, np.eye(2)[rng.integers(0, 2, points)]
