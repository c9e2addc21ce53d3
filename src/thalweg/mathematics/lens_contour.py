"""A loop around [0, largest] whose nodes grow with the logarithm of the horizon, for filters without memory.

exp(-t z) and (1 - r z)^k, r <= 2/largest, are bounded by exp(1.44) in the whole disc through -d and largest + d,
d = 1.44/horizon (t or r k up to it). With w = log((z + d)/(largest + d - z)) the disc is the strip |Im w| < pi/2 and
[0, largest] the segment [-W, W], W = log(1 + largest/d): an ellipse around the segment, half way to the strip's edge,
takes about 30 W nodes to rounding, where the thin loop of `contour`, which also suits momentum, takes
5 sqrt(horizon largest).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from .covariance_equivalent import Points, Scalar, contour, contour_nodes

# up to this many nodes the thin loop is taken, beyond it the lens, and with momentum up to a few GB of kernels
MOST, WITH_MEMORY = 256, 4096
GROWTH = 1.44
# share of the strip that the outermost ellipse fills
FILL = 0.95


def loop_nodes(largest: float, horizon: float, memory: bool) -> int:
    """Nodes for 1e-10 with `loop`: those of the thin loop up to MOST, then those of the lens, a power of two.

    ValueError where a rule with memory would take more than WITH_MEMORY.
    """
    thin = contour_nodes(largest, horizon)
    if memory and thin > WITH_MEMORY:
        reach = ((WITH_MEMORY - 16) / 5) ** 2 / largest
        raise ValueError(
            f"momentum up to a flow time of {horizon:.3g} takes {thin} nodes on the contour and allowed are "
            f"{WITH_MEMORY}; give times up to a flow time (learning_rate steps/(1 - momentum)) of {reach:.3g}."
        )
    if memory or thin <= MOST:
        return thin
    return max(2 * MOST, 2 ** math.ceil(math.log2(15.0 * math.log1p(horizon * largest / GROWTH))))


def loop(largest: Scalar, horizon: Scalar, nodes: int, memory: bool) -> tuple[Points, Points]:
    """Upper half of an anticlockwise loop around [0, largest]: points z and weights dz/(2 pi i), as of `contour`.

    `memory`: whether the rule remembers earlier steps, so that its filters are bounded near [0, largest] alone.
    """
    return contour(largest, horizon, nodes) if memory or nodes <= MOST else _lens(largest, horizon, nodes)


def _lens(largest: Scalar, horizon: Scalar, nodes: int) -> tuple[Points, Points]:
    largest = jnp.asarray(largest, float)
    room = GROWTH / jnp.maximum(jnp.asarray(horizon, float), 1 / largest)
    focus = jnp.log1p(largest / room)
    half = 0.5 * jnp.arcsinh(0.5 * FILL * math.pi / focus)
    major, minor = focus * jnp.cosh(half), focus * jnp.sinh(half)
    angle = (np.arange(nodes) + 0.5) * (math.pi / nodes)
    cosine, sine = jnp.asarray(np.cos(angle)), jnp.asarray(np.sin(angle))
    grown = jnp.exp(jax.lax.complex(major * cosine, minor * sine))
    slope = jax.lax.complex(-major * sine, minor * cosine)
    z = ((largest + room) * grown - room) / (1 + grown)
    return z, (largest + 2 * room) * grown / (1 + grown) ** 2 * slope / (2j * nodes)
