"""Points of a sweep side by side: one dim a field, NaN and a sentence where a point has no answer."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..words.declarations import RESERVED
from .grid import Grid
from .points import Point, Row

OK = "ok"


def side_by_side(points: Sequence[Point], grid: Grid) -> xr.Dataset:
    """Points in the order of the grid as one dataset; at least one of them is an answer."""
    blocks = {id(one.block): one.block for one in points if isinstance(one, Row)}
    if len(blocks) == 1 and all(isinstance(one, Row) for one in points):
        return _of_one_block(points, grid)
    parts = _loosened([one.dataset() if isinstance(one, Row) else one for one in points])
    answers = [one for one in parts if not isinstance(one, str)]
    first, names = answers[0], tuple(grid.told())
    content: dict[str, Any] = {}
    for name in dict.fromkeys(str(n) for one in answers for n in one.data_vars):
        content[name] = _stacked(
            [None if isinstance(p, str) else p.variables.get(name) for p in parts], names, grid.shape
        )
    content.setdefault("outcome", _outcomes(parts, names, grid.shape))
    if "seed" in content["outcome"][0]:
        # runs have a sentence each; a point that was never reached has the same for all
        dims, values, attrs = content["outcome"]
        flat = values.reshape(len(parts), -1)
        for i, part in enumerate(parts):
            if isinstance(part, str):
                flat[i] = part
        content["outcome"] = (dims, flat.reshape(values.shape), attrs)
    joined = xr.Dataset(content, {**_coords(answers, parts, names, grid.shape), **grid.coords()})
    joined.attrs = _attrs(answers, first)
    return joined


def _of_one_block(points: Sequence[Any], grid: Grid) -> xr.Dataset:
    """Points that have the same labels: their numbers as they stand, without a dataset for each."""
    block, places, names = points[0].block, [one.place for one in points], tuple(grid.told())
    like = block.like

    def along(name: str, column: np.ndarray) -> Any:
        one = like.variables[name]
        return (*names, *one.dims), column[places].reshape(*grid.shape, *column.shape[1:]), one.attrs

    content: dict[str, Any] = {name: along(name, column) for name, column in block.columns.items()}
    content["outcome"] = _outcomes([like] * len(points), names, grid.shape)
    coords: dict[str, Any] = {str(name): one.variable for name, one in like.coords.items()}
    if not np.array_equal(block.flow_time, np.broadcast_to(block.flow_time[:1], block.flow_time.shape), equal_nan=True):
        coords["flow_time"] = along("flow_time", block.flow_time)
    joined = xr.Dataset(content, {**coords, **grid.coords()})
    joined.attrs = {**_attrs([like], like), "remarks": json.dumps(list(block.remarks))}
    return joined


def _loosened(parts: Sequence[xr.Dataset | str]) -> list[xr.Dataset | str]:
    """Points whose axes agree: one whose coordinate moves with the parameter becomes a plain index `<name>_index`.

    Its coordinate stays, along that index. Where the values of all points begin alike (0, 1, ...) the longest serve.
    """
    answers = [one for one in parts if not isinstance(one, str)]
    own = dict.fromkeys(str(name) for one in answers for name in one.indexes if name not in RESERVED)
    moved = [name for name in own if _longest(answers, name) is None]
    return [one if isinstance(one, str) else _without(one, moved) for one in parts]


def _without(part: xr.Dataset, moved: Sequence[str]) -> xr.Dataset:
    held = [name for name in moved if name in part.indexes]
    return part.reset_index(held).rename_dims({name: f"{name}_index" for name in held}) if held else part


def _longest(answers: Sequence[xr.Dataset], name: str) -> xr.Variable | None:
    """The coordinate of an axis that all points share, or the longest of which the others are the beginning."""
    each = [one[name].variable for one in answers if name in one.coords]
    longest = max(each, key=lambda one: one.size)
    alike = all(np.array_equal(one.values, longest.values[: one.size]) for one in each)
    return longest if alike else None


def _stacked(found: Sequence[xr.Variable | None], names: tuple[str, ...], shape: tuple[int, ...]) -> Any:
    """One variable at all points: padded with NaN where it is shorter or not there."""
    there = [one for one in found if one is not None]
    dims = max((one.dims for one in there), key=len)
    sizes = {d: max(one.sizes.get(d, 1) for one in there) for d in dims}
    words = there[0].dtype.kind in "OUT"
    whole = np.full((len(found), *sizes.values()), "" if words else np.nan, dtype=object if words else float)
    for i, one in enumerate(found):
        if one is not None:
            # what stands without a dim that others have holds all along it
            spread = (
                one.values if one.dims == dims else one.set_dims({d: one.sizes.get(d, sizes[d]) for d in dims}).values
            )
            whole[(i, *(slice(n) for n in spread.shape))] = spread
    return (*names, *dims), whole.reshape(*shape, *sizes.values()), _words(there)


def _outcomes(parts: Sequence[xr.Dataset | str], names: tuple[str, ...], shape: tuple[int, ...]) -> Any:
    said = np.asarray([one if isinstance(one, str) else OK for one in parts], dtype=object)
    return names, said.reshape(shape), {"long_name": "how the point ended"}


def _coords(
    answers: Sequence[xr.Dataset], parts: Sequence[xr.Dataset | str], names: tuple[str, ...], shape: tuple[int, ...]
) -> dict[str, Any]:
    """Coordinates that all points share as they are; others (flow time under several rates) along the grid."""
    found: dict[str, Any] = {}
    for name, one in answers[0].coords.items():
        if all(name in a.coords and a[name].variable.equals(one.variable) for a in answers):
            found[str(name)] = one.variable.copy(deep=False)
            found[str(name)].attrs = _shared_words([a[name].attrs for a in answers])
        elif name in answers[0].indexes:
            if name not in RESERVED and (longest := _longest(answers, str(name))) is not None:
                found[str(name)] = longest
        else:
            found[str(name)] = _stacked(
                [None if isinstance(p, str) else p.variables.get(name) for p in parts], names, shape
            )
    return found


def _words(there: Sequence[xr.Variable]) -> dict[str, Any]:
    """Words of a variable; the unit of every clock where points have different ones."""
    units = dict.fromkeys(str(one.attrs["units"]) for one in there if "units" in one.attrs)
    return there[0].attrs if len(units) < 2 else {**there[0].attrs, "units": " or ".join(units)}


def _shared_words(several: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Words of a coordinate: those of every clock where points have different ones."""
    keys = dict.fromkeys(k for attrs in several for k in attrs)
    return {k: " or ".join(dict.fromkeys(str(attrs[k]) for attrs in several if k in attrs)) for k in keys}


def _attrs(answers: Sequence[xr.Dataset], first: xr.Dataset) -> dict[str, Any]:
    """What all points say alike; the theories' names where they differ."""
    dropped = ("problem", "key", "strains", "remarks")
    same = {
        k: v for k, v in first.attrs.items() if k not in dropped and all(str(a.attrs.get(k)) == str(v) for a in answers)
    }
    theories = list(dict.fromkeys(a.attrs["theory"] for a in answers if "theory" in a.attrs))
    if theories:
        same["theory"] = ", ".join(theories)
    remarks = dict.fromkeys(line for a in answers for line in json.loads(a.attrs.get("remarks", "[]")))
    same["remarks"] = json.dumps(list(remarks))
    return same
