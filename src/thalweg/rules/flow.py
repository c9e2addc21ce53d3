"""Gradient flow, integrated once with an adaptive explicit Runge-Kutta method."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..mathematics import stable_steps
from ..words.events import CurveDetector, Moment, Span, Watched
from ..words.fields import scalar, size
from ..words.problem import Problem, Rule, Trajectory, curve_events, observed, read, watched
from ..words.rule import Filter
from . import filters


class GradientFlow(Rule):
    """Steepest descent in continuous time: d params / dt = -grad objective.

    Clock: flow time t, with the loss that carries 1/(2n). Dormand-Prince of order 8, one solve for all times;
    `tolerance` is relative, and absolute in units of the size of the start (of the first gradient at a zero start).
    A run that needs more than `step_ceiling` steps stops there and says so in its `outcome`.
    Where the gradient jumps across a surface and points towards it from both sides, as at the kinks of ReLU units on
    general data, the flow slides along the surface, and a tolerance alone would ask for ever shorter steps. Steps as
    short as `smallest_step` are taken whatever their error: the run then wobbles about the sliding flow by about
    smallest_step times the jump of the gradient. 0 (the default) takes no such step.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-8, above=0.0, below=0.1, log=True)
    smallest_step: float = scalar("step that is taken whatever its error (0: none)", default=0.0, low=0.0)
    step_ceiling: int = size("most accepted and rejected steps of one run", default=262_144)
    continuous: ClassVar[bool] = True
    filtered: ClassVar[bool] = True

    @property
    def clock(self) -> str:
        return "flow time"

    @property
    def random(self) -> bool:
        return False

    def steps_per_unit(self, problem: Problem) -> float | None:
        return None

    def pace(self) -> Any:
        return 1.0

    def stable_rate(self, curvature: Any) -> Any:
        return stable_steps.over(stable_steps.DESCENT, curvature)

    def filter(self, curvature: Any, times: Array) -> Filter:
        return filters.flow(curvature, times)

    def descends(self, count: int | None = None) -> bool:
        return True

    def remedy(self) -> str:
        return (
            "Raise the step ceiling; where the gradient jumps across a surface that it points to from both sides, set "
            "smallest_step."
        )

    def trajectory(self, problem: Problem, data: Any, start: Any, ticks: Array, key: Array) -> Trajectory:
        names = tuple(o.name for o in problem.observables)
        start = jax.tree.map(jnp.asarray, start)

        def velocity(params: Any) -> Any:
            return jax.tree.map(jnp.negative, jax.grad(problem.objective)(params, data))

        def look(params: Any) -> dict[str, Array]:
            return observed(problem, params, data, names)

        stepper = _Stepper(velocity, start, ticks[-1], self.tolerance, self.smallest_step)
        watch = _Watch(problem, data, velocity)
        curves = jax.tree.map(
            lambda leaf: jnp.full((ticks.shape[0], *leaf.shape), jnp.nan, leaf.dtype), jax.eval_shape(look, start)
        )
        # the start stands for time 0, which no step covers
        curves = jax.tree.map(
            lambda all_, one: all_.at[0].set(jnp.where(ticks[0] <= 0, one, jnp.nan)), curves, look(start)
        )
        moment = watch.moment(jnp.zeros_like(ticks[-1] * 1.0), start)
        run = _Run(stepper.begin(), curves, jnp.where(ticks[0] <= 0, 1, 0), moment, watch.begin(moment))

        def advance(run: _Run) -> _Run:
            tried, inside = stepper.advance(run.motion)
            seen, curves = _save(look, inside, tried, ticks, run)
            moment, folds = jax.lax.cond(
                tried.kept, lambda: watch.advance(run, tried, inside), lambda: (run.moment, run.folds)
            )
            return _Run(tried, curves, seen, moment, folds)

        run = jax.lax.while_loop(
            lambda run: stepper.going(run.motion) & (run.motion.count < self.step_ceiling), advance, run
        )
        return _conclude(run, stepper, ticks, watch.finish(run))


class _Motion(NamedTuple):
    """Where the integrator stands, what it will try next, and whether the last try was kept."""

    time: Float[Array, ""]
    following: Float[Array, ""]
    params: Any
    solver: Any
    controller: Any
    jump: Any
    count: Int[Array, ""]
    kept: Bool[Array, ""]


class _Run(NamedTuple):
    """A run so far: the motion, the curves with the number of times seen, the last moment, the folds of events."""

    motion: _Motion
    curves: dict[str, Array]
    seen: Int[Array, ""]
    moment: Moment
    folds: dict[str, Any]


