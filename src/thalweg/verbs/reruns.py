"""rerun: the same result again, from a result or its file alone."""

import json
import os
from typing import Any

import xarray as xr

from ..computing.parallel import Progress
from ..results.checks import check
from ..results.inputs import in_form, kept
from ..results.kinds import kind_of
from ..results.serial import from_json
from ..results.storage import load
from .comparison import compare
from .orders import order_study
from .prediction import predict
from .real_runs import train
from .sweeps import grid_in, sweep


def rerun(result: Any, *, progress: Progress | None = None) -> Any:
    """Run again what a result (or a file that `save` wrote) describes: same problem, times, seeds and theories.

    The same keys give the same numbers. A problem or theory of your own must be imported first; ValueError says so.
    Results of predict and train on a user's own arrays hold no copy of these; compare keeps them and can be rerun.
    """
    found = load(result) if isinstance(result, str | os.PathLike) else result
    check(found)
    return kind_of(found).ask("rerun")(found, progress)


def _problem(found: Any) -> Any:
    """The problem of a result that keeps no arrays beside it; ValueError where there were some."""
    if json.loads(found.attrs.get("given", "[]")):
        raise ValueError(
            "this result was made with data= or start=, of which only compare keeps a copy; call it again."
        )
    return from_json(found.attrs["problem"], {})


def predict_again(found: xr.Dataset, progress: Progress | None) -> xr.Dataset:
    """The same prediction."""
    problem, theory = _problem(found), from_json(found.attrs["theory_json"], {})
    seeds = found["seed"].values.tolist() if "seed" in found.dims else 1
    return predict(problem, found["time"].values, theory=theory, seeds=seeds, progress=progress)


def train_again(found: xr.Dataset, progress: Progress | None) -> xr.Dataset:
    """The same runs."""
    problem, seeds = _problem(found), json.loads(found.attrs["seeds"])
    return train(problem, found["time"].values, seeds=seeds, strict=False, progress=progress)


def refuse_study(found: xr.Dataset, progress: Progress | None) -> xr.Dataset:
    """ValueError: nothing that could be run again is kept."""
    raise ValueError("a learning-rate study is about a loss of your own, which no file keeps; call it again.")


def order_study_again(found: xr.Dataset, progress: Progress | None) -> xr.Dataset:
    """The same sizes."""
    problem, theory = _problem(found), from_json(found.attrs["theory_json"], {})
    (axis,) = grid_in(found).axes
    times, seeds = (json.loads(found.attrs[name]) for name in ("times", "seeds"))
    return order_study(problem, {axis.fields: axis.rows}, times, theory=theory, seeds=seeds, progress=progress)


def sweep_again(found: Any, progress: Progress | None) -> xr.DataTree:
    """The same points."""
    problem = _problem(found)
    source = found["theory"].ds if "theory" in found.children else found["training"].ds
    seeds = found["training"]["seed"].values.tolist() if "training" in found.children else None
    theory = _swept_theory(found) if "theory" in found.children else False
    return sweep(problem, grid_in(found), source["time"].values, theory=theory, seeds=seeds, progress=progress)


def _swept_theory(found: xr.DataTree) -> Any:
    """The theory of a sweep; None where each point chose its own, as it will again."""
    told = found["theory"].attrs.get("theory_json")
    return None if told is None or "chosen" in found.attrs else from_json(told, {})


def compare_again(found: xr.DataTree, progress: Progress | None) -> xr.DataTree:
    """The same comparison, on the arrays that it kept."""
    own = kept(found["inputs"].to_dataset())
    problem = from_json(found.attrs["problem"], own.problem)
    data, start = in_form(problem, own)
    theories = [from_json(json.dumps(one), {}) for one in json.loads(found.attrs["theory_json"])]
    return compare(
        problem,
        own.times,
        theory=theories,
        seeds="enough" if "looks" in found.attrs else json.loads(found.attrs["seeds"]),
        data=data,
        start=start,
        resolution=float(found.attrs["resolution"]),
        progress=progress,
    )
