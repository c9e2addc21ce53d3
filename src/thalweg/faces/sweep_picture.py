"""The picture of a sweep: curves coloured by the parameter, and events against it."""

import json
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from ..words.phrases import counted, plain_number, pretty
from .components import Shown, shown
from .layout import Parts, empty_for, grid, select
from .panels import clock_of, draw_dots, is_log, name_axes, over_time
from .reading import centre, curves_of, equal_times, is_two_time, parameters, problem_of
from .style import dots, scale_time, tones, visible

# values of a parameter that get a line of their own, evenly chosen, and those that the legend names
LINES, NAMED = 12, 6


def _shade(position: int, count: int) -> Any:
    """Colours from dark blue to yellow-green that keep their order in grey; away from the paper's own."""
    low, high = (0.02, 0.88) if tones().paper == "#ffffff" else (0.22, 1.0)
    return matplotlib.colormaps["viridis"](low + (high - low) * position / max(count - 1, 1))


def sweep_picture(result: xr.DataTree, chosen: Sequence[str] | None) -> Parts:
    """One panel a curve (a line a value; with several parameters the curve's last value), then the events."""
    parts = {name: result[name].to_dataset() for name in ("theory", "training") if name in result.children}
    first = next(iter(parts.values()))
    swept = [str(d) for d in json.loads(result.attrs["over"])]
    known = list(dict.fromkeys(n for part in parts.values() for n in curves_of(part, result)))
    events = [n for n in _events(parts) if any(_varies(p, n) for p in parts.values())] if chosen is None else []
    # single numbers against the parameter are a picture too
    curves = select(known, chosen) if known or not events else []
    figure = empty_for(len(curves) + len(events))
    axes = grid(figure, len(curves) + len(events))
    for one, name in zip(axes, [*curves, *events], strict=True):
        values = next(part[name] for part in parts.values() if name in part)
        if name in curves and len(swept) == 1:
            components = _over_time(one, parts, name, swept[0])
        else:
            components = _over_parameter(one, parts, name, swept)
            _name_parameter(one, result, swept[0], first[swept[0]].values)
        where = "at equal times" * is_two_time(values), "at the last time" * (name in curves and len(swept) > 1)
        name_axes(one, values, left_out="; ".join(filter(None, [*where, components.left_out])))
        if name in curves and len(swept) == 1:
            one.set_xlabel(clock_of(first))
    said = f"sweep over {', '.join(swept)}{_left_out(first, swept)}"
    return figure, [(said, "")], _legend(parts, first, swept, bool(curves) or len(swept) > 1)


def _left_out(first: xr.Dataset, swept: list[str]) -> str:
    shaded = swept[0] if len(swept) == 1 else swept[1]
    count = first.sizes[shaded]
    third = f"; averaged over {', '.join(swept[2:])}" if len(swept) > 2 else ""
    return (f" ({LINES} of {count} values of {shaded} have lines)" if count > LINES else "") + third


