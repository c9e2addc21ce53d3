"""rerun: the same result again, from a result or its file alone."""

import json
import os
from typing import Any

import xarray as xr

from .comparison import compare
from .parallel import Progress
from .results import check, load
from .serial import from_json, unflatten
from .solve import predict, train
from .sweeps import grid_in, sweep


def rerun(result: Any, *, progress: Progress | None = None) -> Any:
    """Run again what a result (or a file that `save` wrote) describes: same problem, times, seeds and theories.

    The same keys give the same numbers. A problem or theory of your own must be imported first; ValueError says so.
    Results of predict and train on a user's own arrays hold no copy of these; compare keeps them and can be rerun.
    """
    found = load(result) if isinstance(result, str | os.PathLike) else result
    check(found)
    verb = found.attrs["verb"]
    if verb == "learning_rate_study":
        raise ValueError("a learning-rate study is about a loss of your own, which no file keeps; call it again.")
    if verb == "compare":
        return _compare(found, progress)
    problem = from_json(found.attrs["problem"], {})
    if json.loads(found.attrs.get("given", "[]")):
        raise ValueError(
            "this result was made with data= or start=, of which only compare keeps a copy; call it again."
        )
    if verb == "sweep":
        source = found["theory"].ds if "theory" in found.children else found["training"].ds
        seeds = json.loads(found["training"].attrs["seeds"]) if "training" in found.children else None
        told = found["theory"].attrs if "theory" in found.children else None
        own = told is not None and "chosen" not in found.attrs
        theory = from_json(told["theory_json"], {}) if own else None if told is not None else False
        return sweep(problem, grid_in(found), source["time"].values, theory=theory, seeds=seeds, progress=progress)
    times = found["time"].values
    if verb == "train":
        return train(problem, times, seeds=json.loads(found.attrs["seeds"]), strict=False, progress=progress)
    seeds = found["seed"].values.tolist() if "seed" in found.dims else 1
    return predict(problem, times, theory=from_json(found.attrs["theory_json"], {}), seeds=seeds, progress=progress)


def _compare(found: xr.DataTree, progress: Progress | None) -> xr.DataTree:
    arrays = {str(name): values.values for name, values in found["inputs"].ds.data_vars.items()}
    problem = from_json(found.attrs["problem"], arrays)
    theories = [from_json(json.dumps(one), {}) for one in json.loads(found.attrs["theory_json"])]
    return compare(
        problem,
        arrays["times"],
        theory=theories,
        seeds=json.loads(found.attrs["seeds"]),
        data=unflatten(arrays, "data"),
        start=unflatten(arrays, "start"),
        resolution=float(found.attrs["resolution"]),
        progress=progress,
    )
