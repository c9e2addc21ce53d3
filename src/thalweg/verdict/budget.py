"""The error budget: every functional's gap beside what theory, integrator and statistics may leave open."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from ..results.labels import OUTCOMES
from ..words.problem import Observable, Problem
from ..words.theory import FiniteSize, Theory
from .faults import faults, shared_too_little
from .functionals import Functional, largest, measure
from .measures import Runs, claim_of, functionals_of, measured_curve

FAMILY_LEVEL = 0.01
# a change seen at ten times tighter tolerance is nine tenths of the error that it stands for; twice is on the safe side
SAFETY = 2.0
# what float64 leaves open after long sums, as a share of the scale (of the curve, for a time that is read from it)
ROUNDING = 1e-11
# how much tighter the second run is
TIGHTER = 10.0


@dataclasses.dataclass
class Row:
    """One line of the budget; all numbers on the functional's own scale."""

    name: str
    variable: str
    measure: str
    claim: str
    predicted: float
    measured: float
    gap: float
    finite_size: float
    tolerance: float
    margin: float
    error: float
    scale: float
    approach: float = 0.0
    bluntness: float = 1.0
    grain: float = 0.0
    resolved: bool = False
    # a sentence about a prediction that no number can save
    fault: str = ""
    # why the row is not compared
    left_out: str = ""

    @property
    def allowance(self) -> float:
        """What may differ without a contradiction, apart from chance."""
        return self.finite_size + self.tolerance + self.margin + self.approach

    @property
    def seen(self) -> float:
        """What the run could have seen, as a share of the scale."""
        return (self.allowance + self.error) / self.scale

    @property
    def blur(self) -> float:
        """What the run leaves open, the way to a limit included, apart from a margin that was granted beforehand."""
        return self.allowance - self.margin + self.error

    def wanted(self, resolution: float) -> float:
        """How small the blur must be at this resolution: a share of the scale, but not less than one step.

        What is still on its way to a limit need only be nearer to it than the limit's own size.
        """
        share = max(resolution * self.bluntness, 1.0 if self.claim == "limit" else 0.0)
        return max(share * self.scale, self.grain)

    @property
    def agrees(self) -> bool:
        """Whether the gap lies inside allowance + error; a bound is one-sided."""
        if self.fault:
            return False
        reach = self.allowance + self.error
        if self.claim == "upper":
            return self.gap <= reach
        return self.gap >= -reach if self.claim == "lower" else abs(self.gap) <= reach


def student(count: int, family: int, level: float = FAMILY_LEVEL) -> float:
    """Two-sided Student quantile for one of `family` functionals at the family's level; inf for a single run."""
    return float(stdtrit(count - 1, 1 - level / (2 * max(family, 1)))) if count > 1 else math.inf


def good_seeds(seen: xr.Dataset) -> np.ndarray:
    """Which runs ended well."""
    return np.asarray(seen["outcome"].values == OUTCOMES[0])


def rows(
    problem: Problem,
    theory: Theory,
    told: xr.Dataset,
    seen: xr.Dataset,
    tighter: Sequence[dict[str, Any] | None],
    exact: bool,
    level: float = FAMILY_LEVEL,
) -> list[Row]:
    """The budget of one theory. `tighter` holds training and theory at a tighter tolerance (first seeds), or None.

    `exact` says that the theory answers for every single run: then no chance is left. `level` is the chance that any of
    its functionals disagrees though the theory is right.
    """
    good = good_seeds(seen)
    if not good.any():
        return []
    told_well = told.isel(seed=good) if "seed" in told.dims else told
    functionals, sizes = functionals_of(problem, theory, told_well, seen), theory.finite_size(problem)
    training = Runs(seen, tighter[0])
    found = []
    # runs that diverged are in the arrays, and are not looked at
    with np.errstate(invalid="ignore", over="ignore"):
        for one in functionals:
            said, size = Runs(told, tighter[1], *claim_of(theory, one)), sizes.get(one.variable)
            chance = _Chance(len(functionals), level, exact)
            found.append(_row(problem, theory, one, training, said, size, chance))
    wrong = faults(problem, theory, told_well, seen.isel(seed=good))
    # one line for each: the numbers of such a variable mean nothing
    return [row for row in found if row.variable not in wrong] + [_faulty(name, said) for name, said in wrong.items()]


def _faulty(name: str, sentence: str) -> Row:
    nothing = math.nan
    return Row(f"{name}: prediction", name, "prediction", "value", nothing, nothing, math.inf, 0.0, 0.0, 0.0, 0.0, 1.0,
               fault=sentence)  # fmt: skip


class _Chance(NamedTuple):
    """How many functionals share a level of error, the level, and whether the theory leaves no chance at all."""

    family: int
    level: float
    exact: bool


