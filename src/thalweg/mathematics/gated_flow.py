"""The flow of a sum of gated products, y_k ~ scale_k sum_j a_j u_jk 1[open_jk], integrated to high order.

    h_k = scale_k sum_j a_j u_jk,   g_k = scale_k (target_k - h_k)/n,   a_j' = sum_k u_jk g_k,   u_jk' = a_j g_k,
sums and motion over open gates only. A gate whose u_jk reaches zero closes for good: the time is a root on the dense
output, u_jk is set to zero there and the step begins anew. Dormand-Prince of order 8. Float64; jit, vmap and jacfwd go
through (roots carry the derivative of the implicit function).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .prince_dormand import STAGES, Path, Step, step
from .step_control import next_length
from .watched_flow import falling_roots

# absolute tolerance in units of the relative one and of the root mean square of the start
FLOOR = 1e-2


class Units(NamedTuple):
    """State of v units: column 0 is a, columns 1..n are u (v, n + 1); `open` (v, n) says which gates are open."""

    state: Float[Array, "v p"]
    open: Bool[Array, "v n"]


class GatedFlow(NamedTuple):
    """What a run left: observations at the times after `begin`, roots of the watched functions (NaN: none), the time at
    which each gate closed (inf: it did not), the end, the right-hand sides spent, and whether the end was reached."""

    observed: Any
    roots: Float[Array, " r"]
    closing: Float[Array, "v n"]
    end: Units
    evaluations: Int[Array, ""]
    reached: Bool[Array, ""]


class _Run(NamedTuple):
    time: Array
    units: Units
    slope: Float[Array, "v p"]
    step: Array
    watched: Array
    roots: Array
    closing: Array
    observed: Any
    pointer: Array
    evaluations: Array
    count: Array


class Field(NamedTuple):
    """Scale (n,) and target (n,) of the products, and optionally second moments (c, p, p) of p = n + 1 units each.

    With `moments` M the units come in c blocks of p: the columns of the propagator of a block whose gates agree. Then
    h_k = scale_k sum_blocks a' M u_k, which is that of all units with these second moments, however many they are.
    """

    scale: Float[Array, " n"]
    target: Float[Array, " n"]
    moments: Float[Array, "c p p"] | None = None

    def outputs(self, units: Units) -> Float[Array, " n"]:
        """h (n,): what the open units add up to."""
        gates = jnp.where(units.open, units.state[:, 1:], 0.0)
        return self.scale * (self.spread(units.state[:, :1])[:, 0] @ gates)

    def spread(self, columns: Float[Array, "v q"]) -> Float[Array, "v q"]:
        """M times columns, block by block; the columns as they are where there are no moments."""
        if self.moments is None:
            return columns
        blocks = columns.reshape(*self.moments.shape[:2], -1)
        return jnp.einsum("cij,cjq->ciq", self.moments, blocks).reshape(columns.shape)

    def velocity(self, state: Float[Array, "v p"], opened: Bool[Array, "v n"]) -> Float[Array, "v p"]:
        """The right-hand side."""
        pull = self.scale * (self.target - self.outputs(Units(state, opened))) / self.scale.shape[0]
        gates = jnp.where(opened, pull[None, :], 0.0)
        level = jnp.sum(state[:, 1:] * gates, axis=1)
        return jnp.concatenate([level[:, None], state[:, :1] * gates], axis=1)


class _Task(NamedTuple):
    """What stays the same along a run."""

    field: Field
    times: Array
    tolerance: Any
    floor: Array
    observe: Callable[[Units], Any]
    watch: Callable[[Units], Array]
    closes: bool


def gated_flow(
    field: Field,
    start: Units,
    begin: Float[Array, ""],
    times: Float[Array, " t"],
    tolerance: float | Float[Array, ""],
    observe: Callable[[Units], Any],
    watch: Callable[[Units], Float[Array, " r"]],
    closes: bool = True,
    step_ceiling: int = 20_000,
) -> GatedFlow:
    """Follow units from `begin` to the last of the increasing `times`.

    `observe(units)` is kept at every time after `begin` (rows before it stay zero); `watch(units)` are functions whose
    first fall to zero is a root. With `closes` False no gate ever closes. `tolerance` is relative, absolute in units of
    a hundredth of the root mean square of the start.
    """
    end = times[-1]
    unit = jax.lax.stop_gradient(jnp.sqrt(jnp.mean(start.state**2)))
    floor = FLOOR * tolerance * jnp.where(unit > 0, unit, 1.0)
    task = _Task(field, times, tolerance, floor, observe, watch, closes)

    def go(run: _Run) -> Array:
        return (run.time < end) & (run.count < step_ceiling) & jnp.all(jnp.isfinite(run.units.state))

    run = jax.lax.while_loop(go, lambda run: _step(task, run), _begun(task, start, begin))
    return GatedFlow(run.observed, run.roots, run.closing, run.units, run.evaluations, run.time >= end)


def _begun(task: _Task, start: Units, begin: Array) -> _Run:
    slope = task.field.velocity(*start)
    size = jnp.sqrt(jnp.sum(start.state**2))
    speed = jnp.sqrt(jnp.sum(slope**2)) / jnp.where(size > 0, size, 1.0)
    first = jax.lax.stop_gradient(0.1 / jnp.where(speed > 0, speed, 1.0))
    shapes = jax.eval_shape(task.observe, start)
    watched = task.watch(start)
    return _Run(
        time=begin,
        units=start,
        slope=slope,
        step=first,
        watched=watched,
        roots=jnp.full(watched.shape, jnp.nan),
        closing=jnp.full(start.open.shape, jnp.inf),
        observed=jax.tree.map(lambda leaf: jnp.zeros((task.times.shape[0], *leaf.shape), leaf.dtype), shapes),
        pointer=jnp.sum(task.times <= begin),
        evaluations=jnp.ones((), int),
        count=jnp.zeros((), int),
    )


def _step(task: _Task, run: _Run) -> _Run:
    """One step, accepted if the largest relative error of any entry is within the tolerance."""
    end = task.times[-1]
    until = jnp.where(run.step >= end - run.time, end, run.time + run.step)
    moved = step(
        lambda _, state: task.field.velocity(state, run.units.open), run.time, until, run.units.state, run.slope
    )
    size = task.floor + task.tolerance * jnp.maximum(jnp.abs(run.units.state), jnp.abs(moved.state))
    ratio = jax.lax.stop_gradient(jnp.max(jnp.abs(moved.error) / size))
    ratio = jnp.where(jnp.isfinite(ratio), ratio, 1e8)
    tried = run._replace(
        step=next_length(until - run.time, ratio, task.tolerance),
        evaluations=run.evaluations + STAGES,
        count=run.count + 1,
    )
    return jax.lax.cond(ratio <= 1.0, lambda: _accepted(task, tried, moved), lambda: tried)


def _accepted(task: _Task, run: _Run, moved: Step) -> _Run:
    """Close the first gate that reached zero within the step, find roots, keep what was asked for."""
    path = moved.path
    crossed = run.units.open & (moved.state[:, 1:] <= 0) & task.closes

    def lowest(time: Array) -> Array:
        return jnp.min(jnp.where(crossed, path.at(time)[:, 1:], jnp.inf))[None]

    def closed() -> tuple[Array, Units, Array]:
        when = falling_roots(lowest, path.begin, path.end)[0]
        shut = crossed & (path.at(when)[:, 1:] <= jnp.maximum(lowest(when)[0], 0.0))
        time, state = _stop_at(task.field, run, when, shut)
        units = Units(state, run.units.open & ~shut)
        return time, units, task.field.velocity(*units)

    time, units, slope = jax.lax.cond(
        jnp.any(crossed), closed, lambda: (path.end, Units(moved.state, run.units.open), moved.slope)
    )
    shut = run.units.open & ~units.open
    watched = task.watch(units)
    found = (run.watched > 0) & (watched <= 0) & jnp.isnan(run.roots)

    def located() -> Array:
        new = falling_roots(lambda t: task.watch(Units(path.at(t), run.units.open)), run.time, time)
        return jnp.where(found, new, run.roots)

    pointer, observed = _kept(task, run, path, time)
    return run._replace(
        time=time,
        units=units,
        slope=slope,
        evaluations=run.evaluations + jnp.any(shut) * (STAGES + 2),
        watched=watched,
        roots=jax.lax.cond(jnp.any(found), located, lambda: run.roots),
        closing=jnp.where(shut, time, run.closing),
        pointer=pointer,
        observed=observed,
    )


def _kept(task: _Task, run: _Run, path: Path, time: Array) -> tuple[Array, Any]:
    """Observations at the times up to `time`, written where they belong, and how many are done."""
    count = task.times.shape[0]

    def due(state: tuple[Array, Any]) -> Array:
        return (state[0] < count) & (task.times[jnp.minimum(state[0], count - 1)] <= time)

    def keep(state: tuple[Array, Any]) -> tuple[Array, Any]:
        index, kept = state
        now = task.observe(Units(path.at(task.times[index]), run.units.open))
        return index + 1, jax.tree.map(lambda all_, one: all_.at[index].set(one), kept, now)

    return jax.lax.while_loop(due, keep, (run.pointer, run.observed))


def _stop_at(field: Field, run: _Run, when: Array, shut: Bool[Array, "v n"]) -> tuple[Array, Array]:
    """The time near `when` at which a gate of `shut` is exactly zero, and the state there.

    The dense output is less accurate than a step: the step is taken again to `when`, and once more by Newton's method,
    whose correction is so small that the tangent is exact.
    """
    there = step(
        lambda _, state: field.velocity(state, run.units.open), run.time, when, run.units.state, run.slope
    ).state
    slope = field.velocity(there, run.units.open)
    first = jnp.argmin(jnp.where(shut, there[:, 1:], jnp.inf).reshape(-1))
    value, rate = there[:, 1:].reshape(-1)[first], slope[:, 1:].reshape(-1)[first]
    delay = -value / jnp.where(rate < 0, rate, -jnp.inf)
    there = there + delay * slope
    return when + delay, jnp.concatenate([there[:, :1], jnp.where(shut, 0.0, there[:, 1:])], axis=1)
