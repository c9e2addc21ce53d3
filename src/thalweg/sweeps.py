"""sweep: theory, and training where asked for, over a grid of parameters."""

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .fields import vary
from .parallel import Progress
from .problem import Problem
from .results import load, save, stamp
from .serial import to_json
from .solve import Seeds, predict, train

Point = dict[str, float]


def sweep(
    problem: Problem,
    over: Mapping[str, Sequence[float]],
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds | None = None,
    out: str | os.PathLike[str] | None = None,
    client: Any = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Predict at every point of the grid `over`, and train where `seeds` is given.

    `over` maps fields ("mean_norm", "rule.learning_rate") to values; each becomes a dim. A scalar needs no new
    compilation. The answer is a DataTree with nodes `theory` (unless theory=False) and `training`. With `out`, every
    point is written to that folder as soon as it is done, and a sweep that was stopped goes on from there. `client` is
    a `dask.distributed.Client`: the points then run on its workers.
    Raises ValueError for an unknown field, a value outside its range (before anything runs), or times that differ
    between points (give `times`).
    """
    names = list(over)
    if not names or any(len(over[name]) == 0 for name in names):
        raise ValueError(f"over = {dict(over)} is not allowed; give at least one field with at least one value.")
    points: list[Point] = [dict(zip(names, p, strict=True)) for p in itertools.product(*(over[n] for n in names))]
    variants = [vary(problem, point) for point in points]
    axis = _axis(variants, names, times)
    folder = _folder(out)
    jobs = [(variant, axis, theory, seeds, _place(folder, variant, axis, seeds)) for variant in variants]
    parts = _on_cluster(client, jobs, progress) if client is not None else _here(jobs, progress)
    nodes = {"/": xr.Dataset()}
    for kind in ("theory", "training"):
        found = [part[kind] for part in parts if kind in part]
        if found:
            nodes[kind] = _grid(found, names, over, points)
    tree = xr.DataTree.from_dict(nodes)
    tree.attrs = stamp(
        verb="sweep", problem=to_json(problem)[0], over={k: [float(x) for x in v] for k, v in over.items()}
    )
    return tree


def _axis(variants: list[Problem], names: list[str], times: Any) -> np.ndarray:
    """The times that all points look at."""
    axis = np.asarray(variants[0].horizon() if times is None else times, dtype=np.float64)
    if times is None and any(not np.array_equal(v.horizon(), axis) for v in variants):
        longest = max(float(v.horizon()[-1]) for v in variants)
        raise ValueError(
            f"the points of this sweep over {', '.join(names)} look at different times (the longest to {longest:g}); "
            "give times=."
        )
    return axis


def _folder(out: str | os.PathLike[str] | None) -> Path | None:
    if out is None:
        return None
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as trouble:
        raise ValueError(f"the folder {folder} cannot be made ({trouble.strerror}); choose another.") from None
    return folder


def _place(folder: Path | None, variant: Problem, axis: np.ndarray, seeds: Any) -> Path | None:
    """A file name that belongs to this very point, so that another sweep in the same folder does not answer for it."""
    import hashlib

    if folder is None:
        return None
    text, arrays = to_json(variant)
    key = hashlib.sha256((text + repr(seeds)).encode() + axis.tobytes())
    for name in sorted(arrays):
        key.update(arrays[name].tobytes())
    return folder / f"point-{key.hexdigest()[:16]}"


def run_point(problem: Problem, axis: np.ndarray, theory: Any, seeds: Any, place: Path | None) -> dict[str, xr.Dataset]:
    """One point, read back where it was finished before. It stands at module level so that a cluster can reach it."""
    found: dict[str, xr.Dataset] = {}
    # a theory of the draw or start is asked about those that are trained
    same = {} if seeds is None else {"seeds": seeds}
    tasks = {
        "theory": None if theory is False else lambda: predict(problem, axis, theory=theory, **same),
        "training": None if seeds is None else lambda: train(problem, axis, seeds=seeds, strict=False),
    }
    for kind, task in tasks.items():
        if task is None:
            continue
        name = None if place is None else place.with_name(f"{place.name}-{kind}-{_theory_name(theory)}.nc")
        if name is not None and name.exists():
            found[kind] = load(name)
            continue
        found[kind] = task()
        if name is not None:
            save(found[kind], name)
    return found


def _theory_name(theory: Any) -> str:
    kind = theory if isinstance(theory, type | str) else type(theory)
    return "chosen" if theory in (None, False) else getattr(kind, "__name__", str(kind))


def _here(jobs: list[Any], progress: Progress | None) -> list[dict[str, xr.Dataset]]:
    parts = []
    for job in jobs:
        parts.append(run_point(*job))
        if progress:
            progress(len(parts), len(jobs))
    return parts


def _on_cluster(client: Any, jobs: list[Any], progress: Progress | None) -> list[dict[str, xr.Dataset]]:
    try:
        from dask.distributed import as_completed
    except ImportError:
        raise ImportError("a sweep on a cluster needs dask: pip install 'thalweg[dask]'") from None
    futures = [client.submit(run_point, *job, pure=False) for job in jobs]
    for done, _ in enumerate(as_completed(futures), 1):
        if progress:
            progress(done, len(jobs))
    return client.gather(futures)


def _grid(
    parts: list[xr.Dataset], names: list[str], over: Mapping[str, Sequence[float]], points: list[Point]
) -> xr.Dataset:
    """Points side by side, one dim a field, in the order of the grid."""
    index = [xr.DataArray(np.arange(len(points)), dims="point")]
    joined = xr.concat(
        parts,
        dim=index[0],
        join="exact",
        combine_attrs="drop_conflicts",
        data_vars="all",
        coords="minimal",
        compat="override",
    )
    shape = [len(over[name]) for name in names]
    content = {}
    for name, variable in joined.data_vars.items():
        rest = [d for d in variable.dims if d != "point"]
        values = variable.transpose("point", *rest).values
        content[name] = ((*names, *rest), values.reshape(*shape, *values.shape[1:]), variable.attrs)
    coords = {k: v for k, v in joined.coords.items() if k != "point" and "point" not in v.dims}
    grid = xr.Dataset(content, {**coords, **{n: np.asarray(over[n]) for n in names}})
    grid.attrs = {k: v for k, v in parts[0].attrs.items() if k != "problem"}
    return grid


def grid_of(tree: xr.DataTree) -> dict[str, list[float]]:
    """The grid of a sweep."""
    return json.loads(tree.attrs["over"])
