"""What changes of a problem, its results and a user's data and start on their way through JSON and a file."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from ..results.inputs import in_form, inputs, kept
from ..results.serial import from_json, to_json
from ..results.storage import load, save
from ..words.problem import Problem
from ..words.theory import Setting


def same(one: Any, other: Any) -> bool:
    """Whether two modules have the same structure and the same numbers."""
    (left, form), (right, other_form) = jax.tree.flatten(one), jax.tree.flatten(other)
    return form == other_form and all(map(np.array_equal, left, right))


def changes(problem: Problem, seen: xr.Dataset) -> Iterator[str]:
    """A sentence for each that is another afterwards."""
    if not same(from_json(*to_json(problem)), problem):
        yield "it changes on its way through JSON."
    with jax.enable_x64():
        setting = Setting(problem)
        data, start = problem.as_data(setting.data), problem.as_start(setting.start)
        held = inputs(problem, seen["time"].values, data, start)
        # a sweep over its seeds: a tree that needs the least beside the runs
        tree = xr.DataTree.from_dict({"training": seen, "inputs": held})
        tree.attrs = {**seen.attrs, "verb": "sweep", "over": json.dumps({"seed": seen["seed"].values.tolist()})}
        with tempfile.TemporaryDirectory() as folder:
            back = load(save(tree, Path(folder) / "run.nc"))
        own = kept(back["inputs"].to_dataset())
        if not same(from_json(back.attrs["problem"], own.problem), problem):
            yield "it changes on its way through a result file."
        again = in_form(problem, own)
        if not same(problem.as_data(again[0]), data):
            yield "a given draw changes on its way through a file."
        if not same(problem.as_start(again[1]), start):
            yield "a given start changes on its way through a file."
    if not back["training"].to_dataset().equals(seen):
        yield "its results change on their way through a file."
