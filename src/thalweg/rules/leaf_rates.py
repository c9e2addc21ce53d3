"""Learning rates of their own for parts of the parameters."""

import math
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ..words.problem import Rule
from .composed import Composed, whole_steps
from .descent import GradientDescent
from .discrete import DiscreteRule, Step
from .optimiser import pairs


class LeafRates(Composed):
    """`rule` with the learning rate of some parts of the parameters times a factor: `factors={"layers.0": 0.1}`.

    A part is named by the way to it, joined by dots (keys, fields, places in a list), and holds all that lies below; a
    leaf under several names takes them all. 0 keeps a part as it is. What is not named moves as it would under `rule`,
    and clock and flow time are those of `rule`. No stability limit is known (NaN). Raises ValueError for a name that
    the parameters do not have.
    """

    rule: Rule = GradientDescent()
    factors: tuple[tuple[str, float], ...] = eqx.field(converter=pairs, static=True, default=())

    def __check_init__(self) -> None:
        whole_steps(self.rule, "LeafRates")
        for name, factor in self.factors:
            if not isinstance(factor, int | float) or isinstance(factor, bool) or not 0 <= factor < math.inf:
                raise ValueError(
                    f"LeafRates: the factor of {name!r} is {factor!r:.40}, which is not allowed; give a finite number "
                    ">= 0."
                )

    def at_rate(self, rate: Any) -> DiscreteRule:
        return LeafRates(self.inner.at_rate(rate), self.factors)

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        return self.inner.move(params, memory, step._replace(factors=step.scaled(self._of_leaves(params))))

    def _of_leaves(self, params: Any) -> Any:
        """The factor of each leaf."""
        found, shape = jax.tree_util.tree_flatten_with_path(params)
        paths = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in found]
        for name, _ in self.factors:
            if not any(_inside(path, name) for path in paths):
                raise ValueError(
                    f"LeafRates: the parameters have no part {name!r}; name one of {', '.join(map(repr, paths))}, or a "
                    "part that holds some of them."
                )
        named = [[factor for name, factor in self.factors if _inside(path, name)] for path in paths]
        return jax.tree.unflatten(shape, [float(np.prod(factors)) for factors in named])


def _inside(path: str, name: str) -> bool:
    return path == name or path.startswith(name + ".")
