"""Detectors: how one number (an event) is read from a run, never from the user's times."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Detector(eqx.Module):
    """Reads an event from watched observables: as a fold over discrete steps, or from a flow's accepted steps."""

    @property
    @abc.abstractmethod
    def watches(self) -> tuple[str, ...]:
        """Names of the observables that it reads; empty if it reads the draw alone."""


class FromDraw(Detector):
    """A number of the draw itself, such as the largest stable rate: `function(problem, data)`."""

    function: Callable[[Any, Any], Array] = eqx.field(static=True)

    @property
    def watches(self) -> tuple[str, ...]:
        return ()


class CurveDetector(Detector):
    """Reads one observable along the run."""

    of: eqx.AbstractVar[str]

    @property
    def watches(self) -> tuple[str, ...]:
        return (self.of,)

    @abc.abstractmethod
    def begin(self, value: Float[Array, ""]) -> Any:
        """The state of the fold at step 0."""

    @abc.abstractmethod
    def advance(self, state: Any, step: Int[Array, ""], value: Float[Array, ""]) -> Any:
        """The state after one more step."""

    @abc.abstractmethod
    def finish(self, state: Any, last: Int[Array, ""]) -> Float[Array, ""]:
        """The event, in steps; NaN if it did not happen by step `last`."""

    @abc.abstractmethod
    def locate(
        self, times: Float[Array, " s"], values: Float[Array, " s"], rates: Float[Array, " s"]
    ) -> tuple[Int[Array, ""], Float[Array, ""]]:
        """Index of the interval that holds the event, and its time by a cubic through values and rates.

        Records end with rows of infinite time, which count for nothing. NaN where there is no event.
        """


class Extremum(CurveDetector):
    """Time of the best value of `of` over the run: the least (`sign=1`) or the largest (`sign=-1`).

    NaN when the best value stands at the start or at the end of the run: then there is no best time inside.
    """

    of: str = eqx.field(static=True)
    sign: float = eqx.field(static=True, default=1.0)

    def begin(self, value: Float[Array, ""]) -> Any:
        return self.sign * value, jnp.zeros(())

    def advance(self, state: Any, step: Int[Array, ""], value: Float[Array, ""]) -> Any:
        best, when = state
        better = self.sign * value < best
        return jnp.where(better, self.sign * value, best), jnp.where(better, 1.0 * step, when)

    def finish(self, state: Any, last: Int[Array, ""]) -> Float[Array, ""]:
        _, when = state
        return jnp.where((when <= 0) | (when >= last), jnp.nan, when)

    def locate(
        self, times: Float[Array, " s"], values: Float[Array, " s"], rates: Float[Array, " s"]
    ) -> tuple[Int[Array, ""], Float[Array, ""]]:
        value, rate = self.sign * values, self.sign * rates
        real = jnp.isfinite(times[1:]) & jnp.isfinite(value[1:])
        # an interior minimum lies where the slope turns from down to up
        turns = real & (rate[:-1] < 0) & (rate[1:] >= 0)
        inner, depth = _turning_point(times, value, rate)
        index = jnp.argmin(jnp.where(turns, depth, jnp.inf))
        last = jnp.max(jnp.where(jnp.isfinite(times), jnp.arange(times.shape[0]), 0))
        ends = jnp.minimum(value[0], value[last])
        found = turns[index] & (depth[index] < ends)
        return index, jnp.where(found, inner[index], jnp.nan)


def _turning_point(
    times: Float[Array, " s"], value: Float[Array, " s"], rate: Float[Array, " s"]
) -> tuple[Float[Array, " s-1"], Float[Array, " s-1"]]:
    """Time and value of the minimum of the Hermite cubic of each interval whose slope turns upwards."""
    h = times[1:] - times[:-1]
    h = jnp.where(jnp.isfinite(h) & (h > 0), h, 1.0)
    rise = value[1:] - value[:-1]
    a = h * (rate[:-1] + rate[1:]) - 2 * rise
    b = 3 * rise - h * (2 * rate[:-1] + rate[1:])
    c = h * rate[:-1]
    # the minimum of a s^3 + b s^2 + c s: the root of 3 a s^2 + 2 b s + c with positive curvature, without cancellation
    root = jnp.sqrt(jnp.maximum(b * b - 3 * a * c, 0.0))
    below = b + root
    s = jnp.where(below > 0, -c / jnp.where(below > 0, below, 1.0), (root - b) / jnp.where(a == 0, 1.0, 3 * a))
    s = jnp.clip(s, 0.0, 1.0)
    start = jnp.where(jnp.isfinite(times[:-1]), times[:-1], 0.0)
    return start + s * h, value[:-1] + s * (c + s * (b + s * a))


def happened(event: Float[Array, "..."]) -> Bool[Array, "..."]:
    """Whether an event took place."""
    return jnp.isfinite(event)
