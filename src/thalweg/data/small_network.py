"""A small dense network on a user's table: states, loss, start and minibatches, for advice about learning rates."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"tanh": jnp.tanh, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}


class NetworkTask(NamedTuple):
    """`loss(params, batch)`, `states(params, inputs)`, a start, and batches (inputs, targets) in float32."""

    loss: Callable[[Any, Any], Any]
    states: Callable[[Any, Any], list[Any]]
    params: Any
    batches: list[Any]
    words: str


def network_task(
    inputs: Any, labels: Any, hidden: Sequence[int] = (32,), activation: str = "tanh", batch: int = 32, seed: int = 0
) -> NetworkTask:
    """A dense network on standardised inputs; at most 20 different whole labels are classes (cross entropy).

    Other labels are standardised, and the loss is half the mean square. Weights: normal, variance 1 / inputs of the
    layer (2 / inputs for relu), no biases at the start. `batch` = 0 takes all points at once. ValueError for an unknown
    activation, widths or batches that do not fit, inputs that are no table of finite numbers.
    """
    x, y = np.asarray(inputs, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"inputs {x.shape}, labels {y.shape}: give finite rows of features and one label a row.")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation {activation!r} is not known; give one of {', '.join(ACTIVATIONS)}.")
    size = batch or len(x)
    if not 1 <= size <= len(x) or any(width < 1 for width in hidden):
        raise ValueError(f"batch = {batch}, hidden = {tuple(hidden)}: give 0 to {len(x)} points, and widths >= 1.")
    values = np.unique(y)
    classes = values.size <= 20 and bool(np.all(values == np.round(values)))
    x = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1.0)
    targets = (y[:, None] == values[None, :]).astype(float) if classes else ((y - y.mean()) / (y.std() or 1.0))[:, None]
    sizes = (x.shape[1], *hidden, targets.shape[1])
    rng = np.random.default_rng(seed)
    gain = 2.0 if activation == "relu" else 1.0
    params = [
        (jnp.asarray(rng.normal(0, (gain / a) ** 0.5, (a, b)), jnp.float32), jnp.zeros(b, jnp.float32))
        for a, b in itertools.pairwise(sizes)
    ]
    order = rng.permutation(len(x))[: len(x) // size * size].reshape(-1, size)
    batches = [(jnp.asarray(x[i], jnp.float32), jnp.asarray(targets[i], jnp.float32)) for i in order]
    states = _states(ACTIVATIONS[activation])
    words = f"{'-'.join(map(str, sizes))} {activation} network, {'cross entropy' if classes else 'half the square'}"
    return NetworkTask(_loss(states, classes), states, params, batches, f"{words}, batches of {size}")


def _states(act: Callable[[Any], Any]) -> Callable[[Any, Any], list[Any]]:
    def states(params: Any, x: Any) -> list[Any]:
        found = [x]
        for i, (weights, bias) in enumerate(params):
            z = found[-1] @ weights + bias[None, :]
            found.append(z if i == len(params) - 1 else act(z))
        return found[1:]

    return states


def _loss(states: Callable[[Any, Any], list[Any]], classes: bool) -> Callable[[Any, Any], Any]:
    def loss(params: Any, batch: Any) -> Any:
        out = states(params, batch[0])[-1]
        if classes:
            return -jnp.mean(jnp.sum(jax.nn.log_softmax(out) * batch[1], axis=1))
        return 0.5 * jnp.mean(jnp.sum((out - batch[1]) ** 2, axis=1))

    return loss
