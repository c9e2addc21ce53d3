"""Curves of two times as images: the value at `time` (across) and `time2` (upwards)."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from ..words.phrases import pretty
from .panels import CLAIMS, clock_of
from .reading import Comparison, mean_over_seeds, sides
from .style import scale_time, spans_decades, visible, wrapped

# title and values of an image
Image = tuple[str, xr.DataArray]


def images_of(found: Comparison, name: str) -> list[Image]:
    """What each theory says, then the mean of the runs."""
    told = [image for part in found.theories if name in part.told for image in _sides(part.name, part.told[name])]
    return [*told, ("training", mean_over_seeds(found.good[name]))]


def _sides(theory: str, values: xr.DataArray) -> list[Image]:
    several = sides(mean_over_seeds(values)).items()
    return [(f"theory: {theory}" + (f", {CLAIMS.get(kind, kind)}" if kind else ""), side) for kind, side in several]


def draw_row(figure: Figure, places: Any, shown: list[Image]) -> None:
    """Images side by side in one colour scale, with one colour bar."""
    tables = [_table(values)[0] for _, values in shown if "time2" in values.dims]
    norm = _norm(shown[-1][1], np.concatenate([np.ravel(table) for table in tables]))
    panels = []
    for i, (title, values) in enumerate(shown):
        # a limit that is told without time axis is one colour
        values = values if "time2" in values.dims else values.broadcast_like(shown[-1][1])
        axes = figure.add_subplot(places[i])
        _draw(axes, values, norm)
        words = str(shown[-1][1].attrs.get("long_name", "")) if i == 0 else ""
        axes.set_title("\n".join(filter(None, [wrapped(words[:1].upper() + words[1:]), wrapped(title)])))
        panels.append(axes)
    figure.colorbar(panels[-1].collections[0], ax=panels, label=_unit(shown[-1][1]), shrink=0.9)


def draw_alone(figure: Figure, axes: Axes, values: xr.DataArray) -> None:
    """One image with its colour bar."""
    kind, shown = next(iter(sides(values).items()))
    _draw(axes, shown, _norm(shown, np.ravel(_table(shown)[0])))
    words = str(values.attrs.get("long_name", values.name)) + (f", {CLAIMS.get(kind, kind)}" if kind else "")
    axes.set_title(wrapped(words[:1].upper() + words[1:]))
    figure.colorbar(axes.collections[0], ax=axes, label=_unit(values))


def _table(values: xr.DataArray) -> tuple[np.ndarray, str]:
    """Values (time2, time) of the first component, and which of how many it is."""
    rest = [d for d in values.dims if d not in ("time", "time2")]
    first = values.isel(dict.fromkeys(rest, 0)).transpose("time2", "time").values
    return first, ", ".join(f"{d} {values[d].values[0]} of {values.sizes[d]}" for d in rest)


def _norm(values: xr.DataArray, shown: np.ndarray) -> Normalize:
    shown = shown[np.isfinite(shown)]
    low, high = (float(shown.min()), float(shown.max())) if shown.size else (0.0, 1.0)
    if values.attrs.get("scale") == "log" and low > 0:
        return LogNorm(low, high)
    # what changes its sign is pale where it is zero
    return Normalize(-max(-low, high), max(-low, high)) if low < 0 < high else Normalize(low, high)


def _draw(axes: Axes, values: xr.DataArray, norm: Normalize) -> None:
    times, (table, which) = values["time"].values, _table(values)
    some = visible(times)
    signed = norm.vmin is not None and norm.vmin < 0 < (norm.vmax or 0.0)
    axes.pcolormesh(
        times[some], times[some], table[np.ix_(some, some)], shading="nearest", norm=norm,
        cmap="RdBu_r" if signed else "viridis", rasterized=True,
    )  # fmt: skip
    scale_time(axes, times)
    if spans_decades(times):
        axes.set_yscale("log")
    axes.set_ylim(axes.get_xlim())
    axes.grid(visible=False)
    clock = clock_of(values.to_dataset(name="shown"))
    axes.set_xlabel(f"{clock} ({which})" if which else clock)
    axes.set_ylabel(f"{clock}, second")


def _unit(values: xr.DataArray) -> str:
    symbol, unit = pretty(values.attrs.get("symbol", "")), values.attrs.get("units", "")
    return f"{symbol} ({unit})" if symbol and unit else symbol or unit or str(values.name)
