"""The high-dimensional limit of orthonormal families: one scalar equation says everything."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...mathematics.projector_flow import crossing, follow, observe, velocity
from ...words.fields import scalar
from ...words.problem import Problem
from ...words.theory import Assumption, FiniteSize, Limit, Source, Variable
from .problem import QuadraticNetwork
from .readings import RECOVERED
from .regime import (
    EQUAL_TRACES,
    FLAT_TEACHER,
    NO_DECAY,
    ORTHONORMAL_START,
    SMALL_STEP,
    SOURCE_TIME,
    TRACE_TERM,
    rate_of,
    step_share,
    teacher_rank,
)

# source times over which the trace settles, in units of 1/c: within it rates are not those of the limit
LAYER = 5.0
# times at which the next order is looked at
FEW = 33


class Bias(NamedTuple):
    """Bias of the mean over seeds times dimension: of the log of the loss, of times and rates as shares."""

    test_loss: float
    final_loss: float
    recovery_time: float
    late_rate: float


# Upper two-sigma ends over gamma <= 5 b at dimension 40, 48 seeds (benchmarks/quadratic_order.py). At equal widths the
# loss of a run falls twice as fast as that of the limit once both are of order 1/dimension; one unit more ends that.
# Further apart the next order itself says how far the loss is off, and these are for what follows from it.
EQUAL, ONE_APART, APART = (
    Bias(233.0, 233.0, 11.6, 45.9),
    Bias(20.0, 1.5, 4.1, 0.9),
    Bias(0.0, 0.0, 2.4, 0.9),
)
# a student narrower than the teacher ends at a plateau, whose approach chance changes most if the widths are close
NARROW_RATE, NARROW_CLOSE_RATE = 15.0, 111.0
# what the next order leaves, times dimension^2: of the log of the loss, of the trace integral
LOSS_LEFT, TRACE_LEFT = 55.0, 24.0
# the same times dimension, for widths that differ by less than a fifth of it
CLOSE_LEFT = 11.0


class HighDimensionalFlow(Limit[QuadraticNetwork]):
    """Curves of a typical run in the limit of large dimension, for orthonormal student and teacher of equal trace c.

    With a = width/dimension, b = teacher width/dimension in (0, 1] and gamma = c t/dimension, t = 2 flow time, the
    eigenvalues of the relative position follow the Jacobi law; tr Z = tr Z* up to O(1/dimension) fixes
    phi = 2 trace_integral, and one scalar equation dJ/dgamma = 4 (e - J)/den, e = exp(4 gamma/b), gives all:
        chi = A/sqrt(b B),  dimension R = (1/2)[B/den^2 - 2 A/(b den) + 1/b],  test_loss = 2 c^2 R.
    Late: overlap -> 1 if a >= b (1 - chi ~ gamma^-2 for a > b, sqrt(gamma) e^{-2 gamma/a} for a = b), else sqrt(a/b):
    overparameterisation is needed, but the least is enough. Events: recovery_time, final_loss, late_rate (NaN where the
    run ends before the trace has settled, at source time 5/c).
    Written without cancellation, so that late losses keep their relative precision. Clock: that of the rule.
    Conditions on nothing. Error: O(1/dimension) in the mean and from seed to seed: `next_order_loss` (of its logarithm)
    and `next_order_trace_integral` say how far the next order moves these curves at most, which NextOrderFlow adds; the
    other constants of `finite_size` were measured against RiccatiFlow (benchmarks/quadratic_order.py).
    It fails for Gaussian starts or teachers, other spectra, decay, centred data.
    Source: Martin, Bach & Biroli 2023, Proposition 5.1, equation (12), Lemma C.11; the reduction to one equation and
    the forms without cancellation are ours.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-11, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)
    source: ClassVar[tuple[Source, ...]] = (
        Source("MartinBachBiroli2023", "Proposition 5.1, equation (12), Lemma C.11"),
    )
    conditions_on: ClassVar[tuple[str, ...]] = ()
    speaks_of: ClassVar[tuple[str, ...]] = (
        "test_loss", "overlap", "trace_integral", "effective_rank", "recovery_time", "final_loss", "late_rate",
        "next_order_loss", "next_order_trace_integral",
    )  # fmt: skip
    unsaid: ClassVar[Mapping[str, str]] = {"late_rate": "the run ends before the trace has settled"}
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("next_order_loss", "largest move of the logarithm of the loss by the next order in 1/dimension"),
        Variable("next_order_trace_integral", "largest move of the trace integral by the next order in 1/dimension"),
    )
    assumptions: ClassVar[tuple[Assumption, ...]] = (
        SMALL_STEP, TRACE_TERM, ORTHONORMAL_START, FLAT_TEACHER, EQUAL_TRACES, NO_DECAY,
    )  # fmt: skip

    def predict(self, problem: QuadraticNetwork, data: Any, start: Any, times: Array) -> dict[str, Array]:
        limit = _solved(problem, data, times, self.tolerance, next_order=False)
        few = np.linspace(0, times.shape[0] - 1, min(FEW, times.shape[0])).round().astype(int)
        moved = _solved(problem, data, times[few], 1e-6, next_order=True)
        off = {
            "next_order_loss": moved.log_loss - limit.log_loss[few],
            "next_order_trace_integral": moved.curves["trace_integral"] - limit.curves["trace_integral"][few],
        }
        return _told(problem, limit) | {name: jnp.max(jnp.abs(curve)) for name, curve in off.items()}

    def finite_size(self, problem: QuadraticNetwork) -> Mapping[str, FiniteSize]:
        """Bias of the mean over seeds, of order 1/dimension, and what steps of descent add in the first order.

        Of loss and trace integral the derived next order with what it leaves, except at (nearly) equal widths, where
        runs have a smallest eigenvalue and the limit has none. A teacher of few units r is no limit, however large the
        dimension: means over 16 exact flows at dimensions 64 and 128, r = 2 to 16, are off by up to .24/r of the late
        rate and of the recovery time, .065/r of the effective rank; the next order leaves a share 1/r of the loss and
        1/(4 r) of the trace integral.
        """
        d, steps, rank = problem.dimension, 0.5 * step_share(problem), teacher_rank(problem)
        few = 1.0 / rank
        bias, nearly_equal = _bias(problem, rank), abs(problem.width - rank) < 2
        if nearly_equal:
            loss = FiniteSize(bias.test_loss / d + steps, 1.0)
            final = FiniteSize(bias.final_loss / d + steps, 1.0, relative=True)
        else:
            loss = FiniteSize(1.0 + few, 1.0, per="next_order_loss", floor=loss_left(problem) + steps)
            final = FiniteSize(1.0 + few, 1.0, True, "next_order_loss", floor=LOSS_LEFT / d**2 + steps)
        left = (1.75 / d if nearly_equal else TRACE_LEFT / d**2) + steps
        return {
            "test_loss": loss,
            "final_loss": final,
            "overlap": FiniteSize(1.25 / d + steps, 1.0),
            "trace_integral": FiniteSize(1.0 + 0.25 * few, 1.0, per="next_order_trace_integral", floor=left),
            "effective_rank": FiniteSize(max(0.75 / d, 0.07 * few) + steps, 1.0, relative=True),
            "recovery_time": FiniteSize(max(bias.recovery_time / d, 0.25 * few) + steps, 1.0, relative=True),
            "late_rate": FiniteSize(max(bias.late_rate / d, 0.25 * few) + steps, 1.0, relative=True),
        }


