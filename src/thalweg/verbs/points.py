"""Points of a sweep: theory at many of them by one compiled program, and the files that keep what was finished."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array

from ..catalogue import choice
from ..computing.interrupts import pressed
from ..computing.skeleton import Skeleton, signature, split
from ..results.labels import label, lasting, relabelled
from ..results.serial import digest, identity
from ..results.storage import load, save
from ..running.evaluation import Told, conditioned, describe, evaluate, existing, loose_sizes, remarks
from ..running.request import Request
from ..words.theory import Theory

# points of one call of a compiled program: enough to pay, few enough to be interrupted between
CHUNK = 64


@partial(jax.jit, static_argnums=(0, 1))
def _predict_points(
    skeleton: Skeleton, varied: tuple[bool, ...], shared: list[Any], rows: list[Array], times: Array, given: Any
) -> dict[str, Any]:
    def one(row: list[Array]) -> dict[str, Any]:
        place = iter(row)
        theory, problem = skeleton.join([next(place) if v else s for v, s in zip(varied, shared, strict=True)])
        return theory.predict(problem, *given, times)

    return jax.vmap(one)(rows)


class _Group:
    """Points of one compiled program: their static halves are equal, so that only numbers differ."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.places: list[int] = []
        self.loose: list[list[Any]] = []

    @cached_property
    def columns(self) -> tuple[tuple[bool, ...], list[Any], list[tuple[Any, ...]]]:
        """Which leaves differ between points, those that do not (None: it does), and those that do, point by point."""
        leaves = list(zip(*self.loose, strict=True))
        # a user's table is one object at all points: it is passed once
        varied = tuple(any(v is not column[0] and not _equal(v, column[0]) for v in column) for column in leaves)
        shared = [None if v else column[0] for v, column in zip(varied, leaves, strict=True)]
        return varied, shared, [column for v, column in zip(varied, leaves, strict=True) if v]

    def told(self, some: slice, axis: np.ndarray, given: Any) -> dict[str, Any]:
        """What the theory says at some of its points (of the group), which are the leading axis."""
        varied, shared, columns = self.columns
        rows = [np.stack([np.asarray(leaf) for leaf in column[some]]) for column in columns]
        return jax.tree.map(np.asarray, _predict_points(self.skeleton, varied, shared, rows, axis, given))


def _equal(one: Any, other: Any) -> bool:
    if type(one) is float and type(other) is float:
        return one == other
    return np.shape(one) == np.shape(other) and bool(np.all(np.asarray(one) == np.asarray(other)))


def _at(told: Any, place: int) -> Any:
    """What was told at one point of a chunk; claims of several kinds are dictionaries."""
    return {n: _at(v, place) if isinstance(v, Mapping) else v[place, ...] for n, v in told.items()}


