"""Time of the best value of a smooth curve inside an interval, by sign changes of its derivative on zooming grids."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Curve = Callable[[Float[Array, " m"]], Float[Array, " m"]]

_POINTS = 17


def interior_extremum(curve: Curve, horizon: Float[Array, ""] | float, sign: int, rounds: int = 9) -> Float[Array, ""]:
    """Time in (0, horizon) of the least (`sign=1`) or the largest (`sign=-1`) value of `curve(times) -> values`.

    NaN where the best value stands at an end. A coarse grid, geometric near 0 and linear beyond, finds the interval
    in which the derivative (by forward differentiation) turns from down to up; each round then divides it by 16.
    """
    horizon = jnp.asarray(horizon, float)
    share = jnp.concatenate([jnp.zeros(1), jnp.geomspace(1e-4, 0.05, 24), jnp.linspace(0.05, 1.0, 40)[1:]])
    grid = share * horizon

    def slope(times: Array) -> tuple[Array, Array]:
        value, rate = jax.jvp(curve, (times,), (jnp.ones_like(times),))
        return sign * value, sign * rate

    value, rate = slope(grid)
    turns = (rate[:-1] < 0) & (rate[1:] >= 0)
    depth = jnp.where(turns, jnp.minimum(value[:-1], value[1:]), jnp.inf)
    first = jnp.argmin(depth)

    def zoom(bracket: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        low, high = bracket
        times = low + (high - low) * jnp.linspace(0.0, 1.0, _POINTS)
        up = slope(times)[1] >= 0
        index = jnp.maximum(jnp.argmax(up), 1)
        return (times[index - 1], times[index]), None

    (low, high), _ = jax.lax.scan(zoom, (grid[first], grid[first + 1]), None, length=rounds)
    found = 0.5 * (low + high)
    inside = turns[first] & (sign * curve(found[None])[0] < jnp.minimum(value[0], value[-1]))
    return jnp.where(inside, found, jnp.nan)


def integer_extremum(curve: Curve, horizon: Float[Array, ""] | float, sign: int, rounds: int = 4) -> Float[Array, ""]:
    """First whole step in (0, horizon) with the best value of `curve`; NaN where the best value stands at an end.

    Grids of at most 64 steps, each between the neighbours of the last grid's best; four rounds reach 1e6 steps.
    """
    horizon = jnp.asarray(horizon, float)

    def zoom(bracket: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        low, high, _best = bracket
        steps = jnp.round(low + (high - low) * jnp.linspace(0.0, 1.0, 64))
        value = sign * curve(steps)
        index = jnp.argmin(value)
        lower, upper = steps[jnp.maximum(index - 1, 0)], steps[jnp.minimum(index + 1, 63)]
        # repeated steps in a short bracket: step back by one so that the neighbour is a different step
        return (jnp.minimum(lower, steps[index] - 1).clip(0), jnp.maximum(upper, steps[index] + 1).clip(0, horizon), steps[index]), None

    (_, _, best), _ = jax.lax.scan(zoom, (jnp.zeros(()), horizon, jnp.zeros(())), None, length=rounds)
    return jnp.where((best > 0) & (best < horizon), best, jnp.nan)
