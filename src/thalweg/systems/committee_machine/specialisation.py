"""How far the student's units have specialised, and the value of a curve at the moment when something is reached."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ...words.events import CurveDetector, Moment, Reading, Span, Watched, first_reached, name_of


def specialisation(
    student: Float[Array, "*s k"], teacher: Float[Array, "*s k m"], target: Float[Array, " m"]
) -> Float[Array, "*s"]:
    """Mean over teachers of the best over students of (cosine with this teacher - largest with another).

    student: squared lengths Q_kk; teacher: R; target: T_mm. Near 0 on a symmetric plateau, 1 where every teacher has a
    student of its own; NaN with one teacher. (The least over teachers would be off by O(1/sqrt N) in the mean.)
    """
    units = teacher.shape[-1]
    if units == 1:
        return jnp.full(teacher.shape[:-2], jnp.nan)
    lengths = student[..., :, None] * target.reshape(*(1,) * student.ndim, units)
    cosines = jnp.abs(teacher) / jnp.sqrt(lengths)
    own = np.eye(units, dtype=bool).reshape(*(1,) * student.ndim, units, units)
    others = jnp.where(own, -jnp.inf, cosines[..., None, :])
    return jnp.mean(jnp.max(cosines - jnp.max(others, axis=-1), axis=-2), axis=-1)


def _measure(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    now, target = problem.overlaps(params, data)
    return specialisation(jnp.diagonal(now.student), now.teacher, jnp.diagonal(target.overlap))


SPECIALISATION = Reading("specialisation", _measure, beside="test_loss")


class ValueAt(CurveDetector):
    """The value of `of` at the first time at which `trigger` has risen to `level`; NaN where it starts there."""

    of: Watched = eqx.field(static=True)
    trigger: Watched = eqx.field(static=True)
    level: float = eqx.field(static=True)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of, self.trigger)

    @property
    def slopes(self) -> tuple[str, ...]:
        return ()

    def _reached(self, moment: Moment) -> Bool[Array, ""]:
        return moment.values[name_of(self.trigger)] >= self.level

    def begin(self, problem: Any, moment: Moment) -> Any:
        return self._reached(moment), jnp.full_like(moment.values[name_of(self.of)], jnp.nan)

    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        over, value = state
        now = ~over & self._reached(moment)
        name = name_of(self.of)
        if span is None:
            there = moment.values[name]
        else:
            there = first_reached(span, self._reached, now, lambda one: one.values[name])
        return over | now, jnp.where(now, there, value)

    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        return state[1]
