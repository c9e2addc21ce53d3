"""The high-dimensional limit of orthonormal families with its first correction in 1/dimension."""

from collections.abc import Mapping
from typing import Any, ClassVar

from jaxtyping import Array

from ...words.fields import scalar, vary
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source
from .high_dimensional import LOSS_LEFT, TRACE_LEFT, HighDimensionalFlow, curves, loss_left
from .problem import QuadraticNetwork
from .regime import step_share, teacher_rank

WIDTHS_APART = Assumption(
    "widths apart",
    "Student and teacher width must differ by at least two units (strain 1): at equal widths late runs are ruled by "
    "their smallest eigenvalue, which no order in 1/dimension sees.",
    lambda setting: 2.0 / max(_apart(setting), 1e-300),
    broken_by=lambda problem: vary(problem, {"width": problem.teacher_units() + 1}),
)


def _apart(setting: Setting) -> float:
    return float(abs(setting.problem.width - teacher_rank(setting.problem)))


class NextOrderFlow(Limit[QuadraticNetwork]):
    """Mean curves of orthonormal families at finite dimension, up to an error of order 1/dimension^2.

    HighDimensionalFlow with the two things that it leaves out in the first order. The mean spectrum of two real random
    projectors: G gains -(1 - x) x (c1^2 - 4 c2)/(4 Q^2 (2 x + c1 (1 - x) + 2 Q))/dimension, x = 1/J; and the lag of the
    trace: tr Z = c (1 + phi'/dimension) with phi' = d phi/d gamma, once a layer of source time 1/c has passed. As phi'
    holds tr Z in turn, with a coefficient of order dimension/width, this is solved, not expanded: a student narrower
    than the teacher drifts at -2 (1 - width/teacher width)/(width + 2), exactly, however narrow. What fluctuates from
    run to run adds in the order after only.
    Conditions on nothing. Clock: that of the rule. What is left was measured against RiccatiFlow.
    It fails where HighDimensionalFlow does, and at (nearly) equal widths. Source: the limit is that of Martin, Bach &
    Biroli 2023; the correction is ours, from the mean spectrum of real Jacobi matrices.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-10, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = (Source("MartinBachBiroli2023", "the limit"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (
        "test_loss", "overlap", "trace_integral", "effective_rank", "recovery_time", "final_loss",
    )  # fmt: skip
    assumptions: ClassVar[tuple[Assumption, ...]] = (*HighDimensionalFlow.assumptions, WIDTHS_APART)

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        told = curves(problem, data, times, self.tolerance, next_order=True)
        return {name: told[name] for name in self.speaks_of}

    def finite_size(self, problem: QuadraticNetwork) -> Mapping[str, FiniteSize]:
        """What is left of the mean over seeds, of order 1/dimension^2, and what steps of descent add."""
        d, steps = problem.dimension, 0.5 * step_share(problem)
        sizes = {name: FiniteSize(c / d**2 + steps, 2.0, relative=name in RELATIVE) for name, c in LEFT.items()}
        return {**sizes, "test_loss": FiniteSize(loss_left(problem) + steps, 2.0)}


# upper two-sigma ends at dimension 40, widths from 2 to 30 (benchmarks/quadratic_order.py next), times dimension^2
LEFT = {
    "final_loss": LOSS_LEFT,
    "overlap": 34.0,
    "trace_integral": TRACE_LEFT,
    "effective_rank": 11.0,
    "recovery_time": 82.0,
}
RELATIVE = ("final_loss", "effective_rank", "recovery_time")
