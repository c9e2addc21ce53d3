"""The least value along a run, where Extremum tells its time."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...words.events import CurveDetector, Extremum, Moment, Span, Watched


class LeastValue(CurveDetector):
    """The least value of `of` inside the run; NaN when it stands at the start or at the end."""

    of: Watched = eqx.field(static=True)

    @property
    def reads(self) -> tuple[Watched, ...]:
        return (self.of,)

    @property
    def slopes(self) -> tuple[str, ...]:
        return self._search().slopes

    def _search(self) -> Extremum:
        return Extremum(self.of)

    def begin(self, problem: Any, moment: Moment) -> Any:
        return self._search().begin(problem, moment)

    def advance(self, state: Any, moment: Moment, span: Span | None) -> Any:
        return self._search().advance(state, moment, span)

    def finish(self, state: Any, moment: Moment) -> Float[Array, "..."]:
        value, _ = state
        return jnp.where(jnp.isnan(self._search().finish(state, moment)), jnp.nan, value)
