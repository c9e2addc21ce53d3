"""Rules made of other rules: on minibatches, with a rate that changes, with averaged weights."""

import abc
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..words.fields import check_ranges, scalar, size
from ..words.problem import Rule
from .descent import GradientDescent
from .discrete import DiscreteRule, Step, advanced
from .schedules import Constant, Schedule, check_schedule
from .sources import Drawn, InTurn, Shuffled, Source, Whole

ORDERS = {"cyclic": InTurn, "drawn": Drawn, "shuffled": Shuffled}


def whole_steps(rule: Any, owner: str) -> DiscreteRule:
    """The rule, if it moves in whole steps at a learning rate that can be changed; ValueError otherwise."""
    if not isinstance(rule, DiscreteRule):
        raise ValueError(
            f"{owner}: rule = {type(rule).__name__} is not allowed; give one that moves in whole steps, such as "
            "GradientDescent, HeavyBall, Nesterov, SGD or Optax."
        )
    if not hasattr(rule, "learning_rate"):
        raise ValueError(
            f"{owner}: rule = {type(rule).__name__} has no learning_rate; give a rule that has one, such as "
            "GradientDescent."
        )
    return rule


class Composed(DiscreteRule):
    """What a composed rule hands on to the rule inside it."""

    rule: eqx.AbstractVar[Rule]

    def __check_init__(self) -> None:
        check_ranges(self)
        whole_steps(self.rule, type(self).__name__)

    @property
    def inner(self) -> DiscreteRule:
        """The rule inside."""
        return whole_steps(self.rule, type(self).__name__)

    @property
    def core(self) -> DiscreteRule:
        return self.inner.core

    @property
    def learning_rate(self) -> Any:
        """That of the rule inside."""
        return self.inner.learning_rate  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def source(self) -> Source:
        return self.inner.source

    def title(self) -> str:
        return f"{type(self).__name__}({self.inner.title()})"

    @abc.abstractmethod
    def at_rate(self, rate: Any) -> DiscreteRule:
        """The same rule at another learning rate."""

    def pace(self) -> Any:
        return self.inner.pace()

    def effective_pace(self) -> Any:
        return self.inner.effective_pace()

    def elapsed(self, times: Any) -> np.ndarray:
        return self.inner.elapsed(times)

    def begin(self, params: Any) -> Any:
        return self.inner.begin(params)

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        return self.inner.move(params, memory, step)


class Minibatches(Composed):
    """`rule` on `batch` of the stored samples a step, of a problem that says what its objective is on them.

    "cyclic": in the order in which they are stored, again and again; "drawn": each step draws them independently, with
    replacement; "shuffled": epochs in random order, of which batch must divide the number of samples.
    Clock: whole steps; flow time as that of `rule`. No stability limit is known (NaN). Raises ValueError for a problem
    that stores no samples (`tw.SampledProblem`), and for a rule that looks at samples of its own.
    """

    rule: Rule = GradientDescent()
    order: str = "cyclic"
    batch: int = size("samples of one step", symbol="B", default=1)

    def __check_init__(self) -> None:
        check_ranges(self)
        inner = whole_steps(self.rule, "Minibatches")
        if self.order not in ORDERS:
            raise ValueError(
                f"Minibatches: order = {self.order!r} is not allowed; give 'cyclic', 'drawn' or 'shuffled'."
            )
        if not isinstance(inner.source, Whole):
            raise ValueError(
                f"Minibatches: rule = {type(self.rule).__name__} chooses the samples of its steps already; give one "
                "that descends the whole objective, such as GradientDescent, HeavyBall, Nesterov or Optax, or use it "
                "as it is."
            )

    @property
    def source(self) -> Source:
        # a draw costs more than a small step, so that several are made at once
        return ORDERS[self.order]("Minibatches", self.batch, block=16)

    def at_rate(self, rate: Any) -> DiscreteRule:
        return Minibatches(self.inner.at_rate(rate), self.order, self.batch)


class Scheduled(Composed):
    """`rule` with its learning rate times a factor of the clock: InverseTime, PowerLaw, Geometric, Drop.

    What the rule remembers (velocity, moments) is kept when the rate changes. Clock: that of `rule`; flow time is the
    rate's integral, where `rule` has one (NaN for a schedule of a rule that has another schedule, whose integral has no
    formula here). Largest stable rate: that of `rule` while the factor is 1.
    """

    rule: Rule = GradientDescent()
    schedule: Schedule = Constant()

    def __check_init__(self) -> None:
        check_ranges(self)
        whole_steps(self.rule, "Scheduled")
        check_schedule(self)

    def at_rate(self, rate: Any) -> DiscreteRule:
        return Scheduled(self.inner.at_rate(rate), self.schedule)

    def elapsed(self, times: Any) -> np.ndarray:
        inside, here = self.inner.elapsed(times), self.schedule.integral(times)
        plain = np.asarray(times, dtype=np.float64)
        if np.array_equal(inside, plain):
            return here
        return inside if np.array_equal(here, plain) else np.full(plain.shape, math.nan)

    def stable_rate(self, curvature: Any) -> Any:
        return self.inner.stable_rate(curvature)

    def transform(self) -> Any:
        return self.inner.transform()

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        time = step.count / (self.steps_per_unit(step.problem) or 1.0)
        now = self.inner.at_rate(self.learning_rate * self.schedule.factor(time))
        return now.move(params, memory, step)


class Averaged(Composed):
    """`rule`, of which the running mean of the weights is shown from the time `since` on (weight averaging).

    The rule goes on from its own weights; curves and final weights are those of the mean over steps since, ..., k.
    Clock and flow time as those of `rule`. Source: Izmailov et al. 2018.
    """

    rule: Rule = GradientDescent()
    since: float = scalar("time from which weights are averaged", symbol="k_0", default=0.0, low=0.0)

    def at_rate(self, rate: Any) -> DiscreteRule:
        return Averaged(self.inner.at_rate(rate), self.since)

    def stable_rate(self, curvature: Any) -> Any:
        return self.inner.stable_rate(curvature)

    def transform(self) -> Any:
        return self.inner.transform()

    def begin(self, params: Any) -> Any:
        return params, self.inner.begin(params)

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        own, inside = memory
        own, inside = advanced(self.inner, own, inside, step)
        # step count + 1 is reached; with it the mean holds count + 2 - since members
        since = self.since * (self.steps_per_unit(step.problem) or 1.0)
        share = 1.0 / jnp.maximum(step.count + 2 - since, 1.0)
        mean = jax.tree.map(lambda m, w: m + jnp.asarray(share, w.dtype) * (w - m), params, own)
        return mean, (own, inside)
