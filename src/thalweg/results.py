"""Results as plain labelled data: the schema, and save and load to one netCDF file."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ._version import __version__
from .problem import Problem
from .theory import Theory

FORMAT = "thalweg-result-1"
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


def label(
    problem: Problem,
    values: Mapping[str, np.ndarray],
    times: np.ndarray,
    seeds: Sequence[int] | None,
    theory: Theory | None = None,
) -> xr.Dataset:
    """Arrays with names, dims, words and units; `seeds` adds the leading dim `seed`."""
    known = variables(problem, theory)
    lead = () if seeds is None else ("seed",)
    clock = problem.rule.clock
    content: dict[str, Any] = {}
    for name, about in known.items():
        if name not in values:
            continue
        value = values[name]
        # a limit may be told without a time axis: one dimension less
        timeless = np.ndim(value) == len(lead) + len(about.dims)
        dims = (*lead, *(("time",) if is_curve(problem, name) and not timeless else ()), *about.dims)
        unit = about.unit.replace("clock", clock)
        attrs = {"long_name": about.words, "units": unit}
        if is_curve(problem, name):
            attrs |= {"symbol": about.symbol, "scale": "log" if about.log else "linear"}
        content[name] = (dims, np.asarray(value), attrs)
    coords: dict[str, Any] = {
        "time": ("time", times, {"long_name": clock, "units": clock}),
        "flow_time": ("time", problem.rule.flow_time(problem, times), {"long_name": "flow time"}),
    }
    if seeds is not None:
        coords["seed"] = ("seed", np.asarray(seeds, dtype=np.int64))
    return xr.Dataset(content, coords)


def sentences(codes: np.ndarray, when: np.ndarray, clock: str) -> list[str]:
    """One sentence per run on how it ended."""
    noun = {"steps": "step", "flow time": "flow time"}.get(clock, clock)
    return [OUTCOMES[0] if c == 0 else f"{OUTCOMES[int(c)]} at {noun} {t:g}" for c, t in zip(codes, when, strict=True)]


def stamp(**attrs: Any) -> dict[str, Any]:
    """Attributes that every result carries; anything but text and numbers is written as JSON."""
    import jax

    base = {"format": FORMAT, "thalweg": __version__, "jax": jax.__version__, "precision": "float64"}
    plain = {k: v if isinstance(v, str | int | float) else json.dumps(v) for k, v in attrs.items() if v is not None}
    return {**base, **plain}


def check(result: Any) -> None:
    """ValueError unless `result` follows the written schema."""
    if not isinstance(result, xr.Dataset | xr.DataTree):
        raise ValueError(f"this is a {type(result).__name__}, not a result of predict, train, compare or sweep.")
    if result.attrs.get("format") != FORMAT:
        raise ValueError(
            f"this is no thalweg result (format {result.attrs.get('format', 'missing')!r}, wanted {FORMAT!r}); "
            "give one that predict, train, compare or sweep returned, or a file that save wrote."
        )


def _as_tree(result: xr.Dataset | xr.DataTree) -> xr.DataTree:
    return result if isinstance(result, xr.DataTree) else xr.DataTree(result)


def writable(path: str | os.PathLike[str]) -> Path:
    """The path, once its folder is known to take files; ValueError otherwise."""
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise ValueError(f"{target} is a folder; give the name of a file.")
    if not folder.is_dir():
        raise ValueError(f"the folder {folder} does not exist; make it first or choose another.")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"the folder {folder} cannot be written to; choose another.")
    return target


def write_aside(path: str | os.PathLike[str], write: Any) -> Path:
    """`write(temporary path)`, then a rename: a reader never meets half a file, a full disk spoils none."""
    target = writable(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
    os.close(handle)
    try:
        write(name)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException as trouble:
        Path(name).unlink(missing_ok=True)
        if isinstance(trouble, OSError):
            raise ValueError(
                f"{target} could not be written ({trouble.strerror}); free space or choose another place."
            ) from trouble
        raise
    return target


def save(result: xr.Dataset | xr.DataTree, path: str | os.PathLike[str]) -> Path:
    """Write a result to one netCDF file, from which report, plot and rerun work alone."""
    check(result)
    tree = _as_tree(result)
    return write_aside(path, lambda name: tree.to_netcdf(name, engine="h5netcdf"))


def load(path: str | os.PathLike[str]) -> Any:
    """Read a result back: a Dataset where predict, train or learning_rate_study made it, else a DataTree."""
    target = Path(path)
    if not target.is_file():
        raise ValueError(f"{target} does not exist or is no file; give the path of a result that save wrote.")
    try:
        with xr.open_datatree(target, engine="h5netcdf") as opened:
            # node by node into memory: a tree as a whole may stay tied to its file
            parts = {node.path: node.to_dataset(inherit=False).load() for node in opened.subtree}
            tree = xr.DataTree.from_dict(parts)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as trouble:
        raise ValueError(f"{target} is corrupt or no netCDF file; run the command that made it again.") from trouble
    try:
        check(tree)
    except ValueError as trouble:
        raise ValueError(f"{target}: {trouble}") from None
    alone = ("predict", "train", "learning_rate_study")
    return tree.to_dataset() if tree.attrs.get("verb") in alone else tree