def _even(count: int, most: int) -> np.ndarray:
    """At most so many of `count` places, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _events(parts: dict[str, xr.Dataset]) -> list[str]:
    """Numbers without time, of theory and training."""
    found = [str(n) for part in parts.values() for n, v in part.data_vars.items() if v.dtype.kind == "f"]
    return [n for n in dict.fromkeys(found) if all("time" not in p[n].dims for p in parts.values() if n in p)]


def _varies(dataset: xr.Dataset, name: str) -> bool:
    if name not in dataset or not np.isfinite(dataset[name].values).any():
        return False
    # that nothing strains a theory anywhere needs no picture
    return name != "strain" or bool(np.nanmax(dataset[name].values) > 0)


def _error(values: xr.DataArray) -> xr.DataArray:
    """One standard error over seeds of the mean as it is shown; of logarithms where these are. NaN for one seed."""
    with np.errstate(invalid="ignore", divide="ignore"):
        rows = values.copy(data=np.log(values.values)) if is_log(values) else values
    rows = rows.where(np.isfinite(rows))
    count = rows.count("seed")
    return rows.std("seed", ddof=1) / np.sqrt(count.where(count > 1))


def _over_time(axes: Axes, parts: dict[str, xr.Dataset], name: str, parameter: str) -> Shown:
    """Curves over time: a colour for each value of the parameter."""
    components = Shown([0], [""], 1, "component")
    for kind, part in parts.items():
        if name not in part:
            continue
        values = over_time(equal_times(part[name]), part["time"].values).isel(time=visible(part["time"].values))
        times, mean = values["time"].values, centre(values)
        error = _error(values) if "seed" in values.dims and kind == "training" else None
        some, count = dots(times, 16), mean.sizes[parameter]
        components = shown(mean.isel({parameter: 0}, drop=True))
        for i in _even(count, LINES):
            colour, here = _shade(int(i), count), {parameter: int(i)}
            curves = components.of(mean.isel(here))
            widths = [None] * len(curves) if error is None else components.of(error.isel(here))
            for curve, width in zip(curves, widths, strict=True):
                if kind == "theory":
                    axes.plot(times, curve, color=colour, lw=1.7)
                else:
                    bars = None if width is None else width[some]
                    draw_dots(axes, times[some], curve[some], bars, colour, is_log(values))
    scale_time(axes, next(iter(parts.values()))["time"].values)
    return components


def _over_parameter(axes: Axes, parts: dict[str, xr.Dataset], name: str, swept: list[str]) -> Shown:
    """Values against the first parameter: a colour for each value of the second, a line for each component."""
    components = Shown([0], [""], 1, "component")
    for kind, part in parts.items():
        if name not in part:
            continue
        values = equal_times(part[name])
        values = values.isel(time=-1) if "time" in values.dims else values
        error = _error(values) if "seed" in values.dims and kind == "training" else None
        tables = [_table(one, swept) for one in (centre(values), error) if one is not None]
        components = shown(centre(values).isel(dict.fromkeys(swept, 0), drop=True))
        along, joined = part[swept[0]].values, True
        if along.dtype.kind == "O":  # parts have no between
            along, joined = np.arange(len(along)), False
        for i in _even(tables[0].shape[1], LINES):
            colour = _shade(int(i), tables[0].shape[1]) if len(swept) > 1 else tones().ink
            for j, place in enumerate(components.places):
                line, colour = tables[0][:, i, place], components.colours(0)[j] if components.count > 1 else colour
                if kind == "theory":
                    axes.plot(along, line, color=colour, lw=1.7, marker="o", ms=2.8, ls="-" if joined else "none")
                else:
                    draw_dots(
                        axes, along, line, tables[1][:, i, place] if error is not None else None, colour, is_log(values)
                    )
    return components


def _table(values: xr.DataArray, swept: list[str]) -> np.ndarray:
    """Values (first parameter, second or 1, components); means over what a third parameter does."""
    table = values.mean([d for d in values.dims if d in swept[2:]])
    lines = table.transpose(*swept[:2], ...).values.reshape(*(table.sizes[d] for d in swept[:2]), -1)
    return lines if len(swept) > 1 else lines[:, None]


def _name_parameter(axes: Axes, result: xr.DataTree, path: str, values: np.ndarray) -> None:
    """A parameter's words and symbol below its axis, which is logarithmic where the field says so."""
    axes.set_xlabel(path)
    if values.dtype.kind == "O":  # parts stand side by side; what tells them apart stands in the legend
        names = [str(v).partition("(")[0] for v in values]
        labels = names if len(set(names)) == len(names) else [str(i + 1) for i in range(len(names))]
        axes.set_xticks(range(len(names)), labels)
        axes.margins(x=0.25)
        return
    for one in parameters(problem_of(result)):
        if one.path == path:
            axes.set_xlabel(f"{one.words.partition(';')[0] or path} {pretty(one.symbol)}".strip())
            if one.log and np.all(values > 0):
                axes.set_xscale("log")
    if axes.get_xscale() == "log" and values.max() < 30 * values.min():
        name_ticks(axes, values)
    if np.all(values == np.round(values)) and axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def name_ticks(axes: Axes, values: np.ndarray, most: int = 6) -> None:
    """Ticks of a logarithmic axis at the values themselves, where powers of ten are too rare to name them."""
    some = values[_even(len(values), most)]
    axes.set_xticks(some, [plain_number(v.item()) for v in some])
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(parts: dict[str, xr.Dataset], first: xr.Dataset, swept: list[str], coloured: bool) -> list[Any]:
    shaded = swept[0] if len(swept) == 1 else swept[1]
    values = first[shaded].values
    drawn = _even(len(values), LINES)
    listed = []
    for i in drawn[_even(len(drawn), NAMED)] if coloured else ():
        words = f"{shaded} = {plain_number(values[i].item() if hasattr(values[i], 'item') else values[i])}"
        listed.append(Line2D([], [], color=_shade(int(i), len(values)), lw=2.4, label=words))
    if "theory" in parts:
        words = f"theory: {parts['theory'].attrs.get('theory', '')}"
        listed.append(Line2D([], [], color=tones().ink, lw=1.7, label=words))
    if "training" in parts:
        count = parts["training"].sizes.get("seed", 1)
        words = f"training: mean of {counted(count, 'seed')}" + (", one standard error" if count > 1 else "")
        dot = {"marker": "o", "mfc": tones().paper, "mec": tones().ink, "ms": 4}
        listed.append(Line2D([], [], ls="none", label=words, **dot))
    return listed
