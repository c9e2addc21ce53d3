"""The linear classifier solved exactly for a given draw and start."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...problem import Problem
from ...rules import largest_stable_rate, spectral_filter
from ...theory import Assumption, FiniteSize, Source, Theory
from .marchenko_pastur import CURVES, EVENTS, FILTERED, FLIPS, best_times, ratio_cdf
from .problem import LinearClassifier


class Eigenmodes(Theory[LinearClassifier]):
    """Exact curves of this very data set and start, from one eigendecomposition of the sample covariance.

    S = X'X/n = U diag(x) U', b = X'y/n; every first-order rule with fixed coefficients gives
        w(t) = U [f(x + gamma) U'w_0 + g(x + gamma) U'b],
    with the rule's filter f, g (gamma = weight_decay). All observables follow without integration, for any covariance
    of the inputs. Shapes: X (samples, dimension), w_0 (dimension,). Clock: the rule's own. Events: best stopping
    times by the root of the derivative, largest stable rate from the largest eigenvalue.
    Conditions on the draw and the start; no limit is taken, so nothing is left out but rounding.
    Source: linear algebra; Liao & Couillet 2018, equation (2).
    """

    of: ClassVar[tuple[type[Problem], ...]] = (LinearClassifier,)
    source: ClassVar[tuple[Source, ...]] = (Source("LiaoCouillet2018", "equation (2)"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *FLIPS, *EVENTS)
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "samples")
    assumptions: ClassVar[tuple[Assumption, ...]] = (FILTERED,)

    def prepare(self, problem: LinearClassifier, times: np.ndarray) -> "Eigenmodes":
        return self

    def predict(self, problem: LinearClassifier, data: Any, start: Any, times: Array) -> dict[str, Array]:
        times = jnp.asarray(times)
        n, p = data.inputs.shape
        values, vectors = jnp.linalg.eigh(data.inputs.T @ data.inputs / n)
        # a rank-deficient covariance has exact zeros; rounding must not turn them into growing modes
        values = jnp.where(jnp.arange(p) < p - n, 0.0, jnp.maximum(values, 0.0))
        drive, begin, mean = (
            vectors.T @ (data.labels @ data.inputs / n),
            vectors.T @ start,
            vectors.T @ data.mean,
        )
        lags = jnp.abs(jnp.arange(p)[:, None] - jnp.arange(p)[None, :])
        covariance = vectors.T @ (problem.correlation**lags @ vectors)

        def weights(at: Array) -> Array:
            f, g = spectral_filter(problem.rule, values + problem.weight_decay, at)
            return f * begin[None, :] + g * drive[None, :]

        def test_side(modes: Array) -> tuple[Array, Array]:
            return modes @ mean, jnp.sum((modes @ covariance) * modes, axis=1)

        def towards(modes: Array) -> Array:
            # a zero start leaves along b: the limit of accuracy, which does not see the norm
            return jnp.where(jnp.all(modes == 0, axis=1, keepdims=True), drive[None, :], modes)

        def searched(at: Array) -> tuple[Array, Array]:
            modes = weights(at)
            overlap, power = test_side(modes)
            aim, spread = test_side(towards(modes))
            return 0.5 * ((1 - overlap) ** 2 + power), aim / jnp.sqrt(spread)

        modes = weights(times)
        overlap, power = test_side(modes)
        features = vectors.T @ data.inputs.T
        return {
            "train_loss": 0.5 * jnp.mean((data.labels[None, :] - modes @ features) ** 2, axis=1),
            "test_loss": 0.5 * ((1 - overlap) ** 2 + power),
            "overlap": overlap,
            "squared_norm": jnp.sum(modes**2, axis=1),
            "test_accuracy": ratio_cdf(*test_side(towards(modes))),
            **_train_accuracies(data, towards(modes) @ features),
            **best_times(problem, searched, times[-1]),
            "largest_stable_rate": largest_stable_rate(problem.rule, values[-1] + problem.weight_decay),
        }

    def finite_size(self, problem: LinearClassifier) -> Mapping[str, FiniteSize]:
        return {}


def _train_accuracies(data: Any, outputs: Array) -> dict[str, Array]:
    right = 1.0 * (data.labels[None, :] * outputs > 0)
    kept = 1.0 * (data.labels == data.clean_labels)
    return {
        "train_accuracy": jnp.mean(right, axis=1),
        "train_accuracy_clean": right @ kept / jnp.sum(kept),
        "train_accuracy_flipped": right @ (1 - kept) / jnp.sum(1 - kept),
    }
