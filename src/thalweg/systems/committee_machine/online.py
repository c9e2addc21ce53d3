"""One-pass training in the limit of many inputs: closed equations for the overlaps, at any rate and at small ones."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...rules import OnePassNaturalGradient, OnePassSGD
from ...rules.demands import stable_share, under_adam
from ...words.fields import scalar, varied, vary
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Setting, Source, structural
from .natural_gradient import metric
from .order_parameter_flow import CURVES, EVENTS, at, begun, follow, follows
from .order_parameters import State, Target
from .problem import CommitteeMachine, by_fisher
from .unit_stability import critical_rate, natural_critical_rate

GAUSS = "RattraySaadAmari1998"
# what a finite network adds to the asymmetry of its start while it finds the plateau, in units of 1/sqrt(N)
KICK = 0.25
# mean gap times the dimension, measured from asymmetric starts (benchmarks/committee_size.py): of the log of the loss,
# of the overlaps and weights, and of the time of the exit as a share of itself
MEAN_OFF = {"test_loss": 4.0, "student_overlap": 0.8, "teacher_overlap": 0.6, "output_weights": 0.3}
EXIT_OFF = 2.5


def under_natural_gradient(problem: Any) -> Any:
    """The same problem under natural gradient descent."""
    return vary(problem, {"rule": OnePassNaturalGradient(learning_rate=0.2)})


ON_LINE = structural(
    "fresh samples",
    "The rule must see a fresh sample at every step: OnePassSGD or OnePassNaturalGradient.",
    lambda problem: follows(problem.rule),
    under_adam,
)


def _fourth_strain(setting: Setting) -> float:
    problem = setting.problem
    together = problem.student_units + problem.teacher_units
    second = math.isinf(problem.averages().distinct) or together <= problem.averages().distinct
    return 0.0 if second else math.inf


def _asymmetry_strain(setting: Setting) -> float:
    """Chance over what the start knows about which teacher is whose."""
    problem = setting.problem
    if problem.teacher_units == 1:
        return 0.0
    now, target = begun(setting.data, setting.start)
    along = np.asarray(now.teacher) / np.sqrt(np.diag(np.asarray(target.overlap)))[None, :]
    told = float(np.max(np.ptp(along, axis=1)))
    return min(KICK / math.sqrt(problem.dimension) / told, 1e300) if told > 0 else 1e300


def _metric_strain(setting: Setting) -> float:
    """The relative error that chance in a nearly singular Fisher matrix makes at this dimension, over one percent."""
    problem, rule = setting.problem, setting.problem.rule
    if not by_fisher(rule):
        return 0.0
    # numbers as arrays: another rate needs no new program
    loose = jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, float) else leaf, problem)
    times = jnp.linspace(0.0, float(setting.times[-1]), 201)
    least = float(_least_metric(loose, *begun(setting.data, setting.start), times))
    return min((rule.learning_rate / least) ** 2 / problem.dimension / 0.01, 1e300) if least > 0 else 1e300


@eqx.filter_jit
def _least_metric(problem: CommitteeMachine, now: State, target: Target, times: Array) -> Array:
    """The smallest eigenvalue of the damped Fisher matrix along the path; negative where the path is not finite."""
    path = at(problem, now, target, times)
    damping = problem.rule.damping  # pyright: ignore[reportAttributeAccessIssue]

    def at_one(student: Array, output: Array) -> Array:
        inside = metric(problem.averages(), student, output, damping).inside
        return jnp.min(jnp.linalg.eigvals(inside).real)

    least = jnp.min(jax.lax.map(lambda one: at_one(*one), (path.student, path.output)))
    return jnp.where(jnp.all(jnp.isfinite(path.student)), least, -1.0)


def limit_rate(problem: CommitteeMachine) -> float:
    """Largest rate at which the perfect solution is stable; inf where no formula is known (K different from M)."""
    if problem.student_units != problem.teacher_units:
        return math.inf
    natural = by_fisher(problem.rule)
    return (natural_critical_rate if natural else critical_rate)(problem.averages(), problem.student_units)


def _rate_strain(setting: Setting) -> float:
    return stable_share(setting.problem.rule, lambda: limit_rate(setting.problem))


STABLE = Assumption(
    "stable solution",
    "1 means that the learning rate is the critical one, beyond which the perfect solution is unstable.",
    _rate_strain,
    broken_by=lambda problem: vary(problem, {"rule": OnePassSGD(learning_rate=5.0)}),
)
ASYMMETRIC = Assumption(
    "asymmetric start",
    "1 means that the start tells the teacher's units apart by no more than chance adds at this dimension; then the "
    "time at which a run leaves the plateau is drawn by lot. Overlaps of exactly 0 never leave it in the equations.",
    _asymmetry_strain,
    broken_by=varied(init_scale=1e-3),
)


class OrderParameters(Limit[CommitteeMachine]):
    """Loss and overlaps of one-pass training in the limit of many inputs, from the overlaps of this very start.

    With fields u = (student, teacher), signed weights c = (v, -v*) and Gaussian averages over their covariance,
        dR_in/dt = -eta v_i sum_b c_b E g'_i u_n g_b - wd R_in
        dQ_ik/dt = -eta [v_i sum_b c_b E g'_i u_k g_b + (i <-> k)] - 2 wd Q_ik
                   + eta^2 v_i v_k [sum_ab c_a c_b E g'_i g'_k g_a g_b + noise^2 E g'_i g'_k]
        dv_i/dt  = -eta_v sum_b c_b E g_i g_b,    test_loss = (1/2) sum_ab c_a c_b E g_a g_b,
    wd = learning_rate weight_decay; natural gradient by the Fisher matrix of the present overlaps. Exact as N grows at
    fixed K, M and t. Shapes: Q (K, K), R (K, M), v (K,). Clock: t = steps / dimension; events as roots on the dense
    output. Conditions on start and draw, through their overlaps alone, so that start=tw.Overlaps(...) fixes both.
    At finite N one run fluctuates by O(1/sqrt N) and the mean is off by O(1/N), but on a symmetric plateau chance
    chooses the time of the exit. It fails for a start without asymmetry, beyond the critical rate, for natural gradient
    where units nearly coincide, and for the rectifier beyond one unit each (use SmallRate).
    Source: Saad & Solla 1995; Goldt et al. 2019, theorem 1; Rattray, Saad & Amari 1998.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-10, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (CommitteeMachine,)
    source: ClassVar[tuple[Source, ...]] = (
        Source("SaadSolla1995", "equations (5) and (6)"),
        Source("Goldt2019", "theorem 1"),
        Source(GAUSS),
    )
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS)
    shapes: ClassVar[tuple[str, ...]] = ("student_units", "teacher_units", "dimension")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        ON_LINE,
        Assumption(
            "known averages",
            "The activation's averages over four fields must be known: the rectifier's are for one unit each only.",
            _fourth_strain,
            broken_by=varied(activation="relu"),
        ),
        ASYMMETRIC,
        Assumption(
            "regular Fisher matrix",
            "1 means that chance in the inverse Fisher matrix changes the motion by one percent at this dimension.",
            _metric_strain,
            broken_by=under_natural_gradient,
        ),
        STABLE,
    )

    def predict(self, problem: CommitteeMachine, data: Any, start: Any, times: Array) -> dict[str, Array]:
        return follow(problem, *begun(data, start), jnp.asarray(times), self.tolerance, 1.0)

    def finite_size(self, problem: CommitteeMachine) -> Mapping[str, FiniteSize]:
        """Mean over seeds, O(1/N); the constants were measured by an order test (benchmarks/committee_size.py)."""
        return sizes(problem)


