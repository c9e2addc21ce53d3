"""One-pass training of a quadratic network in the limit of large dimension: closed equations for its overlaps."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.one_pass_quadratic import Law, Moments, gaps, velocity
from ...mathematics.watched_flow import watched_flow
from ...rules import OnePassSGD
from ...rules.demands import ONE_PASS
from ...words.fields import scalar, varied
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source
from .problem import QuadraticNetwork
from .readings import RECOVERED, cosine
from .regime import SOURCE_TIME, teacher_rank

# largest gap of the mean over seeds, upper two-sigma end, times dimension/(width + rank), for nu = .05 to .2: measured
# at dimensions 40 and 80, of the log of the loss, as a share of effective_rank and recovery_time, absolute elsewhere
MEAN_OFF = {
    "test_loss": 2.1,
    "overlap": 1.2,
    "trace_gap": 0.7,
    "trace_integral": 1.2,
    "student_spectrum": 0.55,
    "effective_rank": 0.85,
    "recovery_time": 1.2,
    "final_loss": 2.1,
}
RELATIVE = ("effective_rank", "recovery_time", "final_loss")


def _few_strain(setting: Setting) -> float:
    return (teacher_rank(setting.problem) + setting.problem.width) / setting.problem.dimension / 0.5


FEW_UNITS = Assumption(
    "few units",
    "Teacher rank and width must be small beside the dimension (strain 1: their sum is half of it).",
    _few_strain,
    broken_by=varied(dimension=8, width=6),
)


class Followed(NamedTuple):
    """What the equations follow: moments of the weights, and the integral of the trace gap over flow time."""

    moments: Moments
    trace_integral: Float[Array, ""]


class OnePassQuadratic(Limit[QuadraticNetwork]):
    """Curves of one-pass training in the limit of large dimension, from the overlaps of this very start.

    With lam the r eigenvalues of the teacher that are not zero, A (r, m) the rows of W along their eigenvectors,
    G (m, m) the Gram matrix of all other rows, Q = A'A + G, P = A' diag(lam) A, rho = weight_decay/2, T = tr D (0 if
    centred) and nu = 2 learning_rate, in the source's clock t = 2 flow time:
        A' = -2 (A Q - diag(lam) A) - (T + rho) A,
        G' = -2 (G Q + Q G) - 2 (T + rho) G + nu C,
        C  = (2 |D|^2 + T^2 + noise^2) Q + 4 T (Q^2 - P) + 8 [(A Q - diag(lam) A)'(A Q - diag(lam) A) + Q G Q].
    nu C is the noise of single samples: it sets a floor of the loss under label noise. Schedules multiply nu and the
    speed alike. Clock: steps / dimension, flow time = learning_rate times it; recovery_time is a root on the solution.
    Exact as dimension grows at fixed width, rank and learning_rate, for any teacher spectrum of few eigenvalues.
    Conditions on the draw and the start. At finite dimension single runs fluctuate by O(1/sqrt dimension), above all
    in the time of an escape, and the mean is off by O(1/dimension). It fails for widths or ranks of order dimension.
    Source: the sixth Gaussian moment; the loss is that of Martin, Bach & Biroli 2023.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-10, above=0.0, below=0.1, log=True)
    rows: tuple[int, ...] = eqx.field(default=(), static=True)

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = (Source("MartinBachBiroli2023", "the loss"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (
        "test_loss", "overlap", "trace_gap", "trace_integral", "student_spectrum", "effective_rank", "recovery_time",
        "final_loss",
    )  # fmt: skip
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "width", "teacher_width")
    assumptions: ClassVar[tuple[Assumption, ...]] = (ONE_PASS, FEW_UNITS)

    @classmethod
    def example(cls) -> QuadraticNetwork:
        rule = OnePassSGD(learning_rate=0.05)
        return QuadraticNetwork(dimension=24, width=3, teacher_width=2, noise=0.3, rule=rule)

    def prepare(self, problem: QuadraticNetwork, times: np.ndarray) -> "OnePassQuadratic":
        known = problem.known_spectrum()
        rank = teacher_rank(problem)
        rows = range(rank) if known is None else np.flatnonzero(np.asarray(known)).tolist()
        return dataclasses.replace(self, rows=tuple(rows))

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        place = np.asarray(self.rows, int)
        rule: Any = problem.rule
        law = Law(
            jnp.asarray(data.values)[place],
            problem.noise**2,
            0.5 * problem.weight_decay,
            0.0 if problem.centred else 1.0,
        )
        seen = data.seen_from(start.weights)
        rest = jnp.delete(seen, place, axis=0, assume_unique_indices=True)
        begin = Followed(Moments(seen[place], rest.T @ rest), jnp.zeros(()))

        def move(t: Array, run: Followed) -> Followed:
            rate = rule.schedule.factor(t) * rule.learning_rate
            slope = velocity(law, SOURCE_TIME * rate, run.moments)
            speed = SOURCE_TIME * rate
            return Followed(Moments(*(speed * part for part in slope)), rate * gaps(law.lam, run.moments)[0])

        def observe(run: Followed) -> dict[str, Array]:
            return _observed(problem, law, run)

        def watch(run: Followed) -> Float[Array, " 1"]:
            overlap = observe(run)["overlap"]
            return (RECOVERED - overlap)[None]

        flow = watched_flow(move, begin, jnp.asarray(times), observe, watch, self.tolerance)
        recovered = jnp.where(watch(begin)[0] <= 0, 0.0, flow.roots[0])
        return {**flow.observed, "recovery_time": recovered, "final_loss": flow.observed["test_loss"][-1]}

    def finite_size(self, problem: QuadraticNetwork) -> Mapping[str, FiniteSize]:
        """Of the mean over seeds: constants times (width + rank)/dimension (benchmarks/quadratic_one_pass.py)."""
        share = (problem.width + teacher_rank(problem)) / problem.dimension
        return {name: FiniteSize(off * share, 1.0, relative=name in RELATIVE) for name, off in MEAN_OFF.items()}


def _observed(problem: QuadraticNetwork, law: Law, run: Followed) -> dict[str, Array]:
    """All curves in library units."""
    total = run.moments.total()
    trace, square = gaps(law.lam, run.moments)
    size, norm = jnp.trace(total), jnp.sum(total**2)
    product = jnp.sum(law.lam[:, None] * run.moments.along**2)
    spectrum = jnp.maximum(jnp.linalg.eigvalsh(total)[::-1], 0.0)
    return {
        "test_loss": square + 0.5 * (law.coupling * trace) ** 2,
        "overlap": cosine(product, norm, jnp.sum(law.lam**2)),
        "trace_gap": trace,
        "trace_integral": run.trace_integral,
        "student_spectrum": spectrum[: min(problem.dimension, problem.width)],
        "effective_rank": size**2 / jnp.where(norm > 0, norm, 1.0),
    }
