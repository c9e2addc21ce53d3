"""Problems on a user's own table, whatever system they belong to."""

import abc
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...data import columns
from ...words.problem import Remark, SampledProblem

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar

S = TypeVar("S", bound=eqx.Module)

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
SPLIT_REMARK = Remark(
    "Seeds split one data set again and again; their spread says little about another data set.",
    lambda problem: True,
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

    `centred`: rows and targets of the training part have mean 0, by their own means. `bias`: constant inputs 1 appended
    to every row, 0 or 1.
    """

    inputs: eqx.AbstractVar[Any]
    samples: eqx.AbstractVar[int]
    init_variance: eqx.AbstractVar[float]
    centred: AbstractClassVar[bool]
    bias: eqx.AbstractVar[int]

    @classmethod
    @abc.abstractmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "TableProblem":
        """The problem about this table, all else by default; `targets` are numbers, classes 0, 1, ... where named."""

    @classmethod
    @abc.abstractmethod
    def suits(cls, targets: Any) -> bool:
        """Whether such targets, an array of numbers or of names, are what it is about."""

    def random_weights(self, key: Array, *outputs: int) -> Float[Array, " p *outputs"]:
        """A start of independent entries of variance init_variance/p, a weight a column and output."""
        p = np.shape(self.inputs)[1]
        return jnp.sqrt(self.init_variance / p) * jax.random.normal(key, (p, *outputs), dtype=jnp.float64)


def check_rows(problem: TableProblem, answers: str) -> None:
    """ValueError unless inputs (N, p) and the field `answers` (N,) fit together."""
    rows, given = np.shape(problem.inputs), np.shape(getattr(problem, answers))
    if len(rows) != 2 or given != rows[:1]:
        raise ValueError(
            f"{type(problem).__name__}: inputs have shape {rows} and {answers} {given}; give inputs (points, features) "
            f"and one {answers.removesuffix('s')} a point."
        )


def sample_of(kind: type[S], raw: Any, parts: str) -> S:
    """A user's data set as `kind`, or the dictionary of its fields that a file gives back; ValueError for others."""
    if isinstance(raw, dict) and "test_inputs" in raw:
        raw = kind(**{k: np.asarray(v, dtype=np.float64) for k, v in raw.items()})
    if not isinstance(raw, kind):
        raise ValueError(f"data must be tw.{kind.__name__} with {parts} points.")
    return raw


def permuted(key: Array, sizes: Sequence[int], *columns: Array) -> list[tuple[Array, ...]]:
    """Rows in random order, cut into disjoint parts of these sizes."""
    order = jax.random.permutation(key, columns[0].shape[0])
    ends = np.cumsum([0, *sizes])
    return [tuple(c[order[low:high]] for c in columns) for low, high in itertools.pairwise(ends.tolist())]


def column_factor(deviation: Float[Array, " p"], inputs: Float[Array, "N p"], floor: Any) -> tuple[Array, Array]:
    """1/(deviation + floor) of each column, 0 for one that is constant to rounding; and which are not (p,)."""
    used = deviation > 1e-12 * jnp.max(jnp.abs(inputs), axis=0)
    return jnp.where(used, 1.0, 0.0) / jnp.where(used, deviation + floor, 1.0), used


def standardised(part: Float[Array, "n p"], centre: Float[Array, " p"], factor: Float[Array, " p"]) -> Array:
    """Columns shifted by their centres, times their factors."""
    return (part - centre[None, :]) * factor[None, :]
