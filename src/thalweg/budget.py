"""The error budget: every functional's gap beside what theory, integrator and statistics may leave open."""

import dataclasses
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.stats
import xarray as xr

from .functionals import Functional, declare, largest, measure
from .labels import OUTCOMES
from .problem import Observable, Problem
from .theory import FiniteSize, Theory

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
    bluntness: float = 1.0
    grain: float = 0.0
    resolved: bool = False

    @property
    def allowance(self) -> float:
        """What may differ without a contradiction, apart from chance."""
        return self.finite_size + self.tolerance + self.margin

    @property
    def seen(self) -> float:
        """What the run could have seen, as a share of the scale."""
        return (self.allowance + self.error) / self.scale

    @property
    def blur(self) -> float:
        """What the run leaves open, apart from a margin that was granted beforehand."""
        return self.allowance - self.margin + self.error

    def wanted(self, resolution: float) -> float:
        """How small the blur must be at this resolution: a share of the scale, but not less than one step."""
        return max(resolution * self.bluntness * self.scale, self.grain)

    @property
    def agrees(self) -> bool:
        """Whether the gap lies inside allowance + error; a bound is one-sided."""
        reach = self.allowance + self.error
        if self.claim == "upper":
            return self.gap <= reach
        return self.gap >= -reach if self.claim == "lower" else abs(self.gap) <= reach


def student(count: int, family: int) -> float:
    """Two-sided Student quantile for one of `family` functionals at the family level; inf for a single run."""
    return float(scipy.stats.t.ppf(1 - FAMILY_LEVEL / (2 * max(family, 1)), count - 1)) if count > 1 else math.inf


def good_seeds(seen: xr.Dataset) -> np.ndarray:
    """Which runs ended well."""
    return np.asarray(seen["outcome"].values == OUTCOMES[0])


def _observable(problem: Problem, name: str) -> Observable | None:
    found = next((o for o in problem.observables if o.name == name), None)
    if found is None or not callable(found.natural):
        return found
    return dataclasses.replace(found, natural=float(found.natural(problem)))


def _functionals(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset) -> list[Functional]:
    times = told["time"].values
    found: list[Functional] = []
    for name in told.data_vars:
        if name not in seen:
            continue
        observable, values = _observable(problem, str(name)), told[name]
        mean = values.mean("seed").values if "seed" in values.dims else values.values
        if observable is not None and "time" not in values.dims:
            mean = mean[None]
        claim = theory.claim(str(name))
        window = claim.window(problem, times) if claim.window is not None else None
        if observable is not None:
            runs = values.values if values.dims[:2] == ("seed", "time") else None
            found += declare(observable, mean, times, claim.kind, window, runs)
        else:
            blunt = next((e.bluntness for e in problem.events if e.name == name), 1.0)
            found += [
                Functional(str(name), "event", part, 1.0, size := abs(float(mean[part])), size, bluntness=blunt)
                for part in np.ndindex(mean.shape)
                if np.isfinite(mean[part]) and mean[part] != 0
            ]
    return found


def rows(
    problem: Problem,
    theory: Theory,
    told: xr.Dataset,
    seen: xr.Dataset,
    tighter: Sequence[dict[str, Any] | None],
    exact: bool,
) -> list[Row]:
    """The budget of one theory. `tighter` holds training and theory at a tighter tolerance (first seeds), or None.

    `exact` says that the theory answers for every single run: then no chance is left.
    """
    functionals = _functionals(problem, theory, told, seen)
    sizes = theory.finite_size(problem)
    runs = [(base, run) for base, run in zip((seen, told), tighter, strict=True) if run is not None]
    return [
        _row(problem, theory, f, told, seen, runs, sizes.get(f.variable), len(functionals), exact) for f in functionals
    ]


def _row(
    problem: Problem,
    theory: Theory,
    functional: Functional,
    told: xr.Dataset,
    seen: xr.Dataset,
    runs: Sequence[tuple[xr.Dataset, dict[str, Any]]],
    size: FiniteSize | None,
    family: int,
    exact: bool,
) -> Row:
    observable, times, good = _observable(problem, functional.variable), told["time"].values, good_seeds(seen)
    wanted = measure(functional, _timed(told, told[functional.variable].values, observable), times, observable)
    measured = measure(functional, seen[functional.variable].values, times, observable)[good]
    if "seed" in told[functional.variable].dims:
        wanted = wanted[good]
    change = sum(_tolerance(functional, base, run, times, observable) for base, run in runs)
    # where both runs are wrong alike (an error that swings through zero) they do not show it; no run is more accurate
    # than it was asked to be, though
    asked = sum(getattr(solver, "tolerance", 0.0) for solver in (problem.rule, theory))
    floor = (ROUNDING + asked) * max(functional.scale, functional.sensitivity * functional.level)
    gap, error = _statistics(np.asarray(measured - wanted), family, exact, theory.claim(functional.variable).kind)
    return Row(
        name=functional.name,
        variable=functional.variable,
        measure=functional.measure,
        claim=theory.claim(functional.variable).kind,
        predicted=_mean(wanted),
        measured=_mean(measured),
        gap=gap,
        finite_size=_finite_size(functional, observable, size, told, _largest(functional, wanted) if exact else 1.0),
        tolerance=SAFETY * change + floor,
        margin=_margin(problem, theory, functional),
        error=error,
        scale=functional.scale,
        bluntness=functional.bluntness,
        grain=_grain(problem, functional),
    )


