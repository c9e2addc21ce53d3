"""The linear classifier solved exactly for a given draw and start."""

from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from ...mathematics.sample_modes import sample_modes
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Source
from ..shared.square_loss import FILTERED
from ..shared.two_class_outputs import ratio_cdf
from .marchenko_pastur import CURVES, EVENTS, FLIPS, best_times
from .problem import LinearClassifier


class Eigenmodes(Exact[LinearClassifier]):
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

    def predict(self, problem: LinearClassifier, data: Any, start: Any, times: Array) -> dict[str, Array]:
        times = jnp.asarray(times)
        modes = _decompose(problem, data, start)

        def weights(at: Array) -> Array:
            f, g = problem.rule.filter(modes.values + problem.weight_decay, at)
            return f * modes.start[None, :] + g * modes.drive[None, :]

        def towards(now: Array) -> Array:
            # a zero start leaves along b: the limit of accuracy, which does not see the norm
            return jnp.where(jnp.all(now == 0, axis=1, keepdims=True), modes.drive[None, :], now)

        def searched(at: Array) -> tuple[Array, Array]:
            now = weights(at)
            aim, spread = _test_side(modes, towards(now))
            return _test_loss(modes, now), aim / jnp.sqrt(spread)

        now = weights(times)
        return {
            "train_loss": 0.5 * jnp.mean((data.labels[None, :] - now @ modes.features) ** 2, axis=1),
            "test_loss": _test_loss(modes, now),
            "overlap": now @ modes.mean,
            "squared_norm": jnp.sum(now**2, axis=1),
            "test_accuracy": ratio_cdf(*_test_side(modes, towards(now))),
            **_train_accuracies(data, towards(now) @ modes.features),
            **best_times(problem, searched, times[-1]),
            "largest_stable_rate": problem.rule.stable_rate(modes.values[-1] + problem.weight_decay),
        }


class _Modes(NamedTuple):
    """Everything in the eigenbasis of the sample covariance; `features` are the inputs (p, n)."""

    values: Array
    start: Array
    drive: Array
    mean: Array
    features: Array
    covariance: Array


def _decompose(problem: LinearClassifier, data: Any, start: Any) -> _Modes:
    n, p = data.inputs.shape
    values, vectors = sample_modes(data.inputs)
    lags = jnp.abs(jnp.arange(p)[:, None] - jnp.arange(p)[None, :])
    return _Modes(
        values=values,
        start=vectors.T @ start,
        drive=vectors.T @ (data.labels @ data.inputs / n),
        mean=vectors.T @ data.mean,
        features=vectors.T @ data.inputs.T,
        covariance=vectors.T @ (problem.correlation**lags @ vectors),
    )


def _test_side(modes: _Modes, now: Array) -> tuple[Array, Array]:
    return now @ modes.mean, jnp.sum((now @ modes.covariance) * now, axis=1)


def _test_loss(modes: _Modes, now: Array) -> Array:
    overlap, power = _test_side(modes, now)
    return 0.5 * ((1 - overlap) ** 2 + power)


def _train_accuracies(data: Any, outputs: Array) -> dict[str, Array]:
    right = 1.0 * (data.labels[None, :] * outputs > 0)
    kept = 1.0 * (data.labels == data.clean_labels)
    return {
        "train_accuracy": jnp.mean(right, axis=1),
        "train_accuracy_clean": right @ kept / jnp.sum(kept),
        "train_accuracy_flipped": right @ (1 - kept) / jnp.sum(1 - kept),
    }
