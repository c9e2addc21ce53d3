"""What all problems about a user's own classes share: the three-way split, the preprocessing, the moments."""

import abc
import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.problem import Event, Remark, always, spread_times, starts_at_random
from ..shared.least_squares import (
    COLUMN_REMARKS,
    SPLIT_REMARK,
    TableProblem,
    TrainingPart,
    column_factor,
    own_scale,
    permuted,
    spread_over_classes,
    standardised,
)
from ..shared.square_loss import BEST_LOSS, LARGEST_RATE

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar

# so little of the direction of leaving counts beside an intercept as the limit t -> 0+ does
TRACE = 1e-9

# on real data the optimum is flatter still: times a factor of 4 apart often differ by 1 % in loss
BEST_DATA_LOSS = dataclasses.replace(BEST_LOSS, bluntness=6.0)


class ClassMoments(NamedTuple):
    """Means (p, K) and fractions (K,) of the classes, their covariances (K, p, p), and the pooled one (p, p).

    Where one covariance stands for all classes, `covariances` (1, p, p) holds the pooled one.
    """

    means: Array
    fractions: Array
    covariances: Array
    pooled: Array

    @property
    def kinds(self) -> list[list[int]]:
        """The classes that share each of the covariances."""
        classes = list(range(self.fractions.shape[0]))
        return [classes] if self.covariances.shape[0] == 1 else [[k] for k in classes]


@partial(jax.jit, static_argnums=(2, 3))
def moments_by_class(
    inputs: Float[Array, "m p"], numbers: Float[Array, " m"], classes: int, one_covariance: bool = False
) -> ClassMoments:
    """Sample moments of the classes 0 .. K-1; covariances are unbiased, those of absent classes are 0."""
    members = one_hot(numbers, classes).astype(inputs.dtype)
    counts = jnp.sum(members, axis=0)
    means = inputs.T @ members / jnp.maximum(counts, 1.0)[None, :]
    centred = inputs - members @ means.T
    freedom, fractions = numbers.shape[0] - classes, counts / numbers.shape[0]
    if one_covariance:
        pooled = centred.T @ centred / freedom
        return ClassMoments(means, fractions, pooled[None], pooled)
    scatter = jnp.einsum("mk,mi,mj->kij", members, centred, centred)
    own = scatter / jnp.maximum(counts - 1, 1.0)[:, None, None]
    return ClassMoments(means, fractions, own, jnp.sum(scatter, axis=0) / freedom)


def one_hot(numbers: Float[Array, " n"], classes: int) -> Float[Array, "n K"]:
    """1 for the own class, else 0."""
    return 1.0 * (numbers[:, None] == jnp.arange(classes)[None, :])


class Part(NamedTuple):
    """Rows of a split, standardised, and the numbers 0, 1, ... of their classes."""

    inputs: Float[Array, "n p"]
    numbers: Float[Array, " n"]


