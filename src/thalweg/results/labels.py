"""From arrays to labelled data: names, axes, words and units of what a problem and a theory declare."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr

from ..words.declarations import Axis, as_axis
from ..words.problem import Problem
from ..words.theory import VALUE, Claim, Theory

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


def axes(declared: Sequence[Any]) -> dict[str, Axis]:
    """All axes of these declarations, by name; ValueError where two of one name are not the same."""
    found: dict[str, Axis] = {}
    for about in declared:
        for axis in filter(None, map(as_axis, about.dims)):
            known = found.setdefault(axis.name, axis)
            bare = Axis(axis.name)
            if bare not in (known, axis) and known != axis:
                raise ValueError(
                    f"the axis {axis.name!r} of {about.name} is declared in two ways; use one Axis for all of them, "
                    "or give one of them another name."
                )
            found[axis.name] = axis if known == bare else known
    return found


def dims_of(problem: Problem, about: Any, timed: bool = True) -> tuple[str, ...]:
    """The dims of a declared variable, apart from `seed` and `claim`; a curve told with `time=False` has no time."""
    own = tuple(dim.name if isinstance(dim, Axis) else dim for dim in about.dims)
    if not timed or not is_curve(problem, about.name):
        return own
    return ("time", *(("time2",) if about.pair is not None else ()), *own)


def label(
    problem: Problem,
    values: Mapping[str, Any],
    times: np.ndarray,
    seeds: Sequence[int] | None,
    theory: Theory | None = None,
) -> xr.Dataset:
    """Arrays with names, dims, coordinates, words and units; `seeds` adds the leading dim `seed`.

    Claims of several kinds for one name, given as arrays by kind, stand along a dim `claim` (after `seed`).
    Raises ValueError where an array does not have the dims that are declared.
    """
    frame = _Frame(problem, theory, times, seeds)
    content: dict[str, Any] = {}
    for name, about in variables(problem, theory).items():
        if name not in values:
            continue
        dims, value = frame.placed(about, values[name])
        attrs = {"long_name": about.words, "units": about.unit.replace("clock", problem.rule.clock)}
        if is_curve(problem, name):
            attrs |= {"symbol": about.symbol, "scale": "log" if about.log else "linear"}
        if theory is not None:
            attrs["claim"] = ", ".join(claim.kind for claim in theory.claims_of(name))
        content[name] = (dims, value, attrs)
    return xr.Dataset(content, frame.coordinates(content, values))


class _Frame:
    """What all variables of a result share: its times, its seeds and the lengths of its axes."""

    def __init__(self, problem: Problem, theory: Theory | None, times: np.ndarray, seeds: Sequence[int] | None) -> None:
        self.problem, self.theory, self.times, self.seeds = problem, theory, times, seeds
        self.axes = axes(list(variables(problem, theory).values()))
        self.lead = () if seeds is None else ("seed",)
        self.lengths = {"time": len(times), "time2": len(times)}
        if seeds is not None:
            self.lengths["seed"] = len(seeds)
        for name, axis in self.axes.items():
            known = axis.given(problem)
            if known is not None:
                self.lengths[name] = len(known)
        # one coordinate for all variables: those that have no claim of a kind are NaN there
        claimed = [theory.claims_of(name) for name in theory.claims] if theory is not None else []
        self.kinds = list(dict.fromkeys(claim.kind for several in claimed if len(several) > 1 for claim in several))

    def placed(self, about: Any, value: Any) -> tuple[tuple[str, ...], np.ndarray]:
        """Dims and array of a variable, its claims of several kinds side by side."""
        claims = (VALUE,) if self.theory is None else self.theory.claims_of(about.name)
        if len(claims) == 1:
            dims = (*self.lead, *dims_of(self.problem, about, claims[0].time))
            return dims, self._fitting(about, dims, value)
        told = {claim.kind: self._side(about, claim, value) for claim in claims}
        empty = np.full_like(next(iter(told.values())), np.nan, dtype=np.float64)
        stacked = np.stack([told.get(kind, empty) for kind in self.kinds], axis=len(self.lead))
        return (*self.lead, "claim", *dims_of(self.problem, about)), stacked

    def _side(self, about: Any, claim: Claim, value: Any) -> np.ndarray:
        """One of several claims at all times."""
        if not isinstance(value, Mapping) or claim.kind not in value:
            raise ValueError(
                f"{self._teller} claims several kinds of {about.name}; its predict must return a dictionary of arrays "
                f"with {claim.kind!r} among its keys."
            )
        dims = (*self.lead, *dims_of(self.problem, about, claim.time))
        side, whole = self._fitting(about, dims, value[claim.kind]), (*self.lead, *dims_of(self.problem, about))
        for place, dim in enumerate(whole):
            if dim not in dims:
                side = np.repeat(np.expand_dims(side, place), self.lengths[dim], axis=place)
        return side

    def _fitting(self, about: Any, dims: tuple[str, ...], value: Any) -> np.ndarray:
        """The array, if it has these dims; ValueError otherwise."""
        array = np.asarray(value)
        wanted = [self.lengths.get(dim) for dim in dims]
        if array.ndim != len(dims) or any(n not in (None, m) for n, m in zip(wanted, array.shape, strict=True)):
            shape = ", ".join(f"{dim}: {'any' if n is None else n}" for dim, n in zip(dims, wanted, strict=True))
            curve = "time" in dims and array.ndim == len(dims) - 1
            raise ValueError(
                f"{self._teller} gives {about.name} the shape {array.shape}; declared are the dims ({shape}). "
                + ("Say Claim(..., time=False) if one number is meant for all times." if curve else "Correct either.")
            )
        self.lengths |= dict(zip(dims, array.shape, strict=True))
        return array

    @property
    def _teller(self) -> str:
        return type(self.problem if self.theory is None else self.theory).__name__

    def coordinates(self, content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """The coordinates of all dims that are used."""
        clock = self.problem.rule.clock
        used = {dim for dims, _, _ in content.values() for dim in dims}
        about = {"long_name": clock, "units": clock}
        found: dict[str, Any] = {
            "time": ("time", self.times, about),
            "flow_time": ("time", self.problem.rule.flow_time(self.problem, self.times), {"long_name": "flow time"}),
        }
        if "time2" in used:
            found["time2"] = ("time2", self.times, {**about, "long_name": f"{clock}, second"})
        if "claim" in used:
            found["claim"] = ("claim", self.kinds)
        if self.seeds is not None:
            found["seed"] = ("seed", np.asarray(self.seeds, dtype=np.int64))
        return found | {name: self._along(axis, values) for name, axis in self.axes.items() if name in used}

    def _along(self, axis: Axis, values: Mapping[str, Any]) -> Any:
        known = axis.given(self.problem)
        if isinstance(axis.coordinate, str):
            known = self._told(axis, values)
        if known is None:
            known = np.arange(self.lengths[axis.name])
        attrs = {key: text for key, text in (("long_name", axis.words), ("units", axis.unit)) if text}
        return axis.name, known, attrs

    def _told(self, axis: Axis, values: Mapping[str, Any]) -> np.ndarray:
        """The coordinate that a theory returned: the same for all seeds."""
        if axis.coordinate not in values:
            raise ValueError(
                f"{self._teller} must return {axis.coordinate!r}, the coordinate of the axis {axis.name!r}."
            )
        found = np.asarray(values[str(axis.coordinate)])
        each = found.reshape(-1, found.shape[-1])
        if found.ndim != 1 + len(self.lead) or not np.array_equal(each, np.broadcast_to(each[:1], each.shape)):
            raise ValueError(
                f"the coordinate of the axis {axis.name!r} that {self._teller} returns has the shape {found.shape}, or "
                "differs from seed to seed; return one list that is the same for all (what differs is a variable)."
            )
        return each[0]


@lru_cache(maxsize=1024)
def lasting(problem: type[Problem], theory: type[Theory]) -> bool:
    """Whether the labels of an answer are those of every other with the same shapes: then a copy of them will do."""
    found = axes((*problem.observables, *problem.events, *theory.own)).values()
    several = any(len(theory.claims_of(name)) > 1 for name in theory.claims)
    return not several and all(axis.coordinate is None or isinstance(axis.coordinate, tuple) for axis in found)


def relabelled(like: xr.Dataset, values: Mapping[str, Any], flow_time: np.ndarray) -> xr.Dataset:
    """A copy of an answer with other numbers, where its labels are `lasting`; attributes as there."""
    # `Dataset.copy(data=...)` looks at each array anew, which costs more than all else here
    data = {str(name): values[str(name)] for name in like.data_vars} | {"flow_time": flow_time}
    return like._replace(
        {
            name: xr.Variable(one.dims, data[str(name)], dict(one.attrs), fastpath=True)
            if name in data
            else one.copy(deep=False)
            for name, one in like.variables.items()
        }
    )


def clock_noun(clock: str) -> str:
    """What one moment of a clock is called."""
    return {"steps": "step", "flow time": "flow time"}.get(clock, clock)


def sentences(codes: np.ndarray, when: np.ndarray, clock: str) -> list[str]:
    """One sentence per run on how it ended."""
    noun = clock_noun(clock)
    said = (f"{OUTCOMES[int(code)]} at {noun} {time:.12g}" for code, time in zip(codes, when, strict=True))
    return [OUTCOMES[0] if code == 0 else text for code, text in zip(codes, said, strict=True)]


def broken_sentence(name: str, time: float, exact: bool, clock: str) -> str:
    """How a run ended of which an observable (or a parameter: "") is not finite from a time on, or from before it."""
    within = f" in {name}" if name else ""
    return f"{OUTCOMES[1]}{within} {'at' if exact else 'by'} {clock_noun(clock)} {time:.12g}"
