"""compare: theory against training, with an error budget and a verdict."""

import json
import math
from collections.abc import Sequence
from typing import Any, Literal

import xarray as xr

from ..catalogue import choice
from ..computing.float64 import float64
from ..computing.interrupts import Interrupted, answer, patient
from ..computing.parallel import Progress
from ..results.inputs import inputs
from ..results.schema import stamp
from ..results.serial import to_json
from ..running import training
from ..running.evaluation import trained
from ..running.request import Request, Seeds
from ..verdict.chance import FAMILY_LEVEL
from ..verdict.verdict import needed
from ..words.problem import Problem
from .judging import Judged, Seen, Terms, foretold, judged, table, tighter

# numbers of seeds at which seeds="enough" looks, what part of the error level each may spend, and how far beyond the
# last a guess from few seeds may be
LOOKS = (24, 48, 96, 192, 384, 768)
SPENT = (0.5, 0.1, 0.1, 0.1, 0.1, 0.1)
REACH = 2.0


def compare(
    problem: Problem,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds | Literal["enough"] = "enough",
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
    spends its part of the level (half at the first): looking often does not make a right theory fail more often.
    Where chance hides something, many more starts are looked at than are trained (`running.starts`): the start's own
    mean, and what the runs owe to their starts, are known the better.
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
        done, tree = None, xr.DataTree()
        for look, count in enumerate(looks or [len(whole.seeds)], start=1):
            request = whole.only(whole.seeds[:count])
            done = _trained_on(done, request, progress)
            seen = trained(request, done)
            terms = Terms(resolution, FAMILY_LEVEL * (SPENT[look - 1] if looks else 1.0))
            try:
                theories = [_on_every_seed(one, request) for one in named]
                said = [foretold(one, request) for one in theories]
                runs = Seen(request, seen, tighter(request, theories))
                found = judged(said, runs, terms)
                tree = _tree(runs, found, resolution)
                tree.attrs["seeds_needed"] = more = _more(found, resolution, count)
            except KeyboardInterrupt:
                raise Interrupted(seen, _kept(done, request)) from None
            if looks:
                tree.attrs["looks"] = look
                if count >= LOOKS[-1] or not 0 < more <= REACH * LOOKS[-1]:
                    break
        answer(lambda: tree, "the whole of compare is in `.finished`")
    return tree


def _trained_on(done: training.Finished | None, request: Request, progress: Progress | None) -> training.Finished:
    """The runs of a request, of which some may be there; on Ctrl-C Interrupted with all that ended."""
    behind = 0 if done is None else len(done.seeds)
    fresh = training.run(request.only(request.seeds[behind:]), progress)
    found = fresh if done is None else done.and_then(fresh)
    answer(lambda: None if found is None else trained(request, found), _kept(found, request))
    assert found is not None
    return found


def _more(found: Sequence[Judged], resolution: float, seeds: int) -> float:
    """About how many seeds would decide what they can; 0 if all is decided, inf if no number decides the rest."""
    still = [needed(one.budget, resolution, seeds) for one in found if one.verdict.verdict == "inconclusive"]
    return max((count for count in still if count < math.inf), default=0.0) or max(still, default=0.0)


def _kept(done: training.Finished | None, request: Request) -> str:
    """What of a comparison is there when Ctrl-C comes, and how to go on."""
    if done is None:
        return "no seed had ended; call compare again"
    return (
        f"the training of {len(done.seeds)} of {len(request.seeds)} seeds is in `.finished`, as train gives it; what "
        "theory says was not compared yet: call compare again"
    )


def _theories(request: Request, theory: Any) -> list[choice.Chosen]:
    if theory is None:
        return [choice.choose(request.problem, request.setting)]
    several = theory if isinstance(theory, list | tuple) else [theory]
    found = [choice.as_theory(t, request.problem) for t in several]
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


def _tree(runs: Seen, judged: list[Judged], resolution: float) -> xr.DataTree:
    request, first = runs.request, judged[0].verdict
    problem, names = request.problem, [type(one.theory).__name__ for one in judged]
    nodes: dict[str, xr.Dataset] = {
        "/": xr.Dataset(),
        "training": runs.runs,
        "inputs": inputs(problem, request.axis, *request.given),
    }
    for name, one in zip(names, judged, strict=True):
        for kind, content in (("theory", one.told), ("gap", one.gap), ("budget", table(one.budget))):
            nodes[kind if len(judged) == 1 else f"{kind}/{name}"] = content
    tree = xr.DataTree.from_dict(nodes)
    said = json.loads(runs.runs.attrs["remarks"]) + [line for one in judged for line in one.verdict.notes]
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
