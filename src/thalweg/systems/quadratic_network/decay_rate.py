"""How fast a curve decays at the end of a run."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...words.events import CurveDetector, Moment, Span

# an integrator that holds its errors to 1e-8 leaves a quadratic loss uncertain below about 1e-16 of its start
ROUNDING_FLOOR = 1e-13


class LateRate(CurveDetector):
    """-d log(of)/d time at the end of the run (in whole steps: over the last step that events see).

    NaN where the curve has fallen below 1e-13 of its start: what is left there is the integrator's error.
    """

    of: str = eqx.field(static=True)

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return (self.of,)

    def begin(self, problem: Any, moment: Moment) -> Any:
        value = moment.values[self.of]
        rate = -moment.rates[self.of] / value if self.of in moment.rates else jnp.full_like(value, jnp.nan)
        return value, value, moment.time, rate

    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        first, before, when, _ = state
        value = moment.values[self.of]
        if span is not None:
            return first, value, moment.time, -moment.rates[self.of] / value
        return first, value, moment.time, jnp.log(before / value) / (moment.time - when)

    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        first, value, _, rate = state
        return late_rate(value, -rate * value, first)


def late_rate(value: Array, slope: Array, first: Array) -> Float[Array, ""]:
    """-slope/value, or NaN below the floor."""
    return jnp.where(value > ROUNDING_FLOOR * first, -slope / jnp.maximum(value, 1e-300), jnp.nan)
