"""Gradient flow, integrated once with an adaptive explicit Runge-Kutta method."""

from typing import Any, ClassVar

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..events import CurveDetector
from ..fields import scalar, size
from ..problem import Problem, Rule, Trajectory, curve_events, observed

REFINEMENT = 16


class GradientFlow(Rule):
    """Steepest descent in continuous time: d params / dt = -grad objective.

    Clock: flow time t, with the loss that carries 1/(2n). Dormand-Prince of order 8, one solve for all times;
    `tolerance` is relative, and absolute in units of the size of the start (of the first gradient at a zero start).
    A run that needs more than `step_ceiling` steps stops there and says so in its `outcome`.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-8, above=0.0, below=0.1, log=True)
    step_ceiling: int = size("most accepted and rejected steps of one run", default=16384)
    clock: ClassVar[str] = "flow time"

    def steps_per_unit(self, problem: Problem) -> float | None:
        return None

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return np.asarray(times, dtype=np.float64)

    def trajectory(self, problem: Problem, data: Any, start: Any, ticks: Array, key: Array) -> Trajectory:
        names = tuple(o.name for o in problem.observables)
        detectors = curve_events(problem)

        def velocity(params: Any) -> Any:
            return jax.tree.map(jnp.negative, jax.grad(problem.objective)(params, data))

        def curves(t: Any, params: Any, args: Any) -> Any:
            return observed(problem, params, data, names)

        saves = {"curves": diffrax.SubSaveAt(ts=ticks, fn=curves), "end": diffrax.SubSaveAt(t1=True)}
        if detectors:
            saves["steps"] = diffrax.SubSaveAt(t0=True, steps=True)
        solution = self._solve(velocity, start, ticks, diffrax.SaveAt(subs=saves))
        saved: Any = solution.ys
        final = jax.tree.map(lambda leaf: leaf[0], saved["end"])
        found = _events(problem, data, solution, velocity, detectors) if detectors else {}
        outcome, when = _outcome(solution, final, ticks)
        finite = jax.tree.map(lambda a: jnp.where(jnp.isfinite(a), a, jnp.nan), saved["curves"])
        return Trajectory(finite, found, outcome, when, final)

    def _solve(self, velocity: Any, start: Any, ticks: Array, saves: diffrax.SaveAt) -> diffrax.Solution:
        first = velocity(start)
        unit = _rms(start)
        unit = jnp.where(unit > 0, unit, _rms(first))
        unit = jnp.where(unit > 0, unit, 1.0)
        return diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, params, args: velocity(params)),
            diffrax.Dopri8(),
            t0=0.0,
            # a run of no length is legal: one observation at the start
            t1=jnp.where(ticks[-1] > 0, ticks[-1], 1e-12),
            dt0=None,
            y0=start,
            saveat=saves,
            stepsize_controller=diffrax.PIDController(rtol=self.tolerance, atol=self.tolerance * unit),
            max_steps=self.step_ceiling,
            throw=False,
        )


def _rms(tree: Any) -> Float[Array, ""]:
    leaves = jax.tree.leaves(tree)
    total = sum(jnp.sum(jnp.square(leaf)) for leaf in leaves)
    return jnp.sqrt(total / sum(leaf.size for leaf in leaves))


def _events(
    problem: Problem,
    data: Any,
    solution: diffrax.Solution,
    velocity: Any,
    detectors: dict[str, CurveDetector],
) -> dict[str, Array]:
    """Events from the accepted steps; the step that holds one is walked again in sixteenths for its root."""
    watched = tuple(dict.fromkeys(d.of for d in detectors.values()))

    def reading(params: Any) -> Any:
        slope = velocity(params)
        return jax.jvp(lambda p: observed(problem, p, data, watched), (params,), (slope,))

    saved_times: Any = solution.ts
    saved: Any = solution.ys
    times, params = saved_times["steps"], saved["steps"]
    values, rates = _read_steps(reading, params, solution.stats["num_accepted_steps"] + 1)
    rough = {n: d.locate(times, values[d.of], rates[d.of]) for n, d in detectors.items()}
    index = jnp.stack([i for i, _ in rough.values()])
    starts = jax.tree.map(lambda leaf: leaf[index], params)
    fine = jax.lax.map(lambda arg: _walk(reading, velocity, *arg), (starts, times[index], times[index + 1]))
    found = {}
    for i, (name, detector) in enumerate(detectors.items()):
        near, near_values, near_rates = jax.tree.map(lambda leaf, i=i: leaf[i], fine)
        _, exact = detector.locate(near, near_values[detector.of], near_rates[detector.of])
        coarse = rough[name][1]
        found[name] = jnp.where(jnp.isfinite(coarse) & jnp.isfinite(exact), exact, coarse)
    return found


def _read_steps(reading: Any, params: Any, count: Array) -> Any:
    """Values and rates at the accepted steps; the unused rest of the record stays infinite."""
    shape = jax.eval_shape(reading, jax.tree.map(lambda leaf: leaf[0], params))
    rows = jax.tree.leaves(params)[0].shape[0]
    empty = jax.tree.map(lambda leaf: jnp.full((rows, *leaf.shape), jnp.inf, leaf.dtype), shape)

    def fill(i: Any, record: Any) -> Any:
        now = reading(jax.tree.map(lambda leaf: leaf[i], params))
        return jax.tree.map(lambda all_, one: all_.at[i].set(one), record, now)

    return jax.lax.fori_loop(0, count, fill, empty)


def _walk(reading: Any, velocity: Any, start: Any, begin: Array, end: Array) -> tuple[Array, Any, Any]:
    """Times, values and rates over an accepted step, by the classical Runge-Kutta method in sixteenths."""
    h = jnp.where(jnp.isfinite(end - begin), end - begin, 0.0) / REFINEMENT
    nodes, weights = jnp.array([0.0, 0.5, 0.5, 1.0]), jnp.array([1.0, 2.0, 2.0, 1.0]) / 6

    def stage(carry: Any, coefficient: Any) -> Any:
        origin, slope, total = carry
        node, weight = coefficient
        slope = velocity(jax.tree.map(lambda p, s: p + h * node * s, origin, slope))
        return (origin, slope, jax.tree.map(lambda a, s: a + h * weight * s, total, slope)), None

    def step(params: Any, _: Any) -> Any:
        flat = jax.tree.map(jnp.zeros_like, params)
        (_, _, moved), _ = jax.lax.scan(stage, (params, flat, params), (nodes, weights))
        return moved, reading(params)

    _, (values, rates) = jax.lax.scan(step, start, None, length=REFINEMENT + 1)
    return begin + h * jnp.arange(REFINEMENT + 1.0), values, rates


def _outcome(solution: diffrax.Solution, final: Any, ticks: Array) -> tuple[Array, Array]:
    """Code of the outcome, and the last observed time that was still reached (NaN after a good run)."""
    saved: Any = solution.ys
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(final)]))
    done = solution.result == diffrax.RESULTS.successful
    ceiling = solution.result == diffrax.RESULTS.max_steps_reached
    outcome = jnp.where(done & finite, 0, jnp.where(ceiling, 2, 1))
    first = jax.tree.leaves(saved["curves"])[0].reshape(ticks.shape[0], -1)[:, 0]
    reached = jnp.max(jnp.where(jnp.isfinite(first), ticks, 0.0))
    return outcome, jnp.where(outcome == 0, jnp.nan, reached)
