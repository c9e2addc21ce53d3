"""Problems on a user's own table, whatever system they belong to."""

import abc
from typing import TYPE_CHECKING, Any, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float

from .problem import Problem

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar


class TrainingPart(NamedTuple):
    """Rows and targets that a rule descends on, as it sees them."""

    inputs: Float[Array, "n p"]
    targets: Float[Array, " n"]


class TableProblem(Problem):
    """Least squares on a user's own table, split anew by each seed.

    `centred`: rows and targets of the training part have mean 0, by their own means.
    """

    inputs: eqx.AbstractVar[Any]
    samples: eqx.AbstractVar[int]
    init_variance: eqx.AbstractVar[float]
    weight_decay: eqx.AbstractVar[float]
    centred: AbstractClassVar[bool]

    @classmethod
    @abc.abstractmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "TableProblem":
        """The problem about this table, all else by default."""

    @classmethod
    @abc.abstractmethod
    def suits(cls, targets: Any) -> bool:
        """Whether such targets are what it is about."""

    @abc.abstractmethod
    def training(self, data: Any) -> TrainingPart:
        """The training part of a draw."""
