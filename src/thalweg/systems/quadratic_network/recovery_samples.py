"""How many samples make a quadratic network find its teacher exactly, in the limit of large dimension."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics.sensing_thresholds import with_vanishing_decay, without_decay
from ...words.fields import varied
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source, Variable
from .long_time import FULL_RANK, REACHED
from .quadratic_regression import QuadraticRegression
from .regime import teacher_rank
from .state_evolution import NO_TRACE


def _noise_strain(setting: Setting) -> float:
    values = np.asarray(setting.data.values)
    return float(setting.problem.noise) / (0.1 * float(np.sqrt(np.sum(values**2))) or 1e-300)


NO_NOISE = Assumption(
    "little noise",
    "Label noise must be small beside the teacher's norm (strain 1: a tenth of it); with noise nothing is found "
    "exactly, see StateEvolution.",
    _noise_strain,
    broken_by=varied(noise=0.5),
)


class RecoverySamples(Limit[QuadraticRegression]):
    """Least number of noiseless samples with which training finds a positive teacher of rank r exactly.

    With kappa = width/d, kappa* = r/d, in units of d(d + 1):
        samples_with_decay: a decay that vanishes at the end of the run,
            kappa* - kappa*^2/2 + ((1 - kappa*)^2/2)(M_2(b) - q M_1(b)), M_k moments of a semicircle above b,
        samples_without_decay: none at all, from a random start: min(alpha_int, kappa - kappa^2/2) for kappa <= 1.
    Decay asks for fewer: it prefers low rank. The eigenvalues of the teacher play no part; NaN for a width below r.
    Conditions on nothing. Clock: none. At finite dimension the transition is smooth over O(1/d) in the ratio.
    Source: arXiv 2601.10483; that its count d^2 is d(d + 1) at finite size is ours. It fails with label noise.
    """

    rank: int = eqx.field(default=0, static=True)

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticRegression,)
    source: ClassVar[tuple[Source, ...]] = (Source("MartinBiroliBach2026", "thresholds of perfect recovery"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = ("samples_with_decay", "samples_without_decay")
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "width", "teacher_width")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("samples_with_decay", "least number of samples for recovery with a decay that vanishes late"),
        Variable("samples_without_decay", "least number of samples for recovery without decay"),
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (NO_TRACE, REACHED, FULL_RANK, NO_NOISE)

    def prepare(self, problem: QuadraticRegression, times: np.ndarray) -> "RecoverySamples":
        return dataclasses.replace(self, rank=teacher_rank(problem))

    def predict(self, problem: QuadraticRegression, data: Any, start: Any, times: Array) -> dict[str, Array]:
        d = problem.dimension
        shares = jnp.asarray(problem.width / d), jnp.asarray(self.rank / d)
        entries = d * (d + 1)
        return {
            "samples_with_decay": entries * with_vanishing_decay(*shares),
            "samples_without_decay": entries * without_decay(*shares),
        }

    def finite_size(self, problem: QuadraticRegression) -> Mapping[str, FiniteSize]:
        """No run is judged by these counts, limits of large dimension: nothing is granted."""
        return {}
