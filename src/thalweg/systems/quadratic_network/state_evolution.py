"""Where a quadratic network with decay ends on a fixed sample, in the limit of large dimension."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics.spectral_shrinkage import Equilibrium, Fit, Law, equilibrium
from ...rules.demands import stepped_strain, under_descent
from ...words.fields import varied, vary
from ...words.problem import Problem
from ...words.theory import Assumption, Claim, Estimate, FiniteSize, Setting, Source, Variable, structural
from .forms import MatrixInputs, VectorInputs
from .long_time import FULL_RANK
from .quadratic_regression import QuadraticRegression
from .readings import cosine
from .riccati_flow import blocks_of

NO_TRACE = structural(
    "no trace term",
    "Inputs must be centred, VectorInputs() or MatrixInputs(): with plain xx' a few samples fix the trace of the "
    "student and weight decay shrinks it no more.",
    lambda problem: not problem.input_law().has_trace(),
    lambda problem: vary(problem, {"inputs": VectorInputs(centred=False)}),
)


DECAYED = structural(
    "weight decay",
    "Weight decay must be positive: without it a run that has too few samples to recover the teacher ends where its "
    "start decides; RecoverySamples says how many are enough.",
    lambda problem: problem.weight_decay > 0,
    varied(weight_decay=0.0),
)

# the noise that samples leave in the gradient is a sum of n matrices x_k x_k': its spectrum is a semicircle up to a
# fourth free cumulant of about 3 d/n
ENOUGH_SAMPLES = Assumption(
    "enough samples",
    "n too small for the state evolution: it needs samples of order dimension^2, and at least ten times the dimension "
    "(strain 1). With fewer the noise of the samples is no semicircle.",
    lambda setting: 10.0 * setting.problem.dimension / setting.problem.samples,
    broken_by=varied(samples=20),
)

LONG_RUN = Assumption(
    "long run",
    "Weight decay times the flow time at the end must be at least 8 (strain 1): earlier the run is still on its way.",
    lambda setting: 8.0 / max(float(setting.problem.weight_decay) * _flow_end(setting), 1e-300),
    # a hundred thousand steps, the longest default run, are not enough at this rate
    broken_by=under_descent(1e-5),
)


def _flow_end(setting: Setting) -> float:
    return float(setting.problem.rule.flow_time(setting.problem, np.asarray(setting.times[-1:]))[0])


def top_curvature(problem: Any, largest: float) -> float:
    """Estimate of the largest curvature of the training loss near a good end: 8 lam_1 (1 + sqrt(d(d + 1)/2n))^2."""
    return 8 * largest * (1 + math.sqrt(0.5 / problem.sample_ratio())) ** 2


def _step_strain(setting: Setting) -> float:
    def share(rate: float) -> float:
        return 0.5 * rate * top_curvature(setting.problem, float(np.max(setting.data.values)))

    return stepped_strain(setting.problem.rule, share)


STABLE = Assumption(
    "stable steps",
    "The rule must be gradient flow, or descent whose learning rate is below 2/curvature (strain 1). Beyond it the "
    "loss oscillates at a plausible level: look at the training loss.",
    _step_strain,
    broken_by=under_descent(2.0),
)


class StateEvolution(Estimate[QuadraticRegression]):
    """Where training with weight decay ends on n = alpha d^2 samples: a teacher seen through a noise of its own making.

    In units of the teacher's norm s = |Z*|, with lambda = weight_decay sqrt(d)/(4 s), Delta = (noise/s)^2 and
    alpha = n/(d(d + 1)): rho is the law of the teacher's eigenvalues (sqrt(d)/s lam_i) spread by a semicircle of
    variance xi, H its principal value transform, and the student keeps eigenvalues above b, lowered by q:
        b = max(q, omega), rho(> omega) = min(width/d, 1),  I = int_b rho H (x - q),
        MSE = 1 + int_b rho (q^2 - x^2) + 4 xi I,  2 alpha xi = MSE + Delta/2,  q (1 - I/alpha) = lambda,
        test_loss = s^2 MSE,  train_loss = 2 s^2 (lambda/q)^2 alpha xi (noisy labels).
    All are claims `limit`; `noise_spread` is xi, `shrinkage` q, `rank_share` rho(> b), `clean_train_loss` the training
    loss against labels without noise. Any real teacher spectrum. Conditions on the draw, of which it uses the teacher
    alone; right in the mean over inputs up to O(1/d): constants measured against minimisers of the objective
    (benchmarks/quadratic_samples.py). Clock: none.
    It fails without decay, for inputs with a trace term, for n of order d, and for starts of lower rank.
    Source: arXiv 2601.10483 for Gaussian teachers and matrix inputs; any spectrum, vector inputs (which behave alike at
    n of order d^2) and the count d(d + 1) for d^2 are ours.
    """

    blocks: tuple[int, ...] = eqx.field(default=(), static=True)

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticRegression,)
    source: ClassVar[tuple[Source, ...]] = (Source("MartinBiroliBach2026", "the regularised long-time state"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    speaks_of: ClassVar[tuple[str, ...]] = (
        "test_loss", "train_loss", "overlap", "trace_gap", "effective_rank",
        "noise_spread", "shrinkage", "rank_share", "clean_train_loss",
    )  # fmt: skip
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "width", "teacher_width")
    # what is left of the way after eight to ten decay times: measured on flows at dimension 20, largest of ten, rounded
    claims: ClassVar[Mapping[str, Claim]] = {
        "test_loss": Claim("limit", approach=lambda setting: 0.04),
        "train_loss": Claim("limit", approach=lambda setting: 0.006),
        "overlap": Claim("limit", approach=lambda setting: 0.005),
        "trace_gap": Claim("limit", approach=lambda setting: 0.002 * setting.problem.teacher_trace()),
        "effective_rank": Claim("limit", approach=lambda setting: 0.01 * setting.problem.dimension),
    }
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("noise_spread", "variance xi of the semicircle, in units of the teacher's squared norm"),
        Variable("shrinkage", "shrinkage q of the eigenvalues, in units of the teacher's norm over sqrt(d)"),
        Variable("rank_share", "share of eigenvalues that the student keeps"),
        Variable("clean_train_loss", "training loss at the end against labels without noise"),
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (NO_TRACE, DECAYED, STABLE, FULL_RANK, ENOUGH_SAMPLES, LONG_RUN)

    def prepare(self, problem: QuadraticRegression, times: np.ndarray) -> "StateEvolution":
        return dataclasses.replace(self, blocks=blocks_of(problem))

    def predict(self, problem: QuadraticRegression, data: Any, start: Any, times: Array) -> dict[str, Array]:
        unit, found, fit = solve(problem, jnp.asarray(data.values), self.blocks)
        flat = jnp.ones(times.shape[0])
        d, decay_share = problem.dimension, fit.decay / found.shrinkage
        train = 2 * unit**2 * decay_share**2 * fit.ratio * found.noise
        norm = jnp.where(found.square > 0, found.square, 1.0)
        return {
            "test_loss": unit**2 * found.error * flat,
            "train_loss": train * flat,
            "overlap": cosine(found.product, found.square, jnp.sum(data.values**2) / unit**2) * flat,
            "trace_gap": (unit * math.sqrt(d) * found.trace - jnp.sum(data.values)) * flat,
            "effective_rank": d * found.trace**2 / norm * flat,
            "noise_spread": found.noise,
            "shrinkage": found.shrinkage,
            "rank_share": found.rank,
            "clean_train_loss": train + 0.5 * problem.noise**2 * (1 - 2 * decay_share),
        }

    def finite_size(self, problem: QuadraticRegression) -> Mapping[str, FiniteSize]:
        """Of the mean over samples, of order 1/dimension; constants from benchmarks/quadratic_samples.py."""
        off = OFF["matrices" if isinstance(problem.input_law(), MatrixInputs) else "vectors"]
        sizes = {name: FiniteSize(c / problem.dimension, 1.0, relative=name in RELATIVE) for name, c in off.items()}
        trace = off["trace_gap"] * problem.teacher_trace() / problem.dimension
        return {**sizes, "trace_gap": FiniteSize(trace, 1.0)}


# bias of the mean times dimension, upper two-sigma ends: of logs of losses, of the rest as shares
OFF = {
    "vectors": {"test_loss": 9.0, "train_loss": 5.3, "overlap": 0.65, "trace_gap": 0.75, "effective_rank": 0.8},
    "matrices": {"test_loss": 3.7, "train_loss": 2.6, "overlap": 0.4, "trace_gap": 0.43, "effective_rank": 0.8},
}
RELATIVE = ("effective_rank",)


def solve(problem: Any, values: Array, blocks: tuple[int, ...]) -> tuple[Array, Equilibrium, Fit]:
    """The unit s = |Z*| of all numbers (1 for a zero teacher), the state, and what it was solved for."""
    counts, d = np.asarray(blocks), problem.dimension
    square = jnp.sum(values**2)
    unit = jnp.sqrt(jnp.where(square > 0, square, 1.0))
    law = Law(jnp.sqrt(1.0 * d) / unit * values[np.cumsum(counts) - counts], jnp.asarray(counts / counts.sum()))
    fit = Fit(
        problem.sample_ratio(),
        problem.weight_decay * jnp.sqrt(1.0 * d) / (4 * unit),
        (problem.noise / unit) ** 2,
        problem.width / d,
    )
    return unit, equilibrium(law, fit), fit
