"""What a run passes and where it ends: the symmetric plateau, the critical learning rate, the floor of label noise."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...rules import Constant, InverseTime, OnePassSGD
from ...rules.demands import one_pass
from ...words.fields import varied, vary
from ...words.problem import Problem
from ...words.theory import Assumption, Asymptote, Claim, FiniteSize, Limit, Setting, Source, Variable, structural
from .online import ON_LINE, STABLE, sizes, under_natural_gradient
from .order_parameter_flow import begun
from .plateau import attracting_plateau, identical_students, small_rate_plateau
from .problem import CommitteeMachine, by_fisher
from .unit_stability import (
    annealed_loss,
    critical_rate,
    linear_response,
    natural_critical_rate,
    natural_floor,
    noise_floor,
    small_rate_floor,
)

# how far apart the teacher's overlaps may be from the identity, and how large decay and noise, before they count
SLACK, FAINT = 0.15, 0.3


def _soft(setting: Setting) -> float:
    """0 for a soft committee: fixed output weights, all 1."""
    problem = setting.problem
    now, target = begun(setting.data, setting.start)
    ones = np.all(np.asarray(now.output) == 1) and np.all(np.asarray(target.output) == 1)
    moved = 0.0 if by_fisher(problem.rule) else float(problem.output_rate * problem.rule.learning_rate)
    return moved / 0.01 if ones and problem.activation == "erf" else math.inf


def _orthonormal(setting: Setting) -> float:
    _, target = begun(setting.data, setting.start)
    units = target.output.shape[0]
    return float(np.max(np.abs(np.asarray(target.overlap) - np.eye(units)))) / SLACK


def _plain(setting: Setting) -> float:
    """Weight decay shifts every fixed point; so does a schedule."""
    return float(setting.problem.weight_decay) / 0.01


SOFT = Assumption(
    "soft committee",
    "The activation must be erf, all output weights 1, and only the first layer may be trained.",
    _soft,
    broken_by=varied(activation="relu"),
)
ORTHONORMAL = Assumption(
    "orthonormal teacher",
    f"1 means that the teacher's overlaps are {SLACK:g} off the identity.",
    _orthonormal,
    # the overlaps of a random teacher with six inputs are far from the identity
    broken_by=varied(dimension=6),
)
NO_DECAY = Assumption("no weight decay", "1 means a weight decay of 0.01.", _plain, broken_by=varied(weight_decay=0.5))


def _square(least: int) -> Assumption:
    words = f"Student and teacher must have the same number of units, at least {least}."
    return structural(
        "equal units",
        words,
        lambda one: one.student_units == one.teacher_units >= least,
        lambda one: vary(one, {"student_units": one.teacher_units + 1}),
    )


def _faint_noise(setting: Setting) -> float:
    return float(setting.problem.noise) / FAINT


FAINT_NOISE = Assumption("faint noise", f"1 means label noise of {FAINT:g}.", _faint_noise, broken_by=varied(noise=1.0))


def _constant_gradient(problem: Any) -> bool:
    return one_pass(problem.rule) and isinstance(problem.rule.schedule, Constant)


def _plateau_reach(setting: Setting) -> float:
    """Runs settle between the two symmetric points, and the loss is read as they begin to leave."""
    point, other = _plateaus(setting.problem)
    apart = abs(float(other.loss) - float(point.loss)) if np.isfinite(float(other.loss)) else 0.05 * float(point.loss)
    return apart + 0.02 * float(point.loss)


def _plateaus(problem: CommitteeMachine) -> tuple[Any, Any]:
    averages, units, rate = problem.averages(), problem.teacher_units, jnp.asarray(problem.rule.learning_rate)  # pyright: ignore
    return attracting_plateau(averages, units, rate), identical_students(averages, units, rate)


class SymmetricPlateau(Asymptote[CommitteeMachine]):
    """Loss on the plateau where no student has chosen its teacher, from the permutation-symmetric fixed point.

    K = M, orthonormal teacher, v = v* = 1, no noise. At small rates in closed form,
        Q_ik = 1/(2K - 1), R_in = 1/sqrt(K (2K - 1)), loss = (K/pi) [pi/6 - K asin(1/(2K))];
    at a finite rate the symmetric state with Q_diag > Q_off that attracts symmetric states, by Newton's method. Own
    variable: `small_rate_plateau`, the closed form. Clock: none, the level is a limit: runs arrive slowly (at small
    rates from the state of identical students) and leave before they have arrived; declared is the distance of the two
    fixed points and two percent. Conditions on nothing. Source: Saad & Solla 1995.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (CommitteeMachine,)
    source: ClassVar[tuple[Source, ...]] = (Source("SaadSolla1995", "section on the symmetric phase"),)
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = ("plateau_loss", "small_rate_plateau")
    claims: ClassVar[Mapping[str, Claim]] = {"plateau_loss": Claim("limit", approach=_plateau_reach)}
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("small_rate_plateau", "loss on the symmetric plateau at small learning rates"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("student_units", "teacher_units", "dimension")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        ON_LINE,
        _square(2),
        SOFT,
        structural(
            "constant gradient step",
            "The rule must be OnePassSGD at a constant rate.",
            _constant_gradient,
            under_natural_gradient,
        ),
        ORTHONORMAL,
        NO_DECAY,
        FAINT_NOISE,
        STABLE,
    )

    def predict(self, problem: CommitteeMachine, data: Any, start: Any, times: Array) -> dict[str, Array]:
        point, _ = _plateaus(problem)
        return {
            "plateau_loss": point.loss,
            "small_rate_plateau": jnp.asarray(small_rate_plateau(problem.teacher_units).loss),
        }