def _grain(problem: Problem, functional: Functional) -> float:
    """One step of the clock for a time that is read in whole steps: no run can see it more finely."""
    unit = problem.rule.steps_per_unit(problem)
    timed = any(e.name == functional.variable and e.unit == "clock" for e in problem.events)
    return 1 / unit if timed and unit is not None else 0.0


def _timed(base: xr.Dataset, values: np.ndarray, observable: Observable | None) -> np.ndarray:
    """Values with a time axis of length 1 where a limit was given without one."""
    if observable is None or "time" in base[observable.name].dims:
        return values
    return np.expand_dims(values, int("seed" in base[observable.name].dims))


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


def _margin(problem: Problem, theory: Theory, functional: Functional) -> float:
    """The problem's practical margin, and how far from its limit a `limit` says that it may still be."""
    approach = theory.claim(functional.variable).approach
    return problem.margins.get(functional.variable, 0.0) * functional.scale + (approach(problem) if approach else 0.0)


def _tolerance(
    functional: Functional,
    base: xr.Dataset,
    run: dict[str, Any],
    times: np.ndarray,
    observable: Observable | None,
) -> float:
    """Largest change of a functional when the tolerance is `TIGHTER` times tighter, over the seeds run again."""
    loose = measure(functional, _timed(base, base[functional.variable].values, observable), times, observable)
    tight = measure(functional, _timed(base, np.asarray(run[functional.variable]), observable), times, observable)
    change = np.abs(loose[: len(tight)] - tight) if np.ndim(loose) else np.abs(loose - tight)
    return float(np.nanmax(change)) if np.any(np.isfinite(change)) else 0.0


def _statistics(gaps: np.ndarray, family: int, exact: bool, kind: str) -> tuple[float, float]:
    """Mean gap and its error; for a theory of this very draw and start the worst seed's gap, with no error.

    The worst seed of a bound is the one that comes nearest to breaking it, or breaks it most.
    """
    real = gaps[np.isfinite(gaps)]
    if real.size == 0:
        return math.nan, math.inf
    if exact:
        worst = {"upper": np.argmax(real), "lower": np.argmin(real)}.get(kind, np.argmax(np.abs(real)))
        return float(real[worst]), 0.0
    if real.size < 2:
        return float(real.mean()), math.inf
    return float(real.mean()), student(real.size, family) * float(real.std(ddof=1)) / math.sqrt(real.size)


def gap_curves(
    problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset, budget: Sequence[Row]
) -> xr.Dataset:
    """Mean gap, error and allowance of every common curve at every time, for the eyes."""
    good = good_seeds(seen)
    sizes = theory.finite_size(problem)
    count = int(good.sum())
    quantile = student(count, len(budget))
    content: dict[str, xr.DataArray] = {}
    for name in map(str, told.data_vars):
        observable = _observable(problem, name)
        if observable is None or name not in seen or "time" not in told[name].dims:
            continue
        gaps = (seen[name] - told[name]).isel(seed=good)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            content[name] = gaps.mean("seed")
            spread = gaps.std("seed", ddof=1) / math.sqrt(max(count, 1))
        content[f"{name}_error"] = spread * quantile if count > 1 else spread * np.nan
        size = sizes.get(name)
        level: Any = abs(told[name]) if "seed" not in told[name].dims else abs(told[name]).mean("seed")
        whole = observable.log or (size is not None and size.relative)
        scale: Any = level if whole else 1.0 + 0.0 * level
        values = [row.tolerance for row in budget if row.variable == name and row.measure in ("start", "end", "area")]
        fixed = problem.margins.get(name, 0.0) * level.max("time") + max(values, default=0.0)
        content[f"{name}_allowance"] = (0.0 if size is None else size.within(told)) * scale + fixed
    return xr.Dataset(content).drop_vars("seed", errors="ignore")
