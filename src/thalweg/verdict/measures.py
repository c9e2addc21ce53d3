"""What a comparison measures: the functionals of every claim, and the arrays that they are read from."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..results.labels import OUTCOMES
from ..words.problem import Observable, Problem
from ..words.theory import VALUE, Claim, Theory
from .fitted import fitted_of
from .functionals import Functional, declare, on_scale

# arrays by name at a tolerance so many times tighter (those of the first seeds); None where there is no tolerance
Tighter = Callable[[float], Mapping[str, Any] | None]


def good_seeds(seen: xr.Dataset) -> np.ndarray:
    """Which runs ended well."""
    return np.asarray(seen["outcome"].values == OUTCOMES[0])


def measured_curve(problem: Problem, name: str) -> Observable | None:
    """The declared curve, its natural size as a number; None for an event."""
    found = next((o for o in problem.observables if o.name == name), None)
    if found is None or not callable(found.natural):
        return found
    return dataclasses.replace(found, natural=float(found.natural(problem)))


def functionals_of(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset) -> list[Functional]:
    """The functionals of every variable that theory and training share, from what the theory says alone."""
    times = told["time"].values
    found: list[Functional] = []
    for name in told.data_vars:
        if name not in seen:
            continue
        claims = theory.claims_of(str(name))
        for claim in claims:
            side = claim.kind if len(claims) > 1 else ""
            several = _of_side(problem, claim, told[name], side, times)
            found += [dataclasses.replace(one, side=side) for one in several]
    return found


def _of_side(problem: Problem, claim: Claim, whole: xr.DataArray, side: str, times: np.ndarray) -> list[Functional]:
    """Functionals of what one claim says of a variable."""
    name, values = str(whole.name), side_of(whole, side)
    observable = measured_curve(problem, name)
    mean = values.mean("seed").values if "seed" in values.dims else values.values
    if observable is None:
        blunt = next((e.bluntness for e in problem.events if e.name == name), 1.0)
        return [
            Functional(name, "event", part, 1.0, size := abs(float(mean[part])), size, bluntness=blunt)
            for part in np.ndindex(mean.shape)
            if np.isfinite(mean[part]) and mean[part] != 0
        ]
    if not claim.time:
        # beside a claim of another kind it was laid over all times
        mean = last_of(mean, observable) if "time" in values.dims else timed(mean, observable, claim)
    window = claim.window(problem, times) if claim.window is not None else None
    runs = values.values if claim.time and values.dims[:2] == ("seed", "time") else None
    found = declare(observable, mean, times, claim.kind, window, runs)
    if claim.kind == "value" and claim.time and observable.pair is None and not observable.whole:
        found += fitted_of(observable, mean, times)
    return found


def side_of(values: xr.DataArray, side: str) -> xr.DataArray:
    """What one of several claims says; the variable as it is where there is one claim."""
    return values.sel(claim=side, drop=True) if side else values


def last_of(values: np.ndarray, observable: Observable) -> np.ndarray:
    """The last time alone, as an axis of length 1."""
    return values[-1:, -1:] if observable.pair is not None else values[-1:]


def timed(values: np.ndarray, observable: Observable, claim: Claim, lead: int = 0) -> np.ndarray:
    """Values with a time axis of length 1 (two, for a curve of two times) where a claim was told without."""
    if claim.time:
        return values
    return np.expand_dims(values, (lead, lead + 1) if observable.pair is not None else lead)


def claim_of(theory: Theory, functional: Functional) -> tuple[Claim, str]:
    """The claim that a functional looks at, and its kind where there are several."""
    several = theory.claims_of(functional.variable)
    return next(claim for claim in several if functional.side in ("", claim.kind)), functional.side


class Runs(NamedTuple):
    """A result, the same at tighter tolerances, and how it is meant; training is what it is.

    `starts` is what many more starts show than were trained, (starts, components) by name.
    """

    result: xr.Dataset
    tighter: Tighter
    claim: Claim = VALUE
    side: str = ""
    starts: Mapping[str, np.ndarray] | None = None

    def at_start(self, functional: Functional, observable: Observable | None) -> np.ndarray | None:
        """A component of a curve (starts,) before the first step, on its scale; None where it was not looked at."""
        if self.starts is None or observable is None or observable.pair is not None:
            return None
        found = self.starts.get(functional.variable)
        return None if found is None else on_scale(observable, found[(..., *functional.component)])

    def values(self, name: str, observable: Observable | None) -> np.ndarray:
        """The array with its axes of time."""
        values = side_of(self.result[name], self.side)
        if observable is None or "time" in values.dims:
            return values.values
        return timed(values.values, observable, self.claim, int("seed" in values.dims))

    def tight(self, name: str, observable: Observable | None, factor: float) -> np.ndarray | None:
        """The same at a tolerance `factor` times tighter."""
        again = self.tighter(factor)
        if again is None:
            return None
        values = np.asarray(again[name][self.side] if self.side else again[name])
        if observable is None:
            return values
        return timed(values, observable, self.claim, int("seed" in self.result[name].dims))
