"""A scalar driven by its own past through exponential memory kernels, integrated implicitly and without overflow.

    phi' = F(K, a),   K_i(t) = int_0^t exp(2 a_i(s)) ds,   a_i(t) = growth_i t - coupling phi(t),   phi(0) = 0.

Every matrix Riccati flow with commuting coefficients and a scalar forcing has this form. The unknowns of a step are the
values of phi' at its Radau nodes alone: given these, the kernels follow from linear equations, one for each. So a step
costs a Newton iteration in a handful of numbers, however many kernels there are.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .radau import COEFFICIENTS, EXTRAPOLATION, NODES, STAGES

NEWTON = 12
TINY = 1e-300


class Kernels(NamedTuple):
    """K_i = mantissa_i exp(exponent_i) beside the amplitudes a_i: no kernel overflows, however long the time."""

    time: Float[Array, ""]
    phi: Float[Array, ""]
    amplitude: Float[Array, " k"]
    mantissa: Float[Array, " k"]
    exponent: Float[Array, " k"]

    def logarithm(self) -> Float[Array, " k"]:
        """log K_i, about -70 while the kernel is still zero: finite, so that the slope at time zero is right."""
        return jnp.log(self.mantissa + 1e-30) + self.exponent


class Flow(NamedTuple):
    """The equation: F(kernels), the growth rates, and the coupling of phi to the amplitudes (0: no feedback)."""

    feedback: Callable[[Kernels], Float[Array, ""]]
    growth: Float[Array, " k"]
    coupling: float


class State(NamedTuple):
    """The start of a step: time, phi, phi', and C_i = K_i exp(-2 a_i) = mantissa_i exp(scale_i)."""

    time: Float[Array, ""]
    phi: Float[Array, ""]
    slope: Float[Array, ""]
    mantissa: Float[Array, " k"]
    scale: Float[Array, " k"]


def kernels_of(flow: Flow, state: State) -> Kernels:
    """The kernels at the start of a step."""
    amplitude = flow.growth * state.time - flow.coupling * state.phi
    return Kernels(state.time, state.phi, amplitude, state.mantissa, state.scale + 2 * amplitude)


def begin(flow: Flow) -> State:
    """Time zero, where every kernel is zero."""
    zero, none = jnp.zeros(()), jnp.zeros_like(flow.growth)
    state = State(zero, zero, zero, none, none)
    return state._replace(slope=flow.feedback(kernels_of(flow, state)))


class Stages(NamedTuple):
    """All that a step knows at its nodes: leading axis node."""

    kernels: Kernels
    contents: Float[Array, "s k"]
    pull: Float[Array, "s k"]
    force: Float[Array, "s k"]
    rising: Bool[Array, " k"]
    rise: Float[Array, "s k"]


def _stages(flow: Flow, state: State, h: Array, slopes: Float[Array, " s"]) -> Stages:
    """The kernels at the nodes for given phi' there.

    A rising amplitude is followed as C' = exp(-scale) - 2 a' C, which relaxes; a falling one by K' = exp(2 a), which
    stops. Each stays bounded, and both are linear in the kernel.
    """
    weights = jnp.asarray(COEFFICIENTS)
    moved = h * (weights @ slopes)
    rise = flow.growth[None, :] * (h * jnp.asarray(NODES))[:, None] - flow.coupling * moved[:, None]
    rate = flow.growth[None, :] - flow.coupling * slopes[:, None]
    rising = flow.growth - flow.coupling * state.slope >= 0
    pull = jnp.where(rising[None, :], 2 * rate, 0.0)
    force = jnp.exp(-state.scale[None, :] + jnp.where(rising[None, :], 0.0, 2 * rise))
    contents = _relax(pull, force, state.mantissa, h)
    start = flow.growth * state.time - flow.coupling * state.phi
    amplitude = start[None, :] + rise
    exponent = state.scale[None, :] + 2 * jnp.where(rising[None, :], amplitude, start[None, :])
    times = state.time + h * jnp.asarray(NODES)
    return Stages(Kernels(times, state.phi + moved, amplitude, contents, exponent), contents, pull, force, rising, rise)


def _relax(pull: Array, force: Array, before: Array, h: Array) -> Float[Array, "s k"]:
    """X_i = X_0 + h sum_j A_ij (force_j - pull_j X_j), solved for all kernels at once by elimination over the nodes."""
    s = STAGES
    rows = [[h * COEFFICIENTS[i, j] * pull[j] + (1.0 if i == j else 0.0) for j in range(s)] for i in range(s)]
    right = [before + h * sum(COEFFICIENTS[i, j] * force[j] for j in range(s)) for i in range(s)]
    for p in range(s):
        for i in range(p + 1, s):
            factor = rows[i][p] / rows[p][p]
            rows[i] = [a - factor * b if j > p else a for j, (a, b) in enumerate(zip(rows[i], rows[p], strict=True))]
            right[i] = right[i] - factor * right[p]
    found: list[Any] = [None] * s
    for i in reversed(range(s)):
        found[i] = (right[i] - sum(rows[i][j] * found[j] for j in range(i + 1, s))) / rows[i][i]
    return jnp.stack(found)


