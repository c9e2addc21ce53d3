"""Descent on the whole objective, plain and with momentum."""

from typing import Any, ClassVar

import equinox as eqx
import jax
from jaxtyping import Array

from ..mathematics import stable_steps
from ..words.fields import scalar
from ..words.rule import Filter
from . import filters
from .discrete import DiscreteRule, Step
from .sources import Source, Whole


class _PlainSteps(DiscreteRule):
    """Rules whose clock counts steps, whose flow time is learning rate times steps, and that descend the whole."""

    learning_rate: eqx.AbstractVar[float]
    filtered: ClassVar[bool] = True

    @property
    def source(self) -> Source:
        return Whole()

    def pace(self) -> Any:
        return self.learning_rate


class GradientDescent(_PlainSteps):
    """w <- w - learning_rate grad objective(w). Clock: whole steps k; flow time = learning_rate k.

    On a quadratic loss it is stable iff learning_rate < 2 / (largest curvature).
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, above=0.0, log=True)

    def begin(self, params: Any) -> Any:
        return ()

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        return descended(params, step.slope(params), step.rates(params, self.learning_rate)), memory

    def stable_rate(self, curvature: Any) -> Any:
        return stable_steps.over(stable_steps.DESCENT, curvature)

    def filter(self, curvature: Any, times: Array) -> Filter:
        return filters.descent(self.learning_rate, curvature, times)

    def descends(self, count: int | None = None) -> bool:
        return True

    def transform(self) -> Any:
        import optax

        return optax.sgd(1.0)


def descended(params: Any, slope: Any, rates: Any) -> Any:
    """w - rate slope, leaf by leaf."""
    return jax.tree.map(lambda w, g, rate: w - rate * g, params, slope, rates)


class HeavyBall(_PlainSteps):
    """Polyak's momentum: w_{k+1} = w_k - learning_rate grad(w_k) + momentum (w_k - w_{k-1}), with w_{-1} = w_0.

    Clock: whole steps k; `flow_time` counts learning_rate k (after a transient the run moves 1/(1 - momentum) times
    faster). On a quadratic loss stable iff learning_rate < 2 (1 + momentum) / (largest curvature). Source: Polyak 1964.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, above=0.0, log=True)
    momentum: float = scalar("share of the last displacement", symbol="beta", default=0.9, low=0.0, below=1.0)

    def begin(self, params: Any) -> Any:
        return params

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        rates = step.rates(params, self.learning_rate)
        moved = jax.tree.map(
            lambda w, g, old, rate: w - rate * g + self.momentum * (w - old), params, step.slope(params), memory, rates
        )
        return moved, params

    def effective_pace(self) -> Any:
        return self.learning_rate / (1 - self.momentum)

    def stable_rate(self, curvature: Any) -> Any:
        return stable_steps.over(stable_steps.heavy_ball(self.momentum), curvature)

    def filter(self, curvature: Any, times: Array) -> Filter:
        return filters.momentum(self.learning_rate, self.momentum, False, curvature, times)

    def transform(self) -> Any:
        import optax

        return optax.sgd(1.0, momentum=float(self.momentum))


class Nesterov(_PlainSteps):
    """Nesterov's constant momentum: v = w_k + momentum (w_k - w_{k-1}), w_{k+1} = v - learning_rate grad(v).

    w_{-1} = w_0. Clock: whole steps k; `flow_time` counts learning_rate k. On a quadratic loss stable iff
    learning_rate < 2 (1 + momentum) / ((1 + 2 momentum) (largest curvature)). Source: Nesterov 1983.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, above=0.0, log=True)
    momentum: float = scalar("share of the last displacement", symbol="beta", default=0.9, low=0.0, below=1.0)

    def begin(self, params: Any) -> Any:
        return params

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        ahead = jax.tree.map(lambda w, old: w + self.momentum * (w - old), params, memory)
        return descended(ahead, step.slope(ahead), step.rates(params, self.learning_rate)), params

    def effective_pace(self) -> Any:
        return self.learning_rate / (1 - self.momentum)

    def stable_rate(self, curvature: Any) -> Any:
        return stable_steps.over(stable_steps.nesterov(self.momentum), curvature)

    def filter(self, curvature: Any, times: Array) -> Filter:
        return filters.momentum(self.learning_rate, self.momentum, True, curvature, times)

    def transform(self) -> Any:
        import optax

        return optax.sgd(1.0, momentum=float(self.momentum), nesterov=True)
