"""The node `/inputs` of a comparison: all that came from the user as arrays, so that a result file can be run again."""

from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr

from ..computing.float64 import float64, root_key
from ..computing.tree_paths import fitting, flatten, unflatten
from ..words.problem import Macrostate, Problem
from .serial import to_json

# before the names of the problem's own arrays, so that a field named `start` or `data` keeps out of a user's
OWN = "problem."


class Kept(NamedTuple):
    """What `/inputs` holds: arrays of the problem's fields by their paths, times, and a user's data and start."""

    problem: dict[str, np.ndarray]
    times: np.ndarray
    data: Any
    start: Any


def inputs(problem: Problem, axis: np.ndarray, data: Any, start: Any) -> xr.Dataset:
    """Times, arrays of the problem, and a user's data and start by their paths (`start.layers.0.weights`)."""
    own = {f"{OWN}{path}": values for path, values in to_json(problem)[1].items()}
    drawn = None if isinstance(data, Macrostate) else data
    named = {**own, **flatten(drawn, "data"), **flatten(start, "start"), "times": axis}
    content = {k: (tuple(f"{k}_axis{i}" for i in range(np.ndim(v))), np.asarray(v)) for k, v in named.items()}
    return xr.Dataset(content)


def kept(node: xr.Dataset) -> Kept:
    """What `inputs` wrote."""
    arrays = {str(name): values.values for name, values in node.data_vars.items()}
    own = {name[len(OWN) :]: values for name, values in arrays.items() if name.startswith(OWN)}
    return Kept(own, arrays["times"], unflatten(arrays, "data"), unflatten(arrays, "start"))


def in_form(problem: Problem, own: Kept) -> tuple[Any, Any]:
    """Kept data and start in the form that the problem itself draws, where they fit it; else as they were kept.

    So a problem of the user's own gets its modules back, though a file knows names and arrays alone.
    """
    key = root_key(0)
    with float64():
        drawn = jax.eval_shape(problem.draw, key)
        begun = jax.eval_shape(problem.initial, key, drawn)
    return _fitted(own.data, drawn, "data"), _fitted(own.start, begun, "start")


def _fitted(raw: Any, like: Any, what: str) -> Any:
    if raw is None:
        return None
    try:
        return fitting(raw, like, what)
    except ValueError:
        return raw


def renamed(node: xr.Dataset) -> xr.Dataset:
    """`/inputs` of the first format, in which arrays of the problem had no name before theirs."""
    theirs = ("times", "data", "start")
    old = [str(n) for n in node.data_vars if str(n).partition(".")[0] not in theirs]
    return node.rename({name: f"{OWN}{name}" for name in old})