def _solve(flow: Flow, state: State, h: Array, guess: Array) -> tuple[Float[Array, " s"], Float[Array, "s s"]]:
    """phi' at the nodes by Newton's method, and the Jacobian of the last iteration."""

    def residual(slopes: Array) -> tuple[Array, Array]:
        kernels = _stages(flow, state, h, slopes).kernels
        # one node after the other: matrix factorisations must not be batched (see riccati.inverse)
        gap = jax.lax.map(flow.feedback, kernels) - slopes
        return gap, gap

    def improve(carry: Any) -> Any:
        slopes, _, count, _ = carry
        jacobian, gap = jax.jacfwd(residual, has_aux=True)(slopes)
        change = jnp.linalg.solve(jacobian, -gap)
        return slopes + change, jnp.max(jnp.abs(change)) * h, count + 1, jacobian

    def unfinished(carry: Any) -> Any:
        slopes, change, count, _ = carry
        # the next correction is about the square of this one
        return (count < NEWTON) & (change > 1e-8 * (1 + 1e-3 * h * jnp.max(jnp.abs(slopes))))

    carry = (guess, jnp.asarray(jnp.inf), jnp.asarray(0), jnp.eye(STAGES))
    slopes, change, _, jacobian = jax.lax.while_loop(unfinished, improve, carry)
    # where Newton fails the step is rejected
    bad = ~(change < 1e-6 * (1 + h * jnp.max(jnp.abs(slopes))))
    return jnp.where(bad, jnp.nan, slopes), jacobian


def take(flow: Flow, state: State, h: Array, guess: Array) -> tuple[State, Kernels, Float[Array, " s"], Array]:
    """One step: the state and kernels at its end, phi' at its nodes, and an estimate of its error."""
    slopes, jacobian = _solve(flow, state, h, guess)
    at = _stages(flow, state, h, slopes)
    end = jax.tree.map(lambda leaf: leaf[-1], at.kernels)
    # C at the end on a scale that keeps its mantissa at most 1; the scale is a gauge and carries no derivative
    grown = state.scale - jnp.where(at.rising, 0.0, 2 * at.rise[-1])
    size = grown + jnp.log(jnp.maximum(end.mantissa, TINY))
    scale = jax.lax.stop_gradient(jnp.maximum(size, 0.0))
    mantissa = end.mantissa * jnp.exp(grown - scale)
    error = jax.lax.stop_gradient(_error(flow, state, h, slopes, at, jacobian))
    return State(end.time, end.phi, slopes[-1], mantissa, scale), end, slopes, error


def _error(flow: Flow, state: State, h: Array, slopes: Array, at: Stages, jacobian: Array) -> Float[Array, ""]:
    """What the polynomials of the step miss at its start, in phi and relative to each kernel, damped where stiff."""
    reach = jnp.asarray(EXTRAPOLATION)
    stiff = jnp.maximum(-(jnp.trace(jacobian) + STAGES) / np.trace(COEFFICIENTS), 0.0)
    of_phi = h * jnp.abs(state.slope - reach @ slopes) / (1 + stiff)
    pull = jnp.where(at.rising, 2 * (flow.growth - flow.coupling * state.slope), 0.0)
    start = jnp.exp(-state.scale) - pull * state.mantissa
    missed = start - reach @ (at.force - at.pull * at.contents)
    damped = h * jnp.abs(missed) / (1 + h * jnp.max(jnp.abs(at.pull), axis=0))
    of_kernels = jnp.max(damped / jnp.maximum(at.contents[-1], TINY), initial=0.0)
    worst = jnp.maximum(of_phi, of_kernels)
    return jnp.where(jnp.isfinite(worst), worst, jnp.inf)


class Progress(NamedTuple):
    """A run under way: the last accepted step (start, end, nodes), the next length, counts, the bracket of a root."""

    before: State
    now: State
    slopes: Float[Array, " s"]
    next: Float[Array, ""]
    count: Int[Array, ""]
    watched: Float[Array, ""]
    bracket: State
    width: Float[Array, ""]


Watch = Callable[[Kernels], Float[Array, ""]]


