"""compare: theory against training, with an error budget and a verdict."""

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import equinox as eqx
import numpy as np
import xarray as xr

from ..catalogue import choice
from ..computing.float64 import float64
from ..computing.interrupts import Interrupted, answer, patient
from ..computing.parallel import Progress
from ..results.inputs import inputs
from ..results.labels import label
from ..results.schema import stamp
from ..results.serial import to_json
from ..running import training
from ..running.evaluation import Told, check_told, describe, evaluate, existing, trained
from ..running.request import Request, Seeds, tightened
from ..verdict.budget import rows
from ..verdict.budget_row import Row
from ..verdict.chance import FAMILY_LEVEL
from ..verdict.gaps import gap_curves
from ..verdict.measures import Tighter
from ..verdict.verdict import Verdict, judge, needed
from ..words.problem import Problem
from ..words.theory import Theory

# numbers of seeds at which seeds="enough" looks, and how far beyond the last a guess from few seeds may be
LOOKS = (24, 48, 96, 192, 384, 768)
REACH = 2.0


def compare(
    problem: Problem,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds | Literal["enough"] = 24,
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
    `seeds="enough"` doubles their number from 24 until the comparison is decided or could not be by 768; each look then
    spends its share of the level, 1 % over 6, so that looking often does not make a right theory fail more often.
    `theory` is one theory or a list (the first gives the verdict of the whole). Nodes: training, theory, gap, budget,
    inputs; with several theories a child each. Raises ValueError for bad input; diverged runs are kept and said.
    """
    if not 0 < resolution < 1:
        raise ValueError(f"resolution = {resolution} is not allowed; give a share between 0 and 1, such as 0.1.")
    with patient(), float64():
        looks = LOOKS if isinstance(seeds, str) and seeds == "enough" else None
        wanted: Any = LOOKS[-1] if looks else seeds
        whole = Request.of(problem, times, wanted, data, start)
        named = _theories(whole, theory)
        terms = _Terms(resolution, FAMILY_LEVEL / len(looks or "1"))
        done, tree = None, xr.DataTree()
        for look, count in enumerate(looks or [len(whole.seeds)], start=1):
            request = whole.only(whole.seeds[:count])
            done = _trained_on(done, request, progress)
            seen = trained(request, done)
            try:
                theories = [_on_every_seed(one, request) for one in named]
                runs = _Runs(request, seen, _tighter(request, theories))
                judged = [_judged(runs, one, terms) for one in theories]
                tree = _tree(runs, judged, resolution)
            except KeyboardInterrupt:
                raise Interrupted(seen, _kept(done, request)) from None
            if looks:
                tree.attrs["looks"] = look
                if not any(_worth_more(one, terms, count) for one in judged):
                    break
        answer(lambda: tree, "the whole of compare is in `.finished`")
    return tree


class _Terms(NamedTuple):
    """What a comparison is judged by: the resolution that is asked for, and the level of error that it may spend."""

    resolution: float
    level: float


def _trained_on(done: training.Finished | None, request: Request, progress: Progress | None) -> training.Finished:
    """The runs of a request, of which some may be there; on Ctrl-C Interrupted with all that ended."""
    behind = 0 if done is None else len(done.seeds)
    fresh = training.run(request.only(request.seeds[behind:]), progress)
    found = fresh if done is None else done.and_then(fresh)
    answer(lambda: None if found is None else trained(request, found), _kept(found, request))
    assert found is not None
    return found


def _worth_more(one: "_Judged", terms: _Terms, seeds: int) -> bool:
    """Whether this is not decided, and more seeds than `seeds` could within the last look."""
    if one.verdict.verdict != "inconclusive" or seeds >= LOOKS[-1]:
        return False
    return needed(one.budget, terms.resolution, seeds) <= REACH * LOOKS[-1]


def _kept(done: training.Finished | None, request: Request) -> str:
    """What of a comparison is there when Ctrl-C comes, and how to go on."""
    if done is None:
        return "no seed had ended; call compare again"
    return (
        f"the training of {len(done.seeds)} of {len(request.seeds)} seeds is in `.finished`, as train gives it; what "
        "theory says was not compared yet: call compare again"
    )


class _Runs(NamedTuple):
    """What was asked and seen, and the runs again at tighter tolerances."""

    request: Request
    seen: xr.Dataset
    tighter: Tighter


def _theories(request: Request, theory: Any) -> list[choice.Chosen]:
    if theory is None:
        return [choice.choose(request.problem, request.setting)]
    several = theory if isinstance(theory, list | tuple) else [theory]
    found = [choice.as_theory(t) for t in several]
    names = [type(t).__name__ for t in found]
    if not found or len(set(names)) < len(names):
        raise ValueError(f"theory = {names} is not allowed; give one theory, or a list without repeats.")
    return [choice.Chosen(t, choice.check(t, request.problem, request.setting, quiet=True)) for t in found]


def _on_every_seed(one: choice.Chosen, request: Request) -> choice.Chosen:
    """With the largest strain over the seeds of what is assumed of the draw or the start: one seed may not speak for
    all."""
    asking = [a for a in one.theory.assumptions if a.asks_the_case(request.setting)]
    if not asking or request.macrostate or not request.random & {"draw", "start"}:
        return one
    found = dict(one.strains)
    for setting in request.settings():
        for assumption in asking:
            strain = float(assumption.strain(setting))
            found[assumption.name] = max(found[assumption.name], math.inf if math.isnan(strain) else strain)
    return one._replace(strains=found)


def is_exact(theory: Theory, request: Request) -> bool:
    """Whether a theory answers for every single run, so that every run's own numerical error counts."""
    return bool(theory.conditions_on) and request.random <= set(theory.conditions_on) and not theory.estimates


def _tighter(request: Request, theories: Sequence[choice.Chosen]) -> Tighter:
    """Seeds again at tighter tolerances, trained when first looked at: what the integrator leaves open."""
    exact = any(is_exact(one.theory, request) for one in theories)
    again = request if exact else request.only(request.seeds[:2])

    @cache
    def trained_again(factor: float) -> dict[str, Any] | None:
        tight = again.tightened(factor)
        if tight is None:
            return None
        done = training.run(tight)
        if done is None or len(done.seeds) < len(tight.seeds):
            raise KeyboardInterrupt
        return {**done.runs.curves, **done.runs.events}

    return trained_again


class _Judged(NamedTuple):
    """One theory: what it told, the gap of its curves, the budget and the verdict."""

    theory: Theory
    told: xr.Dataset
    gap: xr.Dataset
    budget: list[Row]
    verdict: Verdict


def _judged(runs: _Runs, one: choice.Chosen, terms: _Terms) -> _Judged:
    """A theory beside what was seen."""
    theory, (request, seen, tight) = one.theory, runs
    problem, exact = request.problem, is_exact(theory, request)
    said = _said(theory, request)
    check_told(problem, theory, said.values)
    told = label(problem, existing(problem, said.values), request.axis, said.seeds, theory)
    budget = rows(request, theory, told, seen, (tight, _sharper(theory, request, exact)), exact, terms.level)
    outcome = judge(budget, choice.worst(one.strains), terms.resolution, seen.sizes["seed"], seen)
    told.attrs = describe("theory", problem, theory, one.strains, vars(outcome))
    return _Judged(theory, told, gap_curves(problem, theory, told, seen, budget, terms.level), budget, outcome)


def _said(theory: Theory, request: Request) -> Told:
    """What it says; on Ctrl-C the comparison is given up as a whole."""
    told = evaluate(theory, request)
    if told is None or (told.seeds is not None and len(told.seeds) < len(request.seeds)):
        raise KeyboardInterrupt
    return told


def _sharper(theory: Theory, request: Request, exact: bool) -> Tighter:
    """What it says at tighter tolerances, where it has one."""
    again = request if exact else request.only(request.seeds[:2])

    @cache
    def said_again(factor: float) -> dict[str, Any] | None:
        tolerance = getattr(theory, "tolerance", None)
        if tolerance is None:
            return None
        tight = eqx.tree_at(lambda t: t.tolerance, theory, tightened(tolerance, factor))  # pyright: ignore
        return _said(tight, again).values

    return said_again


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


def _tree(runs: _Runs, judged: list[_Judged], resolution: float) -> xr.DataTree:
    request, first = runs.request, judged[0].verdict
    problem, names = request.problem, [type(one.theory).__name__ for one in judged]
    nodes: dict[str, xr.Dataset] = {
        "/": xr.Dataset(),
        "training": runs.seen,
        "inputs": inputs(problem, request.axis, *request.given),
    }
    for name, one in zip(names, judged, strict=True):
        for kind, content in (("theory", one.told), ("gap", one.gap), ("budget", _table(one.budget))):
            nodes[kind if len(judged) == 1 else f"{kind}/{name}"] = content
    tree = xr.DataTree.from_dict(nodes)
    said = json.loads(runs.seen.attrs["remarks"]) + [line for one in judged for line in one.verdict.notes]
    tree.attrs = stamp(
        verb="compare",
        problem=to_json(problem)[0],
        theories=names,
        theory_json=[json.loads(to_json(one.theory)[0]) for one in judged],
        verdict=first.verdict,
        sentence=first.sentence,
        agreement=first.agreement,
        sensitivity=first.sensitivity,
        resolution=resolution,
        seeds=list(request.seeds),
        remarks=list(dict.fromkeys(said)),
    )
    return tree
