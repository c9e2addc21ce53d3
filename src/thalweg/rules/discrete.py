"""Rules that move in whole steps, and the one loop that runs them."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..events import Moment
from ..fields import scalar
from ..problem import Problem, Rule, Trajectory, curve_events, observed, read, watched


class DiscreteRule(Rule):
    """A rule given by one step. Its state (a velocity, an optimiser's moments, a block of samples) is its own.

    Observations are written as the loop meets them and events are folded along, so memory does not grow with
    the number of steps.
    """

    @abc.abstractmethod
    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        """The rule's state before the first step."""

    @abc.abstractmethod
    def step(self, problem: Problem, params: Any, state: Any, data: Any, key: Array) -> tuple[Any, Any]:
        """Parameters and state after one step; `key` is fresh at every step."""

    def trajectory(self, problem: Problem, data: Any, start: Any, ticks: Array, key: Array) -> Trajectory:
        names = tuple(o.name for o in problem.observables)
        folds = _begin_folds(problem, start, data)
        loop = (start, self.begin(problem, start, data), folds, jnp.asarray(-1))

        def advance(k: Any, carry: Any) -> Any:
            params, state, folds, broken = carry
            params, state = self.step(problem, params, state, data, jax.random.fold_in(key, k))
            folds = _advance_folds(problem, folds, k + 1, params, data)
            broken = jnp.where((broken < 0) & ~_finite(params), k + 1, broken)
            return params, state, folds, broken

        def visit(carry: Any, span: Any) -> Any:
            carry = jax.lax.fori_loop(span[0], span[1], advance, carry)
            return carry, observed(problem, carry[0], data, names)

        spans = jnp.stack([jnp.concatenate([jnp.zeros_like(ticks[:1]), ticks[:-1]]), ticks], axis=1)
        (final, _, folds, broken), curves = jax.lax.scan(visit, loop, spans)
        events = _finish_folds(problem, folds, ticks[-1], final, data)
        outcome = jnp.where(broken >= 0, 1, 0)
        return Trajectory(curves, events, outcome, jnp.where(broken >= 0, 1.0 * broken, jnp.nan), final)


def _moment(problem: Problem, step: Any, params: Any, data: Any) -> Moment:
    reads = watched(curve_events(problem).values())
    return Moment(1.0 * step, read(problem, params, data, reads), {})


def _begin_folds(problem: Problem, params: Any, data: Any) -> dict[str, Any]:
    moment = _moment(problem, jnp.zeros(()), params, data)
    return {name: detector.begin(problem, moment) for name, detector in curve_events(problem).items()}


def _advance_folds(problem: Problem, folds: dict[str, Any], step: Any, params: Any, data: Any) -> dict[str, Any]:
    moment = _moment(problem, step, params, data)
    return {name: d.advance(folds[name], moment, None) for name, d in curve_events(problem).items()}


def _finish_folds(problem: Problem, folds: dict[str, Any], step: Any, params: Any, data: Any) -> dict[str, Array]:
    moment = _moment(problem, step, params, data)
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

    def steps_per_unit(self, problem: Problem) -> float | None:
        return 1.0

    def flow_time(self, problem: Problem, times: np.ndarray) -> np.ndarray:
        return float(self.learning_rate) * np.asarray(times, dtype=np.float64)


class GradientDescent(_PlainSteps):
    """w <- w - learning_rate grad objective(w). Clock: whole steps k; flow time = learning_rate k.

    On a quadratic loss it is stable iff learning_rate < 2 / (largest curvature).
    """

    learning_rate: float = scalar("factor of the gradient", symbol="eta", default=0.1, above=0.0, log=True)

    def begin(self, problem: Problem, params: Any, data: Any) -> Any:
        return ()

    def step(self, problem: Problem, params: Any, state: Any, data: Any, key: Array) -> tuple[Any, Any]:
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

    def step(self, problem: Problem, params: Any, state: Any, data: Any, key: Array) -> tuple[Any, Any]:
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

    def step(self, problem: Problem, params: Any, state: Any, data: Any, key: Array) -> tuple[Any, Any]:
        ahead = jax.tree.map(lambda w, old: w + self.momentum * (w - old), params, state)
        slope = _gradient(problem, ahead, data)
        return jax.tree.map(lambda v, g: v - self.learning_rate * g, ahead, slope), params
