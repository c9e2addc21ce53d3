"""predictor: one prediction prepared once, to be asked again and again with other numbers, for sliders and sweeps."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import xarray as xr

from ..catalogue import choice as audit
from ..computing.interrupts import answer, patient
from ..results.labels import label, lasting
from ..results.serial import to_json
from ..running.request import Request, Seeds, time_axis
from ..words.fields import parameters, unknown, vary
from ..words.problem import Problem, scalars
from ..words.theory import Theory
from .single_runs import Told, describe, evaluate, existing


class Predictor:
    """What `predictor` returns: called with scalars by name and `times=`, it answers as `predict` does.

    `theory` and `problem` are those it was made for; `strains(**scalars)` measures the assumptions there, which a call
    does not. `scalars` names all that may be given.
    """

    def __init__(self, request: Request, chosen: audit.Chosen) -> None:
        self.problem: Problem = request.problem
        self.theory: Theory = chosen.theory
        self.scalars: tuple[str, ...] = tuple(scalars(self.problem))
        self._request, self._chosen = request, chosen
        self._rates = _rates(self.problem)
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
        with patient(), jax.enable_x64():
            problem = self._varied({**(changes or {}), **scalars})
            axis = self._request.axis if times is None else time_axis(problem, times)
            asked = self._request.about(problem, axis)
            told = evaluate(self.theory, asked)
            answer(lambda: None, "the prediction had not ended; call it again")
            assert told is not None
            return self._labelled(asked, told)

    def _labelled(self, asked: Request, told: Told) -> xr.Dataset:
        """A copy of the first answer of this shape, with other numbers: xarray's own labels cost as much as they."""
        problem, values = asked.problem, existing(asked.problem, told.values)
        rates = self._rates if problem.rule is self.problem.rule else _rates(problem)
        shape = (tuple(values), asked.axis.tobytes(), tuple(told.seeds or ()), rates)
        if shape not in self._templates:
            if len(self._templates) > 64:
                self._templates.clear()
            made = label(problem, values, asked.axis, told.seeds, self.theory)
            made.attrs = describe("predict", problem, self.theory, self._chosen.strains, {"given": asked.named})
            self._templates[shape] = made
        made = self._templates[shape]
        if lasting(type(problem), type(self.theory)):
            result = made.copy(data={str(name): values[str(name)] for name in made.data_vars})
        else:
            result = label(problem, values, asked.axis, told.seeds, self.theory).assign_attrs(made.attrs)
        result.attrs["problem"] = to_json(problem)[0]
        if problem is not self.problem:
            result.attrs.pop("strains", None)
        return result

    def strains(self, changes: Mapping[str, Any] | None = None, **scalars: Any) -> dict[str, float]:
        """How hard the problem with these scalars presses on each assumption: 0 exact, 1 the edge, inf impossible."""
        with jax.enable_x64():
            asked = self._request.about(self._varied({**(changes or {}), **scalars}), self._request.axis)
            return audit.strains(self.theory, asked.setting)


def _rates(problem: Problem) -> bytes:
    """What the flow-time coordinate depends on."""
    return np.asarray(problem.rule.flow_time(problem, np.ones(1))).tobytes()


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
    problem and of its rule may change; sizes and parts ask for a predictor of their own. Strains are measured here,
    once: a call with other scalars carries none, and `.strains(...)` measures them. Arguments and errors as `predict`.
    """
    with jax.enable_x64():
        request = Request.of(problem, times, seeds, data, start)
        return Predictor(request, audit.chosen(request.setting, theory))