class CriticalRate(Limit[CommitteeMachine]):
    """Largest learning rate at which the perfect solution is stable.

    Perpendicular weight errors obey dq/dt = -eta (a q + q a) + eta^2 U[q]; the leading mode X I + Y (11' - I) leaves
    eta_max = 1 / lambda_max((2A)^-1 U) with 2 x 2 matrices A, U of the moments E g'(z)^n; natural gradient (without
    damping): 1 / lambda_max(A^-2 U / 2). Own variable: `critical_rate`. K = M, orthonormal teacher, v = v* = 1, no
    noise. Conditions on nothing. Source: Saad & Solla 1995; Rattray & Saad 1999.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (CommitteeMachine,)
    source: ClassVar[tuple[Source, ...]] = (Source("SaadSolla1995"), Source("RattraySaad1999"))
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = ("critical_rate",)
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("critical_rate", "largest learning rate at which the perfect solution is stable"),
    )
    shapes: ClassVar[tuple[str, ...]] = ("student_units", "teacher_units", "dimension")
    assumptions: ClassVar[tuple[Assumption, ...]] = (ON_LINE, _square(1), ORTHONORMAL)

    def predict(self, problem: CommitteeMachine, data: Any, start: Any, times: Array) -> dict[str, Array]:
        natural = by_fisher(problem.rule)
        found = (natural_critical_rate if natural else critical_rate)(problem.averages(), problem.student_units)
        return {"critical_rate": jnp.asarray(found)}

    def finite_size(self, problem: CommitteeMachine) -> Mapping[str, FiniteSize]:
        """No run is judged by this number, a limit of many inputs: nothing is granted."""
        return {}


def _floor(problem: CommitteeMachine, last: Any) -> Array:
    rule: Any = problem.rule
    units, teachers = problem.student_units, problem.teacher_units
    if by_fisher(rule):
        if isinstance(rule.schedule, InverseTime):
            # the Cramer-Rao value belongs to the rate 1/t
            return jnp.asarray(annealed_loss(units, problem.noise, last) * rule.learning_rate * rule.schedule.start)
        return jnp.asarray(natural_floor(units, rule.learning_rate, problem.noise))
    if units == teachers:
        return noise_floor(problem.averages(), units, rule.learning_rate, problem.noise)
    return jnp.asarray(small_rate_floor(units, teachers, rule.learning_rate, problem.noise))


def _floor_reach(setting: Setting) -> float:
    return 0.1 * float(_floor(setting.problem, float(setting.times[-1])))


def _enough(problem: Any) -> bool:
    return problem.student_units >= problem.teacher_units and problem.noise > 0


def _settled(setting: Setting) -> float:
    """Five relaxation times of the slowest error at the solution, over the length of the run."""
    problem, rule = setting.problem, setting.problem.rule
    drift, diffusion = linear_response(problem.averages(), problem.teacher_units)
    natural = by_fisher(rule)
    pull = 1.0 if natural else float(np.min(np.linalg.eigvals(2 * drift - rule.learning_rate * diffusion).real))
    reach = rule.learning_rate * pull * float(setting.times[-1])
    return 5.0 / reach if reach > 0 else 1e300


class NoiseFloor(Asymptote[CommitteeMachine]):
    """Loss at which label noise holds a run that has found its teacher.

    Gradient descent, K = M, finite rate and small noise: (2A - eta U)(X, Y) = eta noise^2 (m_2, m_1^2),
    loss = (1/2) [K m_2 X + K (K-1) m_1^2 Y]; K > M to first order: noise^2 eta / (2 pi) (K - M + M / sqrt 3), which
    grows with every idle unit; natural gradient: eta K noise^2 / 4, and with a rate that falls like 1/t the
    Cramer-Rao value K noise^2 / (2 t). A limit, approached within a tenth. Conditions on nothing. It fails where a run
    still sits on a plateau, or has idle units that cancel (K >= M + 2: times of 1e6). Source: Goldt et al. 2019;
    Rattray & Saad 1999; closed form at a finite rate derived for this library.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (CommitteeMachine,)
    source: ClassVar[tuple[Source, ...]] = (Source("Goldt2019", "section on asymptotics"), Source("RattraySaad1999"))
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = ("final_loss",)
    claims: ClassVar[Mapping[str, Claim]] = {"final_loss": Claim("limit", approach=_floor_reach)}
    shapes: ClassVar[tuple[str, ...]] = ("student_units", "teacher_units", "dimension")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        ON_LINE,
        structural(
            "enough units",
            "There must be label noise, and no more teacher than student units.",
            _enough,
            varied(noise=0.0),
        ),
        SOFT,
        ORTHONORMAL,
        NO_DECAY,
        FAINT_NOISE,
        Assumption(
            "long run",
            "1 means that the run lasts five relaxation times of the solution.",
            _settled,
            broken_by=lambda problem: vary(problem, {"rule": OnePassSGD(learning_rate=1e-3)}),
        ),
        STABLE,
    )

    def predict(self, problem: CommitteeMachine, data: Any, start: Any, times: Array) -> dict[str, Array]:
        return {"final_loss": _floor(problem, jnp.asarray(times)[-1])}

    def finite_size(self, problem: CommitteeMachine) -> Mapping[str, FiniteSize]:
        return {"final_loss": sizes(problem)["final_loss"]}