class ClassTable(TableProblem):
    """Classes of a user's own table told apart by linear outputs under the square loss.

    Each seed splits the table into three disjoint parts, with each class in its share: `samples` training points,
    `moments` points for the moments of a mixture theory (0: two thirds of what is left), and all others as fresh test
    points. Preprocessing, from the training part alone: means taken away from features and targets (the intercept,
    which is never penalised), each feature divided by (its standard deviation + deviation_floor), features that do not
    move set to 0, one factor so that the mean variance of the others is 1.
    With intercept=0, as in the source: parts are drawn without regard to classes, and the moment part alone gives the
    centre, the scale (within-class standard deviations) and the factor (mean within-class variance 1); targets stay.
    `one_covariance`: whether a theory takes one measured covariance for all classes, or one for each.
    """

    labels: eqx.AbstractVar[Any]
    moments: eqx.AbstractVar[int]
    classes: eqx.AbstractVar[int]
    deviation_floor: eqx.AbstractVar[float]
    rule: eqx.AbstractVar[Any]
    one_covariance: AbstractClassVar[bool]

    random: ClassVar = {"draw": always, "start": starts_at_random}
    events: ClassVar[tuple[Event, ...]] = (BEST_DATA_LOSS, LARGEST_RATE)
    margins: ClassVar[Mapping[str, float]] = {
        "train_loss": 0.1,
        "test_loss": 0.1,
        "squared_norm": 0.1,
        "train_accuracy": 0.03,
        "test_accuracy": 0.03,
        "best_time_loss": 0.5,
        "largest_stable_rate": 0.1,
    }
    remarks: ClassVar[tuple[Remark, ...]] = (*COLUMN_REMARKS, SPLIT_REMARK)

    @classmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "ClassTable":
        return cls(inputs=inputs, labels=targets, samples=samples)  # pyright: ignore[reportCallIssue]

    @abc.abstractmethod
    def aims(self) -> Float[np.ndarray, "K outputs"]:
        """The target of each class, in their order."""

    @abc.abstractmethod
    def numbers(self, labels: Float[Array, " n"]) -> Float[Array, " n"]:
        """The class numbers 0, 1, ... of labels as a draw holds them."""

    def parts(self) -> tuple[int, int, int]:
        """Sizes of the training, moment and test parts."""
        rest = np.shape(self.labels)[0] - self.samples
        moments = self.moments or (2 * rest) // 3
        return self.samples, moments, rest - moments

    def moments_of(self, inputs: Float[Array, "m p"], numbers: Float[Array, " m"]) -> ClassMoments:
        """Moments of some rows, from their pooled mean where there is an intercept."""
        found = moments_by_class(inputs, numbers, self.classes, self.one_covariance)
        if not self.intercept:
            return found
        return found._replace(means=found.means - (found.means @ found.fractions)[:, None])

    def told_apart(self, fractions: Float[Array, " K"]) -> Float[Array, "K outputs"]:
        """The target of each class, from their mean over rows with these fractions where there is an intercept."""
        aims = jnp.asarray(self.aims())
        return aims - (fractions @ aims)[None, :] if self.intercept else aims

    def deciding(self, params: Array, part: TrainingPart) -> Array:
        """The weights, or at a zero start a trace of the direction in which they leave it: the limit t -> 0+."""
        # no conditional: it would copy the inputs at every step of a loop, while this product does not change in it
        leaving = TRACE / part.inputs.shape[0] * (part.inputs.T @ part.targets)
        return jnp.where(jnp.any(params != 0), params, leaving)

    def ranks(self) -> Float[Array, " N"]:
        """The number of each row's class: the rank of its label among the different ones."""
        values = jnp.asarray(self.labels)
        first = jnp.sort(values)
        rises = jnp.concatenate([jnp.zeros(1), jnp.cumsum(first[1:] > first[:-1])])
        return rises[jnp.searchsorted(first, values)]

    def scaled_by(self, part: Part, inputs: Float[Array, "n p"]) -> Float[Array, "n p"]:
        """Rows, standardised by a part of the table."""
        if self.intercept:
            return standardised(inputs, *own_scale(part.inputs, self.deviation_floor, True))
        within = jnp.sqrt(jnp.diagonal(self.moments_of(*part).pooled))
        factor, _ = column_factor(within, part.inputs, self.deviation_floor)
        factor = factor / jnp.sqrt(jnp.mean((within * factor) ** 2))
        return standardised(inputs, jnp.mean(part.inputs, axis=0), factor)

    def _cut(self, key: Array, *columns: Array) -> list[tuple[Array, ...]]:
        if self.intercept:
            return spread_over_classes(key, self.parts(), self.ranks(), *columns)
        return permuted(key, self.parts(), *columns)

    def training_rows(self, key: Array) -> Array:
        return self._cut(key, jnp.arange(np.shape(self.labels)[0]))[0][0]

    def split(self, key: Array) -> tuple[Part, Part, Part]:
        """Training, moment and test part."""
        train, moment, test = (Part(*one) for one in self._cut(key, jnp.asarray(self.inputs), self.ranks()))
        measured = train if self.intercept else moment
        return tuple(Part(self.scaled_by(measured, x), y) for x, y in (train, moment, test))  # pyright: ignore

    @classmethod
    def brought_on(cls, fields: dict[str, Any]) -> dict[str, Any]:
        # files from before there was an intercept
        return {"intercept": 0, **fields}

    def whole(self) -> Part:
        """All rows, standardised by themselves."""
        part = Part(jnp.asarray(self.inputs), self.ranks())
        return Part(self.scaled_by(part, part.inputs), part.numbers)

    def horizon(self) -> np.ndarray:
        return spread_times(self, 10.0)


def check_shares(problem: ClassTable, counts: np.ndarray) -> None:
    """ValueError where the training part would hold no row of some class."""
    rows, least = int(counts.sum()), int(counts.min())
    if problem.intercept and problem.samples * least <= 0.5 * rows:
        raise ValueError(
            f"{type(problem).__name__}: the rarest class has {least} of {rows} rows, so that samples = "
            f"{problem.samples} training points hold none of it; raise samples to {rows // (2 * least) + 1} or more."
        )


def check_centre(problem: ClassTable, inputs: Any) -> None:
    """ValueError where rows given as training part of a problem with an intercept have another mean than 0."""
    x = np.asarray(inputs)
    if problem.intercept and np.any(np.abs(x.mean(axis=0)) > 1e-8 * np.abs(x).max(initial=0)):
        raise ValueError(
            "data.inputs must have mean 0 (the intercept is in the means); subtract the means of the training part "
            "from all parts, or set intercept=0."
        )
