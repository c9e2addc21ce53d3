"""A quadratic network taught by a quadratic form: population risk, observables, events."""

from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...fields import check_ranges, is_traced
from ...problem import Event, Observable, Problem, Remark, Rule, scalar, size, spread_times, vector
from ...rules import GradientDescent, GradientFlow
from .detectors import FinalValue, FirstCrossing, LateRate
from .starts import FactorLaw, GaussianStart, Orthonormal, factor_spectrum, flat_spectrum

RECOVERED = 0.99


class Teacher(eqx.Module):
    """Z* = vectors diag(values) vectors'; `vectors` of shape (0, 0) stand for the coordinate axes. values (d,) descend."""

    values: Float[Any, " d"]
    vectors: Float[Any, "k k"]

    def apply(self, factor: Float[Any, "d m"]) -> Float[Array, "d m"]:
        """Z* W."""
        if self.vectors.shape[0] == 0:
            return self.values[:, None] * factor
        return self.vectors @ (self.values[:, None] * (self.vectors.T @ factor))

    def matrix(self) -> Float[Array, "d d"]:
        """Z* as a full matrix."""
        if self.vectors.shape[0] == 0:
            return jnp.diag(self.values)
        return (self.vectors * self.values[None, :]) @ self.vectors.T

    def seen_from(self, factor: Float[Any, "d m"]) -> Float[Array, "d m"]:
        """W in the teacher's eigenvectors, largest eigenvalue first."""
        return jnp.asarray(factor) if self.vectors.shape[0] == 0 else self.vectors.T @ factor


class Student(eqx.Module):
    """What moves: `weights` W (d, m), and the integral of the trace gap so far, which nothing feels."""

    weights: Float[Any, "d m"]
    trace_integral: Float[Any, ""]


TEST_LOSS = Observable("test_loss", "test loss without label noise, half the mean squared error", "L", low=0.0, log=True)
OVERLAP = Observable("overlap", "cosine between student and teacher matrix", "chi", low=-1.0, high=1.0)
TRACE_GAP = Observable("trace_gap", "trace of student minus teacher", "tr D")
TRACE_INTEGRAL = Observable("trace_integral", "integral of the trace gap over flow time", "phi/2")
SPECTRUM = Observable("student_spectrum", "eigenvalues of the student, largest first", "z", dims=("mode",))
EFFECTIVE_RANK = Observable("effective_rank", "squared trace over squared norm of the student", "(tr Z)^2/|Z|^2", low=0.0)

RECOVERY_TIME = Event(
    "recovery_time",
    f"time at which the overlap reaches {RECOVERED}",
    FirstCrossing("overlap", RECOVERED),
    f"the overlap stays below {RECOVERED} up to the end of the run",
)
FINAL_LOSS = Event("final_loss", "test loss at the end of the run", FinalValue("test_loss"), "no run", unit="")
LATE_RATE = Event(
    "late_rate",
    "rate of decay of the test loss at the end of the run",
    LateRate("test_loss"),
    "the test loss has fallen below 1e-13 of its start, where the integrator's error rules",
    unit="1/clock",
)


def risk(error: Float[Array, "d d"], centred: Any) -> Float[Array, ""]:
    """(1/2) E (x'Dx)^2 = |D|^2 + (1/2)(tr D)^2 for standard normal x; centred quadratic forms have no trace term."""
    trace = 0.0 if centred else jnp.trace(error)
    return jnp.sum(error**2) + 0.5 * trace**2


def cosine(product: Any, student: Any, teacher: Any) -> Array:
    """tr(ZZ*)/(|Z| |Z*|) from the product and the squared norms; NaN where one of the two is zero."""
    safe = jnp.where(student * teacher > 0, student * teacher, 1.0)
    return jnp.where(student * teacher > 0, product / jnp.sqrt(safe), jnp.nan)


