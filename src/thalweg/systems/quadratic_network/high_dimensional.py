"""The high-dimensional limit of orthonormal families: one scalar equation says everything."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...fields import scalar
from ...mathematics.projector_flow import crossing, follow, observe, velocity
from ...problem import Problem
from ...theory import Assumption, FiniteSize, Source, Theory
from .problem import QuadraticNetwork
from .readings import RECOVERED
from .regime import (
    EQUAL_TRACES,
    FLAT_TEACHER,
    NO_DECAY,
    ORTHONORMAL_START,
    SMALL_STEP,
    SOURCE_TIME,
    TRACE_TERM,
    rate_of,
    step_share,
    teacher_rank,
)

# relative bias of the loss at gamma = 5 b, times dimension, where student and teacher have equal widths
EQUAL_WIDTHS = 220.0


class HighDimensionalFlow(Theory[QuadraticNetwork]):
    """Curves of a typical run in the limit of large dimension, for orthonormal student and teacher of equal trace c.

    With a = width/dimension, b = teacher width/dimension in (0, 1] and gamma = c t/dimension, t = 2 flow time, the
    eigenvalues of the relative position follow the Jacobi law; tr Z = tr Z* up to O(1/dimension) fixes
    phi = 2 trace_integral, and one scalar equation dJ/dgamma = 4 (e - J)/den, e = exp(4 gamma/b), gives all:
        chi = A/sqrt(b B),  dimension R = (1/2)[B/den^2 - 2 A/(b den) + 1/b],  test_loss = 2 c^2 R.
    Late: overlap -> 1 if a >= b (1 - chi ~ gamma^-2 for a > b, sqrt(gamma) e^{-2 gamma/a} for a = b), else sqrt(a/b):
    overparameterisation is needed, but the least is enough. Events: recovery_time, final_loss, late_rate.
    Written without cancellation, so that late losses keep their relative precision. Clock: that of the rule.
    Conditions on nothing. Error: O(1/dimension) in the mean and from seed to seed; `finite_size` holds constants that
    were measured against RiccatiFlow (benchmarks/quadratic_order.py). The trace integral of a < b drifts: its exact
    slope has m + 2 where the limit has m. It fails for Gaussian starts or teachers, other spectra, decay, centred data.
    Source: Martin, Bach & Biroli 2023, Proposition 5.1, equation (12), Lemma C.11; the reduction to one equation and
    the forms without cancellation are ours.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-11, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = (
        Source("MartinBachBiroli2023", "Proposition 5.1, equation (12), Lemma C.11"),
    )
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (
        "test_loss", "overlap", "trace_integral", "effective_rank", "recovery_time", "final_loss", "late_rate",
    )  # fmt: skip
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        SMALL_STEP, TRACE_TERM, ORTHONORMAL_START, FLAT_TEACHER, EQUAL_TRACES, NO_DECAY,
    )  # fmt: skip

    def prepare(self, problem: QuadraticNetwork, times: np.ndarray) -> "HighDimensionalFlow":
        return self

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        d, m = jnp.asarray(problem.dimension, float), jnp.asarray(problem.width, float)
        rank, trace = _teacher(problem, data)
        a, b = m / d, rank / d
        clock = SOURCE_TIME * rate_of(problem) * trace / d
        gammas = clock * jnp.asarray(times)
        states, grid, on_grid = follow(a, b, gammas, jnp.asarray(self.tolerance))
        told = observe(a, b, gammas, states)
        loss = 2 * trace**2 * told.distance / d

        last = (states[0][-1], states[1][-1])
        rates = velocity(a, b, gammas[-1], last)
        end, slope = jax.jvp(
            lambda g, s: observe(a, b, g, s).distance, (gammas[-1], last), (jnp.ones_like(gammas[-1]), rates)
        )
        return {
            "test_loss": loss,
            "overlap": told.overlap,
            "trace_integral": told.phi / SOURCE_TIME,
            "effective_rank": d / told.norm,
            "recovery_time": crossing(a, b, grid, on_grid, RECOVERED) / clock,
            "final_loss": loss[-1],
            "late_rate": -clock * slope / end,
        }

    def finite_size(self, problem: QuadraticNetwork) -> Mapping[str, FiniteSize]:
        """Bias of the mean over seeds, of order 1/dimension, and what steps of descent add in the first order.

        The constants are the largest bias times dimension over gamma <= 5 b (benchmarks/quadratic_order.py), at its
        upper two-sigma end. A student narrower than the teacher drifts: its trace integral has the slope of width + 2.
        """
        d, steps, rank = problem.dimension, 0.5 * step_share(problem), teacher_rank(problem)
        narrow = problem.width < rank
        # at equal widths the loss of a run falls twice as fast as that of the limit once both are of order 1/dimension
        close = EQUAL_WIDTHS / (1 + abs(problem.width - rank)) ** 2
        loss = FiniteSize((5.0 + close) / d + steps, 1.0, relative=True)
        phi = 1.0 / d + 2.0 / problem.width if narrow else 8.5 / d
        return {
            "test_loss": loss,
            "final_loss": loss,
            "overlap": FiniteSize(1.1 / d + steps, 1.0),
            "trace_integral": FiniteSize(phi + steps, 1.0, relative=True),
            "effective_rank": FiniteSize(1.0 / d + steps, 1.0, relative=True),
            "recovery_time": FiniteSize((2.0 + 0.04 * close) / d + steps, 1.0, relative=True),
            "late_rate": FiniteSize(((15.0 if narrow else 1.0) + 0.25 * close) / d + steps, 1.0, relative=True),
        }


def _teacher(problem: QuadraticNetwork, data: Any) -> tuple[Array, Array]:
    """Rank and trace of the teacher, as numbers that may be traced."""
    if problem.teacher_spectrum is None:
        units = problem.teacher_units()
        return jnp.asarray(units, float), jnp.asarray(problem.teacher_law().mean_trace(problem.dimension, units))
    values = jnp.asarray(problem.teacher_spectrum)
    return jnp.sum(1.0 * (values > 0)), jnp.sum(values)