def integrate(
    flow: Flow,
    times: Float[Array, " t"],
    read: Callable[[Kernels, Array], Any],
    watch: Watch | None = None,
    tolerance: Any = 1e-10,
    ceiling: int = 20000,
) -> tuple[Any, Float[Array, ""]]:
    """`read(kernels, phi')` at increasing `times` (leading axis), and the first time at which `watch` reaches zero.

    Steps do not stop at `times`: each is reached by a shorter step of its own from the start of the step that holds it.
    NaN after more than `ceiling` attempts; the crossing is NaN where there is none up to the last time.
    """
    limit = jax.lax.stop_gradient(jnp.asarray(tolerance)) ** ((STAGES + 1) / (2 * STAGES - 1))
    start = begin(flow)
    value = jnp.zeros(()) if watch is None else watch(kernels_of(flow, start))
    first = _first_length(flow, start, times[-1])
    run = Progress(start, start, jnp.full(STAGES, start.slope), first, jnp.asarray(0), value, start, first * 0)
    empty = _blank(jax.eval_shape(read, kernels_of(flow, start), start.slope), times.shape[0])

    def proceed(carry: Any) -> Any:
        run, i, record = carry
        due, (after, kernels, slopes, error) = _attempt(flow, run, times[i])

        def write() -> Any:
            out = read(kernels, slopes[-1])
            return run, i + 1, jax.tree.map(lambda all_, one: all_.at[i].set(one), record, out)

        def move() -> Any:
            value = run.watched if watch is None else watch(kernels)
            return _accept(run, after, slopes, error, limit, value), i, record

        return jax.lax.cond(due, write, move)

    run, _, record = jax.lax.while_loop(
        lambda carry: (carry[1] < times.shape[0]) & (carry[0].count < ceiling), proceed, (run, jnp.asarray(0), empty)
    )
    if watch is None:
        return record, jnp.asarray(jnp.nan)
    return record, jnp.where(value >= 0, 0.0, _first_crossing(flow, run, watch, times[-1]))


def _attempt(flow: Flow, run: Progress, time: Array) -> tuple[Bool[Array, ""], Any]:
    """Whether `time` lies in the last step, and the part of that step up to it; else a new step from here."""
    due = run.now.time >= time
    # one step serves both, so that its program stands once
    origin = _choose(due, run.before, run.now)
    h = jnp.where(due, time - run.before.time, run.next)
    return due, take(flow, origin, h, jnp.where(due, run.slopes, run.now.slope))


def _blank(shapes: Any, count: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.full((count, *leaf.shape), jnp.nan, leaf.dtype), shapes)


def _first_crossing(flow: Flow, run: Progress, watch: Watch, last: Array) -> Float[Array, ""]:
    """The root inside the bracketing step, NaN where there is none up to the last time."""
    when = jax.lax.cond(run.width > 0, lambda: _crossing(flow, run, watch), lambda: jnp.asarray(jnp.nan))
    return jnp.where(when <= last, when, jnp.nan)


def _first_length(flow: Flow, start: State, last: Array) -> Float[Array, ""]:
    """A first step well inside the fastest growth; the controller lengthens it fourfold a step."""
    fastest = jnp.max(jnp.abs(flow.growth)) + jnp.abs(start.slope)
    return jax.lax.stop_gradient(jnp.minimum(1e-3 / jnp.maximum(fastest, 1e-30), 0.1 * jnp.maximum(last, 1e-12)))


def _accept(run: Progress, after: State, slopes: Array, error: Array, limit: Array, value: Array) -> Progress:
    """The run after one attempt: further where its error is small enough, else to be tried again shorter."""
    good = error <= limit
    factor = 0.8 * (limit / jnp.maximum(error, 1e-30 * limit)) ** (1 / (STAGES + 1))
    length = run.next * jnp.where(jnp.isfinite(error), jnp.clip(factor, 0.2, 4.0), 0.2)
    crossed = good & (run.watched < 0) & (value >= 0) & (run.width == 0)
    moved = Progress(
        run.now, after, slopes, length, run.count + 1, value,
        _choose(crossed, run.now, run.bracket), jnp.where(crossed, run.next, run.width),
    )  # fmt: skip
    return _choose(good, moved, run._replace(next=length, count=run.count + 1))


def _choose(condition: Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


BISECTIONS, POLISHES = 14, 5


def _crossing(flow: Flow, run: Progress, watch: Watch) -> Float[Array, ""]:
    """The root of `watch` in the bracketing step: bisections, then corrections with the slope of the last bracket.

    Trial steps carry no derivative, the last correction does: so the root moves rightly with every parameter.
    """

    def improve(i: Any, carry: tuple[Array, ...]) -> tuple[Array, ...]:
        low, high, low_value, high_value, trial, _, _ = carry
        value = watch(take(flow, run.bracket, trial, jnp.full(STAGES, run.bracket.slope))[1])
        still = jax.lax.stop_gradient(value)
        searching, below = i < BISECTIONS, still < 0
        low, low_value = _choose(searching & below, (trial, still), (low, low_value))
        high, high_value = _choose(searching & ~below, (trial, still), (high, high_value))
        speed = (high_value - low_value) / (high - low)
        inside = jnp.clip(trial - still / speed, low, high)
        return low, high, low_value, high_value, jnp.where(searching, 0.5 * (low + high), inside), trial, value / speed

    width = jax.lax.stop_gradient(run.width)
    # the ends' own values enter the slope only if no bisection ever lands on their side
    low_value = jax.lax.stop_gradient(watch(kernels_of(flow, run.bracket)))
    ends = (jnp.zeros(()), width, low_value, -low_value)
    carry = jax.lax.fori_loop(0, BISECTIONS + POLISHES, improve, (*ends, 0.5 * width, width, jnp.zeros(())))
    return run.bracket.time + carry[5] - carry[6]
