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

from ...mathematics.watched_flow import falling_roots, watched_flow
from .layers import Layers, product
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


def falling(problem: Any, data: Any, start: Layers) -> Callable[[Layers], Float[Array, " events"]]:
    """What falls to zero at the half-time of each mode, and at the escape from `start` (last)."""
    level = ESCAPED * (data.loss(product(start)) - data.floor)

    def watch(layers: Layers) -> Float[Array, " events"]:
        whole = product(layers)
        shares = mode_shares(jnp.linalg.svd(whole, compute_uv=False), jnp.asarray(data.strengths))
        left = data.loss(whole) - data.floor - level
        return jnp.append(HALF - shares, left)

    return watch


def _times_of(roots: Float[Array, " events"], first: Float[Array, " events"], level: Any) -> dict[str, Array]:
    """Events from roots; what is past its level at the start happens at time 0, an escape from the least loss never."""
    roots = jnp.where(first <= 0, 0.0, roots)
    return {"half_time": roots[:-1], "escape_time": jnp.where(level > 0, roots[-1], jnp.nan)}


def _excess(data: Any, layers: Layers) -> Float[Array, ""]:
    return data.loss(product(layers)) - data.floor


def closed_form(problem: Any, data: Any, at: At, times: Float[Array, " times"]) -> dict[str, Array]:
    """All curves and events of layers known in closed form; events are bracketed on a grid and found by bisection."""
    start, end = at(jnp.zeros(())), 1.0 * times[-1]
    watch = falling(problem, data, start)
    curves = jax.vmap(lambda time: problem.observe(at(time), data))(times)
    grid = end * jnp.asarray(GRID)

    def look(time: Array) -> tuple[Array, Array]:
        layers = at(time)
        return watch(layers), gradient_norm(problem, layers, data)

    seen, slopes = jax.vmap(look)(grid)
    past = seen <= 0
    index = jnp.argmax(past, axis=0)
    low, high = grid[jnp.maximum(index - 1, 0)], grid[index]
    roots = falling_roots(lambda time: watch(at(time)), low, high)
    roots = jnp.where(jnp.any(past, axis=0), roots, jnp.nan)
    rate = late_rate(problem, data, at, end, jnp.max(slopes))
    return {**curves, **_times_of(roots, seen[0], _excess(data, start)), "late_rate": rate}


def late_rate(problem: Any, data: Any, at: At, end: Array, largest: Array) -> Float[Array, ""]:
    """-d log(gradient norm)/dt at the end; NaN below 1e-10 of the largest."""
    value, slope = jax.jvp(lambda time: gradient_norm(problem, at(time), data), (end,), (jnp.ones_like(end),))
    seen = value > LOST * largest
    return jnp.where(seen, -slope / jnp.where(seen, value, 1.0), jnp.nan)


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
    watch = falling(problem, data, layers(start))

    def observe(state: Any) -> dict[str, Array]:
        return problem.observe(layers(state), data)

    def norm(state: Any) -> Array:
        return gradient_norm(problem, layers(state), data)

    def last(state: Any) -> tuple[Array, Array]:
        return jax.jvp(norm, (state,), (velocity(state),))

    def seen(state: Any) -> tuple[dict[str, Array], tuple[Array, Array]]:
        return observe(state), last(state)

    flow = watched_flow(
        lambda time, state: velocity(state), start, times, seen, lambda state: watch(layers(state)), tolerance, floor
    )
    curves, (values, slopes) = flow.observed
    good = values[-1] > LOST * jnp.max(values)
    rate = jnp.where(good, -slopes[-1] / jnp.where(good, values[-1], 1.0), jnp.nan)
    first = watch(layers(start))
    return {**curves, **_times_of(flow.roots, first, _excess(data, layers(start))), "late_rate": rate}
