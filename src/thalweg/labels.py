"""From arrays to labelled data: names, dims, words and units of what a problem and a theory declare."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from .problem import Problem
from .theory import Theory

OUTCOMES = ("ok", "left the finite numbers", "hit the step ceiling")


def variables(problem: Problem, theory: Theory | None = None) -> dict[str, Any]:
    """Declarations (words, unit, dims) of all that may stand in a result, by name."""
    known: dict[str, Any] = {o.name: o for o in problem.observables}
    known |= {e.name: e for e in problem.events}
    if theory is not None:
        known |= {v.name: v for v in theory.own}
    return known


def is_curve(problem: Problem, name: str) -> bool:
    """Whether a variable has a time axis."""
    return any(o.name == name for o in problem.observables)


def label(
    problem: Problem,
    values: Mapping[str, np.ndarray],
    times: np.ndarray,
    seeds: Sequence[int] | None,
    theory: Theory | None = None,
) -> xr.Dataset:
    """Arrays with names, dims, words and units; `seeds` adds the leading dim `seed`."""
    known = variables(problem, theory)
    lead = () if seeds is None else ("seed",)
    clock = problem.rule.clock
    content: dict[str, Any] = {}
    for name, about in known.items():
        if name not in values:
            continue
        value = values[name]
        # a limit may be told without a time axis: one dimension less
        timeless = np.ndim(value) == len(lead) + len(about.dims)
        dims = (*lead, *(("time",) if is_curve(problem, name) and not timeless else ()), *about.dims)
        unit = about.unit.replace("clock", clock)
        attrs = {"long_name": about.words, "units": unit}
        if is_curve(problem, name):
            attrs |= {"symbol": about.symbol, "scale": "log" if about.log else "linear"}
        content[name] = (dims, np.asarray(value), attrs)
    coords: dict[str, Any] = {
        "time": ("time", times, {"long_name": clock, "units": clock}),
        "flow_time": ("time", problem.rule.flow_time(problem, times), {"long_name": "flow time"}),
    }
    if seeds is not None:
        coords["seed"] = ("seed", np.asarray(seeds, dtype=np.int64))
    return xr.Dataset(content, coords)


def sentences(codes: np.ndarray, when: np.ndarray, clock: str) -> list[str]:
    """One sentence per run on how it ended."""
    noun = {"steps": "step", "flow time": "flow time"}.get(clock, clock)
    return [OUTCOMES[0] if c == 0 else f"{OUTCOMES[int(c)]} at {noun} {t:g}" for c, t in zip(codes, when, strict=True)]
