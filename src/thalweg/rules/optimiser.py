"""Any optimiser of optax as a rule."""

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import numpy as np
import optax
from jaxtyping import Array

from ..fields import scalar
from ..problem import Problem
from .discrete import DiscreteRule


def _resolve(maker: str | Callable[..., Any]) -> str:
    """The qualified name of a function of optax, found by identity so that it can be saved and read back."""
    if isinstance(maker, str):
        look_up(maker)
        return maker
    for name in (getattr(maker, "__name__", ""), *dir(optax)):
        if name and getattr(optax, name, None) is maker:
            return f"optax.{name}"
    raise ValueError(f"Optax: {maker!r} is not a public function of optax; give one such as optax.adam.")


def look_up(name: str) -> Callable[..., Any]:
    """The optax function of a qualified name; nothing outside optax is reached."""
    head, _, tail = name.partition(".")
    found = getattr(optax, tail, None) if head == "optax" and "." not in tail else None
    if not callable(found):
        raise ValueError(f"Optax: {name!r} is not a function of optax; give a name such as 'optax.adam'.")
    return found


def _pairs(options: Mapping[str, float] | tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    items = options.items() if isinstance(options, Mapping) else options
    return tuple((str(k), v) for k, v in items)


class Optax(DiscreteRule):
    """An optax optimiser: `Optax(optax.adam, learning_rate=1e-2, hyperparameters={"b1": 0.8})`.

    Clock: whole steps. It is kept by its qualified name, so that a result file can be run again. Flow time is not
    defined (NaN): the step is no multiple of the gradient.
    """

    maker: str = eqx.field(converter=_resolve, static=True)
    learning_rate: float = scalar("the optimiser's learning rate", symbol="eta", default=1e-3, above=0.0, log=True)
    hyperparameters: tuple[tuple[str, float], ...] = eqx.field(converter=_pairs, static=True, default=())
    clock: ClassVar[str] = "steps"
    random: ClassVar[bool] = False

    def steps_per_unit(self, problem: Problem) -> float | None:
        return 1.0

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return np.full(np.shape(times), math.nan)

    def _transform(self) -> optax.GradientTransformation:
        return look_up(self.maker)(self.learning_rate, **dict(self.hyperparameters))

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return self._transform().init(params)

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        return None

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        slope = jax.grad(problem.objective)(params, data)
        updates, state = self._transform().update(slope, state, params)
        return optax.apply_updates(params, updates), state
