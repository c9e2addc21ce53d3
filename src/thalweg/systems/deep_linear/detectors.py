"""Detectors of this family: a level for each mode, a share of the start, and the rate of a decay."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...words.events import CurveDetector, Moment, Reading, Span, Watched, first_reached, name_of

# an integrator at a relative tolerance of 1e-8 knows a decayed gradient to a thousandth down to here
DECAYED = 1e-5


class EachCrossing(CurveDetector):
    """First time at which each component of `of` has risen to `level`; NaN for components that never do."""

    of: Watched = eqx.field(static=True)
    level: float = eqx.field(static=True)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return ()

    def begin(self, problem: Any, moment: Moment) -> Array:
        return jnp.where(moment.values[name_of(self.of)] >= self.level, moment.time, jnp.nan)

    def advance(self, state: Array, moment: Moment, span: Span | None) -> Array:
        name = name_of(self.of)
        now = jnp.isnan(state) & (moment.values[name] >= self.level)
        if span is None:
            return jnp.where(now, moment.time, state)

        def one(part: tuple[Array, Array]) -> Array:
            index, wanted = part
            return first_reached(span, lambda m: m.values[name][index] >= self.level, wanted, lambda m: m.time)

        # in turn: only what crosses in this span is searched
        when = jax.lax.map(one, (jnp.arange(state.shape[0]), now))
        return jnp.where(now, when, state)

    def finish(self, state: Array, moment: Moment) -> Float[Array, "..."]:
        return state


class FirstShare(CurveDetector):
    """First time at which `of` has fallen to `share` of its value at the start; NaN where it starts at 0 or below."""

    of: Watched = eqx.field(static=True)
    share: float = eqx.field(static=True)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return ()

    def begin(self, problem: Any, moment: Moment) -> tuple[Array, Array]:
        value = moment.values[name_of(self.of)]
        return jnp.where(value > 0, self.share * value, -jnp.inf), jnp.full_like(value, jnp.nan)

    def advance(self, state: tuple[Array, Array], moment: Moment, span: Span | None) -> tuple[Array, Array]:
        level, when = state

        def reached(one: Moment) -> Array:
            return one.values[name_of(self.of)] <= level

        now = jnp.isnan(when) & reached(moment)
        found = moment.time if span is None else first_reached(span, reached, now, lambda one: one.time)
        return level, jnp.where(now, found, when)

    def finish(self, state: tuple[Array, Array], moment: Moment) -> Float[Array, "..."]:
        return state[1]


class DecayRate(CurveDetector):
    """-d log(of)/d time at the end of the run (in whole steps: over the last step that events see).

    NaN where the curve has fallen below 1e-5 of its largest value: what is left there is the integrator's error.
    """

    of: Watched = eqx.field(static=True)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return (name_of(self.of),)

    def begin(self, problem: Any, moment: Moment) -> Any:
        value = moment.values[name_of(self.of)]
        return value, value, moment.time, self._rate(moment)

    def _rate(self, moment: Moment) -> Array:
        name = name_of(self.of)
        value = moment.values[name]
        return -moment.rates[name] / value if name in moment.rates else jnp.full_like(value, jnp.nan)

    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        largest, before, when, _ = state
        value = moment.values[name_of(self.of)]
        stepped = jnp.log(before / value) / (moment.time - when)
        return jnp.maximum(largest, value), value, moment.time, stepped if span is None else self._rate(moment)

    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        largest, value, _, rate = state
        return jnp.where(value > DECAYED * largest, rate, jnp.nan)


class Drift(CurveDetector):
    """Norm of the change of each block of `of` (a Reading of shape (blocks, size)) over the whole run."""

    of: Reading = eqx.field(static=True)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return ()

    def begin(self, problem: Any, moment: Moment) -> Array:
        return moment.values[self.of.name]

    def advance(self, state: Array, moment: Moment, span: Span | None) -> Array:
        return state

    def finish(self, state: Array, moment: Moment) -> Float[Array, "..."]:
        return jnp.sqrt(jnp.sum((moment.values[self.of.name] - state) ** 2, axis=1))
