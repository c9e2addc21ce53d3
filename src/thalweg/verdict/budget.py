"""The error budget: every functional's gap beside what theory, integrator and statistics may leave open."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..running.request import Request
from ..words.problem import Observable, Problem
from ..words.theory import FiniteSize, Theory
from .approaches import approach_of
from .budget_row import Row
from .chance import FAMILY_LEVEL, Chance, Mean, independent
from .event_errors import loose_time, next_step, too_flat
from .faults import faults, nowhere_finite, shared_too_little
from .functionals import Functional, largest, measure
from .measures import Runs, Tighter, claim_of, functionals_of, good_seeds, measured_curve
from .sampling import both_sides, sampled
from .shared_clock import shared_clock

# a change seen at ten times tighter tolerance is nine tenths of the error that it stands for; twice is on the safe side
SAFETY = 2.0
# what float64 leaves open after long sums, as a share of the scale (of the curve, for a time that is read from it)
ROUNDING = 1e-11
# how many times tighter runs are made again: the first always, the others before a disagreement is believed. Errors of
# an integrator swing in sign, and where those of two runs happen to be alike their difference does not show them
TIGHTER = (10.0, 100.0, 1000.0)
# a disagreement is not put down to integrators where it is beyond so many times what they showed
FAR = 100.0


def rows(
    request: Request,
    theory: Theory,
    told: xr.Dataset,
    seen: xr.Dataset,
    tighter: tuple[Tighter, Tighter],
    exact: bool,
    level: float = FAMILY_LEVEL,
    starts: Mapping[str, np.ndarray] | None = None,
) -> list[Row]:
    """The budget of one theory. `tighter` gives training and theory at tighter tolerances.

    `exact` says that the theory answers for every single run: then no chance is left. `level` is the chance that any of
    its functionals disagrees though the theory is right. `starts` are curves before the first step, of more seeds than
    were trained.
    """
    problem, good = request.problem, good_seeds(seen)
    if not good.any():
        return []
    approach = approach_of(request, exact, good)
    told_well = told.isel(seed=good) if "seed" in told.dims else told
    functionals, sizes = functionals_of(problem, theory, told_well, seen), theory.finite_size(problem)
    training = Runs(seen, tighter[0], starts=starts)

    beside = [(training, Runs(told, tighter[1], *claim_of(theory, one))) for one in functionals]

    def all_at(chance: Chance) -> list[Row]:
        return [
            _row(problem, theory, one, *runs, sizes, chance, approach(runs[1].claim))
            for one, runs in zip(functionals, beside, strict=True)
        ]

    # runs that diverged are in the arrays, and are not looked at
    with np.errstate(invalid="ignore", over="ignore"):
        chance = Chance(len(functionals), level, exact)
        found = all_at(chance)
        family = _family(found, int(good.sum()), level)
        if family is not None:
            chance = chance._replace(family=family)
            found = all_at(chance)
        found = [_surer(problem, theory, *one) for one in zip(found, functionals, beside, strict=True)]
    more = _without_numbers(problem, theory, told_well, seen.isel(seed=good))
    # one line for each: the numbers of a variable at fault mean nothing
    kept = [row for row in found if row.variable not in {one.variable for one in more if one.fault}]
    return kept + shared_clock(kept, chance) + more


def _family(found: Sequence[Row], runs: int, level: float) -> float | None:
    """How many independent functionals share the level, with the clock of all curves; None where nothing is chance."""
    rest = [row.mean.rest for row in found if row.mean.rest.size == runs]
    return len(found) - len(rest) + independent(np.stack(rest), level) + 1 if rest else None


def _without_numbers(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset) -> list[Row]:
    """A row for every variable that has no number on one side, which is a fault unless left unsaid, or on both."""
    wrong, absent = faults(problem, theory, told, seen), nowhere_finite(problem, theory, told, seen)
    unsaid = {name: f"{name} is not predicted: {theory.unsaid[name]}." for name in wrong if name in theory.unsaid}
    rows = [_numberless(name, math.inf, fault=said) for name, said in wrong.items() if name not in unsaid]
    absent = {name: said for name, said in absent.items() if name not in wrong} | unsaid
    return rows + [_numberless(name, math.nan, left_out=said) for name, said in absent.items()]


def _numberless(name: str, gap: float, fault: str = "", left_out: str = "") -> Row:
    nothing, mean = math.nan, Mean(gap, 0.0, 0.0)
    return Row(f"{name}: prediction", name, "prediction", "value", nothing, nothing, mean, 0.0, 0.0, 0.0, 1.0,
               fault=fault, left_out=left_out)  # fmt: skip


def _row(
    problem: Problem,
    theory: Theory,
    functional: Functional,
    seen: Runs,
    told: Runs,
    sizes: Mapping[str, FiniteSize],
    chance: Chance,
    approach: float,
) -> Row:
    observable, kind = measured_curve(problem, functional.variable), told.claim.kind
    wanted, measured = both_sides(functional, seen, told, observable, chance.exact)
    reach = _largest(functional, wanted) if chance.exact else 1.0
    left_out, loose = "", _loose(problem, theory, functional, told)
    if functional.measure == "event":
        left_out = shared_too_little(functional.name, wanted, measured) or too_flat(functional, loose)
    unit = _finite_size(functional, observable, sizes.get(functional.variable), told.result, reach)
    numerical = _numerical(problem, theory, functional, (seen, told), observable)
    systematic = (unit + numerical) / functional.sensitivity
    found = sampled(problem, functional, observable, (seen, told), chance, systematic)
    lever = 1 + found.added / functional.sensitivity
    return Row(
        name=functional.name,
        variable=functional.variable,
        measure=functional.measure,
        claim=kind,
        predicted=_mean(found.predicted),
        measured=_mean(found.measured),
        mean=found.mean,
        finite_size=unit * lever,
        tolerance=max(numerical * lever, loose) + next_step(problem, functional, told),
        margin=problem.margins.get(functional.variable, 0.0) * functional.scale,
        scale=functional.scale,
        approach=approach,
        bluntness=functional.bluntness,
        grain=_grain(problem, functional),
        left_out=left_out,
        lever=lever,
    )


def _surer(problem: Problem, theory: Theory, row: Row, functional: Functional, runs: tuple[Runs, Runs]) -> Row:
    """The row, where it disagrees by little more than integrators leave open, with tighter runs looked at, too."""
    observable = measured_curve(problem, functional.variable)
    for count in range(2, len(TIGHTER) + 1):
        if row.agrees or row.left_out or not dataclasses.replace(row, tolerance=FAR * row.tolerance).agrees:
            break
        found = row.lever * _numerical(problem, theory, functional, runs, observable, TIGHTER[:count])
        row = dataclasses.replace(row, tolerance=found)
    return row


def _numerical(
    problem: Problem,
    theory: Theory,
    functional: Functional,
    runs: tuple[Runs, Runs],
    observable: Observable | None,
    factors: Sequence[float] = TIGHTER[:1],
) -> float:
    """What the integrators of training and theory may leave open."""
    times = runs[1].result["time"].values
    change = sum(_tolerance(functional, one, times, observable, factors) for one in runs)
    if observable is not None and observable.whole and functional.measure == "area":
        # a count may jump one of the given times earlier or later
        change += float(np.max(np.diff(times)) / (times[-1] - times[0]))
    # where both runs are wrong alike (an error that swings through zero) they do not show it; no run is more accurate
    # than it was asked to be, though
    return SAFETY * change + _accuracy(problem, theory) * max(
        functional.scale, functional.sensitivity * functional.level
    )


def _accuracy(problem: Problem, theory: Theory) -> float:
    """What curves are accurate to, at best, as a share of their scale."""
    return ROUNDING + sum(getattr(solver, "tolerance", 0.0) for solver in (problem.rule, theory))


def _loose(problem: Problem, theory: Theory, functional: Functional, told: Runs) -> float:
    """What the accuracy of curves leaves open of a time that is read from them; 0 of values."""
    return loose_time(problem, functional, told, _accuracy(problem, theory)) if functional.measure == "event" else 0.0


def _grain(problem: Problem, functional: Functional) -> float:
    """One step of the clock for a time that is read in whole steps: no run can see it more finely."""
    unit = problem.rule.steps_per_unit(problem)
    timed = any(e.name == functional.variable and e.unit == "clock" for e in problem.events)
    return 1 / unit if timed and unit is not None else 0.0


def _mean(values: Any) -> float:
    real = np.asarray(values)[np.isfinite(values)]
    return float(real.mean()) if real.size else math.nan


def _largest(functional: Functional, wanted: np.ndarray) -> float:
    """The largest run over the scale of their mean: where every run is judged, a relative error is of its own level."""
    return max(1.0, largest(np.asarray(wanted)) / functional.scale)


def _finite_size(
    functional: Functional, observable: Observable | None, size: FiniteSize | None, told: xr.Dataset, reach: float
) -> float:
    if size is None:
        return 0.0
    logarithmic = observable is not None and observable.log
    share = reach if size.relative and not logarithmic else 1.0
    whole = size.relative or logarithmic
    return share * size.within(told) * functional.sensitivity * (functional.level if whole else 1.0)


def _tolerance(
    functional: Functional, runs: Runs, times: np.ndarray, observable: Observable | None, factors: Sequence[float]
) -> float:
    """Largest change of a functional when the tolerance is `factors` times tighter, over the seeds run again."""
    loose = measure(functional, runs.values(functional.variable, observable), times, observable)
    found = 0.0
    for factor in factors:
        again = runs.tight(functional.variable, observable, factor)
        if again is None:
            break
        tight = measure(functional, again, times, observable)
        found = max(found, largest(loose[: len(tight)] - tight if np.ndim(loose) else loose - tight))
    return found
