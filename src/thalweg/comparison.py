"""compare: theory against training, with an error budget and a verdict."""

import json
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import xarray as xr

from . import audit, training
from .budget import TIGHTER, Row, gap_curves, rows
from .parallel import Progress
from .problem import Problem, seed_keys
from .results import label, stamp
from .serial import to_json
from .solve import (
    Seeds,
    describe,
    evaluate,
    existing,
    given,
    inputs,
    quiet_strains,
    remarks,
    seed_list,
    ticks_of,
    time_axis,
    train,
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
        exact = [_exact(t, random_parts(problem, data, start)) for t in theories]
        tight = _tighter_run(problem, axis, done if any(exact) else done[:2], data, start)
        answers = [
            _answer(t, problem, axis, done, data, start, whole) for t, whole in zip(theories, exact, strict=True)
        ]
    parts = []
    for one, found, (values, own_seeds, tighter), whole in zip(theories, strains, answers, exact, strict=True):
        told = label(problem, existing(problem, values), axis, own_seeds, one)
        budget = rows(problem, one, told, seen, [tight, tighter], whole)
        outcome = judge(budget, audit.worst(found), resolution, len(done), seen)
        told.attrs = describe("theory", problem, one, found, vars(outcome))
        parts.append((one, told, gap_curves(problem, one, told, seen, budget), _table(budget), outcome))
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

    def differs(make: Any) -> bool:
        first, second = make(0), make(1)
        return not all(map(np.array_equal, jax.tree.leaves(first), jax.tree.leaves(second)))

    def begin(seed: int) -> Any:
        draw, key, _ = seed_keys(np.int64(seed))
        return problem.initial(key, problem.draw(draw) if data is None else data)

    found = {"draw"} if data is None and differs(lambda seed: problem.draw(seed_keys(np.int64(seed))[0])) else set()
    found |= {"path"} if problem.rule.random else set()
    return found | ({"start"} if start is None and differs(begin) else set())


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


def _answer(
    theory: Theory, problem: Problem, axis: np.ndarray, seeds: list[int], data: Any, start: Any, exact: bool
) -> Any:
    """Predicted arrays, their seeds, and the same at ten times tighter tolerance where the theory has one."""
    values, own = evaluate(theory, problem, axis, seeds, data, start)
    if not hasattr(theory, "tolerance"):
        return values, own, None
    import equinox as eqx

    tight = eqx.tree_at(lambda t: t.tolerance, theory, theory.tolerance / TIGHTER)  # pyright: ignore
    return values, own, evaluate(tight, problem, axis, seeds if exact else seeds[:2], data, start)[0]


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
