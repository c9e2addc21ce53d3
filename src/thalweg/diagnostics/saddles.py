"""Saddles passed on the way, read from recorded curves of any network."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..mathematics.prominence import SADDLES, Rule, Valleys, advance_valleys, begin_valleys, finish_valleys


def saddles(
    times: Float[Any, " t"],
    losses: Float[Any, " t"],
    gradient_norms: Float[Any, " t"],
    prominence: float = SADDLES.prominence,
    floor: float = SADDLES.floor,
    most: int = 16,
) -> tuple[Float[Array, " most"], Float[Array, " most"]]:
    """Times and losses of the saddles that a recorded run has passed, after the start; both padded with NaN.

    Minima of log10 of the gradient norm that stand out by `prominence`, with a loss above `floor` times the first, once
    a loss level (within 1 %). The start, near a saddle if it is small, is not listed. A level that the run holds to its
    end has no flattest moment: its time is NaN, its loss is not. Nothing is interpolated: record densely enough.
    """
    rule = Rule(prominence, floor, SADDLES.apart)
    times, losses, curve = jnp.asarray(times), jnp.asarray(losses), jnp.log10(gradient_norms)

    def step(state: Valleys, point: tuple[Array, Array, Array]) -> tuple[Valleys, None]:
        return advance_valleys(state, rule, *point), None

    begin = begin_valleys(curve[0], losses[0], most)
    state, _ = jax.lax.scan(step, begin, (times[1:], curve[1:], losses[1:]))
    state = finish_valleys(state, rule, curve[-1], losses[-1])
    return state.times, state.levels
