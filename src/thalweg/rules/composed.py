"""Rules made of other rules: on minibatches, with a rate that changes, with averaged weights."""

import abc
import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..fields import scalar
from ..problem import BatchedProblem, Problem, Rule
from .discrete import DiscreteRule, GradientDescent
from .schedules import Constant, Schedule


def whole_steps(rule: Any, owner: str) -> DiscreteRule:
    """The rule, if it moves in whole steps of the same data; ValueError otherwise."""
    if not isinstance(rule, DiscreteRule) or rule.random:
        raise ValueError(
            f"{owner}: rule = {type(rule).__name__} is not allowed; give one that moves in whole steps of the same "
            "data, such as GradientDescent, HeavyBall, Nesterov or Optax."
        )
    return rule


class _Composed(DiscreteRule):
    """What a composed rule hands on to the rule inside it."""

    rule: eqx.AbstractVar[Rule]
    clock: ClassVar[str] = "steps"

    def __check_init__(self) -> None:
        whole_steps(self.rule, type(self).__name__)

    @property
    def inner(self) -> DiscreteRule:
        """The rule inside."""
        return whole_steps(self.rule, type(self).__name__)

    @property
    def learning_rate(self) -> Any:
        """That of the rule inside."""
        return self.rule.learning_rate  # pyright: ignore[reportAttributeAccessIssue]

    def steps_per_unit(self, problem: Problem) -> float | None:
        return 1.0

    @abc.abstractmethod
    def at_rate(self, rate: Any) -> "_Composed":
        """The same rule at another learning rate."""


def at_rate(rule: Any, rate: Any) -> Any:
    """The rule at another learning rate, however deep the rate lies inside it."""
    return rule.at_rate(rate) if isinstance(rule, _Composed) else dataclasses.replace(rule, learning_rate=rate)


class Minibatches(_Composed):
    """`rule` on one minibatch a step, of a problem whose data set falls into batches.

    "cyclic": one after the other, again and again; "drawn": each step draws one, independently. Clock: whole steps;
    flow time as that of `rule`. Raises ValueError for a problem without batches.
    """

    rule: Rule = GradientDescent()
    order: str = "cyclic"
    random: ClassVar[bool] = True
    # a draw costs more than a small step, so that several are made at once
    block: ClassVar[int] = 16

    def __check_init__(self) -> None:
        whole_steps(self.rule, "Minibatches")
        if self.order not in ("cyclic", "drawn"):
            raise ValueError(f"Minibatches: order = {self.order!r} is not allowed; give 'cyclic' or 'drawn'.")

    def at_rate(self, rate: Any) -> "Minibatches":
        return Minibatches(at_rate(self.rule, rate), self.order)

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return self.rule.flow_time(problem, times)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return self.inner.begin(problem, params, data)

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        count = _batched(problem).batches(data)
        return None if self.order == "cyclic" else jax.random.randint(key, (self.block,), 0, count)

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        whole = _batched(problem)
        index = jnp.asarray(count) % whole.batches(data) if self.order == "cyclic" else fresh
        moved, memory = self.inner.step(problem, params, state, whole.batch(data, index), count, None)
        # a learning rate of another precision than the weights must not change theirs
        kept = jax.tree.map(lambda new, old: jnp.asarray(new, jnp.asarray(old).dtype), moved, params)
        return kept, memory


def _batched(problem: Problem) -> BatchedProblem:
    if not isinstance(problem, BatchedProblem):
        raise ValueError(
            f"Minibatches needs a data set that falls into batches, which {type(problem).__name__} does not have; "
            "use the rule inside it alone."
        )
    return problem


class Scheduled(_Composed):
    """`rule` with its learning rate times a factor of the clock: InverseTime, Geometric, Drop.

    What the rule remembers (velocity, moments) is kept when the rate changes. Clock: whole steps; flow time is the
    rate's integral, where `rule` has one.
    """

    rule: Rule = GradientDescent()
    schedule: Schedule = Constant()
    random: ClassVar[bool] = False

    def at_rate(self, rate: Any) -> "Scheduled":
        return Scheduled(at_rate(self.rule, rate), self.schedule)

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return self.rule.flow_time(problem, self.schedule.integral(times))

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return self.inner.begin(problem, params, data)

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        return None

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        now = at_rate(self.inner, self.learning_rate * self.schedule.factor(1.0 * count))
        return now.step(problem, params, state, data, count, fresh)


class Averaged(_Composed):
    """`rule`, of which the running mean of the weights is shown from step `since` on (weight averaging).

    The rule goes on from its own weights; curves and final weights are those of the mean over steps since, ..., k.
    Clock and flow time as those of `rule`. Source: Izmailov et al. 2018.
    """

    rule: Rule = GradientDescent()
    since: float = scalar("step from which weights are averaged", symbol="k_0", default=0.0, low=0.0)
    random: ClassVar[bool] = False

    def at_rate(self, rate: Any) -> "Averaged":
        return Averaged(at_rate(self.rule, rate), self.since)

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return self.rule.flow_time(problem, times)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return params, self.inner.begin(problem, params, data)

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        return None

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        own, memory = self.inner.step(problem, state[0], state[1], data, count, fresh)
        # step count + 1 is reached; with it the mean holds count + 2 - since members
        share = 1.0 / jnp.maximum(count + 2 - self.since, 1.0)
        mean = jax.tree.map(lambda m, w: m + jnp.asarray(share, w.dtype) * (w - m), params, own)
        return mean, (own, memory)
