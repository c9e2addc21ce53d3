"""Stochastic gradient descent on a stored set of samples, with replacement."""

from typing import Any, ClassVar

import jax
import numpy as np
from jaxtyping import Array

from ..fields import scalar, size
from ..problem import Problem, SampledProblem
from .discrete import DiscreteRule


def sampled(rule: DiscreteRule, problem: Problem) -> SampledProblem:
    """The problem as one of stored samples; ValueError for one that has none to choose from."""
    if not isinstance(problem, SampledProblem):
        raise ValueError(
            f"{type(rule).__name__} draws from a stored set of samples, but {type(problem).__name__} does not say what "
            "its objective is on a part of them; choose GradientDescent, OnePassSGD where every sample is fresh, or "
            "give the problem sample_count and batch_objective (tw.SampledProblem)."
        )
    return problem


class SGD(DiscreteRule):
    """Stochastic gradient descent on a fixed data set: params <- params - learning_rate * gradient on a random batch.

    At every step `batch` of the n samples are drawn, independently and with replacement, and the rule descends their
    mean loss (plus the penalty, whole). Clock: whole steps k; flow time = learning_rate k. Chance is drawn for 8 steps
    at once, from the number of the block alone; events are read at the ends of blocks.
    On the square loss, small batches are stable in the mean square iff learning_rate < 2 batch / (sum of eigenvalues of
    the sample covariance), in the limit of many features; `largest_stable_rate` has the exact value of a draw.
    Raises ValueError for a problem that stores no samples.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.01, above=0.0, log=True)
    batch: int = size("samples of one step, drawn with replacement", symbol="B", default=1)
    clock: ClassVar[str] = "steps"
    random: ClassVar[bool] = True
    # long enough that drawing in one go pays, short enough that a best time is still found to a few steps
    block: ClassVar[int] = 8

    def steps_per_unit(self, problem: Problem) -> float | None:
        sampled(self, problem)
        return 1.0

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return float(self.learning_rate) * np.asarray(times, dtype=np.float64)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return ()

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        count = sampled(self, problem).sample_count(data)
        return jax.random.randint(key, (self.block, self.batch), 0, count)

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        slope = jax.grad(sampled(self, problem).batch_objective)(params, data, fresh)
        return jax.tree.map(lambda w, g: w - self.learning_rate * g, params, slope), state
