"""The deterministic network of the card on step sizes: formula weights, sizes 3-4-4-2."""

import jax
import jax.numpy as jnp
import numpy as np

SIZES = (3, 4, 4, 2)
TANH = (jnp.tanh, jnp.tanh, jnp.tanh)
RECTIFIED = (jax.nn.relu, jax.nn.relu, lambda z: z)


def formula_network(sizes=SIZES):
    rows = [np.arange(n)[:, None] for n in sizes]
    return [
        (np.sin(1 + step + 2 * rows[step] + 3 * np.arange(n)[None, :]), np.cos(step + np.arange(n)))
        for step, n in enumerate(sizes[1:])
    ]


def formula_data(first, last):
    i = np.arange(first, last)[:, None]
    return np.cos(i * np.arange(3)[None, :] + i + 1), 0.5 + 0.4 * np.sin(i + 2 * np.arange(2)[None, :])


def layers_of(activations, before=False):
    """states(params, inputs) of a network of these activations; with the total inputs of the layers, if asked for."""

    def states(params, inputs):
        out, now = [], inputs
        for (weights, bias), activate in zip(params, activations, strict=True):
            total = now @ weights + bias[None, :]
            now = activate(total)
            out += [total, now] if before else [now]
        return out

    return states


def half_square(states, factor=1.0):
    def loss(params, batch):
        return 0.5 * factor * jnp.mean(jnp.sum((states(params, batch[0])[-1] - batch[1]) ** 2, axis=1))

    return loss


def downhill(loss, params, batch):
    return jax.tree.map(jnp.negative, jax.grad(loss)(jax.tree.map(jnp.asarray, params), batch))
