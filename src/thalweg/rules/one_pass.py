"""Rules that see every sample once: a fresh one at each step, never stored, drawn inside the loop."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..fields import scalar
from ..problem import FisherProblem, Problem, StreamingProblem
from .discrete import DiscreteRule
from .schedules import Constant, Schedule


def streaming(rule: DiscreteRule, problem: Problem) -> StreamingProblem:
    """The problem as one of fresh samples; ValueError for one whose samples are a fixed set."""
    if not isinstance(problem, StreamingProblem):
        raise ValueError(
            f"{type(rule).__name__} needs a fresh sample at every step, but {type(problem).__name__} is about a fixed "
            "set of samples; choose GradientFlow or GradientDescent, or a problem with a law of fresh samples."
        )
    return problem


class _OnePass(DiscreteRule):
    """Samples in blocks, and the clock steps / dimension."""

    learning_rate: eqx.AbstractVar[float]
    schedule: eqx.AbstractVar[Schedule]
    clock: ClassVar[str] = "steps / dimension"
    random: ClassVar[bool] = True
    # long enough that drawing in one go pays, short enough that looking in between costs little
    block: ClassVar[int] = 32

    def steps_per_unit(self, problem: Problem) -> float | None:
        return float(streaming(self, problem).dimension)

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return float(self.learning_rate) * self.schedule.integral(times)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return ()

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        return streaming(self, problem).fresh(key, data, self.block)


def _slope(problem: StreamingProblem, params: Any, data: Any, sample: Any) -> Any:
    return jax.grad(problem.sample_objective)(params, data, sample)


class OnePassSGD(_OnePass):
    """Stochastic gradient descent on line: params <- params - rates * gradient of one fresh sample's objective.

    First layers move with `learning_rate`, output weights (where a problem has them) with output_learning_rate /
    dimension, both times the schedule's factor at t = steps / dimension, which is the clock. A rate of 0 is legal.
    `flow_time` is learning_rate times the integral of the schedule. Raises ValueError for a problem of fixed samples.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, low=0.0)
    output_learning_rate: float = scalar("the same for output weights", symbol="eta_v", default=0.0, low=0.0)
    schedule: Schedule = Constant()

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        stream = streaming(self, problem)
        factor = self.schedule.factor(count / stream.dimension)
        slope = _slope(stream, params, data, fresh)
        move = stream.weighted(slope, factor * self.learning_rate, factor * self.output_learning_rate)
        return jax.tree.map(jnp.subtract, params, move), state


class OnePassNaturalGradient(_OnePass):
    """Natural gradient descent on line: first layer <- first layer - learning_rate (G + damping I)^-1 gradient.

    G is the Fisher matrix of the present weights under the law of the inputs, for a model with Gaussian output noise
    (whose variance cancels); output weights stay. Clock: t = steps / dimension. Nearly equal units make G singular:
    use damping. Raises ValueError for a problem that does not know its Fisher matrix. Source: Amari 1998.
    """

    learning_rate: float = scalar("factor of the natural gradient", symbol="eta", default=0.1, low=0.0)
    damping: float = scalar("what is added to the diagonal of the Fisher matrix", symbol="delta", default=0.0, low=0.0)
    schedule: Schedule = Constant()

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        if not isinstance(problem, FisherProblem):
            raise ValueError(
                f"{type(problem).__name__} does not know its Fisher matrix, which OnePassNaturalGradient needs; "
                "use OnePassSGD."
            )
        rate = self.schedule.factor(count / problem.dimension) * self.learning_rate
        slope = _slope(problem, params, data, fresh)
        turned = problem.natural(params, data, slope, jnp.asarray(self.damping))
        return jax.tree.map(lambda w, g: w - rate * g, params, turned), state
