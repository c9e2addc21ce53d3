"""Problems on a user's own table, whatever system they belong to."""

import abc
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ...data import columns
from ...words.problem import Remark, SampledProblem

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar

# of problems whose columns are scaled, each by its own deviation and `deviation_floor`
COLUMN_REMARKS = (
    Remark(
        "Some columns are constant (an intercept among the inputs, perhaps): they are set to 0 and change nothing.",
        lambda problem: columns.constant(problem.inputs).size > 0,
    ),
    Remark(
        "Some columns are copies of others up to shift and scale. What they say is learned that many times as fast and "
        "shared out among their weights; predictions are well defined, single weights mean little.",
        lambda problem: bool(columns.copied(problem.inputs)),
    ),
    Remark(
        "The standard deviations of the columns span more than a factor 1000. Each is divided by its own, so that all "
        "are learned alike; unscaled, the largest would be learned first and the smallest practically never.",
        lambda problem: columns.span(problem.inputs) > 1e3 and problem.deviation_floor == 0,
    ),
)


class TrainingPart(NamedTuple):
    """Rows and targets that a rule descends on, as it sees them; targets (n,), or (n, K) for K outputs."""

    inputs: Float[Array, "n p"]
    targets: Float[Array, " n *outputs"]


class LeastSquaresProblem(SampledProblem):
    """Linear output w.x, or K of them, and square loss on stored rows, whoever made them.

    objective = (1/2n) sum |y_i - w.x_i|^2 + (weight_decay/2)|w|^2 over the rows, or over a batch of them.
    """

    weight_decay: eqx.AbstractVar[float]

    @property
    def outputs(self) -> int:
        """How many outputs it has."""
        return 1

    @abc.abstractmethod
    def training(self, data: Any) -> TrainingPart:
        """The rows of a draw that the rule descends on, and their targets."""

    def objective(self, params: Float[Array, " p *outputs"], data: Any) -> Float[Array, ""]:
        inputs, targets = self.training(data)
        return self.penalised(targets - inputs @ params, params)

    def sample_count(self, data: Any) -> int:
        return self.training(data).targets.shape[0]

    def batch_objective(
        self, params: Float[Array, " p *outputs"], data: Any, indices: Int[Array, " batch"]
    ) -> Float[Array, ""]:
        inputs, targets = (jnp.asarray(part)[indices] for part in self.training(data))
        return self.penalised(targets - inputs @ params, params)

    def penalised(self, missed: Array, params: Array) -> Float[Array, ""]:
        """Half the mean square of what is missed, summed over outputs, and the penalty."""
        squares = missed**2 if missed.ndim < 2 else jnp.sum(missed**2, axis=1)
        return 0.5 * jnp.mean(squares) + 0.5 * self.weight_decay * jnp.sum(params**2)


class TableProblem(LeastSquaresProblem):
    """Least squares on a user's own table, split anew by each seed.

    `centred`: rows and targets of the training part have mean 0, by their own means.
    """

    inputs: eqx.AbstractVar[Any]
    samples: eqx.AbstractVar[int]
    init_variance: eqx.AbstractVar[float]
    centred: AbstractClassVar[bool]

    @classmethod
    @abc.abstractmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "TableProblem":
        """The problem about this table, all else by default; `targets` are numbers, classes 0, 1, ... where named."""

    @classmethod
    @abc.abstractmethod
    def suits(cls, targets: Any) -> bool:
        """Whether such targets, an array of numbers or of names, are what it is about."""
