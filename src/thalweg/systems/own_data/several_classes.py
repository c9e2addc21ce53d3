"""A linear classifier on a user's own data of several classes: one output a class, and a bias."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...rules import GradientFlow
from ...words.fields import check_ranges, floats, is_traced
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
from ..shared.square_loss import LARGEST_RATE, SQUARED_NORM, TEST_LOSS, TRAIN_LOSS
from ..shared.two_class_outputs import TEST_ACCURACY, accuracy
from .two_classes import BEST_DATA_LOSS, DatasetClassifier

SUMMED = "half the mean squared error, summed over outputs"


class ClassSample(eqx.Module):
    """Training, moment and test points, standardised alike; labels are class numbers 0, 1, ... as floats.

    Training and test inputs have a last column of ones where there is a bias; moment inputs have none.
    """

    inputs: Float[Any, "n d"]
    labels: Float[Any, " n"]
    moment_inputs: Float[Any, "m p"]
    moment_labels: Float[Any, " m"]
    test_inputs: Float[Any, "t d"]
    test_labels: Float[Any, " t"]


class ClassMoments(NamedTuple):
    """Means (p, K), fractions (K,), covariances (K, p, p) of the classes, and the pooled one (p, p)."""

    means: Array
    fractions: Array
    covariances: Array
    pooled: Array


@partial(jax.jit, static_argnums=2)
def moments_by_class(inputs: Float[Array, "m p"], labels: Float[Array, " m"], classes: int) -> ClassMoments:
    """Sample moments of the classes 0 .. K-1; covariances are unbiased, those of absent classes are 0."""
    members = (labels[:, None] == jnp.arange(classes)[None, :]).astype(inputs.dtype)
    counts = jnp.sum(members, axis=0)
    means = inputs.T @ members / jnp.maximum(counts, 1.0)[None, :]
    centred = inputs - members @ means.T
    scatter = jnp.einsum("mk,mi,mj->kij", members, centred, centred)
    own = scatter / jnp.maximum(counts - 1, 1.0)[:, None, None]
    pooled = jnp.sum(scatter, axis=0) / (labels.shape[0] - classes)
    return ClassMoments(means, counts / labels.shape[0], own, pooled)


def one_hot(labels: Float[Array, " n"], classes: int) -> Float[Array, "n K"]:
    """1 for the own class, else 0."""
    return 1.0 * (labels[:, None] == jnp.arange(classes)[None, :])


class DatasetClasses(TableProblem):
    """Linear outputs W'x + b, one a class, trained with the square loss on one-hot targets: a user's own data.

    `inputs` (N, p), `labels` (N,) with K different numbers, K >= 2; outputs follow them in order. Each seed is a new
    split into `samples` training points, `moments` points for population moments (0: two thirds of the rest), and
    test points; preprocessing as in DatasetClassifier, from the moment part: pooled mean subtracted, each feature
    over its within-class deviation + deviation_floor, one factor so that the mean within-class variance is 1.
    Loss: (1/2n) sum_i |t_i - W'x_i - b|^2, t_i one-hot; the rule descends it plus (weight_decay/2)(|W|^2 + |b|^2).
    `bias=1` (default) adds b, which starts at 0; W (p, K) starts with entries of variance init_variance/p. The bias is
    the last row of the parameters. `squared_norm` is |W|^2. The class with the largest output is the answer.
    Clock: that of the rule. Practical margins as for two classes.
    Errors: ValueError for one class, classes of fewer than 8 points, entries that are not finite numbers, fewer points
    than asked. Two classes: DatasetClassifier has one output and no bias.
    Source: card of the linear classifier, section 2.8.
    """

    inputs: Float[Any, "N p"] = array("features, one row a point", symbol="x")
    labels: Float[Any, " N"] = array("labels, two or more different values", symbol="y")
    samples: int = size("number of training points", symbol="n", default=200, low=4)
    moments: int = size("points for population moments (0: two thirds of the rest)", symbol="m", default=0, low=0)
    classes: int = size("number of classes (0: counted)", symbol="K", default=0, low=0)
    bias: int = size("constant inputs 1 appended to every point: 0 or 1", default=1, low=0, high=1)
    init_variance: float = scalar("expected squared norm of each output's start", default=0.0, low=0.0)
    weight_decay: float = scalar("weight decay", symbol="gamma", default=0.0, low=0.0)
    deviation_floor: float = scalar("added to each standard deviation, units of the inputs", default=0.0, low=0.0)
    rule: Rule = GradientFlow()

    random: ClassVar = {"draw": always, "start": starts_at_random}
    centred: ClassVar[bool] = False
    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("train_loss", f"training loss, {SUMMED}", TRAIN_LOSS.symbol, low=0.0),
        Observable("test_loss", f"test loss, {SUMMED}", TEST_LOSS.symbol, low=0.0),
        accuracy("train_accuracy", "training accuracy"),
        TEST_ACCURACY,
        SQUARED_NORM,
    )
    events: ClassVar[tuple[Event, ...]] = (BEST_DATA_LOSS, LARGEST_RATE)
    margins: ClassVar[Mapping[str, float]] = DatasetClassifier.margins
    remarks: ClassVar[tuple[Remark, ...]] = (
        *COLUMN_REMARKS,
        Remark(
            "The start is zero, where all outputs are alike: accuracy at time 0 is the limit t -> 0+.",
            lambda problem: problem.init_variance == 0,
        ),
        Remark(
            "Seeds split one data set again and again; their spread says little about another data set.",
            lambda problem: True,
        ),
    )

    def __post_init__(self) -> None:
        labels = floats(self.labels)
        if isinstance(labels, np.ndarray) and labels.dtype.kind == "f" and self.classes == 0:
            self.classes = int(np.unique(labels).size)

    def __check_init__(self) -> None:
        if is_traced(self.inputs):
            return
        check_ranges(self)
        if np.ndim(self.inputs) != 2 or np.shape(self.labels) != (np.shape(self.inputs)[0],):
            raise ValueError(
                f"DatasetClasses: inputs have shape {np.shape(self.inputs)} and labels {np.shape(self.labels)}; "
                "give inputs (points, features) and one label a point."
            )
        values, counts = np.unique(np.asarray(self.labels), return_counts=True)
        if values.size < 2 or counts.min() < 8:
            raise ValueError(
                f"DatasetClasses: the labels hold {values.size} different values, the rarest {counts.min()} times; "
                "give two or more classes of 8 points each (are the labels measurements? then this is regression)."
            )
        if self.classes != values.size:
            raise ValueError(
                f"DatasetClasses: classes = {self.classes}, but the labels hold {values.size} different values; leave "
                "classes out."
            )
        parts = self.parts()
        if min(parts[1:]) < max(4, values.size + 1):
            raise ValueError(
                f"DatasetClasses: {len(self.labels)} points cannot give {parts[0]} to train, {parts[1]} for moments "
                f"and {parts[2]} to test, at least {max(4, values.size + 1)} each; lower samples or moments."
            )

    def parts(self) -> tuple[int, int, int]:
        """Sizes of the training, moment and test parts."""
        rest = np.shape(self.labels)[0] - self.samples
        moments = self.moments or (2 * rest) // 3
        return self.samples, moments, rest - moments

    @property
    def outputs(self) -> int:
        return self.classes

    def draw(self, key: Array) -> ClassSample:
        n, m, _ = self.parts()
        inputs, values = jnp.asarray(self.inputs), jnp.asarray(self.labels)
        # the rank of a label among the different ones
        first = jnp.sort(values)
        rises = jnp.concatenate([jnp.zeros(1), jnp.cumsum(first[1:] > first[:-1])])
        labels = rises[jnp.searchsorted(first, values)]
        order = jax.random.permutation(key, labels.shape[0])
        (x, y), (xm, ym), (xt, yt) = ((inputs[i], labels[i]) for i in (order[:n], order[n : n + m], order[n + m :]))
        factor, centre = scaling(xm, ym, inputs, self.classes, self.deviation_floor)

        def scaled(part: Array) -> Array:
            return (part - centre[None, :]) * factor[None, :]

        def extended(part: Array) -> Array:
            return jnp.concatenate([scaled(part), jnp.ones((part.shape[0], self.bias))], axis=1)

        return ClassSample(extended(x), y, scaled(xm), ym, extended(xt), yt)

    def initial(self, key: Array, data: ClassSample) -> Float[Array, "d K"]:
        p = np.shape(self.inputs)[1]
        weights = jnp.sqrt(self.init_variance / p) * jax.random.normal(key, (p, self.classes), dtype=jnp.float64)
        return jnp.concatenate([weights, jnp.zeros((self.bias, self.classes))])

    @classmethod
    def from_table(cls, inputs: Any, targets: Any, samples: int) -> "DatasetClasses":
        return cls(inputs=inputs, labels=targets, samples=samples)

    @classmethod
    def suits(cls, targets: Any) -> bool:
        # numbers stay numbers: only names are taken for classes
        return targets.dtype.kind == "U" and np.unique(targets).size > 2

    def training(self, data: ClassSample) -> TrainingPart:
        return TrainingPart(jnp.asarray(data.inputs), one_hot(jnp.asarray(data.labels), self.classes))

    def _loss(self, params: Float[Array, "d K"], inputs: Array, labels: Array) -> Float[Array, ""]:
        missed = one_hot(jnp.asarray(labels), self.classes) - inputs @ params
        return 0.5 * jnp.sum(missed**2) / labels.shape[0]

    def observe(self, params: Float[Array, "d K"], data: ClassSample) -> dict[str, Array]:
        # at a zero start the direction in which the weights leave it
        leaving = data.inputs.T @ one_hot(jnp.asarray(data.labels), self.classes)
        towards = jnp.where(jnp.any(params != 0), params, leaving)

        def right(inputs: Array, labels: Array) -> Array:
            return jnp.mean((jnp.argmax(inputs @ towards, axis=1) == labels).astype(params.dtype))

        p = params.shape[0] - self.bias
        return {
            "train_loss": self._loss(params, data.inputs, data.labels),
            "test_loss": self._loss(params, data.test_inputs, data.test_labels),
            "train_accuracy": right(data.inputs, data.labels),
            "test_accuracy": right(data.test_inputs, data.test_labels),
            "squared_norm": jnp.sum(params[:p] ** 2),
        }

    def horizon(self) -> np.ndarray:
        return spread_times(self, 10.0)

    def as_data(self, raw: Any) -> ClassSample:
        if isinstance(raw, dict) and "test_inputs" in raw:
            raw = ClassSample(**{k: np.asarray(v, dtype=np.float64) for k, v in raw.items()})
        if not isinstance(raw, ClassSample):
            raise ValueError("data must be tw.ClassSample with training, moment and test points.")
        for name, width in (("", self.bias), ("moment_", 0), ("test_", self.bias)):
            x, y = np.asarray(getattr(raw, f"{name}inputs")), np.asarray(getattr(raw, f"{name}labels"))
            fits = x.ndim == 2 and x.shape[1] == np.shape(self.inputs)[1] + width and y.shape == x.shape[:1]
            if not fits or not np.all(np.isfinite(x)) or not np.all(np.isin(y, np.arange(self.classes))):
                raise ValueError(
                    f"data.{name}inputs {x.shape} and labels {y.shape}: finite rows of "
                    f"{np.shape(self.inputs)[1] + width} entries and class numbers 0 to {self.classes - 1} are wanted."
                )
        return raw

    def as_start(self, raw: Any) -> np.ndarray:
        weights, wanted = np.asarray(raw, dtype=np.float64), (np.shape(self.inputs)[1] + self.bias, self.classes)
        if weights.shape != wanted or not np.all(np.isfinite(weights)):
            raise ValueError(f"start has shape {weights.shape}; {wanted} finite numbers are wanted, the bias last.")
        return weights


def scaling(
    moment_inputs: Array, moment_labels: Array, inputs: Array, classes: int, floor: Any
) -> tuple[Float[Array, " p"], Float[Array, " p"]]:
    """Factor (0 for constant features) and centre of each feature, from the moment part."""
    within = jnp.sqrt(jnp.diagonal(moments_by_class(moment_inputs, moment_labels, classes).pooled))
    used = within > 1e-12 * jnp.max(jnp.abs(inputs), axis=0)
    factor = jnp.where(used, 1.0, 0.0) / jnp.where(used, within + floor, 1.0)
    return factor / jnp.sqrt(jnp.mean((within * factor) ** 2)), jnp.mean(moment_inputs, axis=0)
