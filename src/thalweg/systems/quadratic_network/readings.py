"""What is read from a quadratic network: observables and events."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...mathematics.lanczos import largest_eigenvalue
from ...words.events import Crossing, Final, FromDraw
from ...words.problem import Axis, Event, Observable
from .decay_rate import LateRate
from .teacher import Student, Teacher

MODE = Axis("mode", words="eigenvalue, the largest first")
RECOVERED = 0.99
TEST_LOSS = Observable("test_loss", "noiseless test loss, half the mean squared error", "L", low=0.0, log=True)
OVERLAP = Observable("overlap", "cosine between student and teacher matrix", "chi", low=-1.0, high=1.0)
TRACE_GAP = Observable(
    "trace_gap", "trace of student minus teacher", "tr D", natural=lambda problem: problem.teacher_trace()
)
# the weights carry the factor exp(-2 trace_integral): one half is a factor e
TRACE_INTEGRAL = Observable("trace_integral", "integral of the trace gap over flow time", "phi/2", natural=0.5)
SPECTRUM = Observable("student_spectrum", "eigenvalues of the student, largest first", "z", dims=(MODE,))
EFFECTIVE_RANK = Observable("effective_rank", "squared trace over squared norm", "(tr Z)^2/|Z|^2", low=0.0)

RECOVERY_TIME = Event(
    "recovery_time",
    f"time at which the overlap reaches {RECOVERED}",
    Crossing("overlap", RECOVERED),
    f"the overlap stays below {RECOVERED} up to the end of the run",
)
FINAL_LOSS = Event("final_loss", "test loss at the end of the run", Final("test_loss"), "no run", unit="")
LATE_RATE = Event(
    "late_rate",
    "rate of decay of the test loss at the end of the run",
    LateRate("test_loss"),
    "the test loss has fallen below 1e-13 of its start, where the integrator's error rules",
    unit="1/clock",
    may_be_lost=True,
)


def teacher_point(problem: Any, data: Any) -> Float[Array, "d m"]:
    """W with WW' the positive part of Z*, of its largest eigenvalues where the width is less than its rank."""
    d, m = problem.dimension, problem.width
    roots = jnp.sqrt(jnp.maximum(jnp.asarray(data.values)[:m], 0.0))
    axes = jnp.eye(d) if data.vectors.shape[0] == 0 else jnp.asarray(data.vectors)
    # columns beyond the dimension stay zero
    return jnp.zeros((d, m)).at[:, : roots.shape[0]].set(axes[:, : roots.shape[0]] * roots[None, :])


def measured_edge(problem: Any, data: Teacher) -> Float[Array, ""]:
    """Largest stable learning rate at W W' = Z*, from products with the Hessian there; NaN if no W gives that or decay.

    Sixty Lanczos steps from a fixed vector: the largest curvatures stand apart by the trace term.
    """
    d, m = problem.dimension, problem.width
    at = teacher_point(problem, data)

    def slope(weights: Array) -> Array:
        return jax.grad(problem.objective)(Student(weights, jnp.zeros(())), data).weights

    def curve(direction: Array) -> Array:
        return jax.jvp(slope, (at,), (direction.reshape(d, m),))[1].reshape(-1)

    top = largest_eigenvalue(curve, jnp.cos(1.0 + jnp.arange(d * m) ** 1.5), 60)
    exists = jnp.all(data.values >= 0) & jnp.any(data.values > 0) & (jnp.sum(data.values > 0) <= m)
    return jnp.where(exists & (problem.weight_decay == 0), problem.rule.stable_rate(top), jnp.nan)


LARGEST_RATE = Event(
    "largest_stable_rate",
    "largest learning rate at which the teacher is a stable end",
    FromDraw(measured_edge),
    "the teacher is out of reach (indefinite, of higher rank than the width, or with decay), or no limit is known",
    unit="",
)


def risk(error: Float[Array, "d d"], centred: Any) -> Float[Array, ""]:
    """(1/2) E (x'Dx)^2 = |D|^2 + (1/2)(tr D)^2 for standard normal x; centred quadratic forms have no trace term."""
    trace = 0.0 if centred else jnp.trace(error)
    return jnp.sum(error**2) + 0.5 * trace**2


def cosine(product: Any, student: Any, teacher: Any) -> Array:
    """tr(ZZ*)/(|Z| |Z*|) from the product and the squared norms; NaN where one of the two is zero."""
    safe = jnp.where(student * teacher > 0, student * teacher, 1.0)
    return jnp.where(student * teacher > 0, product / jnp.sqrt(safe), jnp.nan)
