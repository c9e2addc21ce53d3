"""A linear classifier on a Gaussian mixture."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.mixture import MixtureSample, as_mixture, draw_mixture, noise_power
from ...mathematics.linear_equivalent import LinearLaw
from ...rules import GradientFlow, HeavyBall
from ...words.events import Extremum
from ...words.problem import Event, Observable, Remark, Rule, always, scalar, size, spread_times, starts_at_random
from ..shared.least_squares import TrainingPart
from ..shared.square_loss import (
    BEST_LOSS,
    LARGEST_RATE,
    SQUARED_NORM,
    TEST_LOSS,
    TRAIN_LOSS,
    SquareLossProblem,
    as_weights,
)
from ..shared.two_class_outputs import TEST_ACCURACY, TRAIN_ACCURACY, accuracy, direction

BEST_ACCURACY = Event(
    "best_time_accuracy",
    "time of the best test accuracy",
    Extremum("test_accuracy", -1.0),
    "the test accuracy is best at the start or still rising at the end of the run",
    bluntness=3.0,
)


class LinearClassifier(SquareLossProblem):
    """Linear output w.x trained with the square loss on two Gaussian classes.

    Data: x_i = y_i mu + z_i, y_i = +-1 fair, |mu| = mean_norm with equal entries, z_i ~ N(0, C) with
    C_jk = correlation^|j-k| (C = I by default); each observed training label is flipped with probability
    `label_flip`, test labels are clean.
        f(x) = w.x,   x_i = y_i mu + z_i,   z_i ~ N(0, C),
        train_loss = (1/2n) sum_i (y_i - w.x_i)^2,   objective = train_loss + (weight_decay/2) |w|^2;
    the rule descends the objective. Start: independent entries of variance init_variance/dimension, so
    E|w_0|^2 = init_variance.
    Shapes: inputs (samples, dimension), weights (dimension,). Test quantities are population values:
    test_loss = (1/2)[(1 - mu.w)^2 + w'Cw], test_accuracy = Phi(mu.w / sqrt(w'Cw)); label noise is not included.
    Clock: that of the rule. Errors: ValueError for a parameter outside its range.
    Source: Liao & Couillet 2018, section 2.
    """

    dimension: int = size("number of features", symbol="p", default=256)
    samples: int = size("number of training points", symbol="n", default=512)
    mean_norm: float = scalar("norm of the class mean", symbol="|mu|", default=1.0, low=0.0)
    init_variance: float = scalar("expected squared norm of the start", symbol="sigma^2", default=0.1, low=0.0)
    weight_decay: float = scalar("weight decay", symbol="gamma", default=0.0, low=0.0)
    label_flip: float = scalar("share of flipped training labels", symbol="epsilon", default=0.0, low=0.0, high=0.5)
    correlation: float = scalar("correlation of neighbouring features", symbol="r", default=0.0, above=-1.0, below=1.0)
    rule: Rule = GradientFlow()

    random: ClassVar = {"draw": always, "start": starts_at_random}
    observables: ClassVar[tuple[Observable, ...]] = (
        TRAIN_LOSS,
        TEST_LOSS,
        TRAIN_ACCURACY,
        TEST_ACCURACY,
        Observable("overlap", "mean output on a class, target 1", "mu.w", natural=1.0),
        SQUARED_NORM,
        accuracy(
            "train_accuracy_clean",
            "accuracy on unflipped samples",
            "label_flip",
            lambda p: p.samples * (1 - p.label_flip),
        ),
        accuracy(
            "train_accuracy_flipped",
            "accuracy on flipped samples (memorised)",
            "label_flip",
            lambda p: p.samples * p.label_flip,
        ),
    )
    events: ClassVar[tuple[Event, ...]] = (BEST_LOSS, BEST_ACCURACY, LARGEST_RATE)
    remarks: ClassVar[tuple[Remark, ...]] = (
        Remark(
            "The start is zero, where accuracy is 0/0: its value at time 0 is the limit t -> 0+.",
            lambda problem: problem.init_variance == 0,
        ),
    )

    def draw(self, key: Array) -> MixtureSample:
        mean = jnp.full(self.dimension, self.mean_norm / np.sqrt(self.dimension))
        return draw_mixture(key, self.samples, mean, self.correlation, self.label_flip)

    def initial(self, key: Array, data: MixtureSample) -> Float[Array, " p"]:
        spread = jnp.sqrt(self.init_variance / self.dimension)
        return spread * jax.random.normal(key, (self.dimension,), dtype=jnp.float64)

    def training(self, data: MixtureSample) -> TrainingPart:
        return TrainingPart(data.inputs, data.labels)

    def observe(self, params: Float[Array, " p"], data: MixtureSample) -> dict[str, Array]:
        overlap = jnp.sum(data.mean * params)
        towards = direction(params, data.inputs, data.labels)
        right = (data.labels * (data.inputs @ towards) > 0).astype(params.dtype)
        kept = (data.labels == data.clean_labels).astype(params.dtype)
        return {
            "train_loss": 0.5 * jnp.mean((data.labels - data.inputs @ params) ** 2),
            "test_loss": 0.5 * ((1 - overlap) ** 2 + noise_power(params, self.correlation)),
            "train_accuracy": jnp.mean(right),
            "test_accuracy": jax.scipy.stats.norm.cdf(
                jnp.sum(data.mean * towards) / jnp.sqrt(noise_power(towards, self.correlation))
            ),
            "overlap": overlap,
            "squared_norm": jnp.sum(params**2),
            "train_accuracy_clean": jnp.sum(right * kept) / jnp.sum(kept),
            "train_accuracy_flipped": jnp.sum(right * (1 - kept)) / jnp.sum(1 - kept),
        }

    def law(self) -> LinearLaw:
        """Second moments for isotropic noise: the class mean is the one direction apart, `correlation` is left out.

        Labels y, |y| = 1, are fitted best by k mu.x/(1 + |mu|^2), k = 1 - 2 label_flip.
        """
        power, kept = jnp.asarray(self.mean_norm) ** 2, 1 - 2 * jnp.asarray(self.label_flip)
        along = kept * power / (1 + power)
        aims = jnp.stack([along, (1 - kept) * along])
        return LinearLaw(
            values=jnp.stack([jnp.ones_like(power), 1 + power]),
            counts=jnp.stack([jnp.asarray(self.dimension) - 1.0, jnp.ones(())]),
            signal=jnp.stack([jnp.zeros_like(along), kept * along / (1 + power)]),
            aims=jnp.stack([jnp.zeros_like(aims), aims]),
            noise=1 - kept * along,
        )

    def horizon(self) -> np.ndarray:
        return spread_times(self, 10.0)

    def as_data(self, raw: Any) -> MixtureSample:
        return as_mixture(raw, self.samples, self.dimension)

    def as_start(self, raw: Any) -> np.ndarray:
        return as_weights(raw, self.dimension)

    @classmethod
    def examples(cls) -> tuple["LinearClassifier", ...]:
        return (
            cls(dimension=6, samples=9),
            cls(dimension=7, samples=5, label_flip=0.3, rule=HeavyBall(learning_rate=0.05)),
        )
