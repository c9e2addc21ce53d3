"""What a prediction lacks or has too much of, whatever its numbers: values that are not finite, events that only one
side has."""

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr

from ..words.problem import Problem
from ..words.theory import Claim, Theory
from .measures import measured_curve, side_of

# an event that fewer of the runs have is not compared: the mean over those that have it is no mean
MOST = 0.9


def faults(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset) -> dict[str, str]:
    """Sentences about predictions that no number can save, by variable; `seen` are the runs that ended well.

    A curve (a bound, a limit; a rate within its window) that is not finite, or not positive on a logarithmic scale,
    where runs are; an event that is predicted and that no run has, or that no prediction has and most runs have.
    """
    events = {e.name: e for e in problem.events}
    sizes, end = theory.finite_size(problem), float(told["time"].values[-1])
    found = {}
    for name in map(str, told.data_vars):
        if name not in seen:
            continue
        if name in events:
            size = sizes.get(name)
            off = 0.0 if size is None else size.within(told) * (end if size.relative else 1.0)
            last = end - off if events[name].unit == "clock" else math.inf
            lost = events[name].may_be_lost and not np.isfinite(seen[name]).any()
            sentence = "" if lost else _of_event(name, told[name], seen[name], last)
        else:
            sentence = next(_of_curve(problem, theory.claims_of(name), told[name], seen[name]), "")
        if sentence:
            found[name] = sentence
    return found


def _of_curve(problem: Problem, claims: tuple[Claim, ...], told: xr.DataArray, seen: xr.DataArray) -> Iterator[str]:
    name = str(told.name)
    observable = measured_curve(problem, name)
    logarithmic = observable is not None and observable.log
    real = _usable(seen, logarithmic)
    real = real.any("seed") if "seed" in real.dims and "seed" not in told.dims else real
    for claim in claims:
        side = claim.kind if len(claims) > 1 else ""
        wrong = _looked_at(problem, claim, real & ~_usable(side_of(told, side), logarithmic))
        if claim.kind == "limit":
            wrong = wrong & (side_of(told, side) != 0)  # no number on a logarithmic scale, and yet one
        if bool(wrong.any()):
            what = "finite and positive, as its logarithm asks," if logarithmic else "finite"
            yield f"the predicted {name}{f' ({side})' if side else ''} is not {what}{_when(wrong)}, where runs are"


def _looked_at(problem: Problem, claim: Claim, values: xr.DataArray) -> xr.DataArray:
    """What a claim speaks of: a rate of its window alone, a limit of the end, all else of all times."""
    if claim.kind == "limit" and "time" in values.dims:
        return values.isel(time=[-1])
    if claim.kind != "rate" or claim.window is None or "time" not in values.dims:
        return values
    low, high = claim.window(problem, values["time"].values)
    return values.sel(time=(values["time"] >= low) & (values["time"] <= high))


def nowhere_finite(problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset) -> dict[str, str]:
    """Sentences about curves that have no number in prediction and runs alike where they would be compared, by
    variable: nothing contradicts them, and nothing can be said. `seen` are the runs that ended well."""
    found = {}
    for name in (str(n) for n in told.data_vars if n in seen):
        observable = measured_curve(problem, name)
        if observable is None:
            continue
        claims = theory.claims_of(name)
        real = _usable(seen[name], observable.log)
        for claim in claims:
            side = side_of(told[name], claim.kind if len(claims) > 1 else "")
            said = _usable(side, observable.log)
            if claim.kind == "limit" and observable.log and bool((_looked_at(problem, claim, side) == 0).any()):
                found[name] = f"the limit of {name} is 0, which a logarithmic scale does not show; it is left out."
                continue
            lacking = _looked_at(problem, claim, ~real & ~said)
            if bool(lacking.any()):
                what = "not finite and positive" if observable.log else "not finite"
                found[name] = (
                    f"{name} is {what}{_when(lacking)} in prediction and runs alike; such curves are left out."
                )
    return found


def _when(wrong: xr.DataArray) -> str:
    """The first time at which something holds for any part."""
    if "time" not in wrong.dims:
        return ""
    place = wrong.any([d for d in wrong.dims if d != "time"])
    return f" at time {wrong['time'].values[int(np.argmax(place.values))]:g}"


def _usable(values: xr.DataArray, logarithmic: bool) -> xr.DataArray:
    found: xr.DataArray = xr.apply_ufunc(np.isfinite, values)
    return found & (values > 0) if logarithmic else found


def _of_event(name: str, told: xr.DataArray, seen: xr.DataArray, last: float) -> str:
    """`last`: a time beyond it may fall on either side of the end of the runs."""
    said, had = np.isfinite(told.values), np.isfinite(seen.values)
    count = had.shape[0] if had.ndim else 1
    if (said & (told.values <= last)).any() and not had.any():
        value = float(np.mean(told.values[said]))
        return f"{name} is predicted ({value:.4g}), and none of {count} runs has it"
    if not said.any() and had.mean() >= MOST and bool(np.nanmean(seen.values) <= last):
        return f"{name} is predicted not to happen, and {round(float(had.mean()) * count)} of {count} runs have it"
    return ""


def shared_too_little(name: str, told: np.ndarray, seen: np.ndarray) -> str:
    """Why an event is not compared though both sides have it: too few runs do, or other runs than predicted; else "".

    `told` has the seeds of `seen`, or no seeds.
    """
    both = np.isfinite(seen) & np.isfinite(told)
    either = np.isfinite(seen) | np.isfinite(told)
    if both.any() and both.sum() < MOST * either.sum():
        return f"{name} is there in {int(both.sum())} of {int(either.sum())} runs alone; it is left out."
    return ""
