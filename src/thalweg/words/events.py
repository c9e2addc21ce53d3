"""Detectors: how an event is read from a run, never from the user's times.

A detector is a fold over the moments of a run: every whole step, or every accepted step of a flow. In a flow each
moment comes with the span that led to it, on whose dense output the exact time of an event is found.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# halvings of an accepted step: its 2^-44th part is below the rounding of any time
FINEST = 2.0**-44


@dataclasses.dataclass(frozen=True)
class Reading:
    """A number that only events watch: `measure(problem, params, data)`. `beside` names the curve it is shown with."""

    name: str
    measure: Callable[[Any, Any, Any], Array]
    beside: str = ""


Watched = str | Reading


def name_of(watched: Watched) -> str:
    """The name of an observable or a reading."""
    return watched if isinstance(watched, str) else watched.name


class Moment(NamedTuple):
    """Watched values at one time, and, in a flow, the rates of change that some detector asks for."""

    time: Float[Array, ""]
    values: dict[str, Array]
    rates: dict[str, Array]


class Span(NamedTuple):
    """The piece of a flow between two moments; `at(share)` is the moment inside, share in [0, 1]."""

    begin: Moment
    end: Moment
    at: Callable[[Array], Moment]


class Detector(eqx.Module):
    """Reads an event from the draw, or from the moments of a run."""

    @property
    @abc.abstractmethod
    def watches(self) -> tuple[str, ...]:
        """Names of the observables that it belongs to; empty if it reads the draw alone."""


class FromDraw(Detector):
    """A number of the draw itself, such as the largest stable rate: `function(problem, data)`."""

    function: Callable[[Any, Any], Array] = eqx.field(static=True)

    @property
    def watches(self) -> tuple[str, ...]:
        return ()


class CurveDetector(Detector):
    """Reads observables, or readings of its own, along the run."""

    @property
    def watches(self) -> tuple[str, ...]:
        names = (one if isinstance(one, str) else one.beside for one in self.reads)
        return tuple(name for name in dict.fromkeys(names) if name)

    @property
    @abc.abstractmethod
    def reads(self) -> tuple[Watched, ...]:
        """The observables and readings that it needs at every moment."""

    @property
    @abc.abstractmethod
    def slopes(self) -> tuple[str, ...]:
        """Names of those whose rate of change it needs in a flow."""

    @abc.abstractmethod
    def begin(self, problem: Any, moment: Moment) -> Any:
        """The state of the fold at the start."""

    @abc.abstractmethod
    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        """The state after one more moment; `span` leads there from the moment before, None in whole steps."""

    @abc.abstractmethod
    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        """The event, times in steps or flow time; NaN if it did not happen by the last moment."""


def first_reached(
    span: Span,
    reached: Callable[[Moment], Bool[Array, ""]],
    wanted: Bool[Array, ""],
    keep: Callable[[Moment], Any],
) -> Any:
    """`keep` of the moment of a span from which on `reached` holds, by halving; of its end where it is not `wanted`.

    It must not hold at the beginning and hold at the end. Where it is not wanted, not one halving is made; what is not
    kept is not computed.
    """

    def halve(search: tuple[Array, Array, Any]) -> tuple[Array, Array, Any]:
        low, high, best = search
        middle = 0.5 * (low + high)
        here = span.at(middle)
        there = reached(here)
        best = jax.tree.map(lambda new, old: jnp.where(there, new, old), keep(here), best)
        return jnp.where(there, low, middle), jnp.where(there, middle, high), best

    low = jnp.where(wanted, 0.0, 1.0)
    search = (low, jnp.ones_like(low), keep(span.end))
    return jax.lax.while_loop(lambda search: search[1] - search[0] > FINEST, halve, search)[2]


def turned(
    span: Span, name: str, sign: float, above: Float[Array, ""], keep: Callable[[Moment], Any]
) -> tuple[Bool[Array, ""], Any]:
    """Whether sign * value has a minimum inside the span that may lie below `above`, and `keep` of its moment."""
    first, last = (sign * one.values[name] for one in (span.begin, span.end))
    down, up = (sign * one.rates[name] for one in (span.begin, span.end))
    h = span.end.time - span.begin.time
    # tangents at both ends meet below a convex piece: the least value it may have, at no cost
    bend = (up - down) * h
    share = jnp.clip((first - last + up * h) / jnp.where(bend > 0, bend, 1.0), 0.0, 1.0)
    found = (down < 0) & (up >= 0) & (first + down * h * share < above)
    return found, first_reached(span, lambda moment: sign * moment.rates[name] >= 0, found, keep)


class Extremum(CurveDetector):
    """Time of the best value of `of` over the run: the least (`sign=1`) or the largest (`sign=-1`).

    NaN when the best value stands at the start or at the end of the run: then there is no best time inside.
    """

    of: Watched = eqx.field(static=True)
    sign: float = eqx.field(static=True, default=1.0)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return (name_of(self.of),)

    def _point(self, moment: Moment) -> tuple[Array, Array]:
        return self.sign * moment.values[name_of(self.of)], moment.time

    def begin(self, problem: Any, moment: Moment) -> Any:
        return self._point(moment)

    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        if span is not None:
            found, inside = turned(span, name_of(self.of), self.sign, state[0], self._point)
            state = _better(state, inside, found)
        return _better(state, self._point(moment), jnp.asarray(True))

    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        _, when = state
        return jnp.where((when <= 0) | (when >= moment.time), jnp.nan, when)


def _better(best: Any, other: Any, allowed: Bool[Array, ""]) -> Any:
    """The lower of two (value, time)."""
    lower = allowed & (other[0] < best[0])
    return jax.tree.map(lambda new, old: jnp.where(lower, new, old), other, best)


class Crossing(CurveDetector):
    """First time at which `of` has fallen to `level` (`sign=-1`) or risen to it (`sign=1`); 0 where it starts there."""

    of: Watched = eqx.field(static=True)
    level: float = eqx.field(static=True)
    sign: float = eqx.field(static=True, default=1.0)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return ()

    def _reached(self, moment: Moment) -> Bool[Array, ""]:
        return self.sign * (moment.values[name_of(self.of)] - self.level) >= 0

    def begin(self, problem: Any, moment: Moment) -> Any:
        return jnp.where(self._reached(moment), moment.time, jnp.nan)

    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        now = jnp.isnan(state) & self._reached(moment)
        when = moment.time if span is None else first_reached(span, self._reached, now, lambda one: one.time)
        return jnp.where(now, when, state)

    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        return state


class Final(CurveDetector):
    """The value of `of` where the run ends."""

    of: Watched = eqx.field(static=True)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return ()

    def begin(self, problem: Any, moment: Moment) -> Any:
        return ()

    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        return state

    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        return moment.values[name_of(self.of)]
