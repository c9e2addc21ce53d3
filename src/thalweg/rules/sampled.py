"""Stochastic gradient descent on a stored set of samples: batches drawn anew, or epochs in random order."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..fields import check_ranges, scalar, size
from ..problem import Problem, SampledProblem
from .discrete import DiscreteRule, GradientDescent


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

    At every step the rule descends the mean loss of `batch` of the n samples (plus the penalty, whole).
    With replacement (the default) they are drawn independently, anew for every step. With `replacement=False` each
    epoch of n/batch steps goes once through a fresh permutation of all samples; batch must divide n, and batch = n is
    gradient descent.
    Clock: whole steps k; flow time = learning_rate k. Chance comes in blocks of 8 steps, from the number of the block
    alone; events are read at the ends of blocks.
    On the square loss, small batches drawn with replacement are stable in the mean square iff learning_rate <
    2 batch / (sum of eigenvalues of the sample covariance), in the limit of many features; `largest_stable_rate` has
    the exact value of a draw (NaN without replacement, for which none is known).
    Raises ValueError for a problem that stores no samples, and where batch does not divide n without replacement.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.01, above=0.0, log=True)
    batch: int = size("samples of one step", symbol="B", default=1)
    replacement: bool = True
    clock: ClassVar[str] = "steps"
    random: ClassVar[bool] = True
    # long enough that drawing in one go pays, short enough that a best time is still found to a few steps
    block: ClassVar[int] = 8

    def __check_init__(self) -> None:
        check_ranges(self)
        if not isinstance(self.replacement, bool):
            raise ValueError(
                f"SGD: replacement = {self.replacement!r} is not allowed; give True (every step draws anew) or False "
                "(every epoch sees each sample once)."
            )

    def steps_per_unit(self, problem: Problem) -> float | None:
        sampled(self, problem)
        return 1.0

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return float(self.learning_rate) * np.asarray(times, dtype=np.float64)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        """Nothing; without replacement the epoch's order of the samples."""
        if self.replacement:
            return ()
        count = sampled(self, problem).sample_count(data)
        steps_an_epoch(self, count)
        return jnp.arange(count)

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        if not self.replacement:
            return jax.random.split(key, self.block)
        count = sampled(self, problem).sample_count(data)
        return jax.random.randint(key, (self.block, self.batch), 0, count)

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        chosen, order = (fresh, state) if self.replacement else self._next(state, jnp.asarray(count), fresh)
        slope = jax.grad(sampled(self, problem).batch_objective)(params, data, chosen)
        return jax.tree.map(lambda w, g: w - self.learning_rate * g, params, slope), order

    def _next(self, order: Array, count: Array, key: Array) -> tuple[Array, Array]:
        """The next samples in the epoch's order, which is drawn at its first step, from that step's own key."""
        place = count % steps_an_epoch(self, order.shape[0])
        order = jax.lax.cond(
            place == 0, lambda: jax.random.permutation(key, order.shape[0], independent=False), lambda: order
        )
        return jax.lax.dynamic_slice_in_dim(order, place * self.batch, self.batch), order


def steps_an_epoch(rule: SGD, count: int) -> int:
    """Steps in which a rule without replacement sees each of `count` samples once; ValueError where none fit."""
    if count % rule.batch:
        fitting = [b for b in range(1, count + 1) if count % b == 0]
        near = sorted(sorted(fitting, key=lambda b: abs(b - rule.batch))[:2])
        raise ValueError(
            f"SGD: batch = {rule.batch} does not divide the {count} samples, so that no epoch sees each of them once; "
            f"give batch = {' or '.join(map(str, near))}, another number of samples, or replacement=True."
        )
    return count // rule.batch


def mean_rule(rule: Any) -> Any:
    """The rule that the mean of the weights follows on the square loss: descent for SGD, else the rule itself."""
    return GradientDescent(rule.learning_rate) if isinstance(rule, SGD) else rule


def draws_anew(rule: Any) -> bool:
    """Whether the rule is SGD that draws each step's batch independently of all others."""
    return isinstance(rule, SGD) and bool(rule.replacement)


def is_descent(rule: Any, count: int) -> bool:
    """Whether it is SGD each of whose batches holds all `count` samples once: gradient descent."""
    return isinstance(rule, SGD) and not rule.replacement and rule.batch == count


def as_descent(rule: Any, count: int) -> Any:
    """Gradient descent in place of SGD that is nothing else on `count` samples; any other rule as it is."""
    return GradientDescent(rule.learning_rate) if is_descent(rule, count) else rule
