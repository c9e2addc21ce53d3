"""Where the flow of a quadratic network ends, how fast it gets there, and how large a step may be."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics import factored_minimum as law
from ...words.fields import varied
from ...words.problem import Axis, Problem
from ...words.theory import Assumption, Asymptote, Claim, FiniteSize, Setting, Source, Variable
from .problem import QuadraticNetwork
from .readings import cosine
from .regime import NO_DECAY, SOURCE_TIME, STABLE_STEP, rate_of
from .starts import GaussianStart, Orthonormal, from_one_column

STUDENT_WIDTH = Axis("student_width", lambda problem: np.arange(1, problem.dimension + 1), "width of the student")
# share of a run after which a late rate is read
LATE = 0.7
SOURCES = (Source("MartinBachBiroli2023", "late times, limits and exponents"),)


def _rank_strain(setting: Setting) -> float:
    if setting.given_start is None and isinstance(setting.problem.start_law(), Orthonormal | GaussianStart):
        return 0.0
    weights = np.asarray(setting.start.weights)
    found = np.linalg.svd(weights, compute_uv=False)
    full = found.size and found[-1] > 1e-10 * max(found[0], 1e-300)
    return 0.0 if full else math.inf


FULL_RANK = Assumption(
    "full rank start",
    "W must have rank min(dimension, width) at the start; a lower rank is kept for ever (RiccatiFlow follows it).",
    _rank_strain,
    broken_by=from_one_column,
)


def limit_of(problem: QuadraticNetwork, data: Any) -> law.Minimum:
    """The minimum that this problem's width and decay allow for this teacher."""
    return law.minimum(jnp.asarray(data.values), problem.width, 0.5 * problem.weight_decay, problem.centred)


def _way(setting: Setting) -> float:
    """A bound on what is left of linear quantities at the end of the run, in units of the teacher's scale.

    Exponential: the square root of the loss's law; algebraic: the gap of the trace, twice.
    """
    problem, data = setting.problem, setting.data
    lam, end = jnp.asarray(data.values), float(setting.times[-1]) * SOURCE_TIME * float(rate_of(problem))
    rate = float(law.exponential_rate(lam, problem.width, limit_of(problem, data), problem.centred))
    scale = float(jnp.max(jnp.abs(lam))) or 1.0
    many = min(problem.width, problem.dimension)
    exponential = 5 * many * scale * math.exp(-0.5 * rate * end)
    return exponential if rate > 1e-9 * scale else 0.5 * many / max(end, 1e-300)


def _relative_way(setting: Setting) -> float:
    return _way(setting) / (float(jnp.sqrt(jnp.sum(setting.data.values**2))) or 1.0)


class LongTimeLimit(Asymptote[QuadraticNetwork]):
    """Where the flow ends from a generic start of full rank, for any teacher and decay.

    With lam_1 >= lam_2 >= ... the teacher's eigenvalues, rho = weight_decay/2, T = sum_{i > nu} lam_i and
    s = (rho - T)/(nu + 2) (centred: rho/2): the active set is the largest nu <= min(dimension, width) with lam_nu > s,
    the student ends with eigenvalues lam_i - s for i <= nu, else 0, tr D = 2 s - rho, and
    test_loss = nu s^2 + sum_{i > nu} lam_i^2 + (1/2)(tr D)^2.
    So a positive teacher of rank r is recovered without decay iff width >= r; `recovering_width` is r, `plateau_loss`
    and `plateau_overlap` say what every width from 1 to the dimension ends with.
    All curves are claims `limit`; their approach is what exponential or algebraic laws leave at the end of the
    run. Conditions on the draw (the teacher's spectrum). Clock: none. It fails for starts of lower rank.
    Source: Martin, Bach & Biroli 2023; the active set for indefinite teachers and decay was derived anew.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = SOURCES
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    speaks_of: ClassVar[tuple[str, ...]] = (
        "test_loss", "overlap", "trace_gap", "student_spectrum",
        "recovering_width", "plateau_loss", "plateau_overlap",
    )  # fmt: skip
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "width", "teacher_width")
    claims: ClassVar[Mapping[str, Claim]] = {
        "test_loss": Claim("limit", approach=_relative_way),
        "overlap": Claim("limit", approach=_relative_way),
        "trace_gap": Claim("limit", approach=_way),
        "student_spectrum": Claim("limit", approach=_way),
    }
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("recovering_width", "least width that recovers the teacher without decay (NaN: none does)"),
        Variable("plateau_loss", "test loss at the end, by width from 1", dims=(STUDENT_WIDTH,)),
        Variable("plateau_overlap", "overlap at the end, by width from 1", dims=(STUDENT_WIDTH,)),
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (STABLE_STEP, FULL_RANK)

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        found = limit_of(problem, data)
        lam = jnp.asarray(data.values)
        many = min(problem.dimension, problem.width)

        ends = law.plateaus(lam, 0.5 * problem.weight_decay, problem.centred)
        overlap = cosine(jnp.sum(found.values * lam), jnp.sum(found.values**2), jnp.sum(lam**2))
        flat = jnp.ones(times.shape[0])
        return {
            "test_loss": 2 * found.risk * flat,
            "overlap": overlap * flat,
            "trace_gap": found.gap * flat,
            "student_spectrum": flat[:, None] * found.values[None, :many],
            "recovering_width": jnp.where(jnp.all(lam >= 0), jnp.sum(1.0 * (lam > 0)), jnp.nan),
            "plateau_loss": 2 * ends.risk,
            "plateau_overlap": cosine(ends.product, ends.square, jnp.sum(lam**2)),
        }


def _late_window(problem: Any, times: np.ndarray) -> tuple[float, float]:
    """The last three tenths of the run, in the rule's clock."""
    return LATE * float(times[-1]), float(times[-1])


