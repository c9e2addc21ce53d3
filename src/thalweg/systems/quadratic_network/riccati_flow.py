"""The flow of a quadratic network solved exactly at finite size, for a given teacher and start."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.memory_flow import Flow, Kernels, integrate
from ...mathematics.riccati import Echelon, compress, echelon, krylov, square_root, trace
from ...words.fields import scalar
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Source
from .decay_rate import late_rate
from .problem import QuadraticNetwork
from .readings import RECOVERED, cosine
from .regime import FLOW, SOURCE_TIME
from .taught import Taught
from .teacher import Teacher

CURVES = ("test_loss", "overlap", "trace_gap", "trace_integral", "student_spectrum", "effective_rank")
EVENTS = ("recovery_time", "final_loss", "late_rate")
# up to this many rows the loss is a sum of squares of D itself, above a difference of norms (floor 1e-14 of the norms)
DENSE_ROWS = 2048


def blocks_of(problem: Taught) -> tuple[int, ...]:
    """Multiplicities of the teacher's eigenvalues, largest eigenvalue first."""
    known = problem.known_spectrum()
    if known is None:
        rank = min(problem.teacher_units(), problem.dimension)
        rest = problem.dimension - rank
        return (1,) * rank + ((rest,) if rest else ())
    _, counts = np.unique(-np.asarray(known), return_counts=True)
    return tuple(int(c) for c in counts)


# the slow end of a long spectrum, where exp(4 lam t) stays a polynomial of degree 2 KRYLOV - 1 to rounding
KRYLOV, SLOW, MANY = 12, 8.0, 256


def slow_rows(problem: Taught, end: float) -> int:
    """Number of last rows, smallest eigenvalues, that at most grow by exp(SLOW) up to source time `end`.

    0 where there are not MANY distinct eigenvalues, or where the teacher's are known only when it is drawn.
    """
    known = problem.known_spectrum()
    if known is None or len(blocks_of(problem)) <= MANY:
        return 0
    known = np.asarray(known)
    flat = np.abs(known) * 4 * end <= SLOW
    # the last run of such rows, which must reach the end
    return int(flat.size - 1 - np.flatnonzero(~flat)[-1]) if np.any(~flat) else int(flat.size)


class Reduced(NamedTuple):
    """Teacher and start in the teacher's eigenbasis, rows that move alike merged; index: the eigenvalue of each row."""

    distinct: Float[Array, " k"]
    index: np.ndarray
    factor: Float[Array, "n m"]
    trace: Float[Array, ""]
    square: Float[Array, ""]
    lost: Float[Array, ""]


def reduce(blocks: tuple[int, ...], slow: int, data: Teacher, weights: Float[Any, "d m"]) -> Reduced:
    """Exact reduction: a block of more than m rows at one eigenvalue becomes m rows with the same Gram matrix.

    The last `slow` rows of a long spectrum become KRYLOV m rows with the same moments. `lost` is the squared norm of
    the teacher on directions that no student ever reaches.
    """
    if slow > 2 * KRYLOV * weights.shape[1]:
        return _reduce_long(len(data.values) - slow, data, weights)
    rows, values, m = data.seen_from(weights), jnp.asarray(data.values), weights.shape[1]
    ends = np.cumsum(blocks)
    begins = ends - np.asarray(blocks)
    small = max(blocks) <= m
    parts = [rows] if small else [compress(rows[a:b], m) for a, b in zip(begins, ends, strict=True)]
    kept = np.asarray(blocks) if small else np.minimum(blocks, m)
    distinct = values[begins]
    lost = jnp.sum((np.asarray(blocks) - kept) * distinct**2)
    index = np.repeat(np.arange(len(blocks)), kept)
    return Reduced(distinct, index, jnp.concatenate(parts), jnp.sum(values), jnp.sum(values**2), lost)


def _reduce_long(fast: int, data: Teacher, weights: Float[Any, "d m"]) -> Reduced:
    rows, values = data.seen_from(weights), jnp.asarray(data.values)
    tail, tail_rows = krylov(values[fast:], rows[fast:], KRYLOV)
    few = jnp.concatenate([values[:fast], tail])
    lost = jnp.maximum(jnp.sum(values[fast:] ** 2) - jnp.sum(tail**2), 0.0)
    factor = jnp.concatenate([rows[:fast], tail_rows])
    return Reduced(few, np.arange(few.shape[0]), factor, jnp.sum(values), jnp.sum(values**2), lost)


