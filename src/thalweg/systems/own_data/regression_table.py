"""Linear regression on a user's own table, with an honest split."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data import columns
from ...rules import GradientFlow, Nesterov
from ...words.fields import check_ranges, is_traced, vary
from ...words.problem import Event, Observable, Remark, Rule, always, array, scalar, size, starts_at_random
from ..shared.least_squares import (
    COLUMN_REMARKS,
    SPLIT_REMARK,
    TableProblem,
    TrainingPart,
    check_rows,
    four_fifths,
    own_scale,
    permuted,
    sample_of,
    standardised,
)
from ..shared.square_loss import BEST_LOSS, LARGEST_RATE, SQUARED_NORM, TEST_LOSS, TRAIN_LOSS, as_weights

# over five decades of flow time the best one differs by decades from split to split, at a few per cent of the loss:
# its mean is that of the few late ones, and no number of splits makes it sharp
BEST_TABLE_LOSS = dataclasses.replace(BEST_LOSS, bluntness=300.0)

# flow times at which a table is looked at where its columns are correlated
FLOW_END = 1000.0


def log_times(problem: Any, flow_end: float = FLOW_END, points: int = 200) -> np.ndarray:
    """0 and `points` times over five decades up to a flow time, on the rule's clock; whole steps where it has them."""
    unit = problem.rule.steps_per_unit(problem)
    if unit is None:
        return np.concatenate([[0.0], np.geomspace(1e-5 * flow_end, flow_end, points)])
    per_step = float(problem.rule.flow_time(problem, np.asarray([1.0 / unit]))[0])
    last = max(2.0, flow_end / per_step) if np.isfinite(per_step) else 1000.0
    steps = np.unique(np.round(np.geomspace(1.0, min(last, 100_000.0), points)))
    return np.concatenate([[0.0], steps]) / unit


class TableSample(eqx.Module):
    """Training and test part of a table, centred and scaled by the training part alone."""

    inputs: Float[Any, "n p"]
    targets: Float[Any, " n"]
    test_inputs: Float[Any, "t p"]
    test_targets: Float[Any, " t"]


