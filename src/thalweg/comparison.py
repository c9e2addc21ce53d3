"""compare: theory against training, with an error budget and a verdict."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from . import audit, training
from .budget import TIGHTER, Row, gap_curves, rows
from .inputs import inputs
from .parallel import Progress
from .problem import Problem
from .results import label, stamp
from .serial import to_json
from .solve import (
    Seeds,
    describe,
    differs,
    evaluate,
    existing,
    given,
    quiet_strains,
    remarks,
    seed_list,
    ticks_of,
    time_axis,
    train,
    two_cases,
)
from .theory import Setting, Theory
from .verdict import Verdict, judge


def compare(
    problem: Problem,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds = 24,
    data: Any = None,
    start: Any = None,
    resolution: float = 0.1,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Predict, train and compare; the answer ends in `attrs["verdict"]` and a `sentence` with both of its numbers.

    For a few functionals of every observable, fixed by the theory alone (start, end, area, half-time, events):
        allowance = finite-size term + numerical tolerance + the problem's margin,
        error = q * standard error over seeds, q the Student quantile at a family level of 1 %.
    `resolution` is the share of a functional's scale that the run must be able to see for "confirmed".
    `theory` is one theory or a list (the first gives the verdict of the whole). Nodes: training, theory, gap, budget,
    inputs; with several theories a child each. Raises ValueError for bad input; diverged runs are kept and said.
    """
    data, start = given(problem, data, start)
    if not 0 < resolution < 1:
        raise ValueError(f"resolution = {resolution} is not allowed; give a share between 0 and 1, such as 0.1.")
    wanted = seed_list(seeds)
    with jax.enable_x64():
        axis = time_axis(problem, times)
        setting = Setting(problem, data, start, axis)
        theories = _theories(problem, theory, setting)
        strains = [quiet_strains(t, problem, setting) for t in theories]
    seen = train(problem, axis, seeds=wanted, data=data, start=start, strict=False, progress=progress)
    done = [int(s) for s in seen["seed"].values]
    with jax.enable_x64():
        tight, answers = _answers(theories, problem, axis, done, data, start)
    parts = [
        _judged(problem, axis, *one, seen, tight, resolution) for one in zip(theories, strains, answers, strict=True)
    ]
    return _tree(problem, parts, seen, inputs(problem, axis, data, start), resolution, done)


def _theories(problem: Problem, theory: Any, setting: Setting) -> list[Theory]:
    if theory is None:
        return [audit.choose(problem, setting)]
    several = theory if isinstance(theory, list | tuple) else [theory]
    found = [audit.as_theory(t) for t in several]
    names = [type(t).__name__ for t in found]
    if not found or len(set(names)) < len(names):
        raise ValueError(f"theory = {names} is not allowed; give one theory, or a list without repeats.")
    return found


def random_parts(problem: Problem, data: Any, start: Any) -> set[str]:
    """What differs from seed to seed: draw and start, unless given or the same for every key, and a rule's own path."""
    draw, begin = two_cases(problem, data, start)
    found = {"draw"} if differs(draw) else set()
    found |= {"path"} if problem.rule.random else set()
    return found | ({"start"} if differs(begin) else set())


def _exact(theory: Theory, random: set[str]) -> bool:
    """Whether a theory answers for every single run, so that every run's own numerical error counts."""
    return bool(theory.conditions_on) and random <= set(theory.conditions_on) and not theory.estimates


def _tighter_run(problem: Problem, axis: np.ndarray, seeds: list[int], data: Any, start: Any) -> dict[str, Any] | None:
    """The first seeds again at ten times tighter tolerance: what the integrator leaves open. None if it has none."""
    import equinox as eqx

    tolerance = getattr(problem.rule, "tolerance", None)
    if tolerance is None:
        return None
    tight: Problem = eqx.tree_at(lambda p: p.rule.tolerance, problem, tolerance / TIGHTER)
    _, runs = training.run(tight, ticks_of(problem, axis), seeds, data, start)
    return {**runs.curves, **runs.events}


