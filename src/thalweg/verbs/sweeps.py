"""sweep: theory, and training where asked for, over a grid of parameters."""

import json
import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..catalogue import choice
from ..computing.float64 import float64
from ..computing.interrupts import Interrupted, patient, pressed
from ..computing.parallel import Progress
from ..results.schema import stamp
from ..results.serial import to_json
from ..running import training
from ..running.evaluation import trained
from ..running.request import Request, Seeds
from ..words.fields import vary
from ..words.problem import Problem
from ..words.theory import TheoryWarning
from .grid import Grid, grid_of, revived, told_point, variants
from .points import Folder, Point, described, key_of, predict_points
from .sweep_tables import side_by_side

UNREACHED = "was not reached before the interruption"


def sweep(
    problem: Problem,
    over: Any,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds | None = None,
    out: str | os.PathLike[str] | None = None,
    client: Any = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Predict at every point of the grid `over`, and train where `seeds` is given.

    `over` maps fields to lists of values, each of which becomes a dim: numbers ("mean_norm", "rule.learning_rate"),
    parts as objects or by name ("rule": [tw.GradientFlow(), "SGD"]), or several fields tied to each other
    (("dimension", "samples"): [(32, 64), (64, 128)]), the dim then being called after the first. Points that differ in
    numbers alone run as one compiled program. The answer is a DataTree with nodes `theory` (unless theory=False) and
    `training`. A point about which theory cannot speak, or whose run goes wrong, holds NaN and its sentence in
    `outcome`; `strain` is the worst of each point.
    With `out`, every point is written to that folder as soon as it is done: a sweep that was stopped goes on from
    there, and another theory of the same points finds their training. `client` is a `dask.distributed.Client`: the
    points then run on its workers, to which the problem is sent once. Ctrl-C raises Interrupted, whose `finished` is
    the sweep with all points that had ended.
    Raises ValueError for an unknown field, a value outside its range, repeated or NaN values (before anything runs),
    times that differ between points (give `times`), or a theory that can speak about none of them.
    """
    grid = grid_of(problem, over)
    with patient(), float64():
        asked = _asked(problem, grid, times, theory, seeds)
        folder = _folder(out)
        if client is None:
            work: Any = _Work(asked, folder, progress)
            work.run()
        else:
            from .cluster import run_on

            work = run_on(client, one_point, problem, list(grid.points()), asked, folder, progress)
        for column in work.found.values():
            if all(isinstance(one, str) for one in column):
                raise ValueError(column[0])
        tree = _tree(problem, grid, asked, work.found)
        if pressed():
            where = f" in {folder.place}" if folder.place is not None else ""
            words = f"{work.ended} of {work.total} pieces of work are in `.finished`; "
            again = f"the same call goes on from those{where}" if where else "give out=FOLDER to be able to go on"
            raise Interrupted(tree, words + again)
    return tree


class Asked(NamedTuple):
    """The points of a sweep as requests, and the theory of each, or the sentence why there is none."""

    requests: list[Request]
    theories: list[choice.Chosen | str] | None
    trains: bool
    theory: Any


def _asked(problem: Problem, grid: Grid, times: Any, theory: Any, seeds: Seeds | None) -> Asked:
    varied = variants(problem, grid)
    if times is None and any(not np.array_equal(v.horizon(), varied[0].horizon()) for v in varied):
        longest = max(float(v.horizon()[-1]) for v in varied)
        raise ValueError(
            f"the points of this sweep over {', '.join(grid.told())} look at different times (the longest to "
            f"{longest:g}); give times=."
        )
    # a theory of the draw or start is asked about those that are trained
    first = Request.of(varied[0], times, 1 if seeds is None else seeds)
    requests = [first, *(first.alike(v, times) for v in varied[1:])]
    theories = None if theory is False else _chosen(grid, requests, theory)
    return Asked(requests, theories, seeds is not None, theory)


def _chosen(grid: Grid, requests: list[Request], theory: Any) -> list[choice.Chosen | str]:
    found: list[choice.Chosen | str] = []
    named = None if theory is None else choice.as_theory(theory, requests[0].problem)
    asked = choice.levels(requests[0].problem) if named is None else []
    for request in requests:
        try:
            if named is None:
                found.append(choice.choose(request.problem, request.setting, asked))
            else:
                found.append(choice.Chosen(named, choice.check(named, request.problem, request.setting, quiet=True)))
        except ValueError as trouble:
            found.append(str(trouble))
    if all(isinstance(one, str) for one in found):
        raise ValueError(found[0])
    _warn(grid, found)
    return found


def _warn(grid: Grid, found: list[choice.Chosen | str]) -> None:
    """One warning for all points at which a theory is outside its regime."""
    strained = [
        (choice.worst(one.strains)[1], *choice.worst(one.strains)[:1], point, one.theory)
        for one, point in zip(found, grid.points(), strict=True)
        if not isinstance(one, str) and choice.worst(one.strains)[1] > 1
    ]
    if strained:
        strain, name, point, theory = max(strained, key=lambda row: row[0])
        warnings.warn(
            f"{type(theory).__name__} is outside its regime at {len(strained)} of {len(found)} points: most at "
            f"{told_point(point)}, where the strain of {name!r} is {strain:.3g} (1 is the edge). "
            f"{choice.words_of(theory, name)}",
            TheoryWarning,
            stacklevel=4,
        )


def _folder(out: str | os.PathLike[str] | None) -> Folder:
    if out is None:
        return Folder(None)
    # absolute: a worker of a cluster stands in another folder
    place = Path(out).absolute()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as trouble:
        raise ValueError(f"the folder {place} cannot be made ({trouble.strerror}); choose another.") from None
    return Folder(place)


class _Work:
    """The pieces of a sweep, theory first, and what came of each: `found[kind][i]`, None where it was not reached."""

    def __init__(self, asked: Asked, folder: Folder, progress: Progress | None) -> None:
        self.asked, self.folder, self.progress = asked, folder, progress
        count = len(asked.requests)
        self.found: dict[str, list[Point | None]] = {}
        if asked.theories is not None:
            self.found["theory"] = [one if isinstance(one, str) else None for one in asked.theories]
        if asked.trains:
            self.found["training"] = [None] * count
        self.total = count * len(self.found)

    @property
    def ended(self) -> int:
        """Pieces that are there."""
        return sum(one is not None for column in self.found.values() for one in column)

    def put(self, kind: str, i: int, result: Any, key: str | None = None) -> None:
        """Keep a finished piece, in its file too where it was made now."""
        if key is not None:
            self.folder.keep(kind, key, result)
        self.found[kind][i] = result
        if self.progress:
            self.progress(self.ended, self.total)

    def run(self) -> None:
        """All pieces that no file holds."""
        if self.asked.theories is not None:
            self._predict(self.asked.theories)
        if self.asked.trains:
            for i, request in enumerate(self.asked.requests):
                if pressed():
                    return
                self._train(i, request)

    def _predict(self, theories: list[choice.Chosen | str]) -> None:
        rest, keys = [], []
        for i, (request, chosen) in enumerate(zip(self.asked.requests, theories, strict=True)):
            if isinstance(chosen, str):
                continue
            key = key_of(request, chosen.theory) if self.folder.place is not None else ""
            known = self.folder.find("theory", key) if key else None
            if known is not None:
                self.put("theory", i, known)
            else:
                rest.append((i, request, chosen))
                keys.append(key or None)

        def done(k: int, result: Point) -> None:
            i, request, chosen = rest[k]
            if isinstance(result, str):
                self.put("theory", i, result)
                return
            whole = result if keys[k] is None else described(request, chosen, result)
            self.put("theory", i, whole, keys[k])

        predict_points([(request, chosen) for _, request, chosen in rest], done)

    def _train(self, i: int, request: Request) -> None:
        key = key_of(request, None) if self.folder.place is not None else ""
        known = self.folder.find("training", key) if key else None
        if known is not None:
            self.put("training", i, known)
            return
        try:
            done = training.run(request)
        except ValueError as trouble:  # parts that do not fit each other here, such as a batch and the samples
            self.put("training", i, str(trouble))
            return
        if done is not None and len(done.seeds) == len(request.seeds):
            self.put("training", i, trained(request, done), key or None)


def one_point(problem: Problem, changes: dict[str, Any], asked: tuple[Any, ...], place: Path | None) -> list[Point]:
    """Theory and training at one point, on a worker of a cluster; `asked`: times, theory, seeds."""
    axis, theory, seeds = asked
    with float64():
        varied = vary(problem, changes)
        request = Request.of(varied, axis, 1 if seeds is None else seeds)
        try:
            chosen: Any = None if theory is False else [choice.chosen(request.setting, theory)]
        except ValueError as trouble:
            chosen = [str(trouble)]
        work = _Work(Asked([request], chosen, seeds is not None, theory), Folder(place), None)
        work.run()
        return [UNREACHED if column[0] is None else column[0] for column in work.found.values()]


def _tree(problem: Problem, grid: Grid, asked: Asked, found: dict[str, list[Point | None]]) -> xr.DataTree:
    nodes = {"/": xr.Dataset()}
    for kind, parts in found.items():
        parts = [UNREACHED if one is None else one for one in parts]
        if any(not isinstance(one, str) for one in parts):
            nodes[kind] = side_by_side(parts, grid)
    if "theory" in nodes and asked.theories is not None:
        worst = [np.nan if isinstance(c, str) else choice.worst(c.strains)[1] for c in asked.theories]
        words = {"long_name": "strain of the worst assumption"}
        nodes["theory"]["strain"] = (tuple(grid.told()), np.reshape(worst, grid.shape), words)
    tree = xr.DataTree.from_dict(nodes)
    # where no theory was named, every point takes its own when the sweep is run again
    chosen = {"chosen": "for each point"} if asked.theory is None else {}
    tree.attrs = stamp(verb="sweep", problem=to_json(problem)[0], over=grid.told(), grid=grid.kept(), **chosen)
    return tree


def grid_in(tree: xr.DataTree | xr.Dataset) -> Grid:
    """The grid of a sweep."""
    return revived(tree.attrs["grid"]) if "grid" in tree.attrs else _older(json.loads(tree.attrs["over"]))


def _older(over: dict[str, list[float]]) -> Grid:
    from .grid import Swept

    return Grid(tuple(Swept((name,), tuple((v,) for v in values)) for name, values in over.items()))