def _reach_strain(setting: Setting) -> float:
    problem, lam = setting.problem, np.asarray(setting.data.values)
    positive = lam.min() >= 0 and lam.max() > 0
    return 0.0 if positive and problem.width >= int(np.sum(lam > 0)) else math.inf


REACHED = Assumption(
    "teacher within reach",
    "The teacher must be positive and of a rank that the width reaches: else it ends on a plateau (LongTimeLimit).",
    _reach_strain,
    broken_by=varied(width=1),
)


class LongTimeRate(Asymptote[QuadraticNetwork]):
    """How fast the loss vanishes at late times, where the width reaches the rank r of a positive teacher.

    With mu = min(dimension, width), in the source's clock t = 2 flow time (loss = 2 R):
        mu > r:        t^2 R -> (mu - r)(r + 2)/(32 (mu + 2))    (centred: (mu - r)/32),
        mu = r < d:    R ~ exp(-4 lam_r t),
        mu = r = d:    rate 2 min(eigmin M, 2 (lam_d + lam_{d-1})),  M = 4 diag(lam) + 2 sqrt(lam) sqrt(lam)'.
    `test_loss` is the pure law, a claim `rate`: its slope over the last three tenths of the run is compared. In flow
    time: `decay_rate` (0 if algebraic), `algebraic_constant` = lim (flow time)^2 loss. The relative correction to the
    algebraic law falls only like t^-min(1, 2 (r + 2)/(mu + 2)): slow for r much below mu.
    Conditions on the draw. Clock: that of the rule. It fails on plateaus, with decay, for starts of lower rank.
    Source: Martin, Bach & Biroli 2023 (exponents); constants and the full-rank rate were derived anew.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = SOURCES
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    speaks_of: ClassVar[tuple[str, ...]] = ("test_loss", "decay_rate", "algebraic_constant", "early_share")
    shapes: ClassVar[tuple[str, ...]] = ("dimension", "width", "teacher_width")
    claims: ClassVar[Mapping[str, Claim]] = {"test_loss": Claim("rate", window=_late_window)}
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("decay_rate", "rate of the exponential decay of the loss, in flow time (0: algebraic)"),
        Variable("algebraic_constant", "limit of (flow time)^2 times loss (0: exponential)"),
        Variable("early_share", "what the next order leaves in the logarithm of the loss where the late rate begins"),
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (STABLE_STEP, FULL_RANK, REACHED, NO_DECAY)

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        lam = jnp.asarray(data.values)
        many = min(problem.dimension, problem.width)
        rate = law.exponential_rate(lam, problem.width, limit_of(problem, data), problem.centred)
        rank = jnp.sum(1.0 * (lam > 0))
        constant = law.algebraic_constant(rank, float(many), problem.centred)[0]
        flow_time = rate_of(problem) * jnp.asarray(times)
        late = jnp.minimum(LATE * SOURCE_TIME * flow_time[-1] * jnp.sum(lam) / jnp.maximum(rank, 1.0), 700.0)
        # an exponential law says nothing of the factor in front
        slow = constant > 0
        law_of_power = 0.5 * constant / jnp.where(flow_time > 0, flow_time, jnp.inf) ** 2
        shape = jnp.where(slow, law_of_power, jnp.exp(-SOURCE_TIME * rate * flow_time))
        early = slow & (flow_time == 0)
        return {
            # at time zero the power law has no value; the first later one stands there and enters no slope
            "test_loss": jnp.where(early, shape[-1], shape),
            "decay_rate": jnp.where(slow, 0.0, SOURCE_TIME * rate),
            "algebraic_constant": 0.5 * constant,
            "early_share": jnp.where(slow, late ** -law.correction_exponent(rank, float(many)), jnp.exp(-late)),
        }

    def finite_size(self, problem: QuadraticNetwork) -> Mapping[str, FiniteSize]:
        """What the next order leaves in the logarithm of the loss at late times (measured in units of 1/lam)."""
        return {"test_loss": FiniteSize(1.0, 0.0, per="early_share")}
