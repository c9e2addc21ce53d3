"""Two classes told apart by the sign of one output: accuracies, and what they are at a zero start."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...words.problem import Observable


def accuracy(
    name: str, words: str, needs: str | None = None, counted: Callable[[Any], float] | None = None
) -> Observable:
    """A share of points classified rightly, `counted(problem)` of them where they are counted."""
    return Observable(name, words, low=0.0, high=1.0, needs=needs, counted=counted)


TRAIN_ACCURACY = accuracy(
    "train_accuracy", "training accuracy, observed labels", counted=lambda problem: problem.samples
)
TEST_ACCURACY = accuracy("test_accuracy", "test accuracy")


def direction(
    weights: Float[Array, " p"], inputs: Float[Array, "n p"], labels: Float[Array, " n"]
) -> Float[Array, " p"]:
    """The weights, or at a zero start the direction in which they will leave it (the limit t -> 0+)."""
    # no conditional: it would copy the inputs at every step of a loop, while this product does not change in it
    return jnp.where(jnp.any(weights != 0), weights, labels @ inputs / labels.shape[0])


def ratio_cdf(mean: Array, variance: Array) -> Array:
    """Phi(mean / sqrt variance); 1 or 0 where the variance has gone to rounding."""
    floor = 1e-30 + 1e-15 * jnp.square(mean)
    return 0.5 * jax.scipy.special.erfc(-mean / jnp.sqrt(2 * jnp.maximum(variance, floor)))
