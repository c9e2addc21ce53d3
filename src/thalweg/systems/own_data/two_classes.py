"""A linear classifier on a user's own two-class data, with an honest three-way split."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...rules import SGD, GradientFlow
from ...words.fields import check_ranges, coded, is_traced, vary
from ...words.problem import Observable, Remark, Rule, array, scalar, size
from ..shared.least_squares import TrainingPart, check_rows, four_fifths, sample_of
from ..shared.square_loss import SQUARED_NORM, TEST_LOSS, TRAIN_LOSS, as_weights
from ..shared.two_class_outputs import TEST_ACCURACY, TRAIN_ACCURACY, accuracy
from .class_table import ClassTable, check_centre, check_shares


class SplitSample(eqx.Module):
    """Three disjoint parts of a data set, standardised alike: training points, points for moments, test points."""

    inputs: Float[Any, "n p"]
    labels: Float[Any, " n"]
    moment_inputs: Float[Any, "m p"]
    moment_labels: Float[Any, " m"]
    test_inputs: Float[Any, "t p"]
    test_labels: Float[Any, " t"]


class DatasetClassifier(ClassTable):
    """Linear output b + w.x trained with the square loss on a user's own two-class data.

    `inputs` (N, p), `labels` (N,) with two different values (the smaller becomes -1), numbers or text. Each seed is a
    new split into three disjoint parts, each class in its share: `samples` training points, `moments` points for
    population means and covariances (0: two thirds of what is left), and all others as fresh test points, from which
    the test observables are measured.
    Preprocessing, from the training part alone: the means of features and labels are taken away, which is the intercept
    b, fitted in one stroke and never penalised; each feature is divided by (its standard deviation + deviation_floor),
    features that do not move are set to 0, one factor makes the mean variance of the others 1.
    intercept=0 is the setting of the source: b = 0, parts drawn without regard to classes, and centre and scale from
    the moment part: pooled mean, within-class deviations, mean within-class variance 1.
        f(x) = b + w.x,   objective = (1/2n) sum_i (y_i - b - w.x_i)^2 + (weight_decay/2) |w|^2,
    which the rule descends. Start: independent entries of variance init_variance/p. Clock: that of the rule.
    Practical margin: 10 % of the losses and of the norm, 3 % in accuracies, since real data keep no law exactly.
    Errors: ValueError for one class only, entries that are not finite numbers, fewer points than asked.
    Source: Couillet & Liao 2022, section 5.2, with real data.
    """

    inputs: Float[Any, "N p"] = array("features, one row a point", symbol="x")
    labels: Float[Any, " N"] = array("labels, two different values", symbol="y")
    samples: int = size("number of training points (0: four fifths)", symbol="n", default=0, low=0)
    moments: int = size("points for population moments (0: two thirds of the rest)", symbol="m", default=0, low=0)
    init_variance: float = scalar("expected squared norm of the start", symbol="sigma^2", default=0.0, low=0.0)
    weight_decay: float = scalar("weight decay", symbol="gamma", default=0.0, low=0.0)
    deviation_floor: float = scalar("added to each standard deviation, units of the inputs", default=0.0, low=0.0)
    intercept: int = size("an intercept without penalty: 0 or 1", default=1, low=0, high=1)
    rule: Rule = GradientFlow()

    classes: ClassVar[int] = 2
    one_covariance: ClassVar[bool] = True
    observables: ClassVar[tuple[Observable, ...]] = (
        TRAIN_LOSS,
        TEST_LOSS,
        TRAIN_ACCURACY,
        accuracy("test_accuracy", TEST_ACCURACY.words, counted=lambda p: p.parts()[2]),
        SQUARED_NORM,
    )
    remarks: ClassVar[tuple[Remark, ...]] = (
        *ClassTable.remarks,
        Remark(
            "The start is zero, where the output is the intercept alone; its accuracy is the limit t -> 0+.",
            lambda problem: problem.init_variance == 0,
        ),
    )

    def __post_init__(self) -> None:
        self.labels = coded(self.labels)
        self.samples = self.samples or four_fifths(self.labels)

    def __check_init__(self) -> None:
        if is_traced(self.inputs):
            return
        check_ranges(self)
        check_rows(self, "labels")
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
        check_shares(self, counts)

    @classmethod
    def suits(cls, targets: Any) -> bool:
        return np.unique(targets).size == 2

    def training(self, data: SplitSample) -> TrainingPart:
        labels = jnp.asarray(data.labels)
        middle = jnp.mean(labels) if self.intercept else jnp.zeros(())
        return TrainingPart(jnp.asarray(data.inputs), labels - middle, middle)

    @property
    def appended(self) -> int:
        return 0

    def aims(self) -> Float[np.ndarray, "2 1"]:
        return np.array([[-1.0], [1.0]])

    def numbers(self, labels: Float[Array, " n"]) -> Float[Array, " n"]:
        return 1.0 * (jnp.asarray(labels) > 0)

    def draw(self, key: Array) -> SplitSample:
        return SplitSample(*(half for x, k in self.split(key) for half in (x, jnp.where(k > 0, 1.0, -1.0))))

    def initial(self, key: Array, data: SplitSample) -> Float[Array, " p"]:
        return self.random_weights(key)

    def observe(self, params: Float[Array, " p"], data: SplitSample) -> dict[str, Array]:
        part = self.training(data)
        towards = self.deciding(params, part)

        def loss(x: Array, y: Array) -> Array:
            return 0.5 * jnp.mean((y - part.middle - x @ params) ** 2)

        def share(x: Array, y: Array) -> Array:
            return jnp.mean((y * (part.middle + x @ towards) > 0).astype(params.dtype))

        return {
            "train_loss": loss(data.inputs, data.labels),
            "test_loss": loss(data.test_inputs, data.test_labels),
            "train_accuracy": share(data.inputs, data.labels),
            "test_accuracy": share(data.test_inputs, data.test_labels),
            "squared_norm": jnp.sum(params**2),
        }

    def as_data(self, raw: Any) -> SplitSample:
        raw = sample_of(SplitSample, raw, "training, moment and test")
        for name in ("", "moment_", "test_"):
            x, y = np.asarray(getattr(raw, f"{name}inputs")), np.asarray(getattr(raw, f"{name}labels"))
            if x.ndim != 2 or y.shape != x.shape[:1] or not np.all(np.abs(y) == 1) or not np.all(np.isfinite(x)):
                raise ValueError(
                    f"data.{name}inputs {x.shape} and labels {y.shape}: finite rows and +-1 labels are wanted."
                )
        check_centre(self, raw.inputs)
        return raw

    def as_start(self, raw: Any) -> np.ndarray:
        return as_weights(raw, np.shape(self.inputs)[1])

    @classmethod
    def examples(cls) -> tuple["DatasetClassifier", ...]:
        from .examples import two_classes

        first = cls(**two_classes(), samples=20, deviation_floor=0.01)
        shuffled = SGD(learning_rate=0.01, batch=3, replacement=False)
        return first, vary(first, {"samples": 6, "moments": 60, "init_variance": 0.2, "rule": shuffled})
