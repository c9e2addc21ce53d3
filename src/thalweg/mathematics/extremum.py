"""Where a smooth curve on (0, horizon], or on whole steps, has its best value; NaN if that is at an end.

Everything is a fixed number of vector evaluations, so it can be jitted, vmapped and differentiated forward.
`sign` is +1 for a minimum, -1 for a maximum. Values that are not finite count as worst.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

Scalar = int | float | Real[Array, ""]
Number = Float[Array, ""]
Vector = Float[Array, " m"]
Curve = Callable[[Vector], Vector]

_FIRST = 1e-6
# by how much a time on a grid must be better than the root of the derivative to be taken instead
SLACK = 1e-3
_STEPS = 64


def interior_extremum(curve: Curve, horizon: Scalar, sign: int, coarse: int = 96, rounds: int = 4) -> Number:
    """Time in (0, horizon) of the best value of `curve`, (m,) times -> (m,) values; the first, if tied.

    One curve of `interior_extrema`, which see.
    """
    return interior_extrema(lambda times: (curve(times),), horizon, (sign,), coarse, rounds)[0]


def interior_extrema(
    curves: Callable[[Vector], tuple[Vector, ...]],
    horizon: Scalar,
    signs: tuple[int, ...],
    coarse: int = 96,
    rounds: int = 4,
) -> Float[Array, " k"]:
    """Times in (0, horizon) of the best values of k curves, `curves(times) -> k vectors`; the first, if tied.

    A grid of about `coarse` points, half geometric from 1e-6 horizon and half linear, brackets each best value; the
    sign of the derivative then narrows the bracket by about `coarse` in each further round, and a secant takes the
    root. NaN if the best value is within a relative 1e-6 of an end, or the curve still improves there. At t = 0 the
    curves are never evaluated (often 0/0). The result has the derivative of the implicit function curve'(t) = 0 in
    whatever the curves close over, since the secant sees how the slopes move. All rounds and all curves share one
    loop body: compiling the curves is what costs.
    """
    half = coarse // 2
    unit = np.union1d(np.geomspace(_FIRST, 1.0, coarse - half), np.arange(1, half + 1) / half)
    count, size = len(signs), unit.size
    end = jax.lax.stop_gradient(jnp.asarray(horizon, float))
    own = jnp.arange(count)

    def search(state: tuple[Array, ...], first: Array) -> tuple[tuple[Array, ...], None]:
        low, high, _, _, turned = state
        even = low[:, None] + (high - low)[:, None] * jnp.linspace(0.0, 1.0, size)[None, :]
        grid = jnp.where(first, end * jnp.asarray(unit)[None, :], even)
        cost, slope = _read(curves, grid, signs)
        best = jnp.argmin(cost, axis=1)
        rising = jnp.argmax((slope > 0).at[:, -1].set(True), axis=1)
        left = jnp.where(first, best - 1, rising - 1).clip(0)
        right = jnp.where(first, best + 1, rising).clip(1, size - 1)
        down, up = slope[own, left], slope[own, right]
        turned = jnp.where(first, (down < 0) & (up > 0), turned)
        ends = (jax.lax.stop_gradient(grid[own, left]), jax.lax.stop_gradient(grid[own, right]))
        return (*ends, down, up, turned), None

    zero = jnp.zeros(count)
    begin = (zero, zero + end, zero, zero, jnp.zeros(count, bool))
    (low, high, down, up, turned), _ = jax.lax.scan(search, begin, jnp.arange(rounds) == 0)
    return _root(low, high, down, up, turned, end)


def _read(
    curves: Callable[[Vector], tuple[Vector, ...]], grid: Float[Array, "k m"], signs: tuple[int, ...]
) -> tuple[Float[Array, "k m"], Float[Array, "k m"]]:
    """Each curve on its own row of the grid, and its slope, so that a minimum is wanted."""
    count, size = grid.shape
    own, times = jnp.arange(count), grid.reshape(-1)
    sign = jnp.asarray(signs, float)[:, None]
    pair = jax.jvp(curves, (times,), (jnp.ones_like(times),))
    value, rate = (jnp.stack(part).reshape(count, count, size)[own, own] for part in pair)
    return jnp.where(jnp.isfinite(value), sign * value, jnp.inf), sign * rate


def _root(low: Vector, high: Vector, down: Vector, up: Vector, turned: Array, end: Number) -> Vector:
    """The secant's root of the slopes at both ends; NaN where the curve never turned or did so at an end."""
    root = low - (high - low) * down / jnp.where(up > down, up - down, 1.0)
    inside = (root > end * _FIRST * (1 + _FIRST)) & (root < end * (1 - _FIRST))
    return jnp.where(turned & inside, root, jnp.nan)


def integer_extremum(curve: Curve, horizon: Scalar, sign: int, rounds: int = 8) -> Number:
    """Step in 0..horizon with the best value of `curve`, (m,) steps -> (m,) values; the first, if tied.

    Each of `rounds` rounds evaluates 64 steps, the first time dense near 0, then evenly between the
    neighbours of the best one: 8 rounds settle any horizon below 1e9. Steps are passed as whole floats. NaN
    if the best step is 0 or the horizon. The curve should be smooth on the scale of the first grid: of an
    oscillation faster than that, some local best is found.
    """
    last = jnp.floor(jnp.asarray(horizon, float))
    half = _STEPS // 2
    unit = np.union1d(np.geomspace(_FIRST, 1.0, half), np.linspace(0.0, 1.0, half))
    first = jnp.minimum(jnp.arange(_STEPS // 4, dtype=float), last)
    steps = jnp.sort(jnp.append(first, jnp.floor(last * jnp.asarray(unit))))

    def refine(_: Scalar, bracket: tuple[Number, Number, Number]) -> tuple[Number, Number, Number]:
        low, best, high = bracket
        grid = jnp.round(low + (high - low) * jnp.asarray(np.linspace(0.0, 1.0, _STEPS - 1)))
        return _neighbours(curve, jnp.sort(jnp.append(grid, best)), last, sign)

    best = jax.lax.fori_loop(0, rounds, refine, _neighbours(curve, steps, last, sign))[1]
    return jnp.where((best > 0) & (best < last), best, jnp.nan)


def _cost(values: Vector, sign: int) -> Vector:
    return jnp.where(jnp.isfinite(values), sign * values, jnp.inf)


def _neighbours(curve: Curve, steps: Vector, last: Number, sign: int) -> tuple[Number, Number, Number]:
    """The best of the sorted steps, which may repeat, between the nearest others (or itself at an end)."""
    best = steps[jnp.argmin(_cost(curve(steps), sign))]
    low = jnp.max(jnp.where(steps < best, steps, 0.0))
    high = jnp.min(jnp.where(steps > best, steps, last))
    return low, best, high


def least_time(
    times: np.ndarray, losses: np.ndarray, root: float, at: float = np.nan, slack: float = SLACK
) -> tuple[float, float]:
    """The time of the least loss, and that loss: `root`, a zero of the derivative, unless a time on the grid is better.

    Momentum oscillates, so that a root need not be the least. `at`: the loss at the root, read from the grid where it
    is NaN. The time is NaN where the least loss stands at an end of the grid.
    """
    least = int(np.argmin(losses))
    at = at if np.isfinite(at) else float(np.interp(root, times, losses)) if np.isfinite(root) else np.inf
    if at <= losses[least] * (1 + slack):
        return float(root), float(at)
    return (float(times[least]) if 0 < least < len(times) - 1 else np.nan), float(losses[least])
