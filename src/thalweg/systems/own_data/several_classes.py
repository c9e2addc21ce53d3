"""A linear classifier on a user's own data of several classes: one output a class, and a bias."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...rules import GradientDescent, GradientFlow
from ...words.fields import check_ranges, coded, is_traced, vary
from ...words.problem import Observable, Remark, Rule, array, scalar, size
from ..shared.least_squares import TrainingPart, check_rows, four_fifths, sample_of
from ..shared.square_loss import SQUARED_NORM, TEST_LOSS, TRAIN_LOSS
from ..shared.two_class_outputs import TEST_ACCURACY, accuracy
from .class_table import ClassTable, check_centre, check_shares, one_hot

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


class DatasetClasses(ClassTable):
    """Linear outputs W'x + b, one a class, trained with the square loss on one-hot targets: a user's own data.

    `inputs` (N, p), `labels` (N,) with K different values, numbers or text, K >= 2; outputs follow them in order. Each
    seed is a new split into `samples` training points, `moments` points for population moments (0: two thirds of the
    rest), and test points, each class in its share; preprocessing as in DatasetClassifier, from the training part.
    Loss: (1/2n) sum_i |t_i - W'x_i - b|^2, t_i one-hot; the rule descends it plus (weight_decay/2)|W|^2. The intercept
    b (K,) is fitted in one stroke: rows and one-hot targets are centred. W (p, K) starts with entries of variance
    init_variance/p. `squared_norm` is |W|^2. The class with the largest output is the answer.
    intercept=0 is the setting of the source: centre and scale from the moment part, as in DatasetClassifier, and with
    `bias=1` (default) b is learned: it starts at 0, is the last row of the parameters, and is penalised as they are.
    Clock: that of the rule. Practical margins as for two classes.
    Errors: ValueError for one class, classes of fewer than 8 points, entries that are not finite numbers, fewer points
    than asked. Two classes: DatasetClassifier has one output and no bias.
    Source: Couillet & Liao 2022, section 5.2, for one output; several outputs (each a least-squares problem of its own
    on the same rows) and the bias: derived here.
    """

    inputs: Float[Any, "N p"] = array("features, one row a point", symbol="x")
    labels: Float[Any, " N"] = array("labels, two or more different values", symbol="y")
    samples: int = size("number of training points (0: four fifths)", symbol="n", default=0, low=0)
    moments: int = size("points for population moments (0: two thirds of the rest)", symbol="m", default=0, low=0)
    classes: int = size("number of classes (0: counted)", symbol="K", default=0, low=0)
    bias: int = size("constant inputs 1 appended where there is no intercept: 0 or 1", default=1, low=0, high=1)
    init_variance: float = scalar("expected squared norm of each output's start", default=0.0, low=0.0)
    weight_decay: float = scalar("weight decay", symbol="gamma", default=0.0, low=0.0)
    deviation_floor: float = scalar("added to each standard deviation, units of the inputs", default=0.0, low=0.0)
    intercept: int = size("an intercept without penalty: 0 or 1", default=1, low=0, high=1)
    rule: Rule = GradientFlow()

    one_covariance: ClassVar[bool] = False
    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("train_loss", f"training loss, {SUMMED}", TRAIN_LOSS.symbol, low=0.0),
        Observable("test_loss", f"test loss, {SUMMED}", TEST_LOSS.symbol, low=0.0),
        accuracy("train_accuracy", "training accuracy", counted=lambda p: p.samples),
        accuracy("test_accuracy", TEST_ACCURACY.words, counted=lambda p: p.parts()[2]),
        SQUARED_NORM,
    )
    remarks: ClassVar[tuple[Remark, ...]] = (
        *ClassTable.remarks,
        Remark(
            "The start is zero, where all outputs are alike: accuracy at time 0 is the limit t -> 0+.",
            lambda problem: problem.init_variance == 0,
        ),
    )

    def __post_init__(self) -> None:
        self.labels = coded(self.labels)
        self.samples = self.samples or four_fifths(self.labels)
        if np.ndim(self.classes):
            raise ValueError(
                f"DatasetClasses: classes has shape {np.shape(self.classes)}; it counts the classes, 0 to let them be "
                "counted. What each point belongs to goes into labels."
            )
        if isinstance(self.labels, np.ndarray) and self.labels.dtype.kind == "f" and self.classes == 0:
            self.classes = int(np.unique(self.labels).size)

    def __check_init__(self) -> None:
        if is_traced(self.inputs):
            return
        check_ranges(self)
        check_rows(self, "labels")
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
        check_shares(self, counts)
        parts = self.parts()
        if min(parts[1:]) < max(4, values.size + 1):
            raise ValueError(
                f"DatasetClasses: {len(self.labels)} points cannot give {parts[0]} to train, {parts[1]} for moments "
                f"and {parts[2]} to test, at least {max(4, values.size + 1)} each; lower samples or moments."
            )

    @property
    def outputs(self) -> int:
        return self.classes

    def aims(self) -> Float[np.ndarray, "K K"]:
        return np.eye(self.classes)

    def numbers(self, labels: Float[Array, " n"]) -> Float[Array, " n"]:
        return jnp.asarray(labels)

    def draw(self, key: Array) -> ClassSample:
        def extended(part: Array) -> Array:
            return jnp.concatenate([part, jnp.ones((part.shape[0], self.appended))], axis=1)

        (x, y), moment, (xt, yt) = self.split(key)
        return ClassSample(extended(x), y, *moment, extended(xt), yt)

    def initial(self, key: Array, data: ClassSample) -> Float[Array, "d K"]:
        return jnp.concatenate([self.random_weights(key, self.classes), jnp.zeros((self.appended, self.classes))])

    @classmethod
    def suits(cls, targets: Any) -> bool:
        # numbers stay numbers: only names are taken for classes
        return targets.dtype.kind == "U" and np.unique(targets).size > 2

    def training(self, data: ClassSample) -> TrainingPart:
        targets = one_hot(jnp.asarray(data.labels), self.classes)
        middle = jnp.mean(targets, axis=0) if self.intercept else jnp.zeros(self.classes)
        return TrainingPart(jnp.asarray(data.inputs), targets - middle[None, :], middle)

    @property
    def appended(self) -> int:
        return 0 if self.intercept else self.bias

    def _loss(self, params: Float[Array, "d K"], part: TrainingPart, inputs: Array, labels: Array) -> Float[Array, ""]:
        missed = one_hot(jnp.asarray(labels), self.classes) - jnp.asarray(part.middle)[None, :] - inputs @ params
        return 0.5 * jnp.sum(missed**2) / labels.shape[0]

    def observe(self, params: Float[Array, "d K"], data: ClassSample) -> dict[str, Array]:
        part = self.training(data)
        towards = self.deciding(params, part)

        def right(inputs: Array, labels: Array) -> Array:
            found = jnp.argmax(inputs @ towards + jnp.asarray(part.middle)[None, :], axis=1)
            return jnp.mean((found == labels).astype(params.dtype))

        p = params.shape[0] - self.appended
        return {
            "train_loss": self._loss(params, part, data.inputs, data.labels),
            "test_loss": self._loss(params, part, data.test_inputs, data.test_labels),
            "train_accuracy": right(data.inputs, data.labels),
            "test_accuracy": right(data.test_inputs, data.test_labels),
            "squared_norm": jnp.sum(params[:p] ** 2),
        }

    def as_data(self, raw: Any) -> ClassSample:
        raw = sample_of(ClassSample, raw, "training, moment and test")
        for name, more in (("", self.appended), ("moment_", 0), ("test_", self.appended)):
            x, y = np.asarray(getattr(raw, f"{name}inputs")), np.asarray(getattr(raw, f"{name}labels"))
            fits = x.ndim == 2 and x.shape[1] == np.shape(self.inputs)[1] + more and y.shape == x.shape[:1]
            if not fits or not np.all(np.isfinite(x)) or not np.all(np.isin(y, np.arange(self.classes))):
                raise ValueError(
                    f"data.{name}inputs {x.shape} and labels {y.shape}: finite rows of "
                    f"{np.shape(self.inputs)[1] + more} entries and class numbers 0 to {self.classes - 1} are wanted."
                )
        check_centre(self, raw.inputs)
        return raw

    def as_start(self, raw: Any) -> np.ndarray:
        weights, wanted = np.asarray(raw, dtype=np.float64), (np.shape(self.inputs)[1] + self.appended, self.classes)
        if weights.shape != wanted or not np.all(np.isfinite(weights)):
            raise ValueError(
                f"start has shape {weights.shape}; {wanted} finite numbers are wanted, the bias last (if any)."
            )
        return weights

    @classmethod
    def examples(cls) -> tuple["DatasetClasses", ...]:
        from .examples import three_classes

        first = cls(**three_classes(), samples=20, deviation_floor=0.01)
        return first, vary(first, {"samples": 12, "bias": 0, "init_variance": 0.2, "rule": GradientDescent()})