def loss_left(problem: QuadraticNetwork) -> float:
    """What the next order leaves of the log of the loss: more where widths are close, while the loss falls."""
    close = abs(problem.width - teacher_rank(problem)) < problem.dimension / 5
    return CLOSE_LEFT / problem.dimension if close else LOSS_LEFT / problem.dimension**2


def _bias(problem: QuadraticNetwork, rank: int) -> Bias:
    apart = abs(problem.width - rank)
    close = apart < problem.dimension / 5
    found = (EQUAL, ONE_APART)[apart] if apart < 2 else APART
    return found._replace(late_rate=NARROW_CLOSE_RATE if close else NARROW_RATE) if problem.width < rank else found


class _Solved(NamedTuple):
    """Shares a = width/dimension and b, gamma per unit of time, the order, the states on times and grid, the log of the
    loss, which never underflows, and the curves."""

    a: Array
    b: Array
    clock: Array
    order: Any
    gammas: Array
    states: tuple[Array, Array]
    grid: Array
    on_grid: tuple[Array, Array]
    log_loss: Array
    curves: dict[str, Array]


def _solved(problem: QuadraticNetwork, data: Any, times: Array, tolerance: Any, next_order: bool) -> _Solved:
    d, m = jnp.asarray(problem.dimension, float), jnp.asarray(problem.width, float)
    rank, trace = _teacher(problem, data)
    a, b = m / d, rank / d
    clock = SOURCE_TIME * rate_of(problem) * trace / d
    gammas = clock * jnp.asarray(times)
    order = 1 / d if next_order else 0.0
    states, grid, on_grid = follow(a, b, gammas, jnp.asarray(tolerance), order)
    told = jax.vmap(lambda g, s: observe(a, b, g, s, order))(gammas, states)
    log_loss = jnp.log(2 * trace**2 / d) + told.log_distance
    seen = {
        "test_loss": jnp.exp(log_loss),
        "overlap": told.overlap,
        "trace_integral": told.phi / SOURCE_TIME,
        "effective_rank": d / told.norm,
    }
    return _Solved(a, b, clock, order, gammas, states, grid, on_grid, log_loss, seen)


def curves(
    problem: QuadraticNetwork, data: Any, times: Array, tolerance: Any, next_order: bool = False
) -> dict[str, Array]:
    """All curves and events of the limit, or with the next order in 1/dimension."""
    return _told(problem, _solved(problem, data, times, tolerance, next_order))


def _told(problem: QuadraticNetwork, solved: _Solved) -> dict[str, Array]:
    a, b, clock, order, gammas, states, grid, on_grid, _, seen = solved
    last = (states[0][-1], states[1][-1])
    rates = velocity(a, b, gammas[-1], last, order)
    slope = jax.jvp(
        lambda g, s: observe(a, b, g, s, order).log_distance, (gammas[-1], last), (jnp.ones_like(gammas[-1]), rates)
    )[1]
    return {
        **seen,
        "recovery_time": crossing(a, b, grid, on_grid, RECOVERED, order) / clock,
        "final_loss": seen["test_loss"][-1],
        "late_rate": jnp.where(gammas[-1] * problem.dimension > LAYER, -clock * slope, jnp.nan),
    }


def _teacher(problem: QuadraticNetwork, data: Any) -> tuple[Array, Array]:
    """Rank and trace of the teacher, as numbers that may be traced."""
    if problem.teacher_spectrum is None:
        units = problem.teacher_units()
        return jnp.asarray(units, float), jnp.asarray(problem.teacher_law().mean_trace(problem.dimension, units))
    values = jnp.asarray(problem.teacher_spectrum)
    return jnp.sum(1.0 * (values > 0)), jnp.sum(values)
