"""What all problems of a linear output under the square loss share: observables, events, first assumptions."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.extremum import integer_extremum, interior_extremum
from ...mathematics.linear_equivalent import LinearLaw
from ...mathematics.mean_square import mean_square_edge
from ...rules import SGD, as_descent
from ...rules.demands import under_adam, under_flow
from ...words.events import Extremum, FromDraw
from ...words.fields import vary
from ...words.problem import Event, Observable
from ...words.theory import structural
from .least_squares import LeastSquaresProblem

TRAIN_LOSS = Observable("train_loss", "training loss, half the mean squared error", "L", low=0.0)
TEST_LOSS = Observable("test_loss", "test loss, half the mean squared error", "L_test", low=0.0)
SQUARED_NORM = Observable("squared_norm", "squared norm of the weights", "|w|^2", low=0.0)


def draw_rate(problem: Any, data: Any) -> Float[Array, ""]:
    """Largest stable learning rate on this draw: from the largest eigenvalue of the sample covariance; for SGD with
    replacement, of the mean square. NaN for SGD without, unless its batch is the whole set."""
    inputs, rule = jnp.asarray(data.inputs), problem.rule
    if rule.draws_anew:
        return mean_square_edge(inputs, problem.weight_decay, rule.batch)
    n, p = inputs.shape
    gram = inputs.T @ inputs if p <= n else inputs @ inputs.T
    return as_descent(rule, n).stable_rate(jnp.linalg.eigvalsh(gram)[-1] / n + problem.weight_decay)


BEST_LOSS = Event(
    "best_time_loss",
    "time of the least test loss",
    Extremum("test_loss"),
    "the test loss is least at the start or still falling at the end of the run",
    bluntness=3.0,
)
LARGEST_RATE = Event(
    "largest_stable_rate",
    "largest stable learning rate",
    FromDraw(draw_rate),
    "no stability limit is known for this rule",
    unit="",
)


def as_weights(raw: Any, dimension: int) -> np.ndarray:
    """A start given as p finite numbers."""
    weights = np.asarray(raw, dtype=np.float64)
    if weights.shape != (dimension,) or not np.all(np.isfinite(weights)):
        raise ValueError(f"start has shape {weights.shape}; {dimension} finite numbers are wanted, one a feature.")
    return weights


class SquareLossProblem(LeastSquaresProblem):
    """Linear output w.x, square loss on n stored samples, a start of independent entries, and inputs whose second
    moments are known."""

    samples: eqx.AbstractVar[int]
    init_variance: eqx.AbstractVar[float]
    observables: ClassVar[tuple[Observable, ...]] = (
        TRAIN_LOSS,
        TEST_LOSS,
        Observable("overlap", "output along the signal, target 1"),
        SQUARED_NORM,
    )
    events: ClassVar[tuple[Event, ...]] = (BEST_LOSS, LARGEST_RATE)

    @abc.abstractmethod
    def law(self) -> LinearLaw:
        """Second moments of inputs and training targets.

        Its two aims are the vector o with overlap = o.w, and v = E[x y_test] - E[x y_train]:
        test_loss = (1/2) [excess + noise - 2 v.w].
        """


FILTERED = structural(
    "linear rule",
    "The rule must be gradient flow, gradient descent, heavy ball or Nesterov; no other can be followed by modes.",
    lambda problem: problem.rule.filtered,
    under_adam,
)


def _is_sampled(problem: Any) -> bool:
    return problem.rule.random and problem.rule.mean().filtered


def _draws_anew(problem: Any) -> bool:
    """Not SGD whose epochs go through a permutation, unless each batch is the whole set."""
    rule = problem.rule
    return not _is_sampled(problem) or rule.draws_anew or rule.descends(problem.samples)


SAMPLED = structural("sampled steps", "The rule must be SGD on the stored samples.", _is_sampled, under_flow)
REPLACED = structural(
    "with replacement",
    "Batches must be drawn anew at every step; a fresh permutation each epoch is another law, of which no theory here "
    "speaks (batch = samples apart, which is GradientDescent).",
    _draws_anew,
    lambda problem: vary(problem, {"rule": SGD(0.01, batch=1, replacement=False)}),
)


def best_time(problem: Any, curve: Callable[[Array], Array], horizon: Array, sign: int) -> Array:
    """Time of the best value of a smooth curve inside the run: the root of its derivative, or the best whole step."""
    if problem.rule.continuous:
        return interior_extremum(curve, horizon, sign, coarse=48)
    return integer_extremum(curve, horizon, sign, rounds=4)


# the run that advice looks at, in usual lengths, so that it has an end that is one
LONG = 20.0


def long_times(problem: Any) -> np.ndarray:
    """LONG usual lengths, dense at the beginning: decades, and the first 200 steps of a rule that has them."""
    times = LONG * problem.horizon()
    decades = np.geomspace(1e-5 * times[-1], times[-1], 300)
    flow = problem.rule.continuous
    return np.union1d(times, decades if flow else np.concatenate([np.arange(200.0), np.round(decades)]))
