"""The high-dimensional limit of the linear classifier: two spectral measures say everything."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics import marchenko_pastur_law as law
from ...mathematics.extremum import interior_extrema
from ...rules.demands import stable_share, under_descent
from ...words.fields import varied
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source
from ..shared.square_loss import FILTERED, best_time
from ..shared.two_class_outputs import ratio_cdf
from .problem import LinearClassifier

CURVES = ("train_loss", "test_loss", "train_accuracy", "test_accuracy", "overlap", "squared_norm")
FLIPS = ("train_accuracy_clean", "train_accuracy_flipped")
EVENTS = ("best_time_loss", "best_time_accuracy", "largest_stable_rate")


def _anisotropy(setting: Setting) -> float:
    r = abs(float(setting.problem.correlation))
    return ((1 + r) / (1 - r) - 1) / 0.1


def _step_strain(setting: Setting) -> float:
    problem = setting.problem
    return stable_share(problem.rule, lambda: problem.rule.stable_rate(_top(problem)))


def _top(problem: Any) -> Float[Array, ""]:
    """Largest curvature of the objective in the limit."""
    return law.largest_eigenvalue(problem.dimension / problem.samples, problem.mean_norm**2) + problem.weight_decay


@dataclasses.dataclass(frozen=True)
class Moments:
    """Spectral averages at all times; names as in the source: E, V test side; E_*, M_* train side."""

    overlap: Array
    norm: Array
    fit: Array
    fit_clean: Array
    power: Array


def moments(problem: LinearClassifier, rule: law.SpectralRule, f: Array, g: Array) -> Moments:
    """All averages by three products of (times, nodes) with (nodes, few); flips enter by k and r."""
    c, rho = problem.dimension / problem.samples, problem.mean_norm**2
    k, r = 1 - 2 * problem.label_flip, 4 * problem.label_flip * (1 - problem.label_flip)
    x, t, m = rule.points, rule.signal, rule.bulk
    linear = g @ jnp.stack([t, x * m], axis=1)
    square = jnp.square(g) @ jnp.stack(
        [k**2 * (rho + c) * t + r * c * x * m, k**2 * (rho + c) * x * t + r * c * x**2 * m], axis=1
    )
    start = problem.init_variance * (jnp.square(f) @ jnp.stack([m, x * m], axis=1))
    return Moments(
        overlap=k * rho * linear[:, 0],
        norm=square[:, 0] + start[:, 0],
        fit=k**2 * (rho + c) * linear[:, 0] + r * c * linear[:, 1],
        fit_clean=k * (rho + c) * linear[:, 0],
        power=square[:, 1] + start[:, 1],
    )


def _accuracies(problem: LinearClassifier, at: Moments) -> dict[str, Array]:
    """Gaussian outputs: one law for test points, two for flipped and unflipped training points."""
    eps = jnp.asarray(problem.label_flip)

    def flips() -> tuple[Array, Array, Array, Array]:
        k = 1 - 2 * eps
        b = (at.fit - k * at.fit_clean) / jnp.where(eps > 0, 1 - k**2, 1.0)
        a = at.fit_clean - k * b
        spread = at.power - (1 - eps) * (a + b) ** 2 - eps * (b - a) ** 2
        # one call for all rows: each copy of the error function costs a fifth of a second of compilation
        test, clean, flipped = ratio_cdf(jnp.stack([at.overlap, a + b, b - a]), jnp.stack([at.norm, spread, spread]))
        return test, (1 - eps) * clean + eps * flipped, clean, flipped

    def plain() -> tuple[Array, Array, Array, Array]:
        # without flips A and B are 0/0, and there is no flipped sample to speak of
        variances = jnp.stack([at.norm, at.power - jnp.square(at.fit)])
        test, right = ratio_cdf(jnp.stack([at.overlap, at.fit]), variances)
        return test, right, right, jnp.full_like(right, jnp.nan)

    names = ("test_accuracy", "train_accuracy", "train_accuracy_clean", "train_accuracy_flipped")
    return dict(zip(names, jax.lax.cond(eps > 0, flips, plain), strict=True))


def test_curves(problem: LinearClassifier, rule: law.SpectralRule, times: Array) -> tuple[Array, Array]:
    """Test loss and (overlap^2 / norm), which orders as test accuracy does, at some times."""
    at, moved = _moments_from_start(problem, rule, times)
    return 0.5 * ((1 - moved * at.overlap) ** 2 + moved * at.norm), at.overlap / jnp.sqrt(at.norm)


def _moments_from_start(problem: LinearClassifier, rule: law.SpectralRule, times: Array) -> tuple[Moments, Array]:
    """Moments at all times, and 0 at a zero start, 1 elsewhere.

    At a zero start accuracy is 0/0; with g = 1 the moments there give its limit t -> 0+, since g is flat then.
    """
    f, g = problem.rule.filter(rule.points + problem.weight_decay, times)
    still = (problem.init_variance == 0) & (times == 0)
    return moments(problem, rule, f, jnp.where(still[:, None], 1.0, g)), jnp.where(still, 0.0, 1.0)


def best_times(problem: Any, curves: Any, horizon: Array) -> dict[str, Array]:
    """Times of the least test loss and of the best accuracy, from `curves(times) -> (loss, accuracy measure)`."""
    if problem.rule.continuous:
        loss, accuracy = interior_extrema(curves, horizon, (1, -1), coarse=48)
    else:
        loss = best_time(problem, lambda t: curves(t)[0], horizon, 1)
        accuracy = best_time(problem, lambda t: curves(t)[1], horizon, -1)
    return {"best_time_loss": loss, "best_time_accuracy": accuracy}


class MarchenkoPastur(Limit[LinearClassifier]):
    """Learning curves in the limit of many features and samples at a fixed ratio c = dimension/samples.

    With rho = mean_norm^2, <.>_MP the average over the Marchenko-Pastur law, <.>_T over the signal measure, and the
    rule's filter f, g at u = x + weight_decay (flow: f = exp(-t u), g = (1 - f)/u):
        E = mu.w -> rho <g>_T,   V = |w|^2 -> (rho + c) <g^2>_T + init_variance <f^2>_MP,
        test_loss = (1/2)[(1 - E)^2 + V],   test_accuracy = Phi(E / sqrt V),
        E_* -> (rho + c) <g>_T,  M_* -> (rho + c) <x g^2>_T + init_variance <x f^2>_MP,
        train_loss = (1/2)(1 - 2 E_* + M_*), train_accuracy = Phi(E_* / sqrt(M_* - E_*^2));
    label flips change the weights of these averages and split the training outputs into two Gaussians.
    One quadrature of N nodes serves all times: O(times N). Events: best stopping times (root of the derivative) and
    largest stable rate (limit of the largest eigenvalue). Clock: the rule's own. Deterministic: no dim `seed`.
    Conditions on nothing. Error: O(1/dimension) in averages over seeds, O(dimension^-1/2) from seed to seed; the
    constants in `finite_size` were measured by an order test (benchmarks/finite_size.py). It fails for correlated
    inputs (strain 1: covariance 10 % off in operator norm), beyond the stability limit of a discrete rule, and
    where dimension is not large.
    Source: Liao & Couillet 2018, theorems 1 and 2; discrete rules and flips by the same measures.
    """

    nodes: int | None = None

    of: ClassVar[tuple[type[Problem], ...]] = (LinearClassifier,)
    source: ClassVar[tuple[Source, ...]] = (
        Source("LiaoCouillet2018", "theorems 1 and 2"),
        Source("CouilletLiao2022", "section 5.2"),
        Source("MarchenkoPastur1967"),
    )
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *FLIPS, *EVENTS)
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        FILTERED,
        Assumption(
            "isotropic inputs",
            "1 means that the covariance of the inputs is 10 % off the identity in operator norm.",
            _anisotropy,
            broken_by=varied(correlation=0.2),
        ),
        Assumption(
            "stable step",
            "1 means that the learning rate is at the stability limit; beyond it fluctuations of the largest "
            "eigenvalue are amplified without bound.",
            _step_strain,
            broken_by=under_descent(0.8),
        ),
    )

    def prepare(self, problem: LinearClassifier, times: np.ndarray) -> "MarchenkoPastur":
        if self.nodes is not None:
            return self
        flow = float(times[-1] * problem.rule.effective_pace())
        ratio = problem.dimension / problem.samples
        return dataclasses.replace(self, nodes=law.nodes_needed(ratio, flow))

    def predict(self, problem: LinearClassifier, data: Any, start: Any, times: Array) -> dict[str, Array]:
        assert self.nodes is not None
        times = jnp.asarray(times)
        rule = law.closure_rule(problem.dimension / problem.samples, problem.mean_norm**2, self.nodes)
        at, moved = _moments_from_start(problem, rule, times)
        return {
            # for a fit close to 1 the cancellation is at rounding; a loss is never negative
            "train_loss": jnp.maximum(0.5 * (1 + moved * (at.power - 2 * at.fit)), 0.0),
            "test_loss": 0.5 * ((1 - moved * at.overlap) ** 2 + moved * at.norm),
            "overlap": moved * at.overlap,
            "squared_norm": moved * at.norm,
            **_accuracies(problem, at),
            **best_times(problem, lambda t: test_curves(problem, rule, t), times[-1]),
            "largest_stable_rate": problem.rule.stable_rate(_top(problem)),
        }

    def finite_size(self, problem: LinearClassifier) -> Mapping[str, FiniteSize]:
        """Bias of the mean over seeds, O(1/size) with size = min(dimension, samples).

        The losses carry (1/2) Var(mu.w) of the random start, (1/2) rho init_variance / dimension, exactly. All other
        constants were measured (benchmarks/finite_size.py: c in {1/2, 1, 2}, rho in {1/2, 1, 4}, init_variance in
        {0.1, 1}, flow time to 10): the largest bias times size, at its upper two-sigma end.
        The largest eigenvalue lies off its limit by the Tracy-Widom law at an edge (order 2/3 and higher).
        """
        size = min(problem.dimension, problem.samples)
        start = 0.5 * problem.mean_norm**2 * problem.init_variance / problem.dimension
        ratio = problem.dimension / problem.samples
        edge = law.edge_shift(ratio, problem.samples)
        loss, accuracy = FiniteSize(start + 0.8 / size, 1.0), FiniteSize(0.2 / size, 1.0)
        return {
            "train_loss": FiniteSize(start + 0.2 / size, 1.0),
            "test_loss": loss,
            **{name: accuracy for name in ("train_accuracy", "test_accuracy", *FLIPS)},
            "overlap": FiniteSize(0.35 / size, 1.0),
            "squared_norm": FiniteSize(1.0 / size, 1.0, relative=True),
            "best_time_loss": FiniteSize(6.0 / size, 1.0, relative=True),
            "best_time_accuracy": FiniteSize(11.0 / size, 1.0, relative=True),
            "largest_stable_rate": FiniteSize(float(edge), 2 / 3, relative=True),
        }
