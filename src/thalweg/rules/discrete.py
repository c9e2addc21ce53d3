"""Rules that move in whole steps, and the one loop that runs them."""

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..events import Moment
from ..fields import scalar
from ..problem import Problem, Rule, Trajectory, curve_events, observed, read, watched


class DiscreteRule(Rule):
    """A rule given by one step. Its state (a velocity, an optimiser's moments) is its own.

    What chance decides (fresh samples, indices) comes in blocks of `block` steps, which are drawn from the number of
    the block alone, so that the path does not depend on where it is looked at. Observations are written as the loop
    meets them and events are folded along after each whole block, so memory does not grow with the number of steps.
    """

    block: ClassVar[int] = 1

    @abc.abstractmethod
    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        """The rule's state before the first step."""

    @abc.abstractmethod
    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        """What the steps of one block consume, with a leading axis of `block`; None where nothing is random."""

    @abc.abstractmethod
    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        """Parameters and state after one more step; `count` steps lie behind, `fresh` is this step's part of supply."""

    def trajectory(self, problem: Problem, data: Any, start: Any, ticks: Array, key: Array) -> Trajectory:
        unit = self.steps_per_unit(problem) or 1.0
        end, curves = self.go_on(problem, data, self.set_out(problem, start, data), ticks, key)
        broken = jnp.where((end.broken < 0) & ~_finite(end.params), ticks[-1], end.broken)
        events = _finish_folds(problem, end.folds, ticks[-1] / unit, end.params, data)
        outcome = jnp.where(broken >= 0, 1, 0)
        return Trajectory(curves, events, outcome, jnp.where(broken >= 0, broken / unit, jnp.nan), end.params)

    def set_out(self, problem: Problem, start: Any, data: Any) -> "Underway":
        """A run that has not moved yet."""
        folds = _begin_folds(problem, start, data)
        return Underway(start, self.begin(problem, start, data), folds, jnp.asarray(-1), jnp.asarray(0))

    def go_on(
        self, problem: Problem, data: Any, run: "Underway", ticks: Array, key: Array
    ) -> tuple["Underway", dict[str, Array]]:
        """Take a run further, to ticks[-1] steps in all, and observe at `ticks`: the path is that of one long run."""
        names = tuple(o.name for o in problem.observables)
        unit = self.steps_per_unit(problem) or 1.0

        def visit(carry: Underway, tick: Array) -> tuple[Underway, Any]:
            span = jnp.stack([carry.behind.astype(tick.dtype), tick])
            first, last = span[0] // self.block, -(-span[1] // self.block)
            carry = jax.lax.fori_loop(
                first, last, lambda number, now: self._advance(problem, data, key, span, unit, number, now), carry
            )
            carry = carry._replace(behind=tick.astype(run.behind.dtype))
            return carry, observed(problem, carry.params, data, names)

        return jax.lax.scan(visit, run, ticks)

    def _advance(
        self, problem: Problem, data: Any, key: Array, span: Array, unit: float, number: Any, now: "Underway"
    ) -> "Underway":
        """The steps of one block that lie in a span; events are read, and the numbers tested, at its end."""
        supply = self.supply(problem, data, jax.random.fold_in(key, number))
        begin, end = number * self.block, (number + 1) * self.block

        def one(count: Any, moved: tuple[Any, Any]) -> tuple[Any, Any]:
            return self.step(problem, *moved, data, count, jax.tree.map(lambda leaf: leaf[count - begin], supply))

        def read_off(params: Any) -> tuple[Any, Any]:
            broken = jnp.where((now.broken < 0) & ~_finite(params), end, now.broken)
            return _advance_folds(problem, now.folds, end / unit, params, data), broken

        if self.block == 1:
            params, state = one(number, (now.params, now.state))
            folds, broken = read_off(params)
            return Underway(params, state, folds, broken, now.behind)
        low, high = jnp.maximum(span[0], begin), jnp.minimum(span[1], end)
        params, state = jax.lax.fori_loop(low, high, one, (now.params, now.state))
        folds, broken = jax.lax.cond(high == end, read_off, lambda params: (now.folds, now.broken), params)
        return Underway(params, state, folds, broken, now.behind)


