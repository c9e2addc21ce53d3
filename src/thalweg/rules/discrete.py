"""Rules that move in whole steps, and the one loop that runs them."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..words.events import Moment
from ..words.problem import Problem, Rule, Trajectory, curve_events, observed, read, watched
from .sources import Source


class Step(NamedTuple):
    """What a rule is given for one step: the slope that it goes down, as a function of the parameters, and where it is.

    `count` steps lie behind; `factors` multiply the learning rate of each leaf of the parameters (None: all are 1).
    """

    slope: Callable[[Any], Any]
    problem: Any
    data: Any
    count: Any
    factors: Any = None

    def rates(self, params: Any, rate: Any) -> Any:
        """The learning rate of each leaf, of one rate for all."""
        return self.scaled(jax.tree.map(lambda leaf: rate, params))

    def scaled(self, tree: Any) -> Any:
        """Each leaf of a tree like the parameters times its factor."""
        return tree if self.factors is None else jax.tree.map(lambda leaf, factor: leaf * factor, tree, self.factors)


class DiscreteRule(Rule):
    """A rule given by two halves: what it goes down (`source`), and what it does with a slope (`move`).

    The whole objective, some of the samples, a minibatch and a fresh sample are sources of slopes; descent, momentum
    and the optimisers of optax are moves. What a rule remembers (a velocity, an optimiser's moments) is its own.
    What chance decides (fresh samples, indices) comes in blocks of steps, which are drawn from the number of
    the block alone, so that the path does not depend on where it is looked at. Observations are written as the loop
    meets them and events are folded along after each whole block, so memory does not grow with the number of steps.
    """

    @property
    @abc.abstractmethod
    def source(self) -> Source:
        """Where the slopes come from."""

    @abc.abstractmethod
    def begin(self, params: Any) -> Any:
        """What the rule remembers before the first step."""

    @abc.abstractmethod
    def move(self, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
        """Parameters and memory after one more step."""

    @property
    def random(self) -> bool:
        return self.source.random

    @property
    def fresh(self) -> bool:
        return self.source.fresh

    @property
    def clock(self) -> str:
        return self.source.clock

    @property
    def block(self) -> int:
        """Steps whose chance is drawn at once."""
        return self.source.block

    @property
    def core(self) -> "DiscreteRule":
        """The rule whose steps these are: itself, or what a composed rule holds."""
        return self

    def at_rate(self, rate: Any) -> "DiscreteRule":
        """The same rule at another learning rate."""
        return dataclasses.replace(self, learning_rate=rate)  # pyright: ignore[reportCallIssue]

    def transform(self) -> Any:
        """The rule at learning rate 1 as optax has it, a map from gradients to updates; ValueError where it is none."""
        raise ValueError(
            f"rule = {self.title()} is not a map from gradients to updates; give GradientDescent, HeavyBall, Nesterov "
            "or Optax."
        )

    def steps_per_unit(self, problem: Problem) -> float | None:
        return self.source.steps_per_unit(problem)

    def rest(self, problem: Problem, params: Any, data: Any) -> tuple[Any, Any]:
        """The state before the first step: what the source and what the rule remembers."""
        return self.source.begin(problem, data), self.begin(params)

    def step(
        self, problem: Problem, params: Any, state: tuple[Any, Any], data: Any, count: Any, fresh: Any
    ) -> tuple[Any, tuple[Any, Any]]:
        """Parameters and state after one more step; `count` lie behind, `fresh` is what chance gives to this one."""
        order, memory = state
        slope, order = self.source.slope(problem, data, order, count, fresh)
        params, memory = advanced(self, params, memory, Step(slope, problem, data, count))
        return params, (order, memory)

    def trajectory(self, problem: Problem, data: Any, start: Any, ticks: Array, key: Array) -> Trajectory:
        unit = self.steps_per_unit(problem) or 1.0
        end, curves = self.go_on(problem, data, self.set_out(problem, start, data), ticks, key)
        broken = jnp.where((end.broken < 0) & ~_finite(end.params), ticks[-1], end.broken)
        events = _finish_folds(problem, end.folds, ticks[-1] / unit, end.params, data)
        outcome = jnp.where(broken >= 0, 1, 0)
        return Trajectory(curves, events, outcome, jnp.where(broken >= 0, broken / unit, jnp.nan), end.params)

    def set_out(self, problem: Problem, start: Any, data: Any) -> "RunState":
        """A run that has not moved yet."""
        folds = _begin_folds(problem, start, data)
        return RunState(start, self.rest(problem, start, data), folds, jnp.asarray(-1), jnp.asarray(0))

    def go_on(
        self, problem: Problem, data: Any, run: "RunState", ticks: Array, key: Array
    ) -> tuple["RunState", dict[str, Array]]:
        """Take a run further, to ticks[-1] steps in all, and observe at `ticks`: the path is that of one long run."""
        names = tuple(o.name for o in problem.observables)
        unit = self.steps_per_unit(problem) or 1.0

        def visit(carry: RunState, tick: Array) -> tuple[RunState, Any]:
            span = jnp.stack([carry.behind.astype(tick.dtype), tick])
            first, last = span[0] // self.block, -(-span[1] // self.block)
            carry = jax.lax.fori_loop(
                first, last, lambda number, now: self._advance(problem, data, key, span, unit, number, now), carry
            )
            carry = carry._replace(behind=tick.astype(run.behind.dtype))
            return carry, observed(problem, carry.params, data, names)

        return jax.lax.scan(visit, run, ticks)

    def _advance(
        self, problem: Problem, data: Any, key: Array, span: Array, unit: float, number: Any, now: "RunState"
    ) -> "RunState":
        """The steps of one block that lie in a span; events are read, and the numbers tested, at its end."""
        chance = self.source.draw_block(problem, data, jax.random.fold_in(key, number))
        begin, end = number * self.block, (number + 1) * self.block

        def one(count: Any, moved: tuple[Any, Any]) -> tuple[Any, Any]:
            return self.step(problem, *moved, data, count, jax.tree.map(lambda leaf: leaf[count - begin], chance))

        def read_off(params: Any) -> tuple[Any, Any]:
            broken = jnp.where((now.broken < 0) & ~_finite(params), end, now.broken)
            return _advance_folds(problem, now.folds, end / unit, params, data), broken

        if self.block == 1:
            params, state = one(number, (now.params, now.state))
            folds, broken = read_off(params)
            return RunState(params, state, folds, broken, now.behind)
        low, high = jnp.maximum(span[0], begin), jnp.minimum(span[1], end)
        params, state = jax.lax.fori_loop(low, high, one, (now.params, now.state))
        folds, broken = jax.lax.cond(high == end, read_off, lambda params: (now.folds, now.broken), params)
        return RunState(params, state, folds, broken, now.behind)


class RunState(NamedTuple):
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


def advanced(rule: DiscreteRule, params: Any, memory: Any, step: Step) -> tuple[Any, Any]:
    """One step of a rule; a learning rate of another precision than the weights does not change theirs."""
    moved, memory = rule.move(params, memory, step)
    return jax.tree.map(lambda new, old: jnp.asarray(new, jnp.asarray(old).dtype), moved, params), memory