def chunk_of(count: int) -> int:
    """How many of the points run in one call: of a few sizes (few programs) the one that computes fewest twice."""
    if count <= CHUNK:
        return count
    return min(range(CHUNK, CHUNK // 2, -CHUNK // 8), key=lambda size: -(-count // size) * size)


def predict_points(asked: Sequence[tuple[Request, choice.Chosen]], done: Callable[[int, Any], None]) -> None:
    """Theory at every point: `done(index, answer)` as each comes, or the sentence why not; stops early on Ctrl-C."""
    groups: dict[Any, _Group] = {}
    alone = []
    for i, (request, chosen) in enumerate(asked):
        if conditioned(chosen.theory, *request.given):
            alone.append(i)
            continue
        try:
            ready = chosen.theory.prepare(request.problem, request.axis)
        except ValueError as trouble:
            done(i, str(trouble))
            continue
        skeleton, loose = split((ready, request.problem), loose_sizes(ready, request.problem))
        group = groups.setdefault((skeleton, signature(loose)), _Group(skeleton))
        group.places.append(i)
        group.loose.append(loose)
    blocks: dict[Any, Block | None] = {}
    for group in groups.values():
        if len(group.places) == 1:  # the program of `predict` serves
            alone += group.places
        else:
            _follow_group(group, asked, done, blocks)
    for i in alone:
        if pressed():
            return
        request, chosen = asked[i]
        try:
            told = evaluate(chosen.theory, request)
        except ValueError as trouble:
            done(i, str(trouble))
            continue
        if told is None or (told.seeds is not None and len(told.seeds) < len(request.seeds)):
            return
        done(i, _labelled(request, chosen, told))


def _follow_group(
    group: _Group,
    asked: Sequence[tuple[Request, choice.Chosen]],
    done: Callable[[int, Any], None],
    blocks: "dict[Any, Block | None]",
) -> None:
    count = len(group.places)
    size = chunk_of(count)
    for first in range(0, count, size):
        if pressed():
            return
        # the last chunk goes back a little instead of asking for a program of its own
        begin = min(first, count - size)
        request = asked[group.places[0]][0]
        try:
            found = group.told(slice(begin, begin + size), request.axis, request.given)
        except ValueError as trouble:  # one program: what it refuses, it refuses for all of them
            for i in group.places:
                done(i, str(trouble))
            return
        for k in range(first - begin, size):
            i = group.places[begin + k]
            one, chosen = asked[i]
            values = existing(one.problem, _at(found, k))
            kind = type(one.problem), id(chosen.theory)
            if kind not in blocks:
                blocks[kind] = Block.beginning(asked[i], _labelled(one, chosen, Told(values, None)), len(asked))
            block = blocks[kind]
            if block is not None and block.takes(one, values):
                done(i, block.row(one, values))
            else:
                done(i, _labelled(one, chosen, Told(values, None)))


class Block:
    """Answers with the same labels: those of the first, `like`, and the numbers of all, a row each.

    The flow time is a number as well, which the rule's own scalars move.
    """

    def __init__(self, request: Request, like: xr.Dataset, count: int) -> None:
        self.request, self.like, self.filled = request, like, 0
        self.columns = {str(n): np.empty((count, *v.shape)) for n, v in like.data_vars.items()}
        self.shapes = {name: column.shape[1:] for name, column in self.columns.items()}
        self.flow_time = np.empty((count, like.sizes["time"]))
        self.remarks: dict[str, None] = {}

    @classmethod
    def beginning(cls, asked: tuple[Request, choice.Chosen], like: xr.Dataset, count: int) -> "Block | None":
        """A block that begins with this answer; None where labels differ with the numbers."""
        request, chosen = asked
        return cls(request, like, count) if lasting(type(request.problem), type(chosen.theory)) else None

    def takes(self, request: Request, values: dict[str, Any]) -> bool:
        """Whether an answer has these labels: the same clock and times, the same curves, as long as these."""
        rule, own = request.problem.rule, self.request.problem.rule
        timed = request.axis is self.request.axis or np.array_equal(request.axis, self.request.axis)
        counted = rule is own or rule.clock == own.clock
        return timed and counted and {name: value.shape for name, value in values.items()} == self.shapes

    def row(self, request: Request, values: dict[str, Any]) -> "Row":
        """Keep the numbers of one more answer."""
        problem, place = request.problem, self.filled
        for name, column in self.columns.items():
            column[place] = values[name]
        self.flow_time[place] = problem.rule.flow_time(problem, request.axis)
        self.remarks |= dict.fromkeys(remarks(problem))
        self.filled += 1
        return Row(self, place)


class Row(NamedTuple):
    """One of the answers of a block."""

    block: Block
    place: int

    def dataset(self) -> xr.Dataset:
        """The same, labelled; remarks are those of the whole block."""
        block, place = self
        made = relabelled(block.like, {n: c[place, ...] for n, c in block.columns.items()}, block.flow_time[place])
        return made.assign_attrs(remarks=json.dumps(list(block.remarks)))


def _labelled(request: Request, chosen: choice.Chosen, told: Told) -> xr.Dataset:
    """The answer at one point."""
    problem, theory = request.problem, chosen.theory
    result = label(problem, existing(problem, told.values), request.axis, told.seeds, theory)
    result.attrs = describe("predict", problem, theory, {}, {"given": request.named})
    return result


# what a sweep may hold at each point
KINDS = ("theory", "training")
Point = xr.Dataset | Row | str


def described(request: Request, chosen: choice.Chosen, result: xr.Dataset | Row) -> xr.Dataset:
    """The answer at one point with all that `predict` says of it, for a file of its own."""
    attrs = describe("predict", request.problem, chosen.theory, chosen.strains, {"given": request.named})
    whole = result.dataset() if isinstance(result, Row) else result
    return whole.assign_attrs(attrs)


def key_of(request: Request, theory: Theory | None) -> str:
    """What one file of a sweep belongs to: problem, times, seeds where they count, and the theory (None: training)."""
    own = "" if theory is None else identity(theory)
    counted = theory is None or conditioned(theory, *request.given)
    return digest(identity(request.problem), request.axis, np.asarray(request.seeds if counted else ()), own)


class Folder:
    """A folder with one file for each finished point; None keeps nothing."""

    def __init__(self, place: Path | None) -> None:
        self.place = place

    def _file(self, kind: str, key: str) -> Path:
        assert self.place is not None
        return self.place / f"{kind}-{key[:16]}.nc"

    def find(self, kind: str, key: str) -> xr.Dataset | None:
        """What was finished earlier; a file that is damaged or of something else is done again, with a notice."""
        if self.place is None or not (path := self._file(kind, key)).exists():
            return None
        try:
            found = load(path)
            if found.attrs.get("key") == key:
                return found
            why = "it belongs to another point"
        except ValueError as trouble:
            why = str(trouble)
        warnings.warn(f"{path.name} in {self.place} is not used and done again: {why}", UserWarning, stacklevel=2)
        return None

    def keep(self, kind: str, key: str, result: xr.Dataset) -> None:
        """Write a finished point; a reader never meets half a file."""
        if self.place is not None:
            save(result.assign_attrs(key=key), self._file(kind, key))