class Underway(NamedTuple):
    """A run under way: its events so far, the step at which it left the finite numbers or -1, and the steps behind."""

    params: Any
    state: Any
    folds: dict[str, Any]
    broken: Array
    behind: Array


def _moment(problem: Problem, time: Any, params: Any, data: Any) -> Moment:
    reads = watched(curve_events(problem).values())
    return Moment(1.0 * time, read(problem, params, data, reads), {})


def _begin_folds(problem: Problem, params: Any, data: Any) -> dict[str, Any]:
    moment = _moment(problem, jnp.zeros(()), params, data)
    return {name: detector.begin(problem, moment) for name, detector in curve_events(problem).items()}


def _advance_folds(problem: Problem, folds: dict[str, Any], time: Any, params: Any, data: Any) -> dict[str, Any]:
    moment = _moment(problem, time, params, data)
    return {name: d.advance(folds[name], moment, None) for name, d in curve_events(problem).items()}


def _finish_folds(problem: Problem, folds: dict[str, Any], time: Any, params: Any, data: Any) -> dict[str, Array]:
    moment = _moment(problem, time, params, data)
    return {name: d.finish(folds[name], moment) for name, d in curve_events(problem).items()}


def _finite(tree: Any) -> Array:
    # one sum instead of a test per entry: any entry that is not finite spoils it
    return jnp.isfinite(sum(jnp.sum(leaf) for leaf in jax.tree.leaves(tree)))


def _gradient(problem: Problem, params: Any, data: Any) -> Any:
    return jax.grad(problem.objective)(params, data)


class _PlainSteps(DiscreteRule):
    """Rules whose clock counts steps and whose flow time is learning rate times steps."""

    learning_rate: eqx.AbstractVar[float]
    clock: ClassVar[str] = "steps"
    random: ClassVar[bool] = False

    def steps_per_unit(self, problem: Problem) -> float | None:
        return 1.0

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return float(self.learning_rate) * np.asarray(times, dtype=np.float64)

    def supply(self, problem: Problem, data: Any, key: Array) -> Any:
        return None


class GradientDescent(_PlainSteps):
    """w <- w - learning_rate grad objective(w). Clock: whole steps k; flow time = learning_rate k.

    On a quadratic loss it is stable iff learning_rate < 2 / (largest curvature).
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, above=0.0, log=True)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return ()

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        slope = _gradient(problem, params, data)
        return jax.tree.map(lambda w, g: w - self.learning_rate * g, params, slope), state


class HeavyBall(_PlainSteps):
    """Polyak's momentum: w_{k+1} = w_k - learning_rate grad(w_k) + momentum (w_k - w_{k-1}), with w_{-1} = w_0.

    Clock: whole steps k; `flow_time` counts learning_rate k (after a transient the run moves 1/(1 - momentum) times
    faster). On a quadratic loss stable iff learning_rate < 2 (1 + momentum) / (largest curvature). Source: Polyak 1964.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, above=0.0, log=True)
    momentum: float = scalar("share of the last displacement", symbol="beta", default=0.9, low=0.0, below=1.0)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return params

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        slope = _gradient(problem, params, data)
        moved = jax.tree.map(
            lambda w, g, old: w - self.learning_rate * g + self.momentum * (w - old), params, slope, state
        )
        return moved, params


class Nesterov(_PlainSteps):
    """Nesterov's constant momentum: v = w_k + momentum (w_k - w_{k-1}), w_{k+1} = v - learning_rate grad(v).

    w_{-1} = w_0. Clock: whole steps k; `flow_time` counts learning_rate k. On a quadratic loss stable iff
    learning_rate < 2 (1 + momentum) / ((1 + 2 momentum) (largest curvature)). Source: Nesterov 1983.
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, above=0.0, log=True)
    momentum: float = scalar("share of the last displacement", symbol="beta", default=0.9, low=0.0, below=1.0)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return params

    def step(self, problem: Problem, params: Any, state: Any, data: Any, count: Array, fresh: Any) -> tuple[Any, Any]:
        ahead = jax.tree.map(lambda w, old: w + self.momentum * (w - old), params, state)
        slope = _gradient(problem, ahead, data)
        return jax.tree.map(lambda v, g: v - self.learning_rate * g, ahead, slope), params
