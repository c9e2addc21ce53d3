"""Detectors of the quadratic network: first crossing of a level, last value, late rate of decay."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...events import CurveDetector


def _last(times: Float[Array, " s"]) -> Int[Array, ""]:
    """Index of the last real row of a record."""
    return jnp.max(jnp.where(jnp.isfinite(times), jnp.arange(times.shape[0]), 0))


class FirstCrossing(CurveDetector):
    """First time at which `of` reaches `level` from below; NaN if it never does, 0 if it starts there."""

    of: str = eqx.field(static=True)
    level: float = eqx.field(static=True)

    def begin(self, value: Float[Array, ""]) -> Any:
        return jnp.where(value >= self.level, 0.0, jnp.inf)

    def advance(self, state: Any, step: Int[Array, ""], value: Float[Array, ""]) -> Any:
        return jnp.where((value >= self.level) & jnp.isinf(state), 1.0 * step, state)

    def finish(self, state: Any, last: Int[Array, ""]) -> Float[Array, ""]:
        return jnp.where(state <= last, state, jnp.nan)

    def locate(
        self, times: Float[Array, " s"], values: Float[Array, " s"], rates: Float[Array, " s"]
    ) -> tuple[Int[Array, ""], Float[Array, ""]]:
        above = (values >= self.level) & jnp.isfinite(times)
        rises = above[1:] & ~above[:-1]
        index = jnp.argmax(rises)
        h = times[index + 1] - times[index]
        gap = self.level - values[index]
        cubic = _hermite(values[index], values[index + 1], h * rates[index], h * rates[index + 1])
        inside = times[index] + h * _root(cubic, gap)
        return index, jnp.where(above[0], times[0], jnp.where(rises[index], inside, jnp.nan))


def _hermite(left: Array, right: Array, slope: Array, end_slope: Array) -> tuple[Array, Array, Array]:
    """Coefficients c, b, a of c s + b s^2 + a s^3, the rise along a step s in [0, 1]."""
    rise = right - left
    return slope, 3 * rise - 2 * slope - end_slope, slope + end_slope - 2 * rise


def _root(cubic: tuple[Array, Array, Array], gap: Array) -> Array:
    """Where the rise equals `gap`, by bisection: the cubic need not be monotone, but its ends bracket a root."""
    c, b, a = cubic
    low, high = jnp.zeros_like(gap), jnp.ones_like(gap)
    for _ in range(50):
        middle = 0.5 * (low + high)
        below = middle * (c + middle * (b + middle * a)) < gap
        low, high = jnp.where(below, middle, low), jnp.where(below, high, middle)
    return 0.5 * (low + high)


class FinalValue(CurveDetector):
    """Value of `of` at the last time of the run, whatever times are observed."""

    of: str = eqx.field(static=True)

    def begin(self, value: Float[Array, ""]) -> Any:
        return value

    def advance(self, state: Any, step: Int[Array, ""], value: Float[Array, ""]) -> Any:
        return value

    def finish(self, state: Any, last: Int[Array, ""]) -> Float[Array, ""]:
        return state

    def locate(
        self, times: Float[Array, " s"], values: Float[Array, " s"], rates: Float[Array, " s"]
    ) -> tuple[Int[Array, ""], Float[Array, ""]]:
        last = _last(times)
        # a step of no length: the accepted value itself, not one walked again
        return last, values[last]


# an integrator that holds its errors to 1e-8 leaves a quadratic loss uncertain below about 1e-16 of its start
ROUNDING_FLOOR = 1e-13


class LateRate(CurveDetector):
    """-d log(of)/d time at the end of the run (in whole steps: over the last step).

    NaN where the curve has fallen below 1e-13 of its start: what is left there is the integrator's error.
    """

    of: str = eqx.field(static=True)

    def begin(self, value: Float[Array, ""]) -> Any:
        return value, value, jnp.asarray(jnp.nan)

    def advance(self, state: Any, step: Int[Array, ""], value: Float[Array, ""]) -> Any:
        first, before, _ = state
        return first, value, jnp.log(before / value)

    def finish(self, state: Any, last: Int[Array, ""]) -> Float[Array, ""]:
        first, value, rate = state
        return late_rate(value, -rate * value, first)

    def locate(
        self, times: Float[Array, " s"], values: Float[Array, " s"], rates: Float[Array, " s"]
    ) -> tuple[Int[Array, ""], Float[Array, ""]]:
        last = _last(times)
        return last, late_rate(values[last], rates[last], values[0])


def late_rate(value: Array, slope: Array, first: Array) -> Float[Array, ""]:
    """-slope/value, or NaN below the floor."""
    return jnp.where(value > ROUNDING_FLOOR * first, -slope / jnp.maximum(value, 1e-300), jnp.nan)
