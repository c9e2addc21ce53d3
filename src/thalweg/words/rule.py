"""What moves the parameters: the questions that every rule answers for itself, and what a run of it is."""

import abc
import math
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Inexact, Int

from .fields import Parametrised

if TYPE_CHECKING:
    from .problem import Problem

Filter = tuple[Inexact[Array, "times points"], Inexact[Array, "times points"]]


class Trajectory(NamedTuple):
    """One run: observed curves (time first), events, outcome (0 ok, 1 not finite, 2 step ceiling), its time, end."""

    curves: dict[str, Array]
    events: dict[str, Array]
    outcome: Int[Array, ""]
    outcome_time: Float[Array, ""]
    final: Any


class Rule(Parametrised):
    """Law of motion of the parameters; belongs to the problem, for a large step or momentum is physics.

    What theories ask of a rule, it answers for itself. Where it says nothing, the answer is that nothing is known:
    NaN, False, or a ValueError with what to do.
    """

    # whether there are no steps, and whether it acts on each eigendirection of a quadratic loss by a known `filter`
    continuous: ClassVar[bool] = False
    filtered: ClassVar[bool] = False

    @property
    @abc.abstractmethod
    def clock(self) -> str:
        """What `times` count, in words."""

    @property
    @abc.abstractmethod
    def random(self) -> bool:
        """Whether chance goes on deciding after the draw and the start."""

    @abc.abstractmethod
    def steps_per_unit(self, problem: "Problem") -> float | None:
        """Whole steps in one unit of `times`; None where time is continuous."""

    @abc.abstractmethod
    def pace(self) -> Any:
        """Flow time in one unit of the clock, while no schedule changes the rate; NaN where it has no meaning."""

    @abc.abstractmethod
    def trajectory(self, problem: "Problem", data: Any, start: Any, ticks: Array, key: Array) -> Trajectory:
        """Follow the rule from `start` and observe at `ticks` (flow times, or whole steps)."""

    @property
    def fresh(self) -> bool:
        """Whether every step sees a sample that none has seen."""
        return False

    @property
    def draws_anew(self) -> bool:
        """Whether it is plain descent on batches of stored samples, each drawn independently of all others."""
        return False

    def effective_pace(self) -> Any:
        """The pace of slow motion after a transient: momentum beta makes it 1/(1 - beta) times as fast."""
        return self.pace()

    def elapsed(self, times: Any) -> np.ndarray:
        """Times on the clock, each moment weighed by the factor that a schedule gives to the rate."""
        return np.asarray(times, dtype=np.float64)

    def flow_time(self, problem: "Problem", times: np.ndarray) -> np.ndarray:
        """The flow time that belongs to `times`: the sum of learning rates (NaN where it has no meaning)."""
        return float(self.pace()) * self.elapsed(times)

    def stable_rate(self, curvature: Any) -> Any:
        """Largest learning rate at which the rule stays bounded on a quadratic loss of this largest curvature.

        Numbers or arrays; inf at a curvature <= 0, which sets no limit. For a flow, which takes no steps, the rate of
        the descent that would follow it. NaN where no limit is known.
        """
        return math.nan * curvature

    def filter(self, curvature: Inexact[Array, " points"], times: Float[Array, " times"]) -> Filter:
        """f and g at each curvature u (rows: times on the clock): on (1/2) u w^2 - b w, w(t) = f w(0) + g b.

        g = (1 - f)/u, at u = 0 its limit. Curvatures may be complex: f and g are entire functions, which contour
        integrals use. ValueError for a rule without one.
        """
        raise ValueError(
            f"{self.title()} has no spectral filter; use one of GradientFlow, GradientDescent, HeavyBall, Nesterov."
        )

    def descends(self, count: int | None = None) -> bool:
        """Whether it moves along the slope of the whole objective alone, as flow and plain descent do.

        `count`: how many samples there are, which SGD must know.
        """
        return False

    def mean(self) -> "Rule":
        """The rule that the mean over the rule's own chance follows on a quadratic loss; itself where it has none."""
        return self

    def title(self) -> str:
        """Its name in a sentence."""
        return type(self).__name__

    def remedy(self) -> str:
        """What to do when a run leaves the finite numbers or does not end."""
        return "Lower the learning rate."
