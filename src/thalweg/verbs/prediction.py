"""predict: what theory says, without training."""

from typing import Any

import xarray as xr

from ..catalogue import choice
from ..computing.float64 import float64
from ..computing.interrupts import answer, patient
from ..computing.parallel import Progress
from ..results.labels import label
from ..running.evaluation import Told, describe, evaluate, existing
from ..running.request import Request, Seeds, what_ended
from ..words.problem import Problem


def predict(
    problem: Problem,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds = 1,
    data: Any = None,
    start: Any = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """What theory says, without training: an xarray.Dataset with dim `time`, events without it.

    `theory` is an instance, a class or a name; by default the applicable one that conditions on least and is off by
    least. A theory that conditions on the draw or the start answers with dim `seed`, unless `data=` and `start=` fix
    all that it conditions on (data that are the same for every seed need not be given). Times follow the rule's clock.
    Raises ValueError for bad times, misfitting data, or a theory that cannot speak here; warns (TheoryWarning) where
    one is asked outside its regime; Ctrl-C raises Interrupted, whose `finished` holds the seeds that had ended.
    """
    with patient(), float64():
        request = Request.of(problem, times, seeds, data, start)
        chosen = choice.chosen(request.setting, theory)
        told = evaluate(chosen.theory, request, progress)
        result = None if told is None else _predicted(request, chosen, told)
        answer(lambda: result, what_ended(told.seeds if told else [], request.seeds, "predict"))
    assert result is not None
    return result


def _predicted(request: Request, chosen: choice.Chosen, told: Told) -> xr.Dataset:
    """What was told, labelled."""
    problem = request.problem
    result = label(problem, existing(problem, told.values), request.axis, told.seeds, chosen.theory)
    result.attrs = describe("predict", problem, chosen.theory, chosen.strains, {"given": request.named})
    return result
