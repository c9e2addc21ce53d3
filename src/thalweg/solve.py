"""predict, train, replay: the one border from pure functions of arrays to labelled data."""

import json
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array

from . import audit, training
from .fields import parameters
from .parallel import Batch, Interrupted, Progress, batches, map_seeds, over_seeds
from .problem import Macrostate, Problem, present
from .results import label, sentences, stamp
from .serial import to_json
from .theory import Setting, Theory
from .training import Case, Skeleton, cases, completed, signature, split

Seeds = int | Sequence[int]


def seed_list(seeds: Any) -> list[int]:
    """0..n-1 for an integer n, or the given whole numbers; ValueError otherwise."""
    counted = isinstance(seeds, int | np.integer) and not isinstance(seeds, bool)
    wanted: Any = range(int(seeds)) if counted else seeds
    try:
        found = [int(s) for s in wanted]
        whole = all(int(s) == s and s >= 0 for s in wanted)
    except (TypeError, ValueError):
        found, whole = [], False
    if not found or not whole or len(set(found)) < len(found):
        raise ValueError(f"seeds = {seeds!r} is not allowed; give a number >= 1, or different whole numbers >= 0.")
    return found


def time_axis(problem: Problem, times: Any) -> np.ndarray:
    """Times as the rule's clock counts them; the problem's own horizon where none are given.

    Raises ValueError where they decrease, repeat, are negative, not finite, or no whole steps (within 1e-9).
    """
    axis = np.asarray(problem.horizon() if times is None else times)
    if axis.dtype.kind not in "fiu" or axis.ndim > 1 or axis.size == 0:
        raise ValueError(f"times must be a list of numbers; they were {axis!r:.60}.")
    axis = np.atleast_1d(axis).astype(np.float64)
    if not np.all(np.isfinite(axis)) or axis[0] < 0 or np.any(np.diff(axis) <= 0):
        bad = next((i for i in range(axis.size) if not axis[i] >= 0 or (i and not axis[i] > axis[i - 1])), 0)
        raise ValueError(
            f"times must be finite, >= 0 and increasing; entry {bad} is {axis[bad]:g}. Sort them and drop repeats."
        )
    unit = problem.rule.steps_per_unit(problem)
    if unit is not None:
        steps = axis * unit
        off = np.abs(steps - np.round(steps)) > 1e-9 * np.maximum(1.0, np.abs(steps))
        if np.any(off):
            first = axis[np.argmax(off)]
            raise ValueError(
                f"time {first:g} is no whole step of {type(problem.rule).__name__} (clock: {problem.rule.clock}); "
                f"the nearest is {round(first * unit) / unit:g}."
            )
        axis = np.round(steps) / unit
    return axis


def ticks_of(problem: Problem, axis: np.ndarray) -> np.ndarray:
    """Flow times, or whole steps."""
    unit = problem.rule.steps_per_unit(problem)
    return axis if unit is None else np.round(axis * unit).astype(np.int64)


def given(problem: Any, data: Any, start: Any) -> tuple[Any, Any]:
    """A user's data and start in the problem's form."""
    if not isinstance(problem, Problem):
        raise ValueError(
            f"a problem is wanted, such as tw.LinearClassifier(...); it was given {type(problem).__name__}."
        )
    begin = None if start is None else problem.as_start(start)
    if isinstance(begin, Macrostate):
        if data is not None and data is not start:
            raise ValueError(
                f"start = {type(begin).__name__}(...) fixes what matters of the draw, too; leave data out."
            )
        return begin, begin
    return None if data is None else problem.as_data(data), begin


def _loose_sizes(theory: Theory, problem: Problem) -> frozenset[str]:
    """Sizes that fix no shape of this theory: they may change without a new compilation."""
    return frozenset(n for n, p in parameters(type(problem)).items() if p.kind == "size" and n not in theory.shapes)


@partial(jax.jit, static_argnums=0)
def _predict(skeleton: Skeleton, loose: list[Any], times: Array, data: Any, start: Any) -> dict[str, Array]:
    theory, problem = skeleton.join(loose)
    return theory.predict(problem, data, start, times)


@partial(jax.jit, static_argnums=0)
def _predict_seeds(
    skeleton: Skeleton, loose: list[Any], times: Array, fixed: Any, drawn: Case, count: Any
) -> dict[str, Array]:
    theory, problem = skeleton.join(loose)
    return map_seeds(lambda one: theory.predict(problem, *completed(one, fixed), times), drawn, count)


def conditioned(theory: Theory, data: Any, start: Any) -> bool:
    """Whether the answer still differs from seed to seed."""
    return any({"data": data, "draw": data, "start": start}[c] is None for c in theory.conditions_on)


def two_cases(problem: Problem, data: Any, start: Any) -> tuple[Any, Any]:
    """Draws and starts of seeds 0 and 1, by the program that training uses; None in place of what is given."""
    drawn = cases(problem, (data, start), batches([0, 1], 1)[0])
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:2], (drawn.data, drawn.start))


def differs(pair: Any) -> bool:
    """Whether two cases, along the leading axis, are not the same."""
    return not all(np.array_equal(leaf[0], leaf[1]) for leaf in jax.tree.leaves(pair))


