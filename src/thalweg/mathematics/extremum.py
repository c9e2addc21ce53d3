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
_FAN = 16
_STEPS = 64


def interior_extremum(curve: Curve, horizon: Scalar, sign: int, coarse: int = 96, rounds: int = 11) -> Number:
    """Time in (0, horizon) of the best value of `curve`, (m,) times -> (m,) values; the first, if tied.

    A grid of `coarse` points, half geometric from 1e-6 horizon and half linear, brackets the best value; the
    sign of the derivative then narrows the bracket by 17 in each of `rounds` rounds. NaN if the best value is
    within a relative 1e-6 of an end, or the curve still improves there. At t = 0 the curve is never evaluated
    (often 0/0). The result has the derivative of the implicit function curve'(t) = 0 in whatever the curve
    closes over.
    """
    horizon = jnp.asarray(horizon, float)
    half = coarse // 2
    unit = np.union1d(np.geomspace(_FIRST, 1.0, coarse - half), np.arange(1, half + 1) / half)
    times = jax.lax.stop_gradient(horizon) * jnp.asarray(unit)

    def slope(t: Vector) -> Vector:
        return sign * jax.jvp(curve, (t,), (jnp.ones_like(t),))[1]

    best = jnp.argmin(_cost(curve(times), sign))
    ends = (times[jnp.maximum(best - 1, 0)], times[jnp.minimum(best + 1, unit.size - 1)])
    outer = slope(jnp.stack(ends))
    low, high = jax.lax.fori_loop(0, rounds, lambda _, bracket: _narrow(slope, bracket), ends)
    root = jax.lax.stop_gradient((low + high) / 2)
    turned = (outer[0] < 0) & (outer[1] > 0)
    inside = (root > times[0] * (1 + _FIRST)) & (root < times[-1] * (1 - _FIRST))
    return jnp.where(turned & inside, _newton(slope, root), jnp.nan)


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


def _narrow(slope: Curve, bracket: tuple[Number, Number]) -> tuple[Number, Number]:
    """One of the 17 equal parts of the bracket: the first that ends with a rising curve."""
    low, high = bracket
    points = low + (high - low) * jnp.linspace(0.0, 1.0, _FAN + 2)
    rising = (slope(points[1:]) > 0).at[-1].set(True)
    part = jnp.argmax(rising)
    return points[part], points[part + 1]


def _newton(slope: Curve, root: Number) -> Number:
    """One Newton step: it refines the root, and carries the derivative that bracketing does not have."""
    value, curvature = jax.jvp(slope, (root[None],), (jnp.ones(1),))
    convex = curvature[0] > 0
    return root - jnp.where(convex, value[0] / jnp.where(convex, curvature[0], 1.0), 0.0)


def _neighbours(curve: Curve, steps: Vector, last: Number, sign: int) -> tuple[Number, Number, Number]:
    """The best of the sorted steps, which may repeat, between the nearest others (or itself at an end)."""
    best = steps[jnp.argmin(_cost(curve(steps), sign))]
    low = jnp.max(jnp.where(steps < best, steps, 0.0))
    high = jnp.min(jnp.where(steps > best, steps, last))
    return low, best, high
