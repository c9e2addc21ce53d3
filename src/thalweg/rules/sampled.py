"""Stochastic gradient descent on a stored set of samples: batches drawn anew, or epochs in random order."""

from typing import Any

from ..words.fields import check_ranges, scalar, size
from ..words.problem import Rule
from .descent import GradientDescent, descended
from .discrete import DiscreteRule, Step
from .sources import Drawn, Shuffled, Source


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

    def __check_init__(self) -> None:
        check_ranges(self)
        if not isinstance(self.replacement, bool):
            raise ValueError(
                f"SGD: replacement = {self.replacement!r} is not allowed; give True (every step draws anew) or False "
                "(every epoch sees each sample once)."
            )

    @property
    def source(self) -> Source:
        # long enough that drawing in one go pays, short enough that a best time is still found to a few steps
        return (Drawn if self.replacement else Shuffled)("SGD", self.batch, block=8)

    @property
    def draws_anew(self) -> bool:
        return bool(self.replacement)

    def pace(self) -> Any:
        return self.learning_rate

    def begin(self, params: Any) -> Any:
        return ()

    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        return descended(params, step.slope(params), step.rates(params, self.learning_rate)), memory

    def descends(self, count: int | None = None) -> bool:
        return not self.replacement and self.batch == count

    def mean(self) -> Rule:
        return GradientDescent(self.learning_rate)

    def title(self) -> str:
        return "SGD" if self.replacement else "SGD without replacement"


def as_descent(rule: Rule, count: int) -> Rule:
    """Gradient descent in place of SGD that is nothing else on `count` samples; any other rule as it is."""
    return rule.mean() if rule.descends(count) else rule