class _Answer(NamedTuple):
    """Predicted arrays with their seeds, the same at ten times tighter tolerance where the theory has one, and whether
    it speaks of every single run."""

    values: dict[str, np.ndarray]
    seeds: list[int] | None
    tighter: dict[str, np.ndarray] | None
    exact: bool


def _answers(
    theories: Sequence[Theory], problem: Problem, axis: np.ndarray, seeds: list[int], data: Any, start: Any
) -> tuple[dict[str, Any] | None, list[_Answer]]:
    """The tighter runs, and what each theory says."""
    random = random_parts(problem, data, start)
    exact = [_exact(theory, random) for theory in theories]
    tight = _tighter_run(problem, axis, seeds if any(exact) else seeds[:2], data, start)
    answers = [_answer(t, problem, axis, seeds, data, start, e) for t, e in zip(theories, exact, strict=True)]
    return tight, answers


def _answer(
    theory: Theory, problem: Problem, axis: np.ndarray, seeds: list[int], data: Any, start: Any, exact: bool
) -> _Answer:
    values, own = evaluate(theory, problem, axis, seeds, data, start)
    if not hasattr(theory, "tolerance"):
        return _Answer(values, own, None, exact)
    import equinox as eqx

    tight = eqx.tree_at(lambda t: t.tolerance, theory, theory.tolerance / TIGHTER)  # pyright: ignore
    tighter, _ = evaluate(tight, problem, axis, seeds if exact else seeds[:2], data, start)
    return _Answer(values, own, tighter, exact)


def _judged(
    problem: Problem,
    axis: np.ndarray,
    theory: Theory,
    strains: dict[str, float],
    answer: _Answer,
    seen: xr.Dataset,
    tight: dict[str, Any] | None,
    resolution: float,
) -> tuple[Theory, xr.Dataset, xr.Dataset, xr.Dataset, Verdict]:
    """A theory beside what was seen: its labelled answer, the gap, the budget and the verdict."""
    told = label(problem, existing(problem, answer.values), axis, answer.seeds, theory)
    budget = rows(problem, theory, told, seen, [tight, answer.tighter], answer.exact)
    outcome = judge(budget, audit.worst(strains), resolution, seen.sizes["seed"], seen)
    told.attrs = describe("theory", problem, theory, strains, vars(outcome))
    return theory, told, gap_curves(problem, theory, told, seen, budget), _table(budget), outcome


def _table(budget: Sequence[Row]) -> xr.Dataset:
    """The budget as labelled columns, one line a functional."""
    columns = {
        name: ("functional", np.asarray([getattr(row, name) for row in budget]))
        for name in (
            "variable", "measure", "claim", "predicted", "measured", "gap", "finite_size", "tolerance", "margin",
            "error", "allowance", "scale",
        )
    }  # fmt: skip
    for name in ("agrees", "resolved"):
        columns[name] = ("functional", np.asarray([getattr(row, name) for row in budget], dtype=np.int8))
    return xr.Dataset(columns, {"functional": [row.name for row in budget]})


def _tree(
    problem: Problem,
    parts: list[Any],
    seen: xr.Dataset,
    given_arrays: xr.Dataset,
    resolution: float,
    seeds: list[int],
) -> xr.DataTree:
    first: Verdict = parts[0][4]
    names = [type(part[0]).__name__ for part in parts]
    nodes: dict[str, xr.Dataset] = {"/": xr.Dataset(), "training": seen, "inputs": given_arrays}
    for name, (_, told, gap, budget, _) in zip(names, parts, strict=True):
        for kind, content in (("theory", told), ("gap", gap), ("budget", budget)):
            nodes[kind if len(parts) == 1 else f"{kind}/{name}"] = content
    tree = xr.DataTree.from_dict(nodes)
    said = remarks(problem) + [line for part in parts for line in part[4].notes]
    tree.attrs = stamp(
        verb="compare",
        problem=to_json(problem)[0],
        theories=names,
        theory_json=[json.loads(to_json(part[0])[0]) for part in parts],
        verdict=first.verdict,
        sentence=first.sentence,
        agreement=first.agreement,
        sensitivity=first.sensitivity,
        resolution=resolution,
        seeds=seeds,
        remarks=list(dict.fromkeys(said)),
    )
    return tree
