"""Valleys of a curve that comes point by point: minima that stand out by a given prominence."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Valleys(NamedTuple):
    """The search so far. `level` goes along with the curve; a valley is kept once for each level.

    `falling`: the curve has come down from its last peak by the prominence; `extreme` is then its least value since,
    else its largest. `when`, `low`: time and level at that least value. `turn`, `turn_level`: curve and level where
    the fall was established. `first`, `last`: level at the start and of the valley kept last.
    """

    falling: Bool[Array, ""]
    extreme: Float[Array, ""]
    when: Float[Array, ""]
    low: Float[Array, ""]
    turn: Float[Array, ""]
    turn_level: Float[Array, ""]
    first: Float[Array, ""]
    last: Float[Array, ""]
    count: Int[Array, ""]
    times: Float[Array, " k"]
    levels: Float[Array, " k"]


class Rule(NamedTuple):
    """Which valleys count: prominence on the curve's scale; level above `floor` and new by `apart`.

    `floor` is a share of the level at the start, `apart` of that of the valley kept last.
    """

    prominence: float
    floor: float
    apart: float


# of log10 of a gradient norm, with the loss as level
SADDLES = Rule(prominence=0.5, floor=1e-10, apart=1e-2)


def begin_valleys(value: Float[Array, ""], level: Float[Array, ""], slots: int) -> Valleys:
    """Before the first step: the start is taken for a valley already, whose level is not kept again."""
    nothing = jnp.full(slots, jnp.nan, value.dtype)
    zero = jnp.zeros_like(value)
    return Valleys(jnp.asarray(False), value, zero, level, value, level, level, level, jnp.asarray(0), nothing, nothing)


def advance_valleys(
    state: Valleys, rule: Rule, time: Float[Array, ""], value: Float[Array, ""], level: Float[Array, ""]
) -> Valleys:
    """One more point of the curve."""
    risen = state.falling & (value >= state.extreme + rule.prominence)
    state = _keep(state, rule, state.when, state.low, risen)
    fallen = ~state.falling & (value <= state.extreme - rule.prominence)
    lower = fallen | (state.falling & (value < state.extreme))
    higher = risen | (~state.falling & (value > state.extreme))
    return state._replace(
        falling=(state.falling | fallen) & ~risen,
        extreme=jnp.where(lower | higher, value, state.extreme),
        when=jnp.where(lower, time, state.when),
        low=jnp.where(lower, level, state.low),
        turn=jnp.where(fallen, value, state.turn),
        turn_level=jnp.where(fallen, level, state.turn_level),
    )


def finish_valleys(state: Valleys, rule: Rule, value: Float[Array, ""], level: Float[Array, ""]) -> Valleys:
    """The end of the curve: a level that holds to the end is kept, at no time, for it has no flattest moment.

    It holds if the curve fell by another unit while the logarithm of the level fell by less than half of that: near
    a minimum of level 0 the level falls as the square of its gradient.
    """
    fall = state.turn - state.extreme
    ratio = jnp.log10(jnp.where(level > 0, state.turn_level / jnp.where(level > 0, level, 1.0), jnp.inf))
    held = state.falling & (fall >= 1.0) & (ratio < 0.5 * fall)
    state = _keep(state, rule, state.when, level, held)
    same = (state.count > 0) & (jnp.abs(state.last - level) <= rule.apart * state.last)
    final = same & (jnp.arange(state.times.shape[0]) == state.count - 1)
    return state._replace(times=jnp.where(final, jnp.nan, state.times))


def _keep(state: Valleys, rule: Rule, when: Array, level: Array, wanted: Bool[Array, ""]) -> Valleys:
    new = jnp.abs(level - state.last) > rule.apart * state.last
    kept = wanted & new & (level > rule.floor * state.first)
    here = kept & (jnp.arange(state.times.shape[0]) == state.count)
    return state._replace(
        times=jnp.where(here, when, state.times),
        levels=jnp.where(here, level, state.levels),
        last=jnp.where(kept, level, state.last),
        count=state.count + kept,
    )
