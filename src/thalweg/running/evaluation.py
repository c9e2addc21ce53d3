"""What a theory says and what runs saw: the one border from pure functions of arrays to labelled data."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array

from ..catalogue import choice
from ..computing.compiling import light
from ..computing.parallel import Batch, Progress, map_seeds, over_seeds
from ..computing.skeleton import Skeleton, signature, split
from ..results.labels import axes, broken_sentence, label, sentences, variables
from ..results.schema import stamp
from ..results.serial import to_json
from ..words.declarations import Observable
from ..words.draws import Case, completed
from ..words.fields import parameters
from ..words.problem import Problem
from ..words.theory import Theory
from .breaking_off import broken_off
from .request import Request
from .training import Finished


def loose_sizes(theory: Theory, problem: Problem) -> frozenset[str]:
    """Sizes that fix no shape of this theory: they may change without a new compilation."""
    return frozenset(n for n, p in parameters(type(problem)).items() if p.kind == "size" and n not in theory.shapes)


@light(static_argnums=0)
def _predict(skeleton: Skeleton, loose: list[Any], times: Array, data: Any, start: Any) -> Any:
    theory, problem = skeleton.join(loose)
    return theory.predict(problem, data, start, times)


@light(static_argnums=0)
def _predict_seeds(skeleton: Skeleton, loose: list[Any], times: Array, fixed: Any, drawn: Case, count: Any) -> Any:
    theory, problem = skeleton.join(loose)
    return map_seeds(lambda one: theory.predict(problem, *completed(one, fixed), times), drawn, count)


class Told(NamedTuple):
    """A theory's arrays, with the seeds of their leading axis (None where there is no such axis)."""

    values: dict[str, Any]
    seeds: list[int] | None


def conditioned(theory: Theory, data: Any, start: Any) -> bool:
    """Whether the answer still differs from seed to seed."""
    return any({"data": data, "draw": data, "start": start}[c] is None for c in theory.conditions_on)


def evaluate(theory: Theory, request: Request, progress: Progress | None = None) -> Told | None:
    """What a theory says. Of a theory that answers seed by seed, on Ctrl-C, the seeds that had ended; None if none."""
    problem, axis = request.problem, request.axis
    ready = theory.prepare(problem, axis)
    data, start = request.given
    if "draw" in theory.conditions_on and data is None and start is not None:
        # data that are the same for every seed need not be given
        data = request.common_draw
    if not conditioned(theory, data, start):
        skeleton, loose = split((ready, problem), loose_sizes(ready, problem))
        return Told(_host(_predict(skeleton, loose, axis, data, start)), None)
    skeleton, loose = split((ready, problem))
    fixed = request.given

    def batch(part: Batch) -> Any:
        return _predict_seeds(skeleton, loose, axis, fixed, request.cases(part), part.count)

    done = over_seeds(batch, request.seeds, ("predict", skeleton, signature(axis, *fixed)), progress)
    return None if done is None else Told(done[1], done[0])


def _host(value: Any) -> Any:
    return jax.tree.map(np.asarray, value)


def existing(problem: Problem, values: dict[str, Any]) -> dict[str, Any]:
    """What exists for these parameters."""
    absent = {o.name for o in _doubtful(problem.observables) if not o.exists_in(problem)}
    return {k: v for k, v in values.items() if k not in absent} if absent else dict(values)


def check_told(problem: Problem, theory: Theory, values: Mapping[str, Any]) -> None:
    """ValueError for a theory that does not return what it speaks of, of all that exists here, or returns more."""
    here = existing(problem, dict.fromkeys(variables(problem, theory)))
    lost = sorted(set(theory.speaks_of) & set(here) - set(values))
    coordinates = [axis.coordinate for axis in axes(list(variables(problem, theory).values())).values()]
    beside = {name for name in coordinates if isinstance(name, str)}
    extra = sorted(set(values) - set(theory.speaks_of) - beside)
    for names, what, repair in (
        (
            lost,
            "does not return {}, of which it speaks",
            "return it from predict (NaN where there is none), or do not name it",
        ),
        (extra, "returns {}, of which it does not speak", "name it"),
    ):
        if names:
            raise ValueError(f"{type(theory).__name__} {what.format(', '.join(names))}; {repair} in speaks_of.")


@lru_cache(maxsize=256)
def _doubtful(observables: tuple[Observable, ...]) -> list[Observable]:
    """Those that need a field to be other than 0."""
    return [o for o in observables if o.needs is not None]


def remarks(problem: Problem) -> list[str]:
    """Sentences that belong beside the results."""
    return [r.told(problem) for r in problem.remarks if r.when(problem)]


def describe(
    verb: str, problem: Problem, theory: Theory | None, found: dict[str, float], more: dict[str, Any]
) -> dict[str, Any]:
    """Provenance of a result as attributes."""
    attrs = dict(more)
    if theory is not None:
        attrs |= {
            "theory": type(theory).__name__,
            "theory_json": to_json(theory)[0],
            "strains": choice.strain_table(found),
            "source": [str(s) for s in theory.source],
        }
    return stamp(verb=verb, problem=to_json(problem)[0], remarks=remarks(problem), **attrs)


def trained(request: Request, done: Finished) -> xr.Dataset:
    """Runs, labelled."""
    problem, runs = request.problem, done.runs
    result = label(problem, existing(problem, {**runs.curves, **runs.events}), request.axis, done.seeds)
    ended = sentences(np.asarray(runs.outcome), np.asarray(runs.outcome_time), problem.rule.clock)
    for i, one in broken_off(request, done).items():
        ended[i] = broken_sentence(one.name, one.time, one.exact, problem.rule.clock)
    result["outcome"] = ("seed", np.asarray(ended, dtype=object), {"long_name": "how the run ended"})
    result.attrs = describe("train", problem, None, {}, {"seeds": done.seeds, "given": request.named})
    beyond = _unstable(problem, result)
    if beyond:
        result.attrs["remarks"] = json.dumps([beyond, *json.loads(result.attrs["remarks"])])
    return result


def _unstable(problem: Problem, result: xr.Dataset) -> str:
    """The sentence about a learning rate beyond the largest stable one; empty where it is within, or none is known."""
    limit, rate = result.get("largest_stable_rate"), getattr(problem.rule, "learning_rate", None)
    if limit is None or rate is None or not np.any(np.asarray(limit) < rate):
        return ""
    count = int(np.sum(np.asarray(limit) < rate))
    return (
        f"The learning rate {rate:g} is beyond the largest stable one ({float(limit.min()):.4g}) in {count} of "
        f"{limit.size} runs: these diverge."
    )
