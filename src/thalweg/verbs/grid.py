"""The grid of a sweep: which fields take which values, by number, by name or as parts, one by one or tied together."""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..catalogue import registry
from ..results.serial import describe, from_json
from ..words.fields import Parametrised, vary
from ..words.problem import Problem

Key = str | tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Swept:
    """One dim of a sweep: the fields that change together, and their values, a row for each place along it."""

    fields: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def name(self) -> str:
        """The dim is called after the first of its fields; the others are coordinates along it."""
        return self.fields[0]

    def labels(self, place: int) -> list[float | str]:
        """What stands along the axis for one of the fields: numbers, or parts in short."""
        return [_label(row[place]) for row in self.rows]


@dataclasses.dataclass(frozen=True)
class Grid:
    """All points of a sweep, in order."""

    axes: tuple[Swept, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Values along each dim."""
        return tuple(len(axis.rows) for axis in self.axes)

    def points(self) -> Iterator[dict[str, Any]]:
        """The changes of each point."""
        for rows in itertools.product(*(axis.rows for axis in self.axes)):
            yield {
                f: v for axis, row in zip(self.axes, rows, strict=True) for f, v in zip(axis.fields, row, strict=True)
            }

    def coords(self) -> dict[str, Any]:
        """Coordinates for an xarray dataset."""
        return {
            field: (axis.name, np.asarray(axis.labels(i), dtype=object if _worded(axis.labels(i)) else float))
            for axis in self.axes
            for i, field in enumerate(axis.fields)
        }

    def told(self) -> dict[str, list[float | str]]:
        """Dims and what stands along them, for people and pictures."""
        return {axis.name: axis.labels(0) for axis in self.axes}

    def kept(self) -> str:
        """The grid as JSON, from which `revived` makes it again."""
        rows = [{"fields": a.fields, "rows": [[_plain(v) for v in row] for row in a.rows]} for a in self.axes]
        return json.dumps(rows)


def revived(text: str) -> Grid:
    """The grid that `kept` told."""
    axes = [
        Swept(tuple(a["fields"]), tuple(tuple(_back(v) for v in row) for row in a["rows"])) for a in json.loads(text)
    ]
    return Grid(tuple(axes))


def grid_of(problem: Problem, over: Any) -> Grid:
    """A user's `over`, checked: ValueError for what is no mapping of fields to lists of different, finite values."""
    if isinstance(over, Grid):
        return over
    if not isinstance(over, Mapping):
        raise ValueError(
            f"over = {over!r:.60} is not allowed; give fields with their values, as in "
            'sweep(problem, {"mean_norm": [0.5, 1.0]}).'
        )
    if not over:
        raise ValueError("over = {} is not allowed; give at least one field with at least one value.")
    axes = tuple(_swept(problem, key, values) for key, values in over.items())
    fields = [f for axis in axes for f in axis.fields]
    twice = next((f for f in fields if fields.count(f) > 1), None)
    if twice is not None:
        raise ValueError(f"the field {twice!r} is swept twice; name it once, alone or tied to others.")
    return Grid(axes)


def _swept(problem: Problem, key: Key, values: Any) -> Swept:
    fields = (key,) if isinstance(key, str) else tuple(key)
    if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
        raise ValueError(
            f"over[{key!r}] = {values!r:.60} is not allowed; give a list of values, such as [{values!r:.60}]."
        )
    listed = list(values)
    if not listed:
        raise ValueError(f"over[{key!r}] = [] is not allowed; give at least one field with at least one value.")
    rows = [(v,) if isinstance(key, str) else v for v in listed]
    for row in rows:
        if not isinstance(row, tuple | list | np.ndarray) or len(row) != len(fields):
            raise ValueError(
                f"over[{key!r}]: {row!r:.60} is not allowed; tied fields take a tuple of {len(fields)} values, one for "
                "each."
            )
    made = tuple(tuple(_value(problem, f, v) for f, v in zip(fields, row, strict=True)) for row in rows)
    _check_different(key, made)
    return Swept(fields, made)


def _check_different(key: Key, rows: Sequence[tuple[Any, ...]]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        bad = next((v for v in row if isinstance(v, float) and not math.isfinite(v)), None)
        if bad is not None:
            raise ValueError(f"over[{key!r}] holds {bad}; give finite values.")
        told = json.dumps([_plain(v) for v in row])
        if told in seen:
            shown = _label(row[0]) if len(row) == 1 else tuple(_label(v) for v in row)
            raise ValueError(f"over[{key!r}] holds {shown} twice; give different values.")
        seen[told] = 1


def _value(problem: Problem, field: str, value: Any) -> Any:
    """A number as a number; the name of a part as the part with its defaults, where the field holds one."""
    if isinstance(value, str):
        held: Any = problem
        for name in field.split("."):
            held = getattr(held, name, None)
        return registry.find(value, _family(type(held)))() if isinstance(held, Parametrised) else value
    if isinstance(value, type):
        raise ValueError(f"over[{field!r}] holds the class {value.__name__}; call it: {value.__name__}().")
    return value.item() if isinstance(value, np.generic) else value


def _family(kind: type) -> type:
    """What a part is one of: Rule for GradientFlow, Schedule for Constant."""
    line = kind.__mro__
    return line[line.index(Parametrised) - 1]


def variants(problem: Problem, grid: Grid) -> list[Problem]:
    """The problem at each point; ValueError with the point for values that are not allowed."""
    found = []
    for changes in grid.points():
        try:
            found.append(vary(problem, changes))
        except ValueError as trouble:
            raise ValueError(f"at {told_point(changes)}: {trouble}") from None
    return found


def told_point(changes: Mapping[str, Any]) -> str:
    """A point in words."""
    return ", ".join(f"{name} = {_label(value)}" for name, value in changes.items())


def _worded(labels: Sequence[float | str]) -> bool:
    return any(isinstance(label, str) for label in labels)


def _label(value: Any) -> float | str:
    if isinstance(value, Parametrised):
        return short(value)
    if isinstance(value, bool | str) or value is None or isinstance(value, tuple | list | np.ndarray):
        return str(value)
    return float(value)


def short(module: Any) -> str:
    """A part as Python makes it: the fields that differ from their defaults."""
    said = []
    for field in dataclasses.fields(module):
        value, default = getattr(module, field.name), field.default
        if isinstance(value, Parametrised):
            same = isinstance(default, Parametrised) and short(value) == short(default)
            told = short(value)
        else:
            same, told = (
                bool(np.all(np.asarray(value == default))),
                f"{value:g}" if isinstance(value, float) else f"{value}",
            )
        said += [] if same else [f"{field.name}={told}"]
    return f"{type(module).__name__}({', '.join(said)})"


def _plain(value: Any) -> Any:
    if isinstance(value, Parametrised):
        return describe(value, {})
    return value.tolist() if isinstance(value, np.ndarray) else value


def _back(value: Any) -> Any:
    if isinstance(value, dict):
        return from_json(json.dumps(value), {})
    return tuple(value) if isinstance(value, list) else value
