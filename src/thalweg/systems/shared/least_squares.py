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
    pass
else:
    pass

# rows of a class in the smallest part, in the mean, below which chance is not trusted with them
FEW = 12
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
    """Rows and targets that a rule descends on, as it sees them; targets (n,), or (n, K) for K outputs.

    `middle`: what was taken from the targets, and belongs to every output: the intercept, a number or (K,).
    """

    inputs: Float[Array, "n p"]
    targets: Float[Array, " n *outputs"]
    middle: Float[Array, "*outputs"] | float = 0.0


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
        part = self.training(data)
        return self.penalised(part.targets - part.inputs @ params, params)

    def sample_count(self, data: Any) -> int:
        return self.training(data).targets.shape[0]

    def batch_objective(
        self, params: Float[Array, " p *outputs"], data: Any, indices: Int[Array, " batch"]
    ) -> Float[Array, ""]:
        part = self.training(data)
        inputs, targets = jnp.asarray(part.inputs)[indices], jnp.asarray(part.targets)[indices]
        return self.penalised(targets - inputs @ params, params)

    def penalised(self, missed: Array, params: Array) -> Float[Array, ""]:
        """Half the mean square of what is missed, summed over outputs, and the penalty."""
        squares = missed**2 if missed.ndim < 2 else jnp.sum(missed**2, axis=1)
        return 0.5 * jnp.mean(squares) + 0.5 * self.weight_decay * jnp.sum(params**2)


class TableProblem(LeastSquaresProblem):
    """Least squares on a user's own table, split anew by each seed.

    `intercept`, 1 or 0: whether an intercept without penalty is fitted, in one stroke: rows and targets of the training
    part have mean 0, by their own means. `appended`: constant inputs 1 at the end of every row, 0 or 1.
    """

    inputs: eqx.AbstractVar[Any]
    samples: eqx.AbstractVar[int]
    init_variance: eqx.AbstractVar[float]
    intercept: eqx.AbstractVar[int]

    @property
    def centred(self) -> bool:
        """Whether the training part has mean 0."""
        return bool(self.intercept)

    @property
    @abc.abstractmethod
    def appended(self) -> int:
        """Constant inputs 1 at the end of every row, whose weights are learned and penalised like the others."""

    @classmethod
    @abc.abstractmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "TableProblem":
        """The problem about this table, all else by default; `targets` are numbers, classes 0, 1, ... where named."""

    @classmethod
    @abc.abstractmethod
    def suits(cls, targets: Any) -> bool:
        """Whether such targets, an array of numbers or of names, are what it is about."""

    @abc.abstractmethod
    def training_rows(self, key: Array) -> Int[Array, " n"]:
        """Which rows of the table the split of this key trains on."""

    def random_weights(self, key: Array, *outputs: int) -> Float[Array, " p *outputs"]:
        """A start of independent entries of variance init_variance/p, a weight a column and output."""
        p = np.shape(self.inputs)[1]
        return jnp.sqrt(self.init_variance / p) * jax.random.normal(key, (p, *outputs), dtype=jnp.float64)


def four_fifths(answers: Any) -> int:
    """How many rows train where nothing is said."""
    return 4 * np.shape(answers)[0] // 5 if np.ndim(answers) else 0


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


def spread_over_classes(
    key: Array, sizes: Sequence[int], numbers: Float[Array, " N"], *columns: Array
) -> list[tuple[Array, ...]]:
    """Disjoint parts of these sizes, rows in random order, in which no class is left out by chance.

    Of a class with few rows to the smallest part (`FEW` in the mean) every part gets its share, to one row: row r of
    its c rows stands at (r + 1/2)/c, all other rows anywhere in [0, 1], and the parts are cut in the order of that.
    The shares of common classes vary as they do among rows that are drawn.
    """
    count = numbers.shape[0]
    shuffled, anywhere = jax.random.split(key)
    order = jax.random.permutation(shuffled, count)
    order = order[jnp.argsort(numbers[order], stable=True)]
    kinds = numbers[order]
    first, end = jnp.searchsorted(kinds, kinds), jnp.searchsorted(kinds, kinds, side="right")
    place = (jnp.arange(count) - first + 0.5) / (end - first)
    rare = (end - first) * min(s for s in sizes if s) < FEW * count
    chance = jax.random.uniform(anywhere, (count,), dtype=place.dtype)
    # equal places, as rare classes of equal size have them, in random order
    order = order[jnp.argsort(jnp.where(rare, place + 1e-9 * chance, chance))]
    ends = np.cumsum([0, *sizes])
    return [tuple(c[order[low:high]] for c in columns) for low, high in itertools.pairwise(ends.tolist())]


def own_scale(part: Float[Array, "n p"], floor: Any, centred: bool) -> tuple[Array, Array]:
    """Centre (p,) and factor (p,) of the columns of a training part, from its own rows alone.

    Centre: the means, or 0. Factor: 1/(deviation from the centre + floor), 0 for columns that do not move, times what
    makes the mean square of the others 1.
    """
    centre = jnp.mean(part, axis=0) if centred else jnp.zeros(part.shape[1], part.dtype)
    deviation = jnp.sqrt(jnp.mean((part - centre[None, :]) ** 2, axis=0))
    factor, used = column_factor(deviation, part, floor)
    power = jnp.sum((deviation * factor) ** 2) / jnp.maximum(jnp.sum(used), 1)
    return centre, factor / jnp.sqrt(jnp.where(power > 0, power, 1.0))


def column_factor(deviation: Float[Array, " p"], part: Float[Array, "n p"], floor: Any) -> tuple[Array, Array]:
    """1/(deviation + floor) of each column, 0 for one that is constant to rounding in this part; and which are not."""
    used = deviation > 1e-12 * jnp.max(jnp.abs(part), axis=0)
    return jnp.where(used, 1.0, 0.0) / jnp.where(used, deviation + floor, 1.0), used


def standardised(part: Float[Array, "n p"], centre: Float[Array, " p"], factor: Float[Array, " p"]) -> Array:
    """Columns shifted by their centres, times their factors."""
    return (part - centre[None, :]) * factor[None, :]
