"""What theories of the quadratic network share: clocks, assumptions, late rates in the rule's own time."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...rules.demands import flows, followed_pace, stepped_strain, under_descent
from ...words.fields import varied, vary
from ...words.theory import Assumption, Setting, structural
from .problem import QuadraticNetwork
from .starts import GaussianStart, Orthonormal

# the one place where clocks and losses meet: source time t = 2 flow time, source risk R = loss/2, 2 rho = weight_decay
SOURCE_TIME = 2.0
EDGE = 0.1


FLOW = structural(
    "gradient flow",
    "The rule must be gradient flow; steps of descent of size eta differ from it by O(eta).",
    flows,
    under_descent(0.1),
)


def rate_of(problem: QuadraticNetwork) -> Any:
    """Flow time in one unit of the rule's clock: 1 for the flow, the learning rate for descent."""
    return followed_pace(problem.rule)


def source_times(problem: QuadraticNetwork, times: Any) -> Array:
    """The source's time at the rule's own times."""
    return SOURCE_TIME * rate_of(problem) * jnp.asarray(times)


def step_share(problem: Any) -> float:
    """Learning rate times the largest curvature at the teacher of a positive spectrum; 0 for the flow."""
    largest = (8 + 4 * teacher_rank(problem)) * problem.typical_eigenvalue()
    return stepped_strain(problem.rule, lambda rate: rate * largest)


def teacher_rank(problem: Any) -> int:
    """Number of eigenvalues of the teacher that are not zero."""
    known = problem.known_spectrum()
    return min(problem.teacher_units(), problem.dimension) if known is None else int(np.sum(np.asarray(known) != 0))


SMALL_STEP = Assumption(
    "small steps",
    "The rule must be gradient flow, or descent with learning rate times largest curvature below 0.1 (strain 1).",
    lambda setting: step_share(setting.problem) / EDGE,
    broken_by=under_descent(0.1),
)


STABLE_STEP = Assumption(
    "stable steps",
    "The rule must be gradient flow, or descent with learning rate times largest curvature below 1 (strain 1; at 2 the "
    "teacher is no stable end any more: beyond it a small two-cycle may look like convergence).",
    lambda setting: step_share(setting.problem),
    broken_by=under_descent(0.3),
)


def _trace_strain(setting: Setting) -> float:
    law = setting.problem.start_law()
    drawn = setting.given_start is None and isinstance(law, Orthonormal)
    # an orthonormal start need not be drawn: its trace is known
    student = float(law.trace) if drawn else float(np.sum(np.asarray(setting.start.weights) ** 2))
    teacher = float(np.sum(np.asarray(setting.data.values)))
    return abs(student / teacher - 1) / EDGE if teacher > 0 else math.inf


EQUAL_TRACES = Assumption(
    "equal traces",
    "tr WW' at the start must be that of the teacher (strain 1: 10 % off). Another scale adds a fast layer, "
    "of flow time about 1/trace; the scale c of both sets the clock, gamma = 2 c (flow time)/dimension.",
    _trace_strain,
    broken_by=lambda problem: vary(problem, {"start": Orthonormal(trace=2.0)}),
)


TRACE_TERM = structural(
    "trace term",
    "The limit needs the trace term of the loss, which a centred problem lacks; see RiccatiFlow or RandomStartFlow.",
    lambda problem: not problem.centred,
    varied(centred=True),
)


def _decay_strain(setting: Setting) -> float:
    problem = setting.problem
    return float(problem.weight_decay) * 2.5 / problem.typical_eigenvalue() / EDGE


NO_DECAY = Assumption(
    "no decay",
    "Weight decay must be zero (strain 1: it shifts the trace integral by 0.1 within the default horizon).",
    _decay_strain,
    broken_by=varied(weight_decay=0.1),
)


def spread(values: np.ndarray) -> float:
    """Largest relative deviation of positive numbers from their mean."""
    return float(np.max(np.abs(values / values.mean() - 1))) if values.size and values.mean() > 0 else math.inf


def _teacher_strain(setting: Setting) -> float:
    values = np.asarray(setting.data.values)
    kept = values[np.abs(values) > 1e-12 * max(np.abs(values).max(), 1e-300)]
    return math.inf if not kept.size or kept.min() < 0 else spread(kept) / EDGE


FLAT_TEACHER = Assumption(
    "projector teacher",
    "The teacher must be positive with equal non-zero eigenvalues (strain 1: they spread by 10 %).",
    _teacher_strain,
    broken_by=lambda problem: vary(problem, {"teacher": GaussianStart()}),
)


def _start_strain(setting: Setting) -> float:
    problem = setting.problem
    if problem.width > problem.dimension:
        return math.inf
    if setting.given_start is None and isinstance(problem.start_law(), Orthonormal):
        return 0.0
    weights = np.asarray(setting.start.weights)
    return spread(np.linalg.eigvalsh(weights.T @ weights)) / EDGE


ORTHONORMAL_START = Assumption(
    "orthonormal start",
    "The columns of W must be orthogonal and of equal norm, width <= dimension (strain 1: W'W spreads by 10 %).",
    _start_strain,
    broken_by=lambda problem: vary(problem, {"start": GaussianStart()}),
)
