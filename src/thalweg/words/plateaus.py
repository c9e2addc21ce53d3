"""Plateaus: the saddles that a run passes by, as a detector of events."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..mathematics.prominence import SADDLES, Rule, Valleys, advance_valleys, begin_valleys, finish_valleys
from .events import CurveDetector, Moment, Span, Watched, name_of, turned


class Plateaus(CurveDetector):
    """Plateaus passed on the way: minima of `slope`, the log10 of the gradient norm, that stand out by `prominence`.

    Only losses (`loss`) above `floor` times that of the start count, one plateau a level (two levels differ by more
    than the share `apart`). The start, itself near a saddle, is not listed. A level that holds
    to the end of the run is listed with its loss, at no time. `slots(problem)` is the length of the answer, NaN-padded.
    """

    slope: eqx.AbstractVar[Watched]
    loss: eqx.AbstractVar[Watched]
    slots: eqx.AbstractVar[Callable[[Any], int]]
    rule: eqx.AbstractVar[Rule]

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.slope, self.loss)

    @property
    def slopes(self) -> tuple[str, ...]:
        return (name_of(self.slope),)

    def _point(self, moment: Moment) -> tuple[Array, Array, Array]:
        return moment.time, moment.values[name_of(self.slope)], moment.values[name_of(self.loss)]

    def begin(self, problem: Any, moment: Moment) -> Valleys:
        _, value, level = self._point(moment)
        return begin_valleys(value, level, self.slots(problem))

    def advance(self, state: Valleys, moment: Moment, span: Span | None) -> Valleys:
        if span is not None:
            below = state.extreme - jnp.where(state.falling, 0.0, self.rule.prominence)
            found, inside = turned(span, name_of(self.slope), 1.0, below, self._point)
            # the moment before was met already: meeting it again changes nothing
            spot = (jnp.where(found, a, b) for a, b in zip(inside, self._point(span.begin), strict=True))
            state = advance_valleys(state, self.rule, *spot)
        return advance_valleys(state, self.rule, *self._point(moment))

    def _finished(self, state: Valleys, moment: Moment) -> Valleys:
        _, value, level = self._point(moment)
        return finish_valleys(state, self.rule, value, level)


class PlateauLosses(Plateaus):
    """The loss at each plateau; see Plateaus."""

    slope: Watched = eqx.field(static=True)
    loss: Watched = eqx.field(static=True)
    slots: Callable[[Any], int] = eqx.field(static=True)
    rule: Rule = eqx.field(static=True, default=SADDLES)

    def finish(self, state: Valleys, moment: Moment) -> Float[Array, "..."]:
        return self._finished(state, moment).levels


class PlateauTimes(Plateaus):
    """The flattest moment of each plateau; see Plateaus."""

    slope: Watched = eqx.field(static=True)
    loss: Watched = eqx.field(static=True)
    slots: Callable[[Any], int] = eqx.field(static=True)
    rule: Rule = eqx.field(static=True, default=SADDLES)

    def finish(self, state: Valleys, moment: Moment) -> Float[Array, "..."]:
        return self._finished(state, moment).times
