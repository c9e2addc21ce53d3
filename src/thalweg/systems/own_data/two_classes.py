"""A linear classifier on a user's own two-class data, with an honest three-way split."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...rules import GradientFlow
from ...words.fields import check_ranges, is_traced
from ...words.problem import (
    Event,
    Observable,
    Remark,
    Rule,
    always,
    array,
    scalar,
    size,
    spread_times,
    starts_at_random,
)
from ..shared.least_squares import COLUMN_REMARKS, TableProblem, TrainingPart
from ..shared.square_loss import BEST_LOSS, LARGEST_RATE, SQUARED_NORM, TEST_LOSS, TRAIN_LOSS, as_weights
from ..shared.two_class_outputs import TEST_ACCURACY, TRAIN_ACCURACY, direction

# on real data the optimum is flatter still: times a factor of 4 apart often differ by 1 % in loss
BEST_DATA_LOSS = dataclasses.replace(BEST_LOSS, bluntness=6.0)


class SplitSample(eqx.Module):
    """Three disjoint parts of a data set, standardised alike: training points, points for moments, test points."""

    inputs: Float[Any, "n p"]
    labels: Float[Any, " n"]
    moment_inputs: Float[Any, "m p"]
    moment_labels: Float[Any, " m"]
    test_inputs: Float[Any, "t p"]
    test_labels: Float[Any, " t"]


class Moments(NamedTuple):
    """Class means (p, 2) of labels -1 and +1, their fractions (2,), and the pooled within-class covariance (p, p)."""

    means: Array
    fractions: Array
    covariance: Array


@jax.jit
def class_moments(inputs: Float[Array, "m p"], labels: Float[Array, " m"]) -> Moments:
    """Sample moments of two classes; the covariance is unbiased."""
    members = jnp.stack([labels < 0, labels > 0], axis=1).astype(inputs.dtype)
    counts = jnp.sum(members, axis=0)
    means = inputs.T @ members / counts[None, :]
    centred = inputs - members @ means.T
    return Moments(means, counts / labels.shape[0], centred.T @ centred / (labels.shape[0] - 2))


class DatasetClassifier(TableProblem):
    """Linear output w.x trained with the square loss on a user's own two-class data.

    `inputs` (N, p), `labels` (N,) with two different values (the smaller becomes -1). Each seed is a new split into
    three disjoint parts: `samples` training points, `moments` points for population means and covariances (0: two
    thirds of what is left), and all others as fresh test points, from which the test observables are measured.
    Preprocessing, from the moment part alone: pooled mean subtracted, each feature divided by (within-class standard
    deviation + deviation_floor), constant features set to 0, one factor so that the mean within-class variance is 1.
    Loss: (1/2n) sum (y_i - w.x_i)^2 plus (weight_decay/2)|w|^2 in what the rule descends; no intercept beyond the
    centring. Start: independent entries of variance init_variance/p. Clock: that of the rule.
    Practical margin: 10 % of the losses and of the norm, 3 % in accuracies, since real data keep no law exactly.
    Errors: ValueError for one class only, entries that are not finite numbers, fewer points than asked.
    Source: card of the linear classifier, real data; Couillet & Liao 2022, section 5.2.
    """

    inputs: Float[Any, "N p"] = array("features, one row a point", symbol="x")
    labels: Float[Any, " N"] = array("labels, two different values", symbol="y")
    samples: int = size("number of training points", symbol="n", default=200, low=4)
    moments: int = size("points for population moments (0: two thirds of the rest)", symbol="m", default=0, low=0)
    init_variance: float = scalar("expected squared norm of the start", symbol="sigma^2", default=0.0, low=0.0)
    weight_decay: float = scalar("weight decay", symbol="gamma", default=0.0, low=0.0)
    deviation_floor: float = scalar("added to each standard deviation, units of the inputs", default=0.0, low=0.0)
    rule: Rule = GradientFlow()

    # the centre is that of the moment part
    random: ClassVar = {"draw": always, "start": starts_at_random}
    centred: ClassVar[bool] = False
    observables: ClassVar[tuple[Observable, ...]] = (
        TRAIN_LOSS,
        TEST_LOSS,
        TRAIN_ACCURACY,
        TEST_ACCURACY,
        SQUARED_NORM,
    )
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
    remarks: ClassVar[tuple[Remark, ...]] = (
        *COLUMN_REMARKS,
        Remark(
            "The start is zero, where accuracy is 0/0: its value at time 0 is the limit t -> 0+.",
            lambda problem: problem.init_variance == 0,
        ),
        Remark(
            "Seeds split one data set again and again; their spread says little about another data set.",
            lambda problem: True,
        ),
    )

    def __check_init__(self) -> None:
        if is_traced(self.inputs):
            return
        check_ranges(self)
        if np.ndim(self.inputs) != 2 or np.shape(self.labels) != (np.shape(self.inputs)[0],):
            raise ValueError(
                f"DatasetClassifier: inputs have shape {np.shape(self.inputs)} and labels {np.shape(self.labels)}; "
                "give inputs (points, features) and one label a point."
            )
        values, counts = np.unique(np.asarray(self.labels), return_counts=True)
        if values.size != 2:
            raise ValueError(
                f"DatasetClassifier: the labels hold {values.size} different values; give exactly two classes, or "
                "use DatasetClasses for more."
            )
        parts = self.parts()
        if min(parts[1:]) < 4 or counts.min() < 4:
            raise ValueError(
                f"DatasetClassifier: {len(self.labels)} points ({counts[0]} and {counts[1]} a class) cannot give "
                f"{parts[0]} to train, {parts[1]} for moments and {parts[2]} to test, at least 4 each; "
                "lower samples or moments."
            )

    @classmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "DatasetClassifier":
        return cls(inputs=inputs, labels=targets, samples=samples)

    @classmethod
    def suits(cls, targets: Any) -> bool:
        return np.unique(targets).size == 2

    def training(self, data: SplitSample) -> TrainingPart:
        return TrainingPart(data.inputs, data.labels)

    def parts(self) -> tuple[int, int, int]:
        """Sizes of the training, moment and test parts."""
        rest = np.shape(self.labels)[0] - self.samples
        moments = self.moments or (2 * rest) // 3
        return self.samples, moments, rest - moments

    def draw(self, key: Array) -> SplitSample:
        n, m, _ = self.parts()
        inputs, values = jnp.asarray(self.inputs), jnp.asarray(self.labels)
        labels = jnp.where(values > jnp.min(values), 1.0, -1.0)
        order = jax.random.permutation(key, labels.shape[0])
        parts = [(inputs[i], labels[i]) for i in (order[:n], order[n : n + m], order[n + m :])]
        (x, y), (xm, ym), (xt, yt) = parts
        within = jnp.sqrt(jnp.diagonal(class_moments(xm, ym).covariance))
        used = within > 1e-12 * jnp.max(jnp.abs(inputs), axis=0)
        divisor = jnp.where(used, within + self.deviation_floor, 1.0)
        factor = jnp.where(used, 1.0, 0.0) / divisor
        factor = factor / jnp.sqrt(jnp.mean((within * factor) ** 2))
        centre = jnp.mean(xm, axis=0)

        def scaled(part: Array) -> Array:
            return (part - centre[None, :]) * factor[None, :]

        return SplitSample(scaled(x), y, scaled(xm), ym, scaled(xt), yt)

    def initial(self, key: Array, data: SplitSample) -> Float[Array, " p"]:
        p = data.inputs.shape[1]
        return jnp.sqrt(self.init_variance / p) * jax.random.normal(key, (p,), dtype=jnp.float64)

    def observe(self, params: Float[Array, " p"], data: SplitSample) -> dict[str, Array]:
        towards = direction(params, data.inputs, data.labels)

        def loss(x: Array, y: Array) -> Array:
            return 0.5 * jnp.mean((y - x @ params) ** 2)

        def accuracy(x: Array, y: Array) -> Array:
            return jnp.mean((y * (x @ towards) > 0).astype(params.dtype))

        return {
            "train_loss": loss(data.inputs, data.labels),
            "test_loss": loss(data.test_inputs, data.test_labels),
            "train_accuracy": accuracy(data.inputs, data.labels),
            "test_accuracy": accuracy(data.test_inputs, data.test_labels),
            "squared_norm": jnp.sum(params**2),
        }

    def horizon(self) -> np.ndarray:
        return spread_times(self, 10.0)

    def as_data(self, raw: Any) -> SplitSample:
        if isinstance(raw, dict) and "test_inputs" in raw:
            raw = SplitSample(**{k: np.asarray(v, dtype=np.float64) for k, v in raw.items()})
        if not isinstance(raw, SplitSample):
            raise ValueError("data must be tw.SplitSample with training, moment and test points.")
        for name in ("", "moment_", "test_"):
            x, y = np.asarray(getattr(raw, f"{name}inputs")), np.asarray(getattr(raw, f"{name}labels"))
            if x.ndim != 2 or y.shape != x.shape[:1] or not np.all(np.abs(y) == 1) or not np.all(np.isfinite(x)):
                raise ValueError(
                    f"data.{name}inputs {x.shape} and labels {y.shape}: finite rows and +-1 labels are wanted."
                )
        return raw

    def as_start(self, raw: Any) -> np.ndarray:
        return as_weights(raw, np.shape(self.inputs)[1])
