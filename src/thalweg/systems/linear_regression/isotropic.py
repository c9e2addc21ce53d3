"""The high-dimensional limit of linear regression with isotropic inputs: one spectral measure says everything."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics import marchenko_pastur_law as law
from ...mathematics.linear_equivalent import LinearLaw
from ...rules.demands import stable_share, under_descent
from ...words.fields import vary
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source
from ..shared.square_loss import FILTERED, best_time
from .problem import LinearRegression

CURVES = ("train_loss", "test_loss", "overlap", "squared_norm")
EVENTS = ("best_time_loss", "least_loss")


def _anisotropy(setting: Setting) -> float:
    spectrum = setting.problem.spectrum
    return 0.0 if spectrum is None else float(np.max(np.abs(np.asarray(spectrum) - 1))) / 0.1


STABLE = (
    "1 means that the learning rate is at the stability limit; beyond it fluctuations of the largest eigenvalue are "
    "amplified without bound."
)


def _isotropic_step(setting: Setting) -> float:
    problem = setting.problem
    return stable_share(problem.rule, lambda: isotropic_rate(problem))


def isotropic_rate(problem: LinearRegression) -> Array:
    """Largest stable rate by the limit of the largest eigenvalue."""
    return problem.rule.stable_rate(law.edges(problem.dimension / problem.samples)[1] + problem.weight_decay)


def best_values(problem: Any, curve: Callable[[Array], Array], horizon: Array) -> dict[str, Array]:
    """Time and value of the least test loss of a smooth curve."""
    best = best_time(problem, curve, horizon, 1)
    # whole steps know no NaN: what is asked at one would be told of the start
    inside = jnp.isfinite(best)
    least = jnp.where(inside, curve(jnp.where(inside, best, horizon)[None])[0], jnp.nan)
    return {"best_time_loss": best, "least_loss": least}


class IsotropicLimit(Limit[LinearRegression]):
    """Learning curves in the limit of many features and samples at a fixed ratio c = dimension/samples, C = I.

    With r2 = signal_norm^2, s = noise^2, v = init_variance, <.> the average over the Marchenko-Pastur law, the rule's
    filter f, g at u = x + weight_decay (flow: f = exp(-t u), g = (1 - f)/u) and k = 1 - x g:
        excess = r2 <k^2> + v <f^2> + s c <x g^2>,                 test_loss = (excess + s)/2,
        train_loss = (1/2) [r2 <x k^2> + v <x f^2> + s (1 + c <k^2 - 1>)],
        overlap = 1 - <k>,   squared_norm = r2 <x^2 g^2> + v <f^2> + s c <x g^2>.
    One quadrature of N nodes serves all times. Events: `best_time_loss` is the root of the derivative (flow without
    decay: (r2 + v) <x exp(-2 t x)> = s c <exp(-t x)(1 - exp(-t x))>), `least_loss` the value there; the largest stable
    rate is that of the largest eigenvalue's limit (1 + sqrt c)^2. Clock: the rule's own. Deterministic: no dim `seed`.
    Conditions on nothing. Error: O(1/dimension) in averages over seeds, O(dimension^-1/2) from seed to seed; constants
    measured (benchmarks/regression_order.py). For c > 1 without decay the share 1 - 1/c of signal and start is never
    learned; at c = 1 noise grows without bound, like sqrt t. It fails for a spectrum that is not flat (strain 1: 10 %
    off), beyond the stability limit of a discrete rule, and where dimension is not large.
    Source: Advani & Saxe 2017; Ali, Kolter & Tibshirani 2018.
    """

    nodes: int | None = None

    of: ClassVar[tuple[type[Problem], ...]] = (LinearRegression,)
    source: ClassVar[tuple[Source, ...]] = (
        Source("AdvaniSaxe2017"),
        Source("AliKolterTibshirani2018"),
        Source("MarchenkoPastur1967"),
    )
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS, "largest_stable_rate")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        FILTERED,
        Assumption(
            "isotropic inputs",
            "1 means that an eigenvalue of the covariance is 10 % off 1.",
            _anisotropy,
            broken_by=lambda problem: vary(problem, {"spectrum": np.linspace(0.4, 1.6, problem.dimension)}),
        ),
        Assumption("stable step", STABLE, _isotropic_step, broken_by=under_descent(0.8)),
    )

    @classmethod
    def example(cls) -> LinearRegression:
        return LinearRegression(dimension=24, samples=36, init_variance=0.1)

    def prepare(self, problem: LinearRegression, times: np.ndarray) -> "IsotropicLimit":
        if self.nodes is not None:
            return self
        end = float(times[-1] * problem.rule.effective_pace())
        return dataclasses.replace(self, nodes=law.nodes_needed(problem.dimension / problem.samples, end))

    def predict(self, problem: LinearRegression, data: Any, start: Any, times: Array) -> dict[str, Array]:
        assert self.nodes is not None
        times = jnp.asarray(times)
        rule = law.closure_rule(problem.dimension / problem.samples, 0.0, self.nodes)
        return {
            **isotropic_curves(problem, rule, times),
            **best_values(problem, lambda t: isotropic_curves(problem, rule, t)["test_loss"], times[-1]),
            "largest_stable_rate": isotropic_rate(problem),
        }

    def finite_size(self, problem: LinearRegression) -> Mapping[str, FiniteSize]:
        return {**size_terms(problem), "largest_stable_rate": edge_term(problem)}


def isotropic_curves(problem: LinearRegression, rule: law.SpectralRule, times: Array) -> dict[str, Array]:
    """All curves at some times, by products of (times, nodes) with (nodes, few)."""
    c, r2, s = problem.dimension / problem.samples, problem.signal_norm**2, problem.noise**2
    x, m, v = rule.points, rule.bulk, problem.init_variance
    f, g = problem.rule.filter(x + problem.weight_decay, times)
    fitted = x[None, :] * g
    k = 1 - fitted
    squares = jnp.square(k) @ jnp.stack([r2 * m, r2 * x * m + s * c * m], axis=1)
    start = v * (jnp.square(f) @ jnp.stack([m, x * m], axis=1))
    noise = s * c * (jnp.square(g) @ (x * m))
    return {
        "train_loss": jnp.maximum(0.5 * (squares[:, 1] + start[:, 1] + s * (1 - c)), 0.0),
        "test_loss": 0.5 * (squares[:, 0] + start[:, 0] + noise + s),
        "overlap": fitted @ m,
        "squared_norm": r2 * (jnp.square(fitted) @ m) + start[:, 0] + noise,
    }


def edge_term(problem: LinearRegression) -> FiniteSize:
    """The largest eigenvalue of isotropic inputs lies off its limit by the Tracy-Widom law (order 2/3 and higher)."""
    shift = law.edge_shift(problem.dimension / problem.samples, problem.samples)
    return FiniteSize(float(shift), 2 / 3, relative=True)


# largest bias of the mean over seeds times min(dimension, samples), upper two-sigma end, over the scale of each
MEAN_OFF = {
    "train_loss": 0.8,
    "test_loss": 0.4,
    "overlap": 0.2,
    "squared_norm": 0.75,
    "best_time_loss": 7.0,
    "least_loss": 0.8,
}
# a flat optimum lies flatter where eigenvalues differ widely
UNEVEN_BEST = 18.0


def size_terms(problem: LinearRegression) -> dict[str, FiniteSize]:
    """Bias of the mean over seeds, O(1/size) with size = min(dimension, samples), measured.

    benchmarks/regression_order.py: c in {1/2, 1, 2}, noise and start from 0 to 1, no signal; flat, even and power-law
    spectra; flow time to 10 over the mean eigenvalue.
    """
    found = MEAN_OFF if problem.spectrum is None else {**MEAN_OFF, "best_time_loss": UNEVEN_BEST}
    return scaled_terms(found, min(problem.dimension, problem.samples))


def scaled_terms(constants: Mapping[str, float], size: float) -> dict[str, FiniteSize]:
    """Constants over a size as declared errors of order 1; those of the overlap, whose scale is 1, are absolute."""
    return {
        name: FiniteSize(off / size if size > 0 else math.inf, 1.0, relative=name != "overlap")
        for name, off in constants.items()
    }


def effective_dimension(law: LinearLaw) -> float:
    """(tr C)^2 / tr C^2: how many directions share the power of the inputs."""
    return float(jnp.sum(law.counts * law.values) ** 2 / jnp.sum(law.counts * law.values**2))
