"""Rules that see every sample once: a fresh one at each step, never stored, drawn inside the loop."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..words.fields import check_ranges, scalar
from ..words.problem import FisherProblem
from .descent import descended
from .discrete import DiscreteRule, Step
from .schedules import Constant, Schedule, check_schedule
from .sources import Fresh


class _OnePass(DiscreteRule):
    """One fresh sample a step, the clock steps / dimension, and a schedule of its own."""

    learning_rate: eqx.AbstractVar[float]
    schedule: eqx.AbstractVar[Schedule]

    def __check_init__(self) -> None:
        check_ranges(self)
        check_schedule(self)

    @property
    def source(self) -> Fresh:
        return Fresh(type(self).__name__)

    def pace(self) -> Any:
        return self.learning_rate

    def elapsed(self, times: Any) -> np.ndarray:
        return self.schedule.integral(times)

    def begin(self, params: Any) -> Any:
        return ()


class OnePassSGD(_OnePass):
    """Stochastic gradient descent on line: params <- params - rates * gradient of one fresh sample's objective.

    The rate is learning_rate times the schedule's factor at t = steps / dimension, which is the clock; of it, each leaf
    of the parameters has the share that the problem gives it (`leaf_rates`). A rate of 0 is legal. `flow_time` is
    learning_rate times the integral of the schedule. Raises ValueError for a problem of fixed samples.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, low=0.0)
    schedule: Schedule = Constant()

    @classmethod
    def brought_on(cls, fields: dict[str, Any]) -> dict[str, Any]:
        # a rate of output weights, which only one problem ever used: it reads it for itself
        return {name: value for name, value in fields.items() if name != "output_learning_rate"}

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        rate = self.schedule.factor(step.count / step.problem.dimension) * self.learning_rate
        rates = step.scaled(step.problem.leaf_rates(params, rate))
        return descended(params, step.slope(params), rates), memory


class OnePassNaturalGradient(_OnePass):
    """Natural gradient descent on line: first layer <- first layer - learning_rate (G + damping I)^-1 gradient.

    G is the Fisher matrix of the present weights under the law of the inputs, for a model with Gaussian output noise
    (whose variance cancels); output weights stay. Clock: t = steps / dimension. Nearly equal units make G singular:
    use damping. Raises ValueError for a problem that does not know its Fisher matrix. Source: Amari 1998.
    """

    learning_rate: float = scalar("factor of the natural gradient", symbol="eta", default=0.1, low=0.0)
    damping: float = scalar("what is added to the diagonal of the Fisher matrix", symbol="delta", default=0.0, low=0.0)
    schedule: Schedule = Constant()

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        problem = step.problem
        if not isinstance(problem, FisherProblem):
            raise ValueError(
                f"{type(problem).__name__} does not know its Fisher matrix, which OnePassNaturalGradient needs; "
                "use OnePassSGD."
            )
        rate = self.schedule.factor(step.count / problem.dimension) * self.learning_rate
        turned = problem.natural(params, step.data, step.slope(params), jnp.asarray(self.damping))
        return descended(params, turned, step.rates(params, rate)), memory