def sure_data(problem: Problem, start: Any) -> Any:
    """The draw of a problem that has only one, for a start that fixes all else; None where draws differ."""
    if start is None or isinstance(start, Macrostate):
        return None
    drawn, _ = two_cases(problem, None, start)
    return None if differs(drawn) else jax.tree.map(lambda leaf: leaf[0], drawn)


def evaluate(
    theory: Theory,
    problem: Problem,
    axis: np.ndarray,
    seeds: list[int],
    data: Any = None,
    start: Any = None,
    progress: Progress | None = None,
) -> tuple[dict[str, np.ndarray], list[int] | None]:
    """A theory's arrays, with the seeds of their leading axis (None where there is no such axis)."""
    ready = theory.prepare(problem, axis)
    if not conditioned(theory, data, start):
        skeleton, loose = split((ready, problem), _loose_sizes(ready, problem))
        return {k: np.asarray(v) for k, v in _predict(skeleton, loose, axis, data, start).items()}, None
    skeleton, loose = split((ready, problem))

    def batch(part: Batch) -> dict[str, Array]:
        drawn = cases(problem, (data, start), part)
        return _predict_seeds(skeleton, loose, axis, (data, start), drawn, part.count)

    done, values = over_seeds(
        batch,
        seeds,
        ("predict", skeleton, signature(axis, data, start)),
        progress,
    )
    return values, done


def existing(problem: Problem, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What exists for these parameters."""
    absent = {o.name for o in problem.observables} - {o.name for o in present(problem)}
    return {k: v for k, v in values.items() if k not in absent}


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

    `theory` is an instance, a class or a name; by default the applicable one that conditions on least and says most.
    A theory that conditions on the draw or the start answers with dim `seed`, unless `data=` and `start=` fix all
    that it conditions on (data that are the same for every seed need not be given). Times follow the rule's clock.
    Raises ValueError for bad times, misfitting data, or a theory that cannot speak here; warns (TheoryWarning) where
    one is asked outside its regime.
    """
    data, start = given(problem, data, start)
    with jax.enable_x64():
        axis = time_axis(problem, times)
        setting = Setting(problem, data, start, axis)
        theory = audit.choose(problem, setting) if theory is None else audit.as_theory(theory)
        found = audit.check(theory, problem, setting)
        known = sure_data(problem, start) if data is None and "draw" in theory.conditions_on else data
        values, done = evaluate(theory, problem, axis, seed_list(seeds), known, start, progress)
    result = label(problem, existing(problem, values), axis, done, theory)
    result.attrs = describe("predict", problem, theory, found, _given_names(data, start))
    return result


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


def _given_names(data: Any, start: Any) -> dict[str, list[str]]:
    return {"given": [name for name, value in (("data", data), ("start", start)) if value is not None]}


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
    data, start = given(problem, data, start)
    wanted = seed_list(seeds)
    with jax.enable_x64():
        axis = time_axis(problem, times)
        done, found = training.run(problem, ticks_of(problem, axis), wanted, data, start, progress)
    runs: Any = found
    result = label(problem, existing(problem, {**runs.curves, **runs.events}), axis, done)
    ended = sentences(runs.outcome, runs.outcome_time, problem.rule.clock)
    result["outcome"] = ("seed", np.asarray(ended, dtype=object), {"long_name": "how the run ended"})
    result.attrs = describe("train", problem, None, {}, {"seeds": done, **_given_names(data, start)})
    if len(done) < len(wanted):
        raise Interrupted(result)
    strict = len(wanted) == 1 if strict is None else strict
    if strict and np.any(runs.outcome != 0):
        bad = int(np.argmax(runs.outcome != 0))
        raise FloatingPointError(
            f"seed {done[bad]} {ended[bad]}. {_repair(problem, result)} strict=False keeps the data."
        )
    return result


def _repair(problem: Problem, result: xr.Dataset) -> str:
    limit = result.get("largest_stable_rate")
    rate = getattr(problem.rule, "learning_rate", None)
    if limit is not None and rate is not None and np.all(np.isfinite(limit)):
        return f"Its learning rate is {rate:g}; on this draw the largest stable one is {float(limit.min()):.4g}."
    if rate is None:
        slow = [r.told(problem) for r in problem.remarks if r.slow and r.when(problem)]
        if slow:
            return f"{' '.join(slow)} Or ask for earlier times, or raise the step ceiling."
        return "Raise the step ceiling; where gradients jump, as at the kinks of ReLU units, set smallest_step."
    return "Lower the learning rate."


def replay(problem: Problem, times: Any = None, *, seed: int = 0, data: Any = None, start: Any = None) -> Any:
    """Final parameters of one run, trained again from its seed: the same key, the same answer."""
    data, start = given(problem, data, start)
    with jax.enable_x64():
        axis = time_axis(problem, times)
        _, runs = training.run(problem, ticks_of(problem, axis), [seed], data, start, keep_final=True)
    return jax.tree.map(lambda leaf: leaf[0], runs.final)


def quiet_strains(theory: Theory, problem: Problem, setting: Setting) -> dict[str, float]:
    """Strains without the warning, for a verdict that reports them itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", audit.TheoryWarning)
        return audit.check(theory, problem, setting)


def problem_json(result: xr.Dataset | xr.DataTree) -> dict[str, Any]:
    """The problem of a result as plain JSON."""
    return json.loads(result.attrs["problem"])
