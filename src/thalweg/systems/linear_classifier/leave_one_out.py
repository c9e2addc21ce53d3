"""The test curve and the best stopping time from the training points alone."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...problem import Problem
from ...rules import spectral_filter
from ...theory import Assumption, FiniteSize, Setting, Source, Theory
from .dataset import DatasetClassifier
from .marchenko_pastur import FILTERED, best_time


def _size_strain(setting: Setting) -> float:
    # leaving one of n out moves the curve by a share of about 1/n of its distance to the limit of many points
    return (1 / setting.problem.samples) / setting.problem.margins["test_loss"]


class LeaveOneOut(Theory[DatasetClassifier]):
    """Test loss along the path by holding each training point out in turn, exactly, without training.

    For point i, S_i = sum_{j != i} x_j x_j'/(n-1) and b_i = sum_{j != i} y_j x_j/(n-1); the rule's filter gives
        w_i(t) = f(S_i + gamma) w_0 + g(S_i + gamma) b_i,
        test_loss(t) = (1/2n) sum_i [(y_i - x_i.g b_i)^2 + (init_variance/p) |f x_i|^2],
    the start being averaged. n eigenproblems of size min(n, p), each giving the whole path. `test_accuracy` is the
    share of points held out that are classified rightly by their mean output. Event: `best_time_loss`, the root of
    the derivative of this curve. Clock: the rule's own. Conditions on the draw; the moment part is not used, except
    that it fixed the scale of the features.
    It estimates the test loss of n - 1 points, O(1/n) above that of n; strain 1 means that this reaches the margin.
    Source: Patil et al. 2024 (consistency along the path).
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DatasetClassifier,)
    source: ClassVar[tuple[Source, ...]] = (Source("Patil2024", "leave-one-out along the path"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    estimates: ClassVar[bool] = True
    speaks_of: ClassVar[tuple[str, ...]] = ("test_loss", "test_accuracy", "best_time_loss")
    shapes: ClassVar[tuple[str, ...]] = ("samples", "moments")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        FILTERED,
        Assumption("enough points", "1 means that leaving one point out costs as much as the margin.", _size_strain),
    )

    def prepare(self, problem: DatasetClassifier, times: np.ndarray) -> "LeaveOneOut":
        return self

    def predict(self, problem: DatasetClassifier, data: Any, start: Any, times: Array) -> dict[str, Array]:
        times = jnp.asarray(times)
        modes = jax.lax.map(lambda i: _held_out(data.inputs, data.labels, i), jnp.arange(data.labels.shape[0]))

        def path(at: Array) -> tuple[Array, Array]:
            return _path(problem, data, modes, at)

        loss, accuracy = path(times)
        best = best_time(problem, lambda t: path(t)[0], times[-1], 1)
        return {"test_loss": loss, "test_accuracy": accuracy, "best_time_loss": best}

    def finite_size(self, problem: DatasetClassifier) -> Mapping[str, FiniteSize]:
        return {}


def _held_out(inputs: Array, labels: Array, i: Array) -> tuple[Array, Array, Array, Array]:
    """Eigenvalues of S_i, the held-out point's share of each mode, and its weight with the start inside and outside."""
    n, p = inputs.shape
    point = inputs[i]
    rest = inputs.at[i].set(0.0)
    targets = labels.at[i].set(0.0)
    if p <= n:
        values, vectors = jnp.linalg.eigh(rest.T @ rest / (n - 1))
        along = vectors.T @ point
        values = jnp.maximum(values, 0.0)
        return values, along * (vectors.T @ (rest.T @ targets)) / (n - 1), along**2, jnp.zeros(())
    values, vectors = jnp.linalg.eigh(rest @ rest.T / (n - 1))
    alive = values > 1e-12 * values[-1]
    values = jnp.where(alive, values, 0.0)
    seen = jnp.where(alive, vectors.T @ (rest @ point), 0.0)
    squared = seen**2 / jnp.where(alive, values * (n - 1), 1.0)
    return values, seen * (vectors.T @ targets) / (n - 1), squared, jnp.sum(point**2) - jnp.sum(squared)


def _path(problem: DatasetClassifier, data: Any, modes: Any, times: Array) -> tuple[Array, Array]:
    """Loss and accuracy on the points held out, summed over points without keeping all paths."""
    n, p = data.inputs.shape
    still, _ = spectral_filter(problem.rule, jnp.zeros(1) + problem.weight_decay, times)

    def add(total: Any, one: Any) -> Any:
        (values, share, squared, outside), label = one
        f, g = spectral_filter(problem.rule, values + problem.weight_decay, times)
        output = g @ share
        start = problem.init_variance / p * (f**2 @ squared + still[:, 0] ** 2 * outside)
        # at a zero start the sign is that of the limit t -> 0+
        sign = jnp.where((problem.init_variance == 0) & (times == 0), jnp.sum(share), output) * label
        return (total[0] + (label - output) ** 2 + start, total[1] + (sign > 0)), None

    (loss, right), _ = jax.lax.scan(add, (jnp.zeros(times.shape[0]), jnp.zeros(times.shape[0])), (modes, data.labels))
    return 0.5 * loss / n, right / n
