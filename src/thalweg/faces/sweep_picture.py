"""The picture of a sweep: curves coloured by the parameter, and events against it."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ..words.phrases import counted, plain_number, pretty
from .layout import Parts, empty_for, grid, select
from .panels import MOST_COMPONENTS, clock_of, components, name_axes
from .reading import curves_of, equal_times, is_two_time, mean_over_seeds, parameters, problem_of
from .style import INK, dots, scale_time, visible


def _shade(position: int, count: int) -> Any:
    """Colours from dark blue to yellow-green that keep their order in grey."""
    return matplotlib.colormaps["viridis"](0.02 + 0.86 * position / max(count - 1, 1))


def sweep_picture(result: xr.DataTree, chosen: Sequence[str] | None) -> Parts:
    """One panel a curve (a line a value; with several parameters the curve's last value), then the events."""
    parts = {name: result[name].to_dataset() for name in ("theory", "training") if name in result.children}
    first = next(iter(parts.values()))
    swept = [str(d) for d in _swept(result)]
    known = list(dict.fromkeys(n for part in parts.values() for n in curves_of(part, result)))
    events = [n for n in _events(first) if any(_varies(p, n) for p in parts.values())] if chosen is None else []
    # single numbers against the parameter are a picture too
    curves = select(known, chosen) if known or not events else []
    figure = empty_for(len(curves) + len(events))
    axes = grid(figure, len(curves) + len(events))
    for one, name in zip(axes, [*curves, *events], strict=True):
        values = next(part[name] for part in parts.values() if name in part)
        if name in curves and len(swept) == 1:
            _over_time(one, parts, name, swept[0])
        else:
            _over_parameter(one, parts, name, swept)
            _name_parameter(one, result, swept[0], first[swept[0]].values)
        name_axes(one, values)
        if is_two_time(values):
            one.set_title(f"{one.get_title(loc='left')}\nat equal times", loc="left")
        if name in curves and len(swept) > 1:
            one.set_title(f"{one.get_title(loc='left')}\nat the last time", loc="left")
    return (
        figure,
        [(f"sweep over {', '.join(swept)}", "")],
        _legend(parts, first, swept, bool(curves) or len(swept) > 1),
    )


def _swept(result: xr.DataTree) -> list[str]:
    import json

    return list(json.loads(result.attrs["over"]))


def _events(dataset: xr.Dataset) -> list[str]:
    return [str(n) for n, v in dataset.data_vars.items() if "time" not in v.dims and v.dtype.kind == "f"]


def _varies(dataset: xr.Dataset, name: str) -> bool:
    if name not in dataset or not np.isfinite(dataset[name].values).any():
        return False
    # that nothing strains a theory anywhere needs no picture
    return name != "strain" or bool(np.nanmax(dataset[name].values) > 0)


def _over_time(axes: Axes, parts: dict[str, xr.Dataset], name: str, parameter: str) -> None:
    for kind, part in parts.items():
        if name not in part:
            continue
        values = equal_times(part[name])
        # a limit that is told without time axis stands at all times
        values = values if "time" in values.dims else values.expand_dims(time=part["time"].values)
        shown = values.isel(time=visible(part["time"].values))
        times, mean = shown["time"].values, mean_over_seeds(shown)
        some = dots(times, 16)
        for i in range(mean.sizes[parameter]):
            colour = _shade(i, mean.sizes[parameter])
            for curve in components(mean.isel({parameter: i})):
                if kind == "theory":
                    axes.plot(times, curve, color=colour, lw=1.7)
                else:
                    axes.plot(times[some], curve[some], "o", ms=3.4, mfc="white", mec=colour, mew=1.0)
    first = next(iter(parts.values()))
    axes.set_xlabel(clock_of(first))
    scale_time(axes, first["time"].values)


def _over_parameter(axes: Axes, parts: dict[str, xr.Dataset], name: str, swept: list[str]) -> None:
    """Values against the first parameter: a colour for each value of the second, a line for each component."""
    for kind, part in parts.items():
        if name not in part:
            continue
        values = equal_times(part[name])
        values = values.isel(time=-1) if "time" in values.dims else values
        mean = mean_over_seeds(values)
        # means over what a third parameter does
        table = mean.mean([d for d in mean.dims if d in swept[2:]])
        lines = table.transpose(*swept[:2], ...).values.reshape(*(table.sizes[d] for d in swept[:2]), -1)
        lines = lines if len(swept) > 1 else lines[:, None]
        for i, j in np.ndindex(lines.shape[1], min(lines.shape[2], MOST_COMPONENTS)):
            colour = _shade(i, lines.shape[1]) if len(swept) > 1 else INK
            style = (
                {"lw": 1.7, "marker": "o", "ms": 2.8}
                if kind == "theory"
                else {"ls": "none", "marker": "o", "ms": 4, "mfc": "white"}
            )
            along = part[swept[0]].values
            if along.dtype.kind == "O":  # parts have no between
                style, along = {**style, "ls": "none"}, np.arange(len(along))
            axes.plot(along, lines[:, i, j], color=colour, **style)


def _name_parameter(axes: Axes, result: xr.DataTree, path: str, values: np.ndarray) -> None:
    """A parameter's words and symbol below its axis, which is logarithmic where the field says so."""
    axes.set_xlabel(path)
    if values.dtype.kind == "O":  # parts stand side by side; what tells them apart stands in the legend
        names = [str(v).partition("(")[0] for v in values]
        shown = names if len(set(names)) == len(names) else [str(i + 1) for i in range(len(names))]
        axes.set_xticks(range(len(names)), shown)
        axes.margins(x=0.25)
        return
    for one in parameters(problem_of(result)):
        if one.path == path:
            axes.set_xlabel(f"{one.words.partition(';')[0] or path} {pretty(one.symbol)}".strip())
            if one.log and np.all(values > 0):
                axes.set_xscale("log")
    if np.all(values == np.round(values)) and axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def _legend(parts: dict[str, xr.Dataset], first: xr.Dataset, swept: list[str], coloured: bool) -> list[Any]:
    shaded = swept[0] if len(swept) == 1 else swept[1]
    values = first[shaded].values
    shown = (
        ()
        if not coloured
        else range(len(values))
        if len(values) <= 6
        else np.unique(np.linspace(0, len(values) - 1, 5).astype(int))
    )
    listed = [
        Line2D([], [], color=_shade(int(i), len(values)), lw=2.4, label=f"{shaded} = {plain_number(values[i])}")
        for i in shown
    ]
    if "theory" in parts:
        listed.append(Line2D([], [], color=INK, lw=1.7, label=f"theory: {parts['theory'].attrs.get('theory', '')}"))
    if "training" in parts:
        count = parts["training"].sizes.get("seed", 1)
        listed.append(
            Line2D(
                [],
                [],
                ls="none",
                marker="o",
                mfc="white",
                mec=INK,
                ms=4,
                label=f"training: mean of {counted(count, 'seed')}",
            )
        )
    return listed