class QuadraticNetwork(Problem):
    """Network with square activation, f(x) = x'WW'x, descending its population risk towards a teacher y = x'Z*x.

    With x standard normal in `dimension` d, Z = WW' (W has shape (d, width m), the factor 1/m lies inside W) and
    D = Z - Z*:  test_loss = (1/2) E (f - y)^2 = |D|^2 + (1/2)(tr D)^2; `centred` (f and y less their means) drops the
    trace. The rule descends test_loss + (weight_decay/2)|W|^2; label `noise` (standard deviation) moves the population
    gradient not at all and is not part of test_loss. Gradient flow: W' = -(4 D + 2 tr(D) + weight_decay) W.
    Teacher: `teacher_width` r units of the law `teacher` (Orthonormal(): r eigenvalues 1/r), by default d/4 of them, or
    any real `teacher_spectrum` of d numbers; the law of the start is rotation invariant, so that drawn teachers are
    diagonal. `data=` takes Z* (d, d), whose spectrum must be that of the problem, `start=` takes W (d, m). Start:
    Orthonormal(), or GaussianStart() where width > dimension.
    Clock: that of the rule. Matrices of trace one evolve on flow times of order d, those of trace d on times of order 1.
    `trace_integral` is the integral of `trace_gap` over flow time; rules with momentum give it another meaning.
    A start of lower rank keeps its rank for ever. Errors: ValueError for a spectrum of another length, misfitting
    matrices, an orthonormal family wider than the dimension. Source: Martin, Bach & Biroli 2023 (their risk is half of
    this loss, their time twice this one).
    """

    dimension: int = size("input dimension", symbol="d", default=80)
    width: int = size("student units", symbol="m", default=40)
    teacher_width: int | None = size("teacher units; a quarter of the dimension if not given", symbol="m*", default=None)
    teacher_spectrum: Any = vector("eigenvalues of the teacher, one a dimension", symbol="lambda", default=None)
    noise: float = scalar("standard deviation of the label noise", symbol="sqrt Delta", default=0.0, low=0.0)
    weight_decay: float = scalar("weight decay", symbol="2 rho", default=0.0, low=0.0)
    centred: bool = False
    start: FactorLaw | None = None
    teacher: FactorLaw | None = None
    rule: Rule = GradientFlow()

    observables: ClassVar[tuple[Observable, ...]] = (
        TEST_LOSS, OVERLAP, TRACE_GAP, TRACE_INTEGRAL, SPECTRUM, EFFECTIVE_RANK,
    )  # fmt: skip
    events: ClassVar[tuple[Event, ...]] = (RECOVERY_TIME, FINAL_LOSS, LATE_RATE)
    remarks: ClassVar[tuple[Remark, ...]] = (
        Remark(
            "trace_integral is the integral of the trace gap for gradient flow and plain descent only.",
            lambda problem: not isinstance(problem.rule, GradientFlow | GradientDescent),
        ),
    )

    def __check_init__(self) -> None:
        if any(is_traced(leaf) for leaf in jax.tree.leaves(self)):
            return
        check_ranges(self)
        if not isinstance(self.centred, bool):
            raise ValueError(f"QuadraticNetwork: centred = {self.centred!r} is not allowed; give True or False.")
        for name, width in (("start", self.width), ("teacher", self.teacher_units())):
            law = self.start_law() if name == "start" else self.teacher_law()
            if isinstance(law, Orthonormal) and width > self.dimension:
                raise ValueError(
                    f"QuadraticNetwork: {name} = Orthonormal() has no {width} orthonormal columns in dimension "
                    f"{self.dimension}; use {name} = GaussianStart(), or a width of at most the dimension."
                )
        if self.teacher_spectrum is None:
            return
        if self.teacher_width is not None or self.teacher is not None:
            raise ValueError(
                "QuadraticNetwork: teacher_spectrum says all of the teacher; leave out teacher_width and teacher."
            )
        if np.shape(self.teacher_spectrum) != (self.dimension,):
            raise ValueError(
                f"QuadraticNetwork: teacher_spectrum has shape {np.shape(self.teacher_spectrum)}; give {self.dimension} "
                "eigenvalues, one a dimension (fill up with zeros)."
            )

    def teacher_units(self) -> Any:
        """Teacher width m*, a quarter of the dimension where it is not given."""
        if self.teacher_width is not None:
            return self.teacher_width
        return max(1, self.dimension // 4) if isinstance(self.dimension, int) else jnp.maximum(1.0, jnp.floor(self.dimension / 4))

    def start_law(self) -> FactorLaw:
        """Law of the start."""
        if self.start is not None:
            return self.start
        return Orthonormal() if self.width <= self.dimension else GaussianStart()

    def teacher_law(self) -> FactorLaw:
        """Law of the teacher's weights, where no spectrum is given."""
        return Orthonormal() if self.teacher is None else self.teacher

    def known_spectrum(self) -> Any:
        """Eigenvalues of every teacher (d,), largest first; None where they differ from draw to draw."""
        if self.teacher_spectrum is not None:
            return -jnp.sort(-self.teacher_spectrum) if is_traced(self.teacher_spectrum) else -np.sort(-self.teacher_spectrum)
        law = self.teacher_law()
        return flat_spectrum(self.dimension, self.teacher_units(), law.trace) if isinstance(law, Orthonormal) else None

    def draw(self, key: Array) -> Teacher:
        known = self.known_spectrum()
        if known is None:
            known = factor_spectrum(self.teacher_law().draw(key, self.dimension, self.teacher_units()))
        return Teacher(jnp.asarray(known), jnp.zeros((0, 0)))

    def initial(self, key: Array, data: Teacher) -> Student:
        return Student(self.start_law().draw(key, self.dimension, self.width), jnp.zeros(()))

    def objective(self, params: Student, data: Teacher) -> Float[Array, ""]:
        weights = params.weights
        loss = risk(weights @ weights.T - data.matrix(), self.centred)
        # worth nothing, but its slope lets the rule add up the trace gap beside the weights
        gap = jax.lax.stop_gradient(jnp.sum(weights**2) - jnp.sum(data.values))
        counter = params.trace_integral - jax.lax.stop_gradient(params.trace_integral)
        return loss + 0.5 * self.weight_decay * jnp.sum(weights**2) - gap * counter

    def observe(self, params: Student, data: Teacher) -> dict[str, Array]:
        weights = params.weights
        spectrum = factor_spectrum(weights)[: min(weights.shape)]
        trace, square = jnp.sum(weights**2), jnp.sum((weights.T @ weights) ** 2)
        product = jnp.sum(weights * data.apply(weights))
        return {
            "test_loss": risk(weights @ weights.T - data.matrix(), self.centred),
            "overlap": cosine(product, square, jnp.sum(data.values**2)),
            "trace_gap": trace - jnp.sum(data.values),
            "trace_integral": params.trace_integral,
            "student_spectrum": spectrum,
            "effective_rank": trace**2 / jnp.where(square > 0, square, 1.0),
        }

    def horizon(self) -> np.ndarray:
        """To five times the inverse of the teacher's mean eigenvalue in the source's clock; the same for every width."""
        return spread_times(self, 2.5 / self.typical_eigenvalue())

    def typical_eigenvalue(self) -> float:
        """Mean size of the eigenvalues that are not zero; 1/d for a zero teacher."""
        known = self.known_spectrum()
        if known is None:
            units = self.teacher_units()
            return self.teacher_law().mean_trace(self.dimension, units) / min(units, self.dimension)
        sizes = np.abs(np.asarray(known))
        return float(sizes[sizes > 0].mean()) if np.any(sizes > 0) else 1.0 / self.dimension

    def as_data(self, raw: Any) -> Teacher:
        if isinstance(raw, Teacher):
            raw = {"values": raw.values, "vectors": raw.vectors}
        if isinstance(raw, Mapping):
            values, vectors = np.asarray(raw["values"], float), np.asarray(raw["vectors"], float)
            raw = np.diag(values) if vectors.shape[0] == 0 else (vectors * values) @ vectors.T
        return as_teacher(raw, self)

    def as_start(self, raw: Any) -> Student:
        if isinstance(raw, Mapping):
            raw = raw["weights"]
        weights = np.asarray(raw.weights if isinstance(raw, Student) else raw, dtype=np.float64)
        wanted = (self.dimension, self.width)
        if weights.shape != wanted or not np.all(np.isfinite(weights)):
            raise ValueError(f"start has shape {weights.shape}; W of shape {wanted} (dimension, width), all finite, is wanted.")
        return Student(weights, np.zeros(()))


def as_teacher(raw: Any, problem: QuadraticNetwork) -> Teacher:
    """A user's Z*, checked: symmetric, and with the spectrum that the problem says."""
    matrix, d = np.asarray(raw, dtype=np.float64), problem.dimension
    if matrix.shape != (d, d) or not np.all(np.isfinite(matrix)):
        raise ValueError(f"data has shape {matrix.shape}; the teacher Z* of shape {(d, d)}, all finite, is wanted.")
    size_of = max(float(np.abs(matrix).max()), 1e-300)
    if np.abs(matrix - matrix.T).max() > 1e-10 * size_of:
        raise ValueError("data is not symmetric; give the teacher as Z* = (Z* + Z*')/2.")
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    known = problem.known_spectrum()
    if known is None:
        rank = min(problem.teacher_units(), d)
        known = np.where(np.arange(d) < rank, np.maximum(values, 0.0), 0.0)
    off = float(np.abs(values - np.asarray(known)).max())
    if off > 1e-9 * size_of:
        raise ValueError(
            f"the spectrum of data differs from that of the problem by {off:.3g}; its largest eigenvalues are "
            f"{np.round(values[:4], 6).tolist()}, the problem says {np.round(np.asarray(known)[:4], 6).tolist()}. "
            "Set teacher_spectrum=np.linalg.eigvalsh(Z)."
        )
    # exactly equal eigenvalues stay exactly equal
    return Teacher(np.asarray(known), np.ascontiguousarray(vectors))
