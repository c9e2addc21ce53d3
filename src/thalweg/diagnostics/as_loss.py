"""Any problem as a loss on batches, for what is measured on a user's own loss as well."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from ..computing.float64 import float64
from ..computing.trees import rows_at, split
from ..own_network.problem import NetworkProblem, StoredRows
from ..rules import GradientDescent, Minibatches
from ..words.problem import Macrostate, Problem, SampledProblem, StreamingProblem, seed_keys

P = ParamSpec("P")
R = TypeVar("R")
# minibatches of a problem that are looked at
MOST = 1024


class AsLoss(NamedTuple):
    """`loss(params, batch)`, a start, the batches and in which order they come, states of the layers if known, a rule.

    The rule has no choice of samples left: it descends the batch that it is given.
    """

    loss: Callable[..., Any]
    params: Any
    batches: list[Any]
    states: Callable[..., Any] | None
    rule: Any
    order: str


def in_float64(measure: Callable[P, R]) -> Callable[P, R]:
    """Float64 where the first argument is a problem, as in all verbs; a user's own loss keeps the precision it has."""

    @functools.wraps(measure)
    def run(*args: P.args, **named: P.kwargs) -> R:
        about_problem = bool(args) and isinstance(args[0], Problem)
        with float64() if about_problem else contextlib.nullcontext():
            return measure(*args, **named)

    return run


def beginning(problem: Problem, seed: int = 0, start: Any = None) -> tuple[Any, Any, Array]:
    """Data, parameters and the key of the path for one seed; the start of a user in place of its own."""
    draw, begin, path = seed_keys(seed)
    own = None if start is None else problem.as_start(start)
    if isinstance(own, Macrostate):
        return *own.realise(problem, draw), path
    data = problem.draw(draw)
    params = problem.initial(begin, data) if own is None else jax.tree.map(jnp.asarray, own)
    return data, params, path


def on_data(loss: Any, params: Any, batch: Any) -> tuple[Callable[..., Any], Any, Any]:
    """A loss, parameters and a batch; of a problem its objective, its start of seed 0, its data, where not given."""
    if isinstance(loss, Problem):
        data, own, _ = beginning(loss, 0, params)
        return loss.objective, own, data if batch is None else loss.as_data(batch)
    if params is None:
        raise ValueError("a loss of your own needs params; a problem alone has them.")
    return loss, params, batch


def descent(loss: Callable[..., Any], params: Any, batch: Any) -> Any:
    """Minus the gradient of loss(params, batch), with the structure of the moving part of the parameters."""
    return _descent(loss, *split(params), batch)


@eqx.filter_jit
def _descent(loss: Callable[..., Any], moving: Any, fixed: Any, batch: Any) -> Any:
    slope = jax.grad(lambda now: loss(eqx.combine(now, fixed), batch))(moving)
    return jax.tree.map(jnp.negative, slope)


def as_loss(problem: Problem, seed: int = 0, start: Any = None, most: int = MOST) -> AsLoss:
    """One draw and start of a problem as loss, parameters and batches; to be called, and used, under float64.

    A rule on the whole objective has one batch, the data set; one on stored samples has them in batches of its size,
    at random unless the rule takes them in turn; one of fresh samples has `most` batches of one, and the weights that
    it gives to each part of the parameters. A flow becomes descent.
    """
    rule: Any = problem.rule
    rule.steps_per_unit(problem)  # raises for a rule that wants another kind of problem
    data, params, path = beginning(problem, seed, start)
    states = problem.states if isinstance(problem, NetworkProblem) else None
    if rule.fresh:
        return AsLoss(
            _one_sample(problem, data), params, _fresh(problem, path, data, most), None, _moves(rule), "drawn"
        )
    order = "drawn" if rule.random else "cyclic"
    size = 0 if rule.continuous else getattr(rule.source, "batch", 0)
    if not size:
        moves = GradientDescent() if rule.continuous else rule
        return AsLoss(lambda now, batch: problem.objective(now, batch), params, [data], states, moves, order)
    loss, batches = _stored(problem, path, data, size, most)
    return AsLoss(loss, params, batches, states, _moves(rule), order)


def _moves(rule: Any) -> Any:
    """What a rule does with a slope, without the choice of the samples."""
    if rule.fresh:
        return GradientDescent()
    if isinstance(rule, Minibatches):
        return rule.rule
    inner = getattr(rule, "rule", None)
    return rule.mean() if inner is None else dataclasses.replace(rule, rule=_moves(inner))


def _stored(problem: Any, path: Array, data: Any, size: int, most: int) -> tuple[Callable[..., Any], list[Any]]:
    """The loss on some of the stored samples, and batches of them: rows where the problem has rows, else indices."""
    sampled: SampledProblem = problem
    count = sampled.sample_count(data)
    order = jax.random.permutation(path, count) if problem.rule.random else jnp.arange(count)
    chosen = order[: count // size * size].reshape(-1, size)[:most]
    if isinstance(problem, StoredRows):
        return lambda now, batch: problem.objective(now, batch), [rows_at(data, indices) for indices in chosen]
    return lambda now, batch: sampled.batch_objective(now, data, batch), list(chosen)


def _fresh(problem: Any, path: Array, data: Any, count: int) -> list[Any]:
    """Batches of one fresh sample."""
    fresh = problem.fresh(path, data, count)
    return [jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], fresh) for i in range(count)]


def _one_sample(problem: Any, data: Any) -> Callable[[Any, Any], Any]:
    stream: StreamingProblem = problem

    def loss(params: Any, batch: Any) -> Any:
        # one-pass SGD moves each part with a weight of its own: the value stays, the slope takes it
        weights = stream.leaf_rates(params, 1.0)
        weighed = jax.tree.map(lambda p, f: jax.lax.stop_gradient((1 - f) * p) + f * p, params, weights)
        return stream.sample_objective(weighed, data, jax.tree.map(lambda leaf: leaf[0], batch))

    return loss
