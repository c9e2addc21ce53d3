"""A quadratic network taught by a quadratic form, on its population risk."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.normal_blocks import normal_block
from ...rules import GradientFlow, OnePassSGD
from ...rules.demands import one_pass, plain_steps
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
    vector,
)
from .readings import (
    EFFECTIVE_RANK,
    FINAL_LOSS,
    LARGEST_RATE,
    LATE_RATE,
    OVERLAP,
    RECOVERY_TIME,
    SPECTRUM,
    TEST_LOSS,
    TRACE_GAP,
    TRACE_INTEGRAL,
    risk,
)
from .starts import FactorLaw
from .taught import Taught, teacher_is_drawn
from .teacher import Student, Teacher, as_teacher


def beyond_edge(problem: "QuadraticNetwork") -> bool:
    """Whether descent steps too far for the teacher to be a stable end, where its spectrum is known and positive."""
    known = problem.known_spectrum()
    if not plain_steps(problem.rule) or known is None or np.min(known) < 0:
        return False
    sizes = np.asarray(known)
    # at x = 2/learning_rate above 8 lam_1 the largest curvature, of 8 diag(lam) + 4 sqrt(lam) sqrt(lam)', is below x
    # iff sum 4 lam/(x - 8 lam) < 1
    x = 2 / problem.rule.pace()
    if x <= 8 * sizes.max():
        return bool(x < 8 * sizes.max() or not problem.centred)
    return not problem.centred and bool(np.sum(4 * sizes / (x - 8 * sizes)) > 1)


class Sample(eqx.Module):
    """Fresh samples: standard normal `inputs` (count, d), noisy `labels` (count,)."""

    inputs: Float[Array, "*count d"]
    labels: Float[Array, "*count"]


class QuadraticNetwork(Taught, StreamingProblem):
    """Network with square activation, f(x) = x'WW'x, descending its population risk towards a teacher y = x'Z*x.

        f(x) = x'WW'x,   y = x'Z*x,   test_loss = (1/2) E (f - y)^2 = |D|^2 + (1/2) (tr D)^2,   D = WW' - Z*.
    With x standard normal in `dimension` d, Z = WW' (W has shape (d, width m), the factor 1/m lies inside W) and
    D = Z - Z*:  test_loss = (1/2) E (f - y)^2 = |D|^2 + (1/2)(tr D)^2; `centred` (f and y less their means) drops the
    trace. The rule descends test_loss + (weight_decay/2)|W|^2; label `noise` (standard deviation) moves the population
    gradient not at all and is not part of test_loss. Gradient flow: W' = -(4 D + 2 tr(D) + weight_decay) W.
    Teacher: `teacher_width` r units of the law `teacher` (Orthonormal(): r eigenvalues 1/r), by default d/4 of them, or
    any real `teacher_spectrum` of d numbers; the law of the start is rotation invariant, so that drawn teachers are
    diagonal. `data=` takes Z* (d, d), whose spectrum must be that of the problem, `start=` takes W (d, m). Start:
    Orthonormal(), or GaussianStart() where width > dimension.
    OnePassSGD sees a fresh x and a noisy label at every step: W <- W - (learning_rate/dimension) times the gradient of
    (1/2)(f - y)^2 + (weight_decay/2)|W|^2, so that flow time is learning_rate steps/dimension, as its clock has it.
    Clock: that of the rule. Matrices of trace one evolve on flow times of order d, of trace d on times of order 1.
    `trace_integral` is the integral of `trace_gap` over flow time; rules with momentum give it another meaning.
    A start of lower rank keeps its rank for ever. Errors: ValueError for a spectrum of another length, misfitting
    matrices, an orthonormal family wider than the dimension. Source: Martin, Bach & Biroli 2023 (their risk is half of
    this loss, their time twice this one).
    """

    dimension: int = size("input dimension", symbol="d", default=80)
    width: int = size("student units", symbol="m", default=40)
    teacher_width: int | None = size(
        "teacher units; a quarter of the dimension if not given", symbol="m*", default=None
    )
    teacher_spectrum: Any = vector("eigenvalues of the teacher, one a dimension", symbol="lambda", default=None)
    noise: float = scalar("standard deviation of the label noise", symbol="sqrt Delta", default=0.0, low=0.0)
    weight_decay: float = scalar("weight decay", symbol="2 rho", default=0.0, low=0.0)
    centred: bool = False
    start: FactorLaw | None = None
    teacher: FactorLaw | None = None
    rule: Rule = GradientFlow()

    random: ClassVar = {"draw": teacher_is_drawn, "start": always}
    observables: ClassVar[tuple[Observable, ...]] = (
        TEST_LOSS, OVERLAP, TRACE_GAP, TRACE_INTEGRAL, SPECTRUM, EFFECTIVE_RANK,
    )  # fmt: skip
    events: ClassVar[tuple[Event, ...]] = (RECOVERY_TIME, FINAL_LOSS, LATE_RATE, LARGEST_RATE)
    remarks: ClassVar[tuple[Remark, ...]] = (
        Remark(
            "trace_integral is the integral of the trace gap for gradient flow, plain descent and OnePassSGD only.",
            lambda problem: not (problem.rule.descends() or one_pass(problem.rule)),
        ),
        Remark(
            "The learning rate is beyond the stability edge at the teacher: no run converges. Just above the edge "
            "it settles on a two-cycle whose loss is small and looks like convergence; lower the learning rate.",
            beyond_edge,
        ),
    )

    def __check_init__(self) -> None:
        if not isinstance(self.centred, bool):
            raise ValueError(f"QuadraticNetwork: centred = {self.centred!r} is not allowed; give True or False.")

    def draw(self, key: Array) -> Teacher:
        return self.draw_teacher(key)

    def initial(self, key: Array, data: Teacher) -> Student:
        return self.draw_student(key)

    def objective(self, params: Student, data: Teacher) -> Float[Array, ""]:
        weights = params.weights
        return risk(weights @ weights.T - data.matrix(), self.centred) + self.beside_the_loss(params, data)

    def fresh(self, key: Array, data: Teacher, count: int) -> Sample:
        inputs_key, noise_key = jax.random.split(key)
        inputs = normal_block(inputs_key, count, self.dimension)
        seen = data.seen_from(inputs.T).T
        clean = seen**2 @ data.values - (jnp.sum(data.values) if self.centred else 0.0)
        return Sample(inputs, clean + self.noise * jax.random.normal(noise_key, (count,), dtype=inputs.dtype))

    def sample_objective(self, params: Student, data: Teacher, sample: Sample) -> Float[Array, ""]:
        told = jnp.sum((sample.inputs @ params.weights) ** 2)
        told = told - jnp.sum(params.weights**2) if self.centred else told
        return 0.5 * (told - sample.labels) ** 2 + self.beside_the_loss(params, data)

    def leaf_rates(self, params: Student, rate: Any) -> Student:
        return jax.tree.map(lambda leaf: rate / self.dimension, params)

    def observe(self, params: Student, data: Teacher) -> dict[str, Array]:
        return self.read_student(params, data, self.centred)

    def horizon(self) -> np.ndarray:
        """To five over the teacher's mean eigenvalue in the source's clock; the same for every width."""
        return spread_times(self, 2.5 / self.typical_eigenvalue())

    def as_data(self, raw: Any) -> Teacher:
        return as_teacher(raw, self.dimension, self.known_spectrum(), min(self.teacher_units(), self.dimension))

    @classmethod
    def examples(cls) -> tuple["QuadraticNetwork", ...]:
        return (
            cls(dimension=8, width=4, teacher_width=2),
            cls(dimension=5, width=6, teacher_width=3, rule=OnePassSGD(learning_rate=0.02)),
        )
