"""predictor: one prediction prepared once, to be asked again and again with other numbers, for sliders and sweeps."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from ..catalogue import choice
from ..computing.float64 import float64
from ..computing.interrupts import answer, patient
from ..results import serial
from ..results.labels import label, lasting, relabelled
from ..running.evaluation import Told, describe, evaluate, existing, remarks
from ..running.request import Request, Seeds, time_axis
from ..words.fields import parameters, unknown, vary
from ..words.problem import Problem, scalars
from ..words.theory import Theory


class Predictor:
    """What `predictor` returns: called with scalars by name and `times=`, it answers as `predict` does.

    `theory` and `problem` are those it was made for; `strains(**scalars)` measures the assumptions there, which a call
    does not. `scalars` names all that may be given.
    """

    def __init__(self, request: Request, chosen: choice.Chosen) -> None:
        self.problem: Problem = request.problem
        self.theory: Theory = chosen.theory
        self.scalars: tuple[str, ...] = tuple(scalars(self.problem))
        self._request, self._chosen = request, chosen
        self._said = serial.describe(self.problem, {})
        self._attrs = describe("predict", self.problem, self.theory, chosen.strains, {"given": request.named})
        self._templates: dict[Any, xr.Dataset] = {}

    def _varied(self, changes: Mapping[str, Any]) -> Problem:
        for name in changes:
            if name not in self.scalars:
                sizes = {n for n, p in parameters(type(self.problem)).items() if p.kind != "scalar"}
                other = " It is no scalar: make another predictor for it." if name in sizes else ""
                raise ValueError(
                    unknown("scalar", name, list(self.scalars), f" of {type(self.problem).__name__}") + other
                )
        return vary(self.problem, changes) if changes else self.problem

    def __call__(self, changes: Mapping[str, Any] | None = None, *, times: Any = None, **scalars: Any) -> xr.Dataset:
        """The prediction with these scalars changed: by name, or in a mapping where the name has a dot
        (`{"rule.learning_rate": 0.1}`). ValueError for an unknown name, a value outside its range, bad times."""
        with patient(), float64():
            wanted = {**(changes or {}), **scalars}
            problem = self._varied(wanted)
            axis = self._request.axis if times is None else time_axis(problem, times)
            asked = self._request.about(problem, axis)
            told = evaluate(self.theory, asked)
            answer(lambda: None, "the prediction had not ended; call it again")
            assert told is not None
            result = self._labelled(asked, told)
            result.attrs = self._described(problem, wanted)
        return result

    def _labelled(self, asked: Request, told: Told) -> xr.Dataset:
        """A copy of the first answer of this shape, with other numbers: xarray's own labels cost more than they."""
        problem, axis, values = asked.problem, asked.axis, existing(asked.problem, told.values)
        if not lasting(type(problem), type(self.theory)):
            return label(problem, values, axis, told.seeds, self.theory)
        shape = (tuple(values), axis.tobytes(), tuple(told.seeds or ()), problem.rule.clock)
        if shape not in self._templates:
            if len(self._templates) > 64:
                self._templates.clear()
            self._templates[shape] = label(problem, values, axis, told.seeds, self.theory)
        return relabelled(self._templates[shape], values, problem.rule.flow_time(problem, axis))

    def _described(self, problem: Problem, names: Iterable[str]) -> dict[str, Any]:
        """The attributes of an answer; strains belong to the problem that the predictor was made for."""
        if problem is self.problem:
            return dict(self._attrs)
        said = json.dumps(serial.retold(self._said, problem, names))
        attrs = {**self._attrs, "problem": said, "remarks": json.dumps(remarks(problem))}
        del attrs["strains"]
        return attrs

    def strains(self, changes: Mapping[str, Any] | None = None, **scalars: Any) -> dict[str, float]:
        """How hard the problem with these scalars presses on each assumption: 0 exact, 1 the edge, inf impossible."""
        with float64():
            asked = self._request.about(self._varied({**(changes or {}), **scalars}), self._request.axis)
            return choice.strains(self.theory, asked.setting)


def predictor(
    problem: Problem,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds = 1,
    data: Any = None,
    start: Any = None,
) -> Predictor:
    """A function prepared for one problem and theory: `fast = predictor(problem); fast(mean_norm=1.5, times=...)`.

    It returns what `predict` returns, at little more than the cost of the compiled function itself. Scalars of the
    problem and of its parts may change; sizes and parts ask for a predictor of their own. Strains are measured here,
    once: a call with other scalars carries none, and `.strains(...)` measures them. Arguments and errors as `predict`.
    """
    with float64():
        request = Request.of(problem, times, seeds, data, start)
        return Predictor(request, choice.chosen(request.setting, theory))
