"""An ordinary differential equation followed to high order, with roots of functions of its state found on the way.

Dormand-Prince of order 8 with its dense output. Float64; jit, vmap and jacfwd go through: the step sizes carry no
derivative, the roots carry that of the implicit function.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from ..computing.one_by_one import each
from .prince_dormand import STAGES, Path, Step, step
from .step_control import next_length

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
    """A run so far; `slope` is that of the state, `path` its last step (anything before the first)."""

    time: Array
    state: Float[Array, " p"]
    slope: Float[Array, " p"]
    step: Array
    watched: Array
    brackets: "_Brackets"
    kept: Float[Array, "times p"]
    pointer: Array
    count: Int[Array, ""]


class _Brackets(NamedTuple):
    """The step in which each watched function first fell to zero, with its dense output; `held` says whether it did."""

    held: Bool[Array, " r"]
    path: Path


class _Task(NamedTuple):
    """What stays the same along a run, of the state as one vector."""

    velocity: Callable[[Array, Array], Array]
    times: Array
    watch: Callable[[Array], Array]


def watched_flow(
    velocity: Velocity,
    start: Any,
    times: Float[Array, " times"],
    observe: Callable[[Any], Any],
    watch: Watch = lambda state: jnp.zeros(0),
    tolerance: float | Float[Array, ""] = 1e-10,
    floor: float | Float[Array, ""] = 1e-2,
    step_ceiling: int = 1 << 16,
) -> WatchedFlow:
    """Follow d state / dt = velocity(t, state) from t = 0 through the times (increasing, >= 0).

    `tolerance` is relative, floor * tolerance absolute. The run breaks off where the state is no longer finite, the
    step falls below the rounding of time, or after `step_ceiling` steps.
    """
    flat, tree = ravel_pytree(start)
    task = _Task(
        lambda time, state: ravel_pytree(velocity(time, tree(state)))[0],
        times,
        lambda state: watch(tree(state)),
    )
    end = 1.0 * times[-1]

    def go(run: _Run) -> Array:
        return (run.time < end) & (run.count < step_ceiling) & (run.time + run.step > run.time)

    def advance(run: _Run) -> _Run:
        last = run.step >= end - run.time
        until = jnp.where(last, end, run.time + run.step)
        moved = step(task.velocity, run.time, until, run.state, run.slope)
        ratio = _ratio(moved.error, run.state, moved.state, tolerance, floor * tolerance)
        tried = run._replace(step=next_length(until - run.time, ratio, tolerance), count=run.count + 1)
        return jax.lax.cond(ratio <= 1.0, lambda: _accepted(task, tried, moved), lambda: tried)

    run = jax.lax.while_loop(go, advance, _begun(task, flat))
    roots, at_roots = _refined(task, run.brackets)
    # observed once the run is over, so that what is observed is compiled once, not wherever the run meets a time
    count = times.shape[0]
    known = jnp.concatenate([jnp.arange(count) < run.pointer, run.brackets.held])
    states = jnp.where(known[:, None], jnp.concatenate([run.kept, at_roots]), flat)
    seen = each(lambda state: observe(tree(state)), states)
    seen = jax.tree.map(lambda leaf: jnp.where(known.reshape(-1, *(1,) * (leaf.ndim - 1)), leaf, jnp.nan), seen)
    observed = jax.tree.map(lambda leaf: leaf[:count], seen)
    there = jax.tree.map(lambda leaf: leaf[count:], seen)
    return WatchedFlow(observed, roots, there, run.time >= end)


def _begun(task: _Task, start: Float[Array, " p"]) -> _Run:
    """The run before its first step; the first step moves the state by about a hundredth."""
    times = task.times
    zero = jnp.zeros_like(1.0 * times[-1])
    slope = task.velocity(zero, start)
    size, speed = (jnp.sqrt(jnp.sum(vector**2)) for vector in (start, slope))
    first = 0.01 * jax.lax.stop_gradient(jnp.maximum(size, 1e-300) / jnp.maximum(speed, 1e-300))
    first = jnp.clip(first, 1e-12 * times[-1], times[-1])
    watched = task.watch(start)
    held, count = times[0] <= 0, watched.shape[0]
    moves = jnp.zeros((count, STAGES + 1, *start.shape))
    none = Path(jnp.zeros(count), jnp.ones(count), jnp.zeros((count, *start.shape)), moves)
    return _Run(
        time=zero,
        state=start,
        slope=slope,
        step=first,
        watched=watched,
        brackets=_Brackets(jnp.zeros(count, bool), none),
        kept=jnp.zeros((times.shape[0], *start.shape)).at[0].set(start),
        pointer=jnp.where(held, 1, 0),
        count=jnp.zeros((), int),
    )


def _ratio(error: Array, old: Array, new: Array, tolerance: Any, floor: Any) -> Float[Array, ""]:
    """Root mean square of the error in units of what is allowed; huge where a number is not finite."""
    share = error / (floor + tolerance * jnp.maximum(jnp.abs(old), jnp.abs(new)))
    mean = jax.lax.stop_gradient(jnp.mean(share**2))
    return jnp.where(jnp.isfinite(mean), jnp.sqrt(jnp.where(jnp.isfinite(mean), mean, 0.0)), 1e8)


def _accepted(task: _Task, run: _Run, moved: Step) -> _Run:
    """Keep the step where a watched function falls to zero for the first time, and what was asked for."""
    watched, old, path = task.watch(moved.state), run.brackets, moved.path
    found = (run.watched > 0) & (watched <= 0) & ~old.held
    brackets = _Brackets(
        held=old.held | found,
        path=jax.tree.map(
            lambda new, kept: jnp.where(found.reshape(-1, *(1,) * jnp.ndim(new)), new[None], kept), path, old.path
        ),
    )

    def due(state: tuple[Array, Array]) -> Array:
        index = jnp.minimum(state[0], task.times.shape[0] - 1)
        return (state[0] < task.times.shape[0]) & (task.times[index] <= path.end)

    def keep(state: tuple[Array, Array]) -> tuple[Array, Array]:
        index, kept = state
        return index + 1, kept.at[index].set(path.at(task.times[index]))

    pointer, kept = jax.lax.while_loop(due, keep, (run.pointer, run.kept))
    return run._replace(
        time=path.end,
        state=moved.state,
        slope=moved.slope,
        watched=watched,
        brackets=brackets,
        pointer=pointer,
        kept=kept,
    )


def _refined(task: _Task, brackets: _Brackets) -> tuple[Float[Array, " r"], Float[Array, "r p"]]:
    """The roots, and the states there: found after the run, once each, however many runs are mapped together."""

    def one(index: Array, held: Array, path: Path) -> tuple[Array, Array]:
        root = falling_roots(lambda t: task.watch(path.at(t))[index][None], path.begin, path.end)[0]
        return jnp.where(held, root, jnp.nan), path.at(root)

    count = brackets.held.shape[0]
    if count == 0:
        return jnp.zeros(0), brackets.path.state
    return each(lambda given: one(*given), (jnp.arange(count), *brackets))


def falling_roots(function: Callable[[Array], Array], low: Array, high: Array) -> Float[Array, " r"]:
    """Roots of falling functions (r,) of one time, each between `low` and `high`, () or (r,): bisection, then a Newton
    step that carries the derivative of the root."""
    count = jax.eval_shape(function, jnp.max(low)).shape[0]
    place = jnp.arange(count)

    def own(times: Array) -> Array:
        return each(function, times)[place, place]

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
