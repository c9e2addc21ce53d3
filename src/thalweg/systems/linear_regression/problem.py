"""Linear regression with a linear teacher and Gaussian inputs of any covariance."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.linear_equivalent import LinearLaw
from ...mathematics.normal_blocks import normal_block
from ...mathematics.one_pass_linear import one_pass_edge
from ...rules import SGD, GradientFlow
from ...words.events import FromDraw
from ...words.fields import check_ranges, is_traced
from ...words.problem import (
    Event,
    Observable,
    Remark,
    Rule,
    StreamingProblem,
    always,
    scalar,
    size,
    spread_times,
    starts_at_random,
    vector,
)
from ..shared.least_squares import TrainingPart
from ..shared.square_loss import BEST_LOSS, SQUARED_NORM, TEST_LOSS, SquareLossProblem, as_weights, draw_rate
from .least_value import LeastValue


class RegressionSample(eqx.Module):
    """A data set of a linear teacher: `inputs` (n, p), noisy `targets` (n,), `teacher` (p,)."""

    inputs: Float[Any, "n p"]
    targets: Float[Any, " n"]
    teacher: Float[Any, " p"]


class FreshSample(eqx.Module):
    """Fresh samples: `inputs` (count, p), noisy `targets` (count,)."""

    inputs: Float[Array, "*count p"]
    targets: Float[Array, "*count"]


def _stable_rate(problem: Any, data: RegressionSample) -> Float[Array, ""]:
    """Largest stable rate: of the law of the inputs where samples are fresh, else of this draw."""
    if problem.rule.fresh:
        law = problem.law()
        return problem.dimension * one_pass_edge(law.values, law.counts, problem.weight_decay)
    return draw_rate(problem, data)


class LinearRegression(SquareLossProblem, StreamingProblem):
    """Linear output w.x trained with the square loss on targets of a linear teacher, y = beta.x + noise.

    Data: n = samples inputs x_i ~ N(0, C), C diagonal with the p = dimension eigenvalues `spectrum` (all 1 if not
    given; zeros are legal), |beta| = signal_norm with equal coefficients on all eigenvectors, or in the proportions of
    `teacher` (p numbers); noise of standard deviation `noise`. signal_norm = 0 (pure noise) and noise = 0 are legal.
        f(x) = w.x,   y_i = beta.x_i + noise xi_i,   x_i ~ N(0, C),
        train_loss = (1/2n) sum_i (y_i - w.x_i)^2,   objective = train_loss + (weight_decay/2) |w|^2;
    the rule descends the objective. Start: independent entries of variance init_variance/dimension, so
    E|w_0|^2 = init_variance; 0 by default.
    Shapes: inputs (samples, dimension), targets (samples,), weights (dimension,).
    Observables: test_loss = (1/2)[(w - beta)'C(w - beta) + noise^2], a population value that contains the label noise;
    train_loss on the noisy targets; overlap = w.beta/|beta|^2 (only with a signal), target 1; squared_norm.
    SGD draws from the n samples. OnePassSGD sees a fresh sample at every step instead: w <- w - (learning_rate /
    dimension) times the gradient of its objective, clock steps / dimension; then there is no train_loss, and `samples`
    says nothing. Clock: that of the rule; flow time scales with one over the eigenvalues.
    Events: `best_time_loss` and `least_loss`, time and value of the least test loss; `largest_stable_rate` of the draw
    (for stochastic rules the largest rate at which the mean square stays bounded).
    Errors: ValueError for a parameter outside its range, a spectrum or teacher of another length.
    Source: Advani & Saxe 2017; Ali, Kolter & Tibshirani 2018.
    """

    dimension: int = size("number of features", symbol="p", default=200)
    samples: int = size("number of training points", symbol="n", default=400)
    signal_norm: float = scalar("norm of the teacher", symbol="|beta|", default=1.0, low=0.0)
    noise: float = scalar("standard deviation of the label noise", symbol="sigma", default=0.5, low=0.0)
    init_variance: float = scalar("expected squared norm of the start", symbol="sigma_0^2", default=0.0, low=0.0)
    spectrum: Any = vector("eigenvalues of the covariance of the inputs, one a feature", symbol="lambda", default=None)
    weight_decay: float = scalar("weight decay", symbol="gamma", default=0.0, low=0.0)
    rule: Rule = GradientFlow()
    teacher: Any = vector("proportions of the teacher's coefficients, one a feature", symbol="beta", default=None)

    random: ClassVar = {"draw": always, "start": starts_at_random}
    observables: ClassVar[tuple[Observable, ...]] = (
        Observable("train_loss", "training loss, half the mean squared error", "L", low=0.0, needs="stored"),
        TEST_LOSS,
        Observable("overlap", "share of the teacher in the weights, target 1", needs="signal_norm", natural=1.0),
        SQUARED_NORM,
    )
    events: ClassVar[tuple[Event, ...]] = (
        BEST_LOSS,
        Event(
            "least_loss",
            "least test loss along the run",
            LeastValue("test_loss"),
            BEST_LOSS.absent,
            unit="",
            level_of="test_loss",
        ),
        Event(
            "largest_stable_rate",
            "largest stable learning rate",
            FromDraw(_stable_rate),
            "no stability limit is known for this rule",
            unit="",
        ),
    )
    remarks: ClassVar[tuple[Remark, ...]] = (
        Remark(
            "There is no signal: the test loss is least at w = 0.",
            lambda problem: not np.any(np.asarray(problem.signal_norm)),
        ),
        Remark(
            "Every step sees a fresh sample: `samples` says nothing, and there is no training loss.",
            lambda problem: problem.rule.fresh,
        ),
    )

    def __check_init__(self) -> None:
        if any(is_traced(leaf) for leaf in jax.tree.leaves(self)):
            return
        check_ranges(self)
        for name in ("spectrum", "teacher"):
            value = getattr(self, name)
            if value is not None and np.shape(value) != (self.dimension,):
                raise ValueError(
                    f"LinearRegression: {name} has shape {np.shape(value)}; give {self.dimension} numbers, one a "
                    "feature (or set dimension to their number)."
                )
        if self.spectrum is not None and (np.min(self.spectrum) < 0 or np.max(self.spectrum) == 0):
            raise ValueError(
                f"LinearRegression: spectrum runs from {np.min(self.spectrum):g} to {np.max(self.spectrum):g}; "
                "eigenvalues of a covariance are >= 0, and one at least is > 0."
            )
        if self.teacher is not None and not np.any(self.teacher):
            raise ValueError("LinearRegression: teacher is all zeros; for pure noise set signal_norm = 0 instead.")

    @property
    def stored(self) -> bool:
        """Whether the rule looks at a stored set of samples, so that there is a training loss."""
        return not self.rule.fresh

    def eigenvalues(self) -> Float[Array, " p"]:
        """Eigenvalues of the covariance, one a feature."""
        return jnp.ones(self.dimension) if self.spectrum is None else jnp.asarray(self.spectrum)

    def coefficients(self) -> Any:
        """The teacher beta in the eigenbasis of the covariance, which is the basis of the inputs."""
        shape = np.ones(self.dimension) if self.teacher is None else self.teacher
        return self.signal_norm * shape / (shape @ shape) ** 0.5

    def law(self) -> LinearLaw:
        """Second moments: one atom for isotropic inputs, else one for each feature."""
        power = jnp.square(jnp.asarray(self.signal_norm, float))
        noise = jnp.square(jnp.asarray(self.noise, float))
        if self.spectrum is None:
            values, counts, share = jnp.ones(1), 1.0 * jnp.asarray(self.dimension)[None], jnp.ones(1)
        else:
            values = jnp.asarray(self.spectrum)
            shape = jnp.ones_like(values) if self.teacher is None else jnp.asarray(self.teacher)
            counts, share = jnp.ones_like(values), shape**2 / jnp.sum(shape**2)
        # overlap = w.beta/|beta|^2 has the aim beta/|beta|^2; fresh targets follow the law of the training targets
        return LinearLaw(values, counts, power * share, jnp.stack([share, jnp.zeros_like(share)], axis=1), noise)

    def draw(self, key: Array) -> RegressionSample:
        inputs_key, noise_key = jax.random.split(key)
        white = jax.random.normal(inputs_key, (self.samples, self.dimension), dtype=jnp.float64)
        inputs = white * jnp.sqrt(self.eigenvalues())[None, :]
        return self._labelled(inputs, jnp.asarray(self.coefficients()), noise_key)

    def _labelled(self, inputs: Array, teacher: Array, key: Array) -> RegressionSample:
        missed = self.noise * jax.random.normal(key, inputs.shape[:1], dtype=inputs.dtype)
        return RegressionSample(inputs, inputs @ teacher + missed, teacher)

    def initial(self, key: Array, data: RegressionSample) -> Float[Array, " p"]:
        spread = jnp.sqrt(self.init_variance / self.dimension)
        return spread * jax.random.normal(key, (self.dimension,), dtype=jnp.float64)

    def training(self, data: RegressionSample) -> TrainingPart:
        return TrainingPart(data.inputs, data.targets)

    def fresh(self, key: Array, data: RegressionSample, count: int) -> FreshSample:
        inputs_key, noise_key = jax.random.split(key)
        inputs = normal_block(inputs_key, count, self.dimension) * jnp.sqrt(self.eigenvalues())[None, :]
        made = self._labelled(inputs, data.teacher, noise_key)
        return FreshSample(made.inputs, made.targets)

    def sample_objective(
        self, params: Float[Array, " p"], data: RegressionSample, sample: FreshSample
    ) -> Float[Array, ""]:
        return self.penalised(sample.targets - sample.inputs @ params, params)

    def leaf_rates(self, params: Any, rate: Any) -> Any:
        return rate / self.dimension

    def observe(self, params: Float[Array, " p"], data: RegressionSample) -> dict[str, Array]:
        off = params - data.teacher
        power = jnp.sum(data.teacher**2)
        return {
            "train_loss": 0.5 * jnp.mean((data.targets - data.inputs @ params) ** 2),
            "test_loss": 0.5 * (jnp.sum(self.eigenvalues() * off**2) + self.noise**2),
            "overlap": jnp.sum(params * data.teacher) / jnp.where(power > 0, power, 1.0),
            "squared_norm": jnp.sum(params**2),
        }

    def horizon(self) -> np.ndarray:
        mean = 1.0 if self.spectrum is None else float(np.mean(np.asarray(self.spectrum)))
        return spread_times(self, 10.0 / mean)

    def as_data(self, raw: Any) -> RegressionSample:
        return _as_sample(raw, self.samples, self.dimension, self.coefficients())

    def as_start(self, raw: Any) -> np.ndarray:
        return as_weights(raw, self.dimension)

    @classmethod
    def examples(cls) -> tuple["LinearRegression", ...]:
        return (
            cls(dimension=6, samples=9, init_variance=0.1, spectrum=np.linspace(0.4, 1.6, 6)),
            cls(dimension=7, samples=5, init_variance=0.1, weight_decay=0.1, rule=SGD(0.05, batch=2)),
        )


def _as_sample(raw: Any, samples: int, dimension: int, teacher: np.ndarray) -> RegressionSample:
    """A user's data set, checked; the problem's own teacher where none is given."""
    names = ("inputs", "targets", "teacher")
    if isinstance(raw, RegressionSample):
        raw = {name: getattr(raw, name) for name in names}
    elif isinstance(raw, tuple | list) and len(raw) in (2, 3):
        raw = dict(zip(names, raw, strict=False))
    if not isinstance(raw, Mapping):
        raise ValueError("data must be tw.RegressionSample(inputs=(n, p), targets=(n,), teacher=(p,)).")
    parts = {"teacher": teacher, **{str(k): v for k, v in raw.items()}}
    shapes = {"inputs": (samples, dimension), "targets": (samples,), "teacher": (dimension,)}
    for name, shape in shapes.items():
        value = np.asarray(parts.get(name), dtype=np.float64)
        if value.shape != shape or not np.all(np.isfinite(value)):
            raise ValueError(
                f"data.{name} has shape {value.shape}; {shape} finite numbers are wanted for this problem."
            )
        parts[name] = value
    return RegressionSample(**{name: parts[name] for name in names})
