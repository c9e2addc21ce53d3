"""The contract about pictures: whatever a theory says can be drawn, alone and beside runs."""

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..faces.layout import NothingToDraw
from ..faces.picture import drawn
from ..faces.style import clean_style
from ..faces.view_picture import draw_view, one_run, views_for
from ..results.labels import label
from ..words.problem import Problem, present
from .declared import demand


def check_drawn(problem: Problem, told: xr.Dataset, begin: Mapping[str, Any]) -> None:
    """AssertionError unless a prediction has its picture, and every view of the problem shows it beside runs.

    The runs are made up: they stay at the start, `begin` (seeds, ...) by name. Nothing is rendered.
    """
    seen = standing(problem, begin, told["time"].values)
    runs = one_run(type(problem), [("training", seen), (str(told.attrs["theory"]), told)])
    with clean_style():
        try:
            with contextlib.suppress(NothingToDraw):
                drawn(told)
            for view in views_for(runs):
                draw_view(view, runs)
        except Exception as trouble:
            said = f"what {told.attrs['theory']} says cannot be drawn: {type(trouble).__name__}: {trouble}"
            raise AssertionError(f"{type(problem).__name__}: {said}") from trouble


def standing(problem: Problem, begin: Mapping[str, Any], times: np.ndarray) -> xr.Dataset:
    """Runs that never leave their start, labelled as those of `train`."""
    curves = {}
    for one in present(problem):
        demand(one.name in begin, problem, f"the observable {one.name} is not returned.")
        value = np.asarray(begin[one.name])
        for place in range(1, 2 if one.pair is None else 3):
            value = np.repeat(np.expand_dims(value, place), len(times), axis=place)
        curves[one.name] = value
    return label(problem, curves, times, range(len(next(iter(curves.values())))))
