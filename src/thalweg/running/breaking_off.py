"""When runs left the finite numbers, and where; the exact step of a rule of whole steps.

A rule tests its parameters once a block, and observables are seen at the user's times alone: no healthy run pays for
more. A run that broke off is made again and looked at more closely, at as many times, so that nothing is compiled anew.
"""

import dataclasses
from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from . import training
from .request import Request


class BrokenOff(NamedTuple):
    """How a run ended: by `time` (at it, if `exact`) the observable `name` is not finite; "" stands for parameters that
    no observable shows."""

    time: float
    name: str
    exact: bool


class _Window(NamedTuple):
    """All is well at step `low` (-1: nothing is known), and at step `high` the observable `name` is not finite. `alive`
    is what was finite at `low`, by name."""

    low: int
    high: int
    name: str
    alive: Mapping[str, Any]

    @property
    def exact(self) -> bool:
        """Whether the step is known."""
        return self.high - self.low == 1


def broken_off(request: Request, done: training.Finished) -> dict[int, BrokenOff]:
    """The runs that left the finite numbers, by their place among the seeds.

    Of a flow those alone of which an observable is infinite: where the flow itself breaks off, its outcome says so.
    """
    unit = request.problem.rule.steps_per_unit(request.problem)
    if unit is None:
        return _infinite(request, done)
    windows = _windows(request, done)
    return {i: BrokenOff(one.high / unit, one.name, one.exact) for i, one in windows.items()}


def _infinite(request: Request, done: training.Finished) -> dict[int, BrokenOff]:
    """A square overflows long before what it is the square of."""
    found: dict[int, BrokenOff] = {}
    for name, values in done.runs.curves.items():
        gone = np.asarray(np.isinf(values).reshape(*np.shape(values)[:2], -1).any(-1))
        for i in np.flatnonzero(gone.any(-1)):
            time = float(request.axis[int(np.argmax(gone[i]))])
            found[int(i)] = min(found.get(int(i), BrokenOff(time, name, False)), BrokenOff(time, name, False))
    return found


def _windows(request: Request, done: training.Finished) -> dict[int, _Window]:
    """Between which steps runs left the finite numbers: one after the other, unless Ctrl-C came."""
    unknown = _Window(-1, int(request.ticks[-1]), "", {})
    looks = ((i, _narrowed(unknown, done, i, request.ticks)) for i in range(len(done.seeds)))
    found = {i: one for i, one in looks if one is not None}
    while wide := sorted((i for i, one in found.items() if not one.exact), key=lambda i: found[i][:2]):
        for window, places in groupby(wide, key=lambda i: found[i][:2]):
            several = list(places)
            again = _looked_at(request, [done.seeds[i] for i in several], *window)
            if again is None:
                return found
            for place, i in enumerate(several):
                closer = _narrowed(found[i], again[0], place, again[1])
                if closer is None:  # the same program meets the same numbers; if it ever did not, this is what is known
                    return found
                found[i] = closer
    return found


def _looked_at(request: Request, seeds: list[int], low: int, high: int) -> tuple[training.Finished, np.ndarray] | None:
    """Runs made again, to step `high`, and the steps at which they were looked at; None where Ctrl-C came."""
    steps = np.round(np.linspace(low, high, request.ticks.size + 1)[1:]).astype(np.int64)
    if steps.size == 1 and high - low > 1:
        steps[:] = (low + high) // 2
    unit = request.problem.rule.steps_per_unit(request.problem) or 1.0
    done = training.run(dataclasses.replace(request, axis=steps / unit, seeds=tuple(seeds)))
    return None if done is None or done.seeds != seeds else (done, steps)


def _narrowed(known: _Window, done: training.Finished, place: int, steps: np.ndarray) -> _Window | None:
    """What a look at these steps says of one run; None where it shows nothing that is not finite."""
    gone = {name: _gone(values[place], known.alive.get(name)) for name, values in done.runs.curves.items()}
    code = int(np.asarray(done.runs.outcome)[place])
    ever = {name: bad for name, bad in gone.items() if bad.any()}
    if not ever and code != 1:
        return known._replace(low=int(steps[-1])) if steps[-1] < known.high else None
    name = min(ever, key=lambda one: int(np.argmax(ever[one])), default="")
    first = int(np.argmax(ever[name])) if name else len(steps) - 1
    if first == 0:
        return known._replace(high=int(steps[0]), name=name)
    alive = {name: np.isfinite(values[place][first - 1]) for name, values in done.runs.curves.items()}
    return _Window(int(steps[first - 1]), int(steps[first]), name, alive)


def _gone(values: Any, alive: Any) -> np.ndarray:
    """At which of the times (time, ...) a value is infinite, or NaN though it was finite."""
    values = np.asarray(values)
    known = np.isfinite(values)
    before = np.logical_or.accumulate(known, axis=0) if alive is None else known | alive
    lost = np.isinf(values) | (np.isnan(values) & before)
    return lost.reshape(len(values), -1).any(1)