class DatasetRegression(TableProblem):
    """Linear output m + w.x trained with the square loss on a user's own table of numbers.

    `inputs` (N, p), `targets` (N,), any real numbers. Each seed is a new split into two disjoint parts: `samples`
    training points, and all others as fresh test points, from which test_loss is measured.
    Preprocessing, from the training part alone: the mean m of the targets and of each column is taken away (that is
    the intercept, fitted in one stroke and never penalised; with intercept=0 nothing is, m = 0, and deviations are from
    0), each column is divided by (its standard deviation + deviation_floor),
    constant columns are set to 0, and one factor makes the mean variance of the others 1. Targets keep their unit:
    losses are in its square, weights in it.
    What scaling does: the flow learns the directions of the inputs in the order of their variance, each with the time
    constant 1/variance, and ridge shrinks those of small variance. With deviation_floor = 0 every column counts alike,
    whatever its unit; far above all deviations the columns keep their own sizes, and the large ones are learned first.
        f(x) = m + w.x,   objective = (1/2n) sum_i (y_i - w.x_i)^2 + (weight_decay/2) |w|^2,
    which the rule descends, so that ridge regression of strength weight_decay is the end of the path. Start:
    independent entries of variance init_variance/p.
    Clock: that of the rule. By default five decades of flow time, to 1000: correlated columns take long.
    Practical margin: 10 % of losses and norm.
    Errors: ValueError for entries that are not finite numbers, targets all alike, fewer points than asked.
    Source: Patil et al. 2024, leave-one-out on such data.
    """

    inputs: Float[Any, "N p"] = array("features, one row a point", symbol="x")
    targets: Float[Any, " N"] = array("what is to be predicted, one number a point", symbol="y")
    samples: int = size("number of training points (0: four fifths)", symbol="n", default=0, low=0)
    init_variance: float = scalar(
        "expected squared norm of the start", symbol="sigma^2", unit="targets squared", default=0.0, low=0.0
    )
    weight_decay: float = scalar("weight decay, the strength of ridge", symbol="gamma", default=0.0, low=0.0)
    deviation_floor: float = scalar("added to each standard deviation, units of the inputs", default=0.0, low=0.0)
    intercept: int = size("an intercept without penalty: 0 or 1", default=1, low=0, high=1)
    rule: Rule = GradientFlow()

    random: ClassVar = {"draw": always, "start": starts_at_random}
    observables: ClassVar[tuple[Observable, ...]] = (TRAIN_LOSS, TEST_LOSS, SQUARED_NORM)
    events: ClassVar[tuple[Event, ...]] = (BEST_TABLE_LOSS, LARGEST_RATE)
    margins: ClassVar[Mapping[str, float]] = {
        "train_loss": 0.1,
        "test_loss": 0.1,
        "squared_norm": 0.1,
        "best_time_loss": 0.5,
        "largest_stable_rate": 0.1,
    }
    remarks: ClassVar[tuple[Remark, ...]] = (
        *COLUMN_REMARKS,
        Remark(
            "The targets hold only a few whole numbers. If they name classes, use DatasetClasses, or DatasetClassifier "
            "for one against the rest: as numbers, class 2 counts as twice class 1.",
            lambda problem: columns.named_like_classes(problem.targets),
        ),
        SPLIT_REMARK,
    )

    def __post_init__(self) -> None:
        self.samples = self.samples or four_fifths(self.targets)

    def __check_init__(self) -> None:
        if is_traced(self.inputs):
            return
        check_ranges(self)
        check_rows(self, "targets")
        count = np.shape(self.targets)[0]
        if self.samples < 4 or count - self.samples < 4:
            raise ValueError(
                f"DatasetRegression: {count} points cannot give samples = {self.samples} to train and at least 4 to "
                f"test; lower samples to {max(count - 4, 0)} (4 at least) or give more points."
            )
        if np.ptp(np.asarray(self.targets)) == 0:
            raise ValueError(
                f"DatasetRegression: all targets are {float(self.targets[0]):g}; there is nothing to learn. "
                "Choose another column as target."
            )
        if columns.constant(self.inputs).size == np.shape(self.inputs)[1]:
            raise ValueError("DatasetRegression: all columns of inputs are constant; give at least one that varies.")

    @classmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "DatasetRegression":
        return cls(inputs=inputs, targets=targets, samples=samples)

    @classmethod
    def suits(cls, targets: Any) -> bool:
        return targets.dtype.kind != "U" and np.unique(targets).size != 2

    @property
    def appended(self) -> int:
        return 0

    def training(self, data: TableSample) -> TrainingPart:
        return TrainingPart(data.inputs, data.targets)

    def training_rows(self, key: Array) -> Array:
        sizes = self.samples, np.shape(self.targets)[0] - self.samples
        return permuted(key, sizes, jnp.arange(np.shape(self.targets)[0]))[0][0]

    def draw(self, key: Array) -> TableSample:
        inputs, targets = jnp.asarray(self.inputs), jnp.asarray(self.targets)
        sizes = self.samples, targets.shape[0] - self.samples
        (x, y), (xt, yt) = permuted(key, sizes, inputs, targets)
        centre, factor = own_scale(x, self.deviation_floor, self.centred)
        middle = jnp.mean(y) if self.intercept else 0.0
        return TableSample(standardised(x, centre, factor), y - middle, standardised(xt, centre, factor), yt - middle)

    def initial(self, key: Array, data: TableSample) -> Float[Array, " p"]:
        return self.random_weights(key)

    def observe(self, params: Float[Array, " p"], data: TableSample) -> dict[str, Array]:
        return {
            "train_loss": 0.5 * jnp.mean((data.targets - data.inputs @ params) ** 2),
            "test_loss": 0.5 * jnp.mean((data.test_targets - data.test_inputs @ params) ** 2),
            "squared_norm": jnp.sum(params**2),
        }

    def horizon(self) -> np.ndarray:
        return log_times(self)

    def as_data(self, raw: Any) -> TableSample:
        raw = sample_of(TableSample, raw, "training and test")
        for name in ("", "test_"):
            x, y = np.asarray(getattr(raw, f"{name}inputs")), np.asarray(getattr(raw, f"{name}targets"))
            if x.ndim != 2 or y.shape != x.shape[:1] or not np.all(np.isfinite(x)) or not np.all(np.isfinite(y)):
                raise ValueError(
                    f"data.{name}inputs {x.shape} and data.{name}targets {y.shape}: finite rows, one finite target "
                    "each, are wanted."
                )
        x, y = np.asarray(raw.inputs), np.asarray(raw.targets)
        if self.intercept and (
            np.any(np.abs(x.mean(axis=0)) > 1e-8 * np.abs(x).max(initial=0)) or abs(y.mean()) > 1e-8 * np.abs(y).max()
        ):
            raise ValueError(
                "data.inputs and data.targets must have mean 0 (the intercept is in the means); subtract the means of "
                "the training part from both parts."
            )
        return raw

    def as_start(self, raw: Any) -> np.ndarray:
        return as_weights(raw, np.shape(self.inputs)[1])

    @classmethod
    def examples(cls) -> tuple["DatasetRegression", ...]:
        from .examples import numbers

        first = cls(**numbers(), samples=20)
        return first, vary(first, {"samples": 6, "init_variance": 0.2, "rule": Nesterov(learning_rate=0.05)})