class RiccatiFlow(Exact[QuadraticNetwork]):
    """Exact flow of this very teacher and start at finite size; nothing is left out but the solver's tolerance.

    In the source's clock t = 2 flow time, with Z* = diag(lam), rho = weight_decay/2, E = exp(2 (Z* - rho/2) t):
        Z(t) = e^{-2 phi} E W0 [I + 4 W0'K W0]^{-1} W0'E,   K = int_0^t e^{-2 phi} E^2 ds,   phi' = tr Z - tr Z*
    (centred: phi = 0 in these formulas). Any teacher, indefinite too, any W0 (dimension, width), of any rank.
    Solved with one scalar forcing and one kernel for each distinct eigenvalue, in a gauge that never overflows; equal
    eigenvalues are merged, and so is the slow end of a long spectrum (to rounding): the cost knows dimension only by
    one factorisation. trace_integral = phi/2.
    Events: recovery_time (root on the solution), final_loss, late_rate (exact slope). Clock: flow time.
    Conditions on the draw and the start. `tolerance` is the aimed error of phi and of the kernels (relative).
    It fails for rules that take steps. Source: the Riccati solution of linear networks with a scalar forcing; the flow
    is that of Martin, Bach & Biroli 2023.
    """

    tolerance: float = scalar("aimed error of the solver", default=1e-11, above=0.0, below=0.1, log=True)
    blocks: tuple[int, ...] = eqx.field(default=(), static=True)
    slow: int = eqx.field(default=0, static=True)

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = (Source("Fukumizu1998"), Source("MartinBachBiroli2023", "the flow"))
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS)
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "width", "teacher_width")
    assumptions: ClassVar[tuple[Assumption, ...]] = (FLOW,)

    def prepare(self, problem: QuadraticNetwork, times: np.ndarray) -> "RiccatiFlow":
        end = SOURCE_TIME * float(np.max(times, initial=0.0))
        return dataclasses.replace(self, blocks=blocks_of(problem), slow=slow_rows(problem, end))

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        case = reduce(self.blocks, self.slow, data, start.weights)
        form = echelon(case.factor, min(case.factor.shape))

        def feedback(kernels: Kernels) -> Array:
            return trace(form, kernels, case.index) - case.trace

        def read(kernels: Kernels, slope: Array) -> dict[str, Array]:
            return _read(problem, case, form, kernels)

        def watch(kernels: Kernels) -> Array:
            return _overlap(case, square_root(form, kernels, case.index)) - RECOVERED

        flow = Flow(feedback, 2 * case.distinct - 0.5 * problem.weight_decay, 0.0 if problem.centred else 1.0)
        told, crossing = integrate(flow, SOURCE_TIME * jnp.asarray(times), read, watch, self.tolerance)
        slopes = told.pop("slope")
        return {
            **told,
            "recovery_time": crossing / SOURCE_TIME,
            "final_loss": told["test_loss"][-1],
            "late_rate": late_rate(told["test_loss"][-1], slopes[-1], told["test_loss"][0]),
        }


def _overlap(case: Reduced, root: Float[Array, "n c"]) -> Array:
    product = jnp.sum(case.distinct[case.index][:, None] * root**2)
    return cosine(product, jnp.sum((root.T @ root) ** 2), case.square)


def _read(problem: QuadraticNetwork, case: Reduced, form: Echelon, kernels: Kernels) -> dict[str, Array]:
    """All observables in library units from B, Z = BB'; `slope` is d test_loss / d flow time."""
    root = square_root(form, kernels, case.index)
    values, gram = case.distinct[case.index], root.T @ root
    total, square = jnp.sum(root**2), jnp.sum(gram**2)
    gap = total - case.trace
    mean = 0.0 if problem.centred else gap
    pull = root @ gram - values[:, None] * root
    force = 4 * pull + 2 * mean * root
    if root.shape[0] <= DENSE_ROWS:
        distance = jnp.sum((root @ root.T - jnp.diag(values)) ** 2) + case.lost
    else:
        distance = jnp.maximum(square - 2 * jnp.sum(values[:, None] * root**2) + case.square, 0.0)
    spectrum = jnp.maximum(jnp.linalg.eigvalsh(gram)[::-1], 0.0)
    few = min(problem.dimension, problem.width) - spectrum.shape[0]
    return {
        "test_loss": distance + 0.5 * mean**2,
        "overlap": _overlap(case, root),
        "trace_gap": gap,
        "trace_integral": kernels.phi / SOURCE_TIME,
        "student_spectrum": jnp.concatenate([spectrum, jnp.zeros(few)]),
        "effective_rank": total**2 / jnp.where(square > 0, square, 1.0),
        "slope": -jnp.sum(force**2) - problem.weight_decay * jnp.sum(force * root),
    }
