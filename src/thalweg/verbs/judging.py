"""One theory beside what was seen: what it foretold, its budget and its verdict."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
import xarray as xr

from ..catalogue import choice
from ..results.labels import label
from ..running import training
from ..running.evaluation import Told, check_told, describe, evaluate, existing
from ..running.request import Request, tightened
from ..running.starts import starts
from ..verdict.budget import rows
from ..verdict.budget_row import Row
from ..verdict.gaps import gap_curves
from ..verdict.measures import Tighter
from ..verdict.verdict import Verdict, judge
from ..words.theory import Theory

# how many starts are looked at: so many for each run, and no more than
STARTS_A_RUN, STARTS = 8, 1536


class Terms(NamedTuple):
    """What a comparison is judged by: the resolution that is asked for, and the level of error that it may spend."""

    resolution: float
    level: float


class Seen(NamedTuple):
    """What was asked and seen, the runs again at tighter tolerances, and what many more starts show (None where they
    were not looked at)."""

    request: Request
    runs: xr.Dataset
    tighter: Tighter
    starts: Mapping[str, np.ndarray] | None = None


class Foretold(NamedTuple):
    """A theory with its strains, what it told, the same at tighter tolerances, and whether it speaks of every run."""

    chosen: choice.Chosen
    told: xr.Dataset
    tighter: Tighter
    exact: bool


class Judged(NamedTuple):
    """One theory: what it told, the gap of its curves, the budget and the verdict."""

    theory: Theory
    told: xr.Dataset
    gap: xr.Dataset
    budget: list[Row]
    verdict: Verdict


def is_exact(theory: Theory, request: Request) -> bool:
    """Whether a theory answers for every single run, so that every run's own numerical error counts."""
    return bool(theory.conditions_on) and request.random <= set(theory.conditions_on) and not theory.estimates


def tighter(request: Request, theories: Sequence[choice.Chosen]) -> Tighter:
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


def foretold(one: choice.Chosen, request: Request) -> Foretold:
    """What a theory says of these seeds."""
    theory, problem, exact = one.theory, request.problem, is_exact(one.theory, request)
    said = _said(theory, request)
    check_told(problem, theory, said.values)
    told = label(problem, existing(problem, said.values), request.axis, said.seeds, theory)
    return Foretold(one, told, _sharper(theory, request, exact), exact)


def judged(several: Sequence[Foretold], seen: Seen, terms: Terms) -> list[Judged]:
    """Every theory beside what was seen; of many more starts, where chance hides something."""
    found = [_judged(one, seen, terms) for one in several]
    count = max((_starts_wanted(one, seen.request, terms) for one in zip(several, found, strict=True)), default=0)
    if not count:
        return found
    more = starts(seen.request, count)
    if more is None:
        raise KeyboardInterrupt
    return [_judged(one, seen._replace(starts=more), terms) for one in several]


def _starts_wanted(one: tuple[Foretold, Judged], request: Request, terms: Terms) -> int:
    """How many starts would help; 0 where all is sharp, or where the start is no matter of chance."""
    theory, runs = one[0], len(request.seeds)
    if theory.exact or runs < 2 or request.macrostate or not request.random & {"draw", "start"}:
        return 0
    blurred = [row for row in one[1].budget if not row.resolved and np.isfinite(row.widest) and not row.left_out]
    wanted = [row.widest / row.wanted(terms.resolution) for row in blurred if row.measure == "start"]
    # a start that is just sharp enough may still turn out as less
    need = 1.5 * runs * max(wanted, default=0.0) ** 2
    return min(max(int(need), STARTS_A_RUN * runs), max(STARTS, runs)) if blurred else 0


def _judged(one: Foretold, seen: Seen, terms: Terms) -> Judged:
    theory, problem, told = one.chosen.theory, seen.request.problem, one.told.copy()
    tighter = (seen.tighter, one.tighter)
    budget = rows(seen.request, theory, told, seen.runs, tighter, one.exact, terms.level, seen.starts)
    outcome = judge(budget, choice.worst(one.chosen.strains), terms.resolution, seen.runs.sizes["seed"], seen.runs)
    told.attrs = describe("theory", problem, theory, one.chosen.strains, vars(outcome))
    gaps = gap_curves(problem, theory, told, seen.runs, budget, terms.level, tighter)
    return Judged(theory, told, gaps, budget, outcome)


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


def table(budget: Sequence[Row]) -> xr.Dataset:
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
    for name in ("variable", "measure", "claim"):
        # texts also where no run ended and nothing was compared
        columns[name] = ("functional", np.asarray([getattr(row, name) for row in budget], dtype=str))
    return xr.Dataset(columns, {"functional": np.asarray([row.name for row in budget], dtype=str)})