def sizes(problem: CommitteeMachine) -> dict[str, FiniteSize]:
    """What the limit of many inputs leaves out of the mean over seeds."""
    curves = {name: FiniteSize(off / problem.dimension, 1.0) for name, off in MEAN_OFF.items()}
    loss = curves["test_loss"]
    events = {
        "final_loss": FiniteSize(loss.amount, 1.0, relative=True),
        "plateau_loss": FiniteSize(loss.amount, 1.0, relative=True),
        "exit_time": FiniteSize(EXIT_OFF / problem.dimension, 1.0, relative=True),
    }
    return {**curves, **events}


def _small_strain(setting: Setting) -> float:
    problem = setting.problem
    if _fourth_strain(setting) == 0.0:
        limit = limit_rate(problem)
        if math.isfinite(limit):
            return float(problem.rule.learning_rate) / limit / 0.05
    return float(problem.rule.learning_rate) / 0.1


class SmallRate(Limit[CommitteeMachine]):
    """The same equations without what is quadratic in the rate: gradient flow on the population loss, in time eta t.

    For every activation whose averages over three fields are known, the rectifier included. Label noise leaves no
    trace. Shapes, clock, events and conditions as in OrderParameters. It fails where the rate is not small: strain 1
    is a twentieth of the critical rate (a tenth, where none is known).
    Source: Saad & Solla 1995; Arnaboldi et al. 2023.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-10, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (CommitteeMachine,)
    source: ClassVar[tuple[Source, ...]] = (Source("SaadSolla1995"), Source("Arnaboldi2023"))
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS)
    shapes: ClassVar[tuple[str, ...]] = ("student_units", "teacher_units", "dimension")
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        ON_LINE,
        ASYMMETRIC,
        Assumption(
            "small rate",
            "1 means a twentieth of the critical learning rate.",
            _small_strain,
            broken_by=lambda problem: vary(problem, {"rule": OnePassSGD(learning_rate=1.0)}),
        ),
    )

    def predict(self, problem: CommitteeMachine, data: Any, start: Any, times: Array) -> dict[str, Array]:
        return follow(problem, *begun(data, start), jnp.asarray(times), self.tolerance, 0.0)

    def finite_size(self, problem: CommitteeMachine) -> Mapping[str, FiniteSize]:
        return sizes(problem)
