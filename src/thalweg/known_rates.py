"""rate_study_of: the same study on a problem of the library, beside the stable rates that are known exactly there."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from . import audit
from .problem import Problem, StreamingProblem, draw_events, seed_keys
from .rate_study import learning_rate_study
from .request import Request, given, time_axis
from .rules import GradientDescent
from .solve import evaluate
from .theory import Setting, Theory

# variables of theories and events that are learning rates, in the rule's own units
RATES = ("largest_stable_rate", "critical_rate")


class LibraryTask(NamedTuple):
    """A problem of the library as a loss on batches, with the rates that are known for this draw."""

    loss: Callable[..., Any]
    params: Any
    batches: list[Any]
    rule: Any
    known: dict[str, float]


def library_task(problem: Problem, seed: int = 0, start: Any = None, samples: int = 1024) -> LibraryTask:
    """One draw and start as loss, parameters and batches; to be called, and used, under float64.

    A problem of fixed samples gives one batch, its data set, and the rule that it has (descent for a flow). A
    problem of fresh samples gives `samples` batches of one, and descent with the weights that one-pass SGD gives to
    each part of the parameters. ValueError for any other rule.
    """
    _, start = given(problem, None, start)
    draw, begin, path = seed_keys(seed)
    data = problem.draw(draw)
    params = problem.initial(begin, data) if start is None else jax.tree.map(jnp.asarray, start)
    known = known_rates(problem, data, params)
    rule: Any = problem.rule
    if isinstance(problem, StreamingProblem) and rule.fresh:
        fresh = problem.fresh(path, data, samples)
        batches = [jax.tree.map(lambda leaf, i=i: leaf[i], fresh) for i in range(samples)]
        return LibraryTask(_one_sample(problem, data), params, batches, GradientDescent(), known)
    if rule.continuous:
        rule = GradientDescent()
    if rule.random:
        raise ValueError(
            f"{rule.title()} chooses the samples of its steps, and a study of learning rates does so itself; give the "
            "problem a rule that descends the whole objective, such as GradientDescent."
        )
    return LibraryTask(lambda now, batch: problem.objective(now, batch), params, [data], rule, known)


def _one_sample(problem: StreamingProblem, data: Any) -> Callable[[Any, Any], Any]:
    def loss(params: Any, sample: Any) -> Any:
        # one-pass SGD moves each part with a weight of its own: the value stays, the slope takes it
        weights = problem.leaf_rates(params, 1.0)
        weighed = jax.tree.map(lambda p, f: jax.lax.stop_gradient((1 - f) * p) + f * p, params, weights)
        return problem.sample_objective(weighed, data, sample)

    return loss


def known_rates(problem: Problem, data: Any, start: Any) -> dict[str, float]:
    """Stable rates of this draw that are known exactly: its own event, and the theories that apply, by name."""
    events = {n: v for n, v in draw_events(problem, data).items() if n in RATES}
    found = {f"{n.replace('_', ' ')} of the draw": float(v) for n, v in events.items() if np.isfinite(v)}
    for theory, strains in audit.menu(problem, Setting(problem, data, start)):
        names = [n for n in theory.speaks_of if n in RATES]
        if names and audit.worst(strains)[1] <= 1:
            found |= _told(problem, theory, names, data, start)
    return found


def _told(problem: Problem, theory: Theory, names: list[str], data: Any, start: Any) -> dict[str, float]:
    told = evaluate(theory, Request(problem, time_axis(problem, None), (0,), data, start))
    found = {} if told is None else told.values
    values = {n: float(np.ravel(found[n])[0]) for n in names if n in found}
    return {f"{type(theory).__name__}": v for v in values.values() if np.isfinite(v)}


def rate_study_of(
    problem: Problem, *, seed: int = 0, start: Any = None, rates: Any = None, steps: int = 200, then: int = 0
) -> xr.Dataset:
    """learning_rate_study of a problem of the library, with the stable rates that are known exactly as marks.

    One draw and one start (or the `start` given), in float64. Known rates: the largest stable rate of the draw, and
    those of the theories that apply (Marchenko-Pastur edge, critical rate on line, edge of the quadratic network).
    A problem of fresh samples is run one sample a step, through 1024 of them again and again. Other arguments and the
    answer as for `learning_rate_study`; ValueError for a rule without a learning rate.
    """
    with jax.enable_x64():
        task = library_task(problem, seed, start)
        return learning_rate_study(
            task.loss,
            task.params,
            task.batches,
            None,
            task.rule,
            rates=rates,
            steps=steps,
            then=then,
            known=task.known,
            order="cyclic" if len(task.batches) == 1 else "drawn",
            seed=seed,
        )


__all__ = ["LibraryTask", "library_task", "rate_study_of"]
