"""A user's own loss on their own batches as a problem, so that short runs go through the one training loop."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..computing.float64 import root_key
from ..computing.parallel import map_seeds
from ..computing.trees import check_finite, count_rows, rows_at
from ..computing.trees import split as split_parameters
from ..own_network.problem import StoredRows
from ..rules import Averaged, Drop, Geometric, GradientDescent, Minibatches, RunState, Scheduled, whole_steps
from ..running.training import Skeleton, split
from ..words.problem import Observable, Problem, Rule
from .as_loss import as_loss

Loss = Callable[[Any, Any], Any]
# cost of a forward pass in gradients
FORWARD = 1 / 3


class _OwnLoss(StoredRows):
    """`loss(params, batch)` on a stack of batches (first axis of every leaf). Not kept in files: it is the user's.

    Its rows are whole batches. objective: mean over the batches at hand. `train_loss`: mean over the first `watched`.
    """

    loss: Loss = eqx.field(static=True)
    watched: int = eqx.field(static=True)
    rule: Rule = Minibatches()
    observables: ClassVar[tuple[Observable, ...]] = (Observable("train_loss", "loss on the watched batches"),)

    def objective(self, params: Any, data: Any) -> Float[Array, ""]:
        if count_rows(data) == 1:
            return self.loss(params, rows_at(data, 0))
        return jnp.mean(jax.lax.map(lambda batch: self.loss(params, batch), data))

    def observe(self, params: Any, data: Any) -> dict[str, Array]:
        return {"train_loss": self.objective(params, rows_at(data, slice(self.watched)))}

    def _is_given(self, *args: Any) -> Any:
        raise NotImplementedError("the user gave batches, start and steps")

    draw = initial = horizon = as_data = as_start = _is_given  # pyright: ignore[reportAssignmentType]


@functools.lru_cache(maxsize=32)
def mean_loss(loss: Loss) -> Loss:
    """The mean of the loss over a stack of batches; the same function for the same loss, so that it compiles once."""
    problem = _OwnLoss(loss, 1)  # pyright: ignore[reportCallIssue]
    return problem.objective


class Task(NamedTuple):
    """A checked request: loss and start (of what moves), what stays, batches one by one and stacked, the rule.

    `states(params, inputs)`: what the layers hold, where the user or the problem says so.
    """

    loss: Loss
    params: Any
    fixed: Any
    batches: list[Any]
    stacked: Any
    rule: Any
    order: str
    seed: int
    states: Callable[..., Any] | None


def stack(batches: Any) -> tuple[list[Any], Any]:
    """Batches as a list and as one stack; ValueError for none, empty ones, or different shapes."""
    listed = [jax.tree.map(jnp.asarray, one) for one in batches]
    if not listed:
        raise ValueError("batches is empty; give a list of at least one batch, as loss(params, batch) takes them.")
    shapes = [(jax.tree.structure(one), [leaf.shape for leaf in jax.tree.leaves(one)]) for one in listed]
    if all(0 in shape for shape in shapes[0][1]):
        raise ValueError(f"the batches hold nothing: shapes {shapes[0][1]}; give at least one sample a batch.")
    odd = next((i for i, one in enumerate(shapes) if one != shapes[0]), None)
    if odd is not None:
        raise ValueError(
            f"batch {odd} has shapes {shapes[odd][1]}, batch 0 has {shapes[0][1]}; make all alike (drop the last, "
            "smaller one)."
        )
    return listed, jax.tree.map(lambda *leaves: jnp.stack(leaves), *listed)


def checked(
    loss: Any,
    params: Any,
    batches: Any,
    rule: Any = None,
    order: str | None = None,
    seed: int = 0,
    states: Callable[..., Any] | None = None,
) -> Task:
    """The request with everything tried that can be tried; ValueError with the repair. `loss` may be a problem."""
    if isinstance(loss, Problem):
        return _of_problem(loss, params, batches, rule, order, seed, states)
    if not callable(loss):
        raise ValueError(f"loss is a {type(loss).__name__}; give a function loss(params, batch) of JAX, or a problem.")
    if params is None or batches is None:
        raise ValueError("a loss of your own needs params and batches; a problem alone has them.")
    rule, order = GradientDescent() if rule is None else rule, order or "cyclic"
    whole_steps(rule, "learning rates")
    Minibatches(rule, order)
    moving, fixed = split_parameters(params)
    check_finite(moving, "the parameter")
    listed, stacked = stack(batches)
    own = loss if not jax.tree.leaves(fixed) else lambda now, batch: loss(eqx.combine(now, fixed), batch)
    value = jax.eval_shape(own, moving, listed[0])
    if getattr(value, "shape", None) != ():
        raise ValueError(f"loss(params, batch) gives {value}; one number is wanted: take the mean over samples.")
    begin = float(np.asarray(own(moving, listed[0])))
    if not np.isfinite(begin):
        raise ValueError(f"loss(params, batches[0]) is {begin}; start from parameters with a finite loss.")
    return Task(own, moving, fixed, listed, stacked, rule, order, seed, states)


def _of_problem(
    problem: Problem, start: Any, batches: Any, rule: Any, order: str | None, seed: int, states: Any
) -> Task:
    if batches is not None:
        raise ValueError(f"{type(problem).__name__} has samples of its own; leave out batches, and give it a rule.")
    one = as_loss(problem if rule is None else dataclasses.replace(problem, rule=rule), seed, start)
    model = getattr(problem, "model", None)
    if states is not None and model is not None:
        own, states = states, lambda params, inputs: own(model(params), inputs)
    return checked(one.loss, one.params, one.batches, one.rule, order or one.order, seed, states or one.states)


def batch_size(task: Task) -> int:
    """Samples of one batch: the leading axis of its first array."""
    shape = jax.tree.leaves(task.batches[0])[0].shape
    return shape[0] if shape else 1


class Runs(NamedTuple):
    """Short runs: watched loss (rates, ticks), and the gradient evaluations that they cost."""

    ticks: np.ndarray
    losses: np.ndarray
    cost: float


@partial(jax.jit, static_argnums=0)
def _runs(skeleton: Skeleton, loose: list[Any], ticks: Array, start: Any, data: Any, key: Array) -> Array:
    def one(parts: list[Any]) -> Array:
        problem = skeleton.join(parts)
        return problem.rule.trajectory(problem, data, start, ticks, key).curves["train_loss"]

    return map_seeds(one, loose, jax.tree.leaves(loose)[0].shape[0])


def _parts(task: Task, rule: Any, watched: int) -> tuple[Skeleton, list[Any]]:
    """The task under this rule, apart for compiling; numbers in the precision of the weights."""
    skeleton, loose = split(_OwnLoss(task.loss, watched, rule=Minibatches(rule, task.order)))  # pyright: ignore
    kind = jnp.result_type(*jax.tree.leaves(task.params))
    return skeleton, jax.tree.map(lambda number: jnp.asarray(number, kind), loose)


def follow(task: Task, rules: Sequence[Any], ticks: Any, watched: int) -> Runs:
    """Train from the start of the task by each rule, alike but for their numbers: one compiled program for all."""
    seen = min(watched, len(task.batches))
    parts = [_parts(task, rule, seen) for rule in rules]
    loose = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(part for _, part in parts))
    steps = np.asarray(ticks, dtype=np.int64)
    losses = _runs(parts[0][0], loose, jnp.asarray(steps), task.params, task.stacked, root_key(task.seed))
    cost = len(parts) * (steps[-1] + seen * len(steps) * FORWARD)
    return Runs(steps, np.asarray(losses, dtype=np.float64), cost)


@partial(jax.jit, static_argnums=0)
def _set_out(skeleton: Skeleton, loose: list[Any], start: Any, data: Any) -> tuple[RunState, Array]:
    problem = skeleton.join(loose)
    return problem.rule.set_out(problem, start, data), problem.observe(start, data)["train_loss"]


@partial(jax.jit, static_argnums=0)
def _go_on(skeleton: Skeleton, loose: list[Any], run: RunState, ticks: Array, data: Any, key: Array) -> Any:
    problem = skeleton.join(loose)
    run, curves = problem.rule.go_on(problem, data, run, ticks, key)
    return run, curves["train_loss"]


class Courses:
    """Runs of the task's rule at constant rates that can be taken further, each at its own time: one program for all.

    `first`: the watched loss at the start; `losses[rate]`: readings so far; `cost`: gradients spent.
    """

    def __init__(self, task: Task, watched: int) -> None:
        self.task, self.watched = task, min(watched, len(task.batches))
        _, self.first = self._begin(1.0)
        self.losses: dict[float, list[float]] = {}
        self.cost = self.watched * FORWARD
        self._underway: dict[float, Any] = {}

    def _parts(self, rate: float) -> tuple[Skeleton, list[Any]]:
        return _parts(self.task, self.task.rule.at_rate(rate), self.watched)

    def _begin(self, rate: float) -> tuple[Any, float]:
        run, loss = _set_out(*self._parts(rate), self.task.params, self.task.stacked)
        return run, float(loss)

    def steps(self, rate: float) -> int:
        """How far the run at this rate has come."""
        return int(self._underway[rate].behind)

    def extend(self, rate: float, ticks: Any) -> np.ndarray:
        """The watched loss at `ticks` (steps since the start) of the run at this rate, which is taken to the last."""
        run = self._underway[rate] if rate in self._underway else self._begin(rate)[0]
        steps, before = np.asarray(ticks, dtype=np.int64), int(run.behind)
        key = root_key(self.task.seed)
        run, losses = _go_on(*self._parts(rate), run, jnp.asarray(steps), self.task.stacked, key)
        self._underway[rate] = run
        found = np.asarray(losses, dtype=np.float64)
        self.losses.setdefault(rate, []).extend(found.tolist())
        self.cost += max(0, int(steps[-1]) - before) + self.watched * len(steps) * FORWARD
        return found


def at_rates(task: Task, rates: Any, ticks: Any, watched: int) -> Runs:
    """Short runs of the task's rule, each at one constant rate."""
    return follow(task, [task.rule.at_rate(float(rate)) for rate in np.atleast_1d(rates)], ticks, watched)


def ramp(task: Task, low: float, high: float, steps: int, watched: int) -> tuple[np.ndarray, Runs]:
    """One run whose rate grows geometrically from low to high: the rate of each step, and the loss before it."""
    growth = (high / low) ** (1.0 / (steps - 1))
    rule = Scheduled(task.rule.at_rate(low), Geometric(growth))
    return low * growth ** np.arange(steps), follow(task, [rule], np.arange(steps), watched)


def rate_then_small(task: Task, rates: Any, small: float, first: int, then: int, watched: int) -> Runs:
    """`first` steps at each rate, then `then` steps at the small one (at most the rate itself)."""
    drops = [Drop(float(first), min(1.0, small / rate)) for rate in rates]
    rules = [Scheduled(task.rule.at_rate(float(r)), drop) for r, drop in zip(rates, drops, strict=True)]
    return follow(task, rules, [first, first + then], watched)


def rate_then_averaged(task: Task, rates: Any, first: int, then: int, watched: int) -> Runs:
    """`first` steps at each rate, then `then` more over which weights are averaged."""
    rules = [Averaged(task.rule.at_rate(float(rate)), float(first)) for rate in rates]
    return follow(task, rules, [first, first + then], watched)
