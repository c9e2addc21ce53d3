"""The error budget: every functional's gap beside what theory, integrator and statistics may leave open."""

import dataclasses
import math
import warnings
from typing import Any

import numpy as np
import scipy.stats
import xarray as xr

from .functionals import Functional, declare, measure
from .problem import Observable, Problem
from .results import OUTCOMES
from .theory import Theory

FAMILY_LEVEL = 0.01
# a change seen at ten times tighter tolerance is nine tenths of the error that it stands for; twice is on the safe side
SAFETY = 2.0
# what float64 leaves open after long sums, as a share of the scale
ROUNDING = 1e-11


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
    return next((o for o in problem.observables if o.name == name), None)


def _functionals(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset) -> list[Functional]:
    times = told["time"].values
    found: list[Functional] = []
    for name in told.data_vars:
        if name not in seen:
            continue
        observable, values = _observable(problem, str(name)), told[name]
        mean = values.mean("seed").values if "seed" in values.dims else values.values
        claim = theory.claim(str(name))
        window = claim.window(problem) if claim.window is not None else None
        if observable is not None:
            found += declare(observable, mean, times, claim.kind, window)
        else:
            blunt = next((e.bluntness for e in problem.events if e.name == name), 1.0)
            found += [
                Functional(str(name), "event", part, 1.0, size := abs(float(mean[part])), size, bluntness=blunt)
                for part in np.ndindex(mean.shape)
                if np.isfinite(mean[part]) and mean[part] != 0
            ]
    return found


def rows(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset, tighter: list[Any]) -> list[Row]:
    """The budget of one theory. `tighter` holds training and theory at a tighter tolerance (first seeds), or None."""
    functionals = _functionals(problem, theory, told, seen)
    good = good_seeds(seen)
    sizes = theory.finite_size(problem)
    times = told["time"].values
    table = []
    for functional in functionals:
        observable = _observable(problem, functional.variable)
        wanted = measure(functional, told[functional.variable].values, times, observable)
        measured = measure(functional, seen[functional.variable].values, times, observable)
        tolerance = sum(
            _tolerance(functional, base, run, times, observable)
            for base, run in ((seen, tighter[0]), (told, tighter[1]))
            if run is not None
        )
        gaps = (measured - wanted)[good]
        paired = "seed" in told.dims
        exact = paired and set(theory.conditions_on) >= {"start", "draw"}
        gap, error = _statistics(gaps, len(functionals), exact)
        size = sizes.get(functional.variable)
        amount = 0.0
        if size is not None:
            whole = size.relative or (observable is not None and observable.log)
            amount = size.amount * functional.sensitivity * (functional.level if whole else 1.0)
        table.append(
            Row(
                name=functional.name,
                variable=functional.variable,
                measure=functional.measure,
                claim=theory.claim(functional.variable).kind,
                predicted=float(np.nanmean(wanted)),
                measured=float(np.nanmean(measured[good])) if np.any(np.isfinite(measured[good])) else math.nan,
                gap=gap,
                finite_size=amount,
                tolerance=SAFETY * tolerance + ROUNDING * functional.scale,
                margin=_margin(problem, theory, functional),
                error=error,
                scale=functional.scale,
                bluntness=functional.bluntness,
            )
        )
    return table


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
    """Largest change of a functional when the tolerance is ten times tighter, over the seeds run again."""
    loose = measure(functional, base[functional.variable].values, times, observable)
    tight = measure(functional, np.asarray(run[functional.variable]), times, observable)
    change = np.abs(loose[: len(tight)] - tight) if np.ndim(loose) else np.abs(loose - tight)
    return float(np.nanmax(change)) if np.any(np.isfinite(change)) else 0.0


def _statistics(gaps: np.ndarray, family: int, exact: bool) -> tuple[float, float]:
    """Mean gap and its error; for a theory of this very draw and start the worst seed's gap, with no error."""
    real = gaps[np.isfinite(gaps)]
    if real.size == 0:
        return math.nan, math.inf
    if exact:
        return float(real[np.argmax(np.abs(real))]), 0.0
    if real.size < 2:
        return float(real.mean()), math.inf
    return float(real.mean()), student(real.size, family) * float(real.std(ddof=1)) / math.sqrt(real.size)


def gap_curves(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset) -> xr.Dataset:
    """Mean gap, error and allowance of every common curve at every time, for the eyes."""
    good = good_seeds(seen)
    sizes = theory.finite_size(problem)
    content: dict[str, xr.DataArray] = {}
    count = int(good.sum())
    for name in map(str, told.data_vars):
        observable = _observable(problem, name)
        if observable is None or name not in seen:
            continue
        difference = (seen[name] - told[name]).isel(seed=good)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            content[name] = difference.mean("seed")
            spread = difference.std("seed", ddof=1) / math.sqrt(max(count, 1))
        quantile = student(count, len(told.data_vars) * 3)
        content[f"{name}_error"] = spread * quantile if count > 1 else spread * np.nan
        size = sizes.get(name)
        level: Any = abs(told[name]) if "seed" not in told[name].dims else abs(told[name]).mean("seed")
        amount = 0.0 if size is None else size.amount
        whole = observable.log or (size is not None and size.relative)
        scale: Any = level if whole else 1.0 + 0.0 * level
        content[f"{name}_allowance"] = amount * scale + problem.margins.get(name, 0.0) * level.max("time")
    return xr.Dataset(content).drop_vars("seed", errors="ignore")
