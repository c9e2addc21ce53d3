"""From layers at any time to all that is observed: shared by the theories that know the layers, up to rotations.

Every observable depends on the layers through W, W_1'W_1, W_N W_N' and their neighbours alone, so that a network of
fewer hidden units with the same of these is read in its place.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...computing.one_by_one import each
from ...mathematics.watched_flow import falling_roots, watched_flow
from .layers import Layers
from .readings import ESCAPED, HALF, gradient_norm, mode_shares

CURVES = (
    "train_loss", "singular_values", "alignment_defect", "imbalance", "distance_to_min_norm", "layer_norms",
    "gradient_norm",
)  # fmt: skip
EVENTS = ("half_time", "escape_time", "late_rate")
# where events are looked for first, as shares of the last time: evenly, and by powers for what happens early
GRID = np.unique(np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 65), np.linspace(0.0, 1.0, 449)]))
# a gradient below this share of its largest is rounding, in a solution as in a run that is integrated to 1e-12
LOST = 1e-10
At = Callable[[Float[Array, ""]], Layers]


def falling(seen: dict[str, Array], data: Any, level: Array) -> Float[Array, " events"]:
    """What falls to zero at the half-time of each mode and, last, at the escape: where the loss has fallen to level."""
    shares = mode_shares(seen["singular_values"], jnp.asarray(data.strengths))
    return jnp.append(HALF - shares, seen["train_loss"] - level)


def escape_level(data: Any, begin: Array) -> Float[Array, ""]:
    """The loss at which a tenth of what can be lost is lost."""
    return data.floor + ESCAPED * (begin - data.floor)


def _times_of(roots: Float[Array, " events"], first: Float[Array, " events"]) -> dict[str, Array]:
    """Events from roots; what is past its level at the start happens at time 0, an escape from the least loss never."""
    return {
        "half_time": jnp.where(first[:-1] <= 0, 0.0, roots[:-1]),
        "escape_time": jnp.where(first[-1] > 0, roots[-1], jnp.nan),
    }


def _rate(value: Array, slope: Array, largest: Array) -> Float[Array, ""]:
    """-slope/value; NaN below 1e-10 of the largest value."""
    seen = value > LOST * largest
    return jnp.where(seen, -slope / jnp.where(seen, value, 1.0), jnp.nan)


def closed_form(problem: Any, data: Any, at: At, times: Float[Array, " times"]) -> dict[str, Array]:
    """All curves and events of layers known in closed form; events are bracketed on a grid and found by bisection."""
    end, count = 1.0 * times[-1], times.shape[0]
    grid = end * jnp.asarray(GRID)

    def observe(time: Array) -> dict[str, Array]:
        return problem.observe(at(time), data)

    both = each(observe, jnp.concatenate([1.0 * times, grid]))
    seen = {name: value[count:] for name, value in both.items()}
    level = escape_level(data, seen["train_loss"][0])
    watched = jax.vmap(lambda one: falling(one, data, level))(seen)
    past = watched <= 0
    index = jnp.argmax(past, axis=0)
    low, high = grid[jnp.maximum(index - 1, 0)], grid[index]
    roots = falling_roots(lambda time: falling(observe(time), data, level), low, high)
    roots = jnp.where(jnp.any(past, axis=0), roots, jnp.nan)
    last = at(end)
    downhill = jax.tree.map(jnp.negative, jax.grad(problem.objective)(last, data))
    # few hidden units flow as many do, and the norm cannot tell how they are turned
    value, slope = jax.jvp(lambda layers: gradient_norm(problem, layers, data), (last,), (downhill,))
    return {
        **{name: value[:count] for name, value in both.items()},
        **_times_of(roots, watched[0]),
        "late_rate": _rate(value, slope, jnp.max(seen["gradient_norm"])),
    }


def integrated(
    problem: Any,
    data: Any,
    velocity: Callable[[Any], Any],
    start: Any,
    layers: Callable[[Any], Layers],
    times: Float[Array, " times"],
    tolerance: Any,
    floor: Any,
) -> dict[str, Array]:
    """All curves and events of a flow that is integrated; `layers` makes layers of its state."""

    def observe(state: Any) -> dict[str, Array]:
        return problem.observe(layers(state), data)

    def seen(state: Any) -> tuple[dict[str, Array], Array]:
        norm = jax.jvp(lambda one: gradient_norm(problem, layers(one), data), (state,), (velocity(state),))
        return observe(state), jnp.stack(norm)

    def watch(state: Any) -> Float[Array, " events"]:
        return falling(observe(state), data, level)

    level = escape_level(data, observe(start)["train_loss"])
    flow = watched_flow(lambda time, state: velocity(state), start, 1.0 * times, seen, watch, tolerance, floor)
    curves, norms = flow.observed
    rate = _rate(norms[-1, 0], norms[-1, 1], jnp.max(norms[:, 0]))
    return {**curves, **_times_of(flow.roots, watch(start)), "late_rate": rate}