def _row(
    problem: Problem,
    theory: Theory,
    functional: Functional,
    seen: Runs,
    told: Runs,
    size: FiniteSize | None,
    chance: _Chance,
) -> Row:
    observable, kind = measured_curve(problem, functional.variable), told.claim.kind
    wanted, measured = _both_sides(functional, seen, told, observable, chance.exact)
    reach = _largest(functional, wanted) if chance.exact else 1.0
    left_out = shared_too_little(functional.name, wanted, measured) if functional.measure == "event" else ""
    gaps = np.asarray(measured - wanted)
    gap, error = _statistics(gaps, chance, kind)
    predicted, found = _as_judged(gaps, gap, wanted, measured, chance.exact)
    return Row(
        name=functional.name,
        variable=functional.variable,
        measure=functional.measure,
        claim=kind,
        predicted=_mean(predicted),
        measured=_mean(found),
        gap=gap,
        finite_size=_finite_size(functional, observable, size, told.result, reach),
        tolerance=_numerical(problem, theory, functional, (seen, told), observable),
        margin=problem.margins.get(functional.variable, 0.0) * functional.scale,
        error=error,
        scale=functional.scale,
        approach=float(told.claim.approach(problem)) if told.claim.approach else 0.0,
        bluntness=functional.bluntness,
        grain=_grain(problem, functional),
        left_out=left_out,
    )


def _both_sides(
    functional: Functional, seen: Runs, told: Runs, observable: Observable | None, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The functional as predicted and as measured, in the runs that ended well."""
    name, times, good = functional.variable, told.result["time"].values, good_seeds(seen.result)
    wanted = measure(functional, told.values(name, observable), times, observable)
    if "seed" in told.result[name].dims:
        wanted = wanted[good]
    runs = seen.values(name, observable)
    if functional.measure == "half-time" and not exact and np.ndim(wanted) == 0:
        # the half-time of a mean curve is not the mean half-time
        return wanted, _of_the_mean(functional, runs[good], times, observable)
    return wanted, measure(functional, runs, times, observable)[good]


def _numerical(
    problem: Problem, theory: Theory, functional: Functional, runs: tuple[Runs, Runs], observable: Observable | None
) -> float:
    """What the integrators of training and theory may leave open."""
    times = runs[1].result["time"].values
    change = sum(_tolerance(functional, one, times, observable) for one in runs)
    # where both runs are wrong alike (an error that swings through zero) they do not show it; no run is more accurate
    # than it was asked to be, though
    asked = sum(getattr(solver, "tolerance", 0.0) for solver in (problem.rule, theory))
    return SAFETY * change + (ROUNDING + asked) * max(functional.scale, functional.sensitivity * functional.level)


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


def _of_the_mean(
    functional: Functional, values: np.ndarray, times: np.ndarray, observable: Observable | None
) -> np.ndarray:
    """Jackknife values of a functional of the mean curve over runs (seed, time, ...): their mean estimates it without
    the bias of order 1/seeds, their standard error is its own (Efron and Stein 1981)."""
    count = len(values)
    whole = measure(functional, values.mean(0), times, observable)
    if count < 2:
        return np.atleast_1d(whole)
    rest = (values.sum(0) - values) / (count - 1)
    return count * whole - (count - 1) * measure(functional, rest, times, observable)


def _as_judged(
    gaps: np.ndarray, gap: float, wanted: np.ndarray, measured: np.ndarray, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and measurement of what the gap is of: of all runs, or of the one that decides."""
    both = np.broadcast_to(wanted, gaps.shape), np.broadcast_to(measured, gaps.shape)
    if exact and np.isfinite(gap):
        one = np.unravel_index(np.nanargmin(np.abs(gaps - gap)), gaps.shape)
        return np.asarray(both[0][one]), np.asarray(both[1][one])
    kept = np.isfinite(gaps)
    return both[0][kept], both[1][kept]


def _tolerance(functional: Functional, runs: Runs, times: np.ndarray, observable: Observable | None) -> float:
    """Largest change of a functional when the tolerance is `TIGHTER` times tighter, over the seeds run again."""
    again = runs.tight(functional.variable, observable)
    if again is None:
        return 0.0
    loose = measure(functional, runs.values(functional.variable, observable), times, observable)
    tight = measure(functional, again, times, observable)
    change = np.abs(loose[: len(tight)] - tight) if np.ndim(loose) else np.abs(loose - tight)
    return float(np.nanmax(change)) if np.any(np.isfinite(change)) else 0.0


def _statistics(gaps: np.ndarray, chance: _Chance, kind: str) -> tuple[float, float]:
    """Mean gap and its error; for a theory of this very draw and start the worst seed's gap, with no error.

    The worst seed of a bound is the one that comes nearest to breaking it, or breaks it most.
    """
    real = gaps[np.isfinite(gaps)]
    if real.size == 0:
        return math.nan, math.inf
    if chance.exact:
        worst = {"upper": np.argmax(real), "lower": np.argmin(real)}.get(kind, np.argmax(np.abs(real)))
        return float(real[worst]), 0.0
    if real.size < 2:
        return float(real.mean()), math.inf
    quantile = student(real.size, chance.family, chance.level)
    return float(real.mean()), quantile * float(real.std(ddof=1)) / math.sqrt(real.size)
