"""predict, train, replay: the one border from pure functions of arrays to labelled data."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array

from ..catalogue import choice as audit
from ..computing.compiling import light
from ..computing.interrupts import answer, patient
from ..computing.parallel import Batch, Progress, map_seeds, over_seeds
from ..computing.skeleton import Skeleton, signature, split
from ..results.labels import label, sentences
from ..results.schema import stamp
from ..results.serial import to_json
from ..running import training
from ..running.request import Request, Seeds
from ..words.declarations import Observable
from ..words.draws import Case, completed
from ..words.fields import parameters
from ..words.problem import Problem
from ..words.theory import Theory


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
        data = request.sure_data
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


@lru_cache(maxsize=256)
def _doubtful(observables: tuple[Observable, ...]) -> list[Observable]:
    """Those that need a field to be other than 0."""
    return [o for o in observables if o.needs is not None]


def remarks(problem: Problem) -> list[str]:
    """Sentences that belong beside the results."""
    return [r.told(problem) for r in problem.remarks if r.when(problem)]


def predict(
    problem: Problem,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds = 1,
    data: Any = None,
    start: Any = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """What theory says, without training: an xarray.Dataset with dim `time`, events without it.

    `theory` is an instance, a class or a name; by default the applicable one that conditions on least and is off by
    least. A theory that conditions on the draw or the start answers with dim `seed`, unless `data=` and `start=` fix
    all that it conditions on (data that are the same for every seed need not be given). Times follow the rule's clock.
    Raises ValueError for bad times, misfitting data, or a theory that cannot speak here; warns (TheoryWarning) where
    one is asked outside its regime; Ctrl-C raises Interrupted, whose `finished` holds the seeds that had ended.
    """
    with patient(), jax.enable_x64():
        request = Request.of(problem, times, seeds, data, start)
        chosen = audit.chosen(request.setting, theory)
        told = evaluate(chosen.theory, request, progress)
        result = None if told is None else _predicted(request, chosen, told)
        answer(lambda: result, _ended(told.seeds if told else [], request.seeds, "predict"))
    assert result is not None
    return result


def _predicted(request: Request, chosen: audit.Chosen, told: Told) -> xr.Dataset:
    """What was told, labelled."""
    problem = request.problem
    result = label(problem, existing(problem, told.values), request.axis, told.seeds, chosen.theory)
    result.attrs = describe("predict", problem, chosen.theory, chosen.strains, {"given": request.named})
    return result


def _ended(done: Sequence[int] | None, wanted: Sequence[int], verb: str) -> str:
    """Which seeds had ended when Ctrl-C came, and how to go on."""
    if done is None or len(done) == len(wanted):
        return f"the whole of {verb} is in `.finished`"
    if not done:
        return f"no seed of {verb} had ended; call it again"
    rest = [s for s in wanted if s not in set(done)]
    return (
        f"{len(done)} of {len(wanted)} seeds are in `.finished`; {verb}(..., seeds={_short(rest)}) does the others "
        "(xarray.concat joins them along seed)"
    )


def _short(seeds: Sequence[int]) -> str:
    whole = list(range(seeds[0], seeds[-1] + 1))
    return f"range({seeds[0]}, {seeds[-1] + 1})" if list(seeds) == whole else str(list(seeds))


def describe(
    verb: str, problem: Problem, theory: Theory | None, found: dict[str, float], more: dict[str, Any]
) -> dict[str, Any]:
    """Provenance of a result as attributes."""
    attrs = dict(more)
    if theory is not None:
        attrs |= {
            "theory": type(theory).__name__,
            "theory_json": to_json(theory)[0],
            "strains": audit.strain_table(found),
            "source": [str(s) for s in theory.source],
        }
    return stamp(verb=verb, problem=to_json(problem)[0], remarks=remarks(problem), **attrs)


def train(
    problem: Problem,
    times: Any = None,
    *,
    seeds: Seeds = 1,
    data: Any = None,
    start: Any = None,
    strict: bool | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Train for real, without theory: an xarray.Dataset with dims `seed`, `time`; events have no `time`.

    `outcome` (seed) says in a sentence how each run ended. With `strict` (the default for one run) a run that left
    the finite numbers or hit its step ceiling raises; otherwise its data are kept. Ctrl-C raises Interrupted, whose
    `finished` holds the seeds that had ended.
    """
    with patient(), jax.enable_x64():
        request = Request.of(problem, times, seeds, data, start)
        done = training.run(request, progress)
        result = None if done is None else trained(request, done)
        answer(lambda: result, _ended(done.seeds if done else [], request.seeds, "train"))
    assert done is not None
    assert result is not None
    if len(request.seeds) == 1 if strict is None else strict:
        refuse_bad_runs(problem, done, result)
    return result


def trained(request: Request, done: training.Finished) -> xr.Dataset:
    """Runs, labelled."""
    problem, runs = request.problem, done.runs
    result = label(problem, existing(problem, {**runs.curves, **runs.events}), request.axis, done.seeds)
    ended = sentences(np.asarray(runs.outcome), np.asarray(runs.outcome_time), problem.rule.clock)
    result["outcome"] = ("seed", np.asarray(ended, dtype=object), {"long_name": "how the run ended"})
    result.attrs = describe("train", problem, None, {}, {"seeds": done.seeds, "given": request.named})
    return result


def refuse_bad_runs(problem: Problem, done: training.Finished, result: xr.Dataset) -> None:
    """FloatingPointError for the first run that did not end well, with what to do."""
    wrong = np.asarray(done.runs.outcome) != 0
    if np.any(wrong):
        bad = int(np.argmax(wrong))
        raise FloatingPointError(
            f"seed {done.seeds[bad]} {result['outcome'].values[bad]}. {_repair(problem, result)} "
            "strict=False keeps the data."
        )


def _repair(problem: Problem, result: xr.Dataset) -> str:
    limit = result.get("largest_stable_rate")
    rate = getattr(problem.rule, "learning_rate", None)
    if limit is not None and rate is not None and np.all(np.isfinite(limit)):
        return f"Its learning rate is {rate:g}; on this draw the largest stable one is {float(limit.min()):.4g}."
    if rate is None:
        slow = [r.told(problem) for r in problem.remarks if r.slow and r.when(problem)]
        if slow:
            return f"{' '.join(slow)} Or ask for earlier times, or raise the step ceiling."
    return problem.rule.remedy()


def replay(problem: Problem, times: Any = None, *, seed: int = 0, data: Any = None, start: Any = None) -> Any:
    """Final parameters of one run, trained again from its seed: the same key, the same answer."""
    with patient(), jax.enable_x64():
        done = training.run(Request.of(problem, times, [seed], data, start), keep_final=True)
        answer(lambda: None, "the run had not ended; call replay again")
    assert done is not None
    return jax.tree.map(lambda leaf: leaf[0], done.runs.final)


def problem_json(result: xr.Dataset | xr.DataTree) -> dict[str, Any]:
    """The problem of a result as plain JSON."""
    return json.loads(result.attrs["problem"])