class _Stepper:
    """One adaptive step at a time: the solver and the step sizes of diffrax, in a loop of our own.

    Between two steps everything that concerns the run can then be read off the dense output, and nothing that grows
    with the number of steps need be kept.
    """

    def __init__(self, velocity: Any, start: Any, end: Array, tolerance: Any, smallest: Any) -> None:
        import diffrax  # with what it needs a third of a second, and no theory asks for it

        unit = _rms(start)
        unit = jnp.where(unit > 0, unit, _rms(velocity(start)))
        unit = jnp.where(unit > 0, unit, 1.0)
        self.start, self.end = start, 1.0 * end
        self.terms = diffrax.ODETerm(lambda t, params, args: velocity(params))
        self.solver = diffrax.Dopri8()
        self.sizes = diffrax.PIDController(rtol=tolerance, atol=tolerance * unit, dtmin=smallest)

    def begin(self) -> _Motion:
        zero, order = jnp.zeros_like(self.end), self.solver.error_order(self.terms)
        following, controller = self.sizes.init(
            self.terms, zero, self.end, self.start, None, None, self.solver.func, order
        )
        following = jnp.minimum(following, self.end)
        solver = self.solver.init(self.terms, zero, following, self.start, None)
        jump, none = jnp.asarray(False), jnp.asarray(0)
        return _Motion(zero, following, self.start, solver, controller, jump, none, jump)

    def going(self, motion: _Motion) -> Bool[Array, ""]:
        """Whether there is a way to go and the step has not shrunk to nothing."""
        return (motion.time < self.end) & (motion.following > motion.time)

    def advance(self, motion: _Motion) -> tuple[_Motion, Any]:
        """Try a step: the new motion, and the interpolation over the step that was tried."""
        params, error, dense, solver, _ = self.solver.step(
            self.terms, motion.time, motion.following, motion.params, None, motion.solver, motion.jump
        )
        inside = self.solver.interpolation_cls(t0=motion.time, t1=motion.following, **dense)
        # a step into numbers that are not finite is no step: try a shorter one
        error = jax.tree.map(lambda e: jnp.where(jnp.isnan(e), jnp.inf, e), error)
        order: Any = self.solver.error_order(self.terms)
        tried: Any = self.sizes.adapt_step_size(
            motion.time, motion.following, motion.params, params, None, error, order, motion.controller
        )
        kept, time, following, jump, controller, _ = tried
        # a last step far shorter than its neighbours has no good interpolation
        near = following > self.end * (1 - 1e-14)
        last = jnp.where(kept, self.end, time + 0.5 * (self.end - time))
        following = jnp.where(near, last, following)
        params, solver = jax.tree.map(
            lambda new, old: jnp.where(kept, new, old), (params, solver), (motion.params, motion.solver)
        )
        moved = _Motion(time, following, params, solver, controller, jump, motion.count + 1, kept)
        return moved, inside


class _Watch:
    """The events of a run: folds over its moments, with the dense output of each step."""

    def __init__(self, problem: Problem, data: Any, velocity: Any) -> None:
        self.problem, self.data, self.velocity = problem, data, velocity
        self.detectors: dict[str, CurveDetector] = curve_events(problem)
        self.reads: tuple[Watched, ...] = watched(self.detectors.values())
        self.slopes = frozenset(name for d in self.detectors.values() for name in d.slopes)

    def moment(self, time: Array, params: Any) -> Moment:
        def values(params: Any) -> dict[str, Array]:
            return read(self.problem, params, self.data, self.reads)

        if not self.slopes:
            return Moment(time, values(params), {})
        now, rates = jax.jvp(values, (params,), (self.velocity(params),))
        return Moment(time, now, {name: rate for name, rate in rates.items() if name in self.slopes})

    def begin(self, moment: Moment) -> dict[str, Any]:
        return {name: d.begin(self.problem, moment) for name, d in self.detectors.items()}

    def advance(self, run: _Run, tried: _Motion, inside: Any) -> tuple[Moment, dict[str, Any]]:
        begin, length = run.moment.time, tried.time - run.moment.time

        def at(share: Array) -> Moment:
            time = begin + share * length
            return self.moment(time, inside.evaluate(time))

        moment = self.moment(tried.time, tried.params)
        span = Span(run.moment, moment, at)
        return moment, {name: d.advance(run.folds[name], moment, span) for name, d in self.detectors.items()}

    def finish(self, run: _Run) -> dict[str, Array]:
        return {name: d.finish(run.folds[name], run.moment) for name, d in self.detectors.items()}


def _rms(tree: Any) -> Float[Array, ""]:
    leaves = jax.tree.leaves(tree)
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(leaf)) for leaf in leaves]))
    # scaled before squaring: a start of 1e-200 has no squares
    scale = jnp.where(largest > 0, largest, 1.0)
    total = sum(jnp.sum(jnp.square(leaf / scale)) for leaf in leaves)
    return scale * jnp.sqrt(total / sum(leaf.size for leaf in leaves))


def _save(look: Any, inside: Any, tried: _Motion, ticks: Array, run: _Run) -> tuple[Array, dict[str, Array]]:
    """Observe at all ticks that the step just kept has passed."""
    count = ticks.shape[0]

    def due(state: Any) -> Bool[Array, ""]:
        return tried.kept & (state[0] < count) & (ticks[jnp.minimum(state[0], count - 1)] <= tried.time)

    def write(state: Any) -> Any:
        index, curves = state
        now = look(inside.evaluate(1.0 * ticks[index]))
        return index + 1, jax.tree.map(lambda all_, one: all_.at[index].set(one), curves, now)

    return jax.lax.while_loop(due, write, (run.seen, run.curves))


def _conclude(run: _Run, stepper: _Stepper, ticks: Array, events: dict[str, Array]) -> Trajectory:
    """The trajectory, with the code of its outcome and the last observed time reached (NaN after a good run)."""
    final = run.motion.params
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(final)]))
    done = run.motion.time >= stepper.end
    stuck = ~done & ~stepper.going(run.motion)
    outcome = jnp.where(done & finite, 0, jnp.where(~finite | stuck, 1, 2))
    reached = jnp.where(run.seen > 0, ticks[jnp.maximum(run.seen - 1, 0)], 0.0)
    return Trajectory(run.curves, events, outcome, jnp.where(outcome == 0, jnp.nan, reached), final)
