"""An ordinary differential equation followed to high order, with roots of functions of its state found on the way.

Dormand-Prince of order 8 with its dense output. Float64; jit, vmap and jacfwd go through: the step sizes carry no
derivative, the roots carry that of the implicit function.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .step_control import next_length

SOLVER = diffrax.Dopri8(scan_kind="lax")
BISECTIONS = 45
Velocity = Callable[[Array, Any], Any]
Watch = Callable[[Any], Float[Array, " r"]]


class WatchedFlow(NamedTuple):
    """`observed`: what `observe` says at each time (NaN from where the run broke off); `roots` (r,): first time at
    which each watched function falls to zero, NaN where it does not; `there`: `observe` at each root; `reached`:
    whether the last time was reached."""

    observed: Any
    roots: Float[Array, " r"]
    there: Any
    reached: Bool[Array, ""]


class _Run(NamedTuple):
    time: Array
    state: Any
    step: Array
    memory: Any
    watched: Array
    brackets: "_Brackets"
    observed: Any
    pointer: Array
    refused: Array
    count: Int[Array, ""]


class _Brackets(NamedTuple):
    """The step in which each watched function first fell to zero, with its dense output; `held` says whether it did."""

    held: Bool[Array, " r"]
    low: Float[Array, " r"]
    high: Float[Array, " r"]
    dense: Any


def watched_flow(
    velocity: Velocity,
    start: Any,
    times: Float[Array, " times"],
    observe: Callable[[Any], Any],
    watch: Watch,
    tolerance: float | Float[Array, ""] = 1e-10,
    floor: float | Float[Array, ""] = 1e-2,
    step_ceiling: int = 1 << 16,
) -> WatchedFlow:
    """Follow d state / dt = velocity(t, state) from t = 0 through the times (increasing, >= 0).

    `tolerance` is relative, floor * tolerance absolute. The run breaks off where the state is no longer finite, the
    step falls below the rounding of time, or after `step_ceiling` steps.
    """
    term = diffrax.ODETerm(lambda t, state, args: velocity(jnp.asarray(t), state))
    end = 1.0 * times[-1]

    def go(run: _Run) -> Array:
        return (run.time < end) & (run.count < step_ceiling) & (run.time + run.step > run.time)

    def step(run: _Run) -> _Run:
        last = run.step >= end - run.time
        until = jnp.where(last, end, run.time + run.step)
        moved, error, dense, memory, _ = SOLVER.step(term, run.time, until, run.state, None, run.memory, run.refused)
        ratio = _ratio(error, run.state, moved, tolerance, floor * tolerance)
        length = next_length(until - run.time, ratio, tolerance)
        tried = run._replace(step=length, count=run.count + 1, refused=jnp.asarray(False))
        return jax.lax.cond(
            ratio <= 1.0,
            lambda: _accepted(tried, moved, dense, until, memory, times, observe, watch),
            lambda: tried._replace(refused=jnp.asarray(True)),
        )

    run = jax.lax.while_loop(go, step, _begun(velocity, term, start, times, observe, watch))
    roots, there = _refined(run.brackets, observe, watch)
    return WatchedFlow(_broken(run), roots, there, run.time >= end)


def _broken(run: _Run) -> Any:
    """What was observed, NaN from where the run broke off."""

    def cut(leaf: Array) -> Array:
        late = jnp.arange(leaf.shape[0]) >= run.pointer
        return jnp.where(late.reshape(-1, *(1,) * (leaf.ndim - 1)), jnp.nan, leaf)

    return jax.tree.map(cut, run.observed)


def _begun(velocity: Velocity, term: Any, start: Any, times: Array, observe: Any, watch: Watch) -> _Run:
    """The run before its first step; the first step moves the state by about a hundredth."""
    zero = jnp.zeros_like(1.0 * times[-1])
    size, speed = (_norm(tree) for tree in (start, velocity(zero, start)))
    first = 0.01 * jax.lax.stop_gradient(jnp.maximum(size, 1e-300) / jnp.maximum(speed, 1e-300))
    first = jnp.clip(first, 1e-12 * times[-1], times[-1])
    now, watched = observe(start), watch(start)
    held, memory = times[0] <= 0, SOLVER.init(term, zero, first, start, None)
    shapes = jax.eval_shape(lambda: SOLVER.step(term, zero, first, start, None, memory, jnp.asarray(False))[2])
    count = watched.shape[0]
    none = _Brackets(
        held=jnp.zeros(count, bool),
        low=jnp.zeros(count),
        high=jnp.ones(count),
        dense=jax.tree.map(lambda leaf: jnp.zeros((count, *leaf.shape), leaf.dtype), shapes),
    )
    return _Run(
        time=zero,
        state=start,
        step=first,
        memory=memory,
        watched=watched,
        brackets=none,
        observed=jax.tree.map(lambda leaf: jnp.zeros((times.shape[0], *leaf.shape)).at[0].set(leaf), now),
        pointer=jnp.where(held, 1, 0),
        refused=jnp.asarray(False),
        count=jnp.zeros((), int),
    )


def _norm(tree: Any) -> Array:
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))


def _ratio(error: Any, old: Any, new: Any, tolerance: Any, floor: Any) -> Float[Array, ""]:
    """Root mean square of the error in units of what is allowed; huge where a number is not finite."""
    parts = zip(*map(jax.tree.leaves, (error, old, new)), strict=True)
    shares = [e / (floor + tolerance * jnp.maximum(jnp.abs(a), jnp.abs(b))) for e, a, b in parts]
    mean = sum(jnp.sum(s**2) for s in shares) / sum(s.size for s in shares)
    mean = jax.lax.stop_gradient(mean)
    return jnp.where(jnp.isfinite(mean), jnp.sqrt(jnp.where(jnp.isfinite(mean), mean, 0.0)), 1e8)


def _accepted(
    run: _Run, moved: Any, dense: Any, until: Array, memory: Any, times: Array, observe: Any, watch: Watch
) -> _Run:
    """Keep the step where a watched function falls to zero for the first time, and what was asked for."""
    path = SOLVER.interpolation_cls(t0=run.time, t1=until, **dense)
    watched, old = watch(moved), run.brackets
    found = (run.watched > 0) & (watched <= 0) & ~old.held
    brackets = _Brackets(
        held=old.held | found,
        low=jnp.where(found, run.time, old.low),
        high=jnp.where(found, until, old.high),
        dense=jax.tree.map(
            lambda new, kept: jnp.where(found.reshape(-1, *(1,) * jnp.ndim(new)), new[None], kept), dense, old.dense
        ),
    )

    def due(state: tuple[Array, Any]) -> Array:
        index = jnp.minimum(state[0], times.shape[0] - 1)
        return (state[0] < times.shape[0]) & (times[index] <= until)

    def keep(state: tuple[Array, Any]) -> tuple[Array, Any]:
        index, kept = state
        now = observe(path.evaluate(times[index]))
        return index + 1, jax.tree.map(lambda all_, one: all_.at[index].set(one), kept, now)

    pointer, observed = jax.lax.while_loop(due, keep, (run.pointer, run.observed))
    return run._replace(
        time=until,
        state=moved,
        memory=memory,
        watched=watched,
        brackets=brackets,
        pointer=pointer,
        observed=observed,
    )


def _refined(brackets: _Brackets, observe: Any, watch: Watch) -> tuple[Float[Array, " r"], Any]:
    """The roots, and what is observed there: found after the run, once each, however many runs are mapped together."""

    def one(index: Array, held: Array, low: Array, high: Array, dense: Any) -> tuple[Array, Any]:
        path = SOLVER.interpolation_cls(t0=low, t1=high, **dense)
        root = falling_roots(lambda t: watch(path.evaluate(t))[index][None], low, high)[0]
        seen = observe(path.evaluate(root))
        return jax.tree.map(lambda value: jnp.where(held, value, jnp.nan), (root, seen))

    return jax.vmap(one)(jnp.arange(brackets.held.shape[0]), *brackets)


def falling_roots(function: Callable[[Array], Array], low: Array, high: Array) -> Float[Array, " r"]:
    """Roots of falling functions (r,) of one time, each between `low` and `high`, () or (r,): bisection, then a Newton
    step that carries the derivative of the root."""
    count = jax.eval_shape(function, jnp.max(low)).shape[0]
    each = jnp.arange(count)

    def own(times: Array) -> Array:
        return jax.vmap(function)(times)[each, each]

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        left, right = ends
        middle = 0.5 * (left + right)
        above = own(middle) > 0
        return jnp.where(above, middle, left), jnp.where(above, right, middle)

    ends = (jnp.broadcast_to(low, (count,)), jnp.broadcast_to(high, (count,)))
    _, right = jax.lax.stop_gradient(jax.lax.fori_loop(0, BISECTIONS, halve, ends))
    value, slope = jax.jvp(own, (right,), (jnp.ones_like(right),))
    slope = jax.lax.stop_gradient(jnp.where(slope < 0, slope, -1.0))
    newton = right - value / slope
    # the correction moves the value by rounding only, unless the slope is lost; the derivative is what it brings
    off = jax.lax.stop_gradient(newton - right)
    return jnp.where(jnp.abs(off) <= 1e-6 * (high - low), newton, right)
