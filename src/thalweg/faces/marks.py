"""Events on the panel of the curve that they are read from: times as vertical lines, levels as horizontal ones."""

import dataclasses

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from .reading import Comparison, mean_over_seeds
from .style import DOTTED, GREY, INK, band_colour, wrapped

MOST = 8
# of a panel
NAME_WIDTH = 0.45


@dataclasses.dataclass(frozen=True)
class Mark:
    """An event on the time axis of one panel (`of` is None where it belongs to all)."""

    name: str
    of: str | None
    words: str


def marks(found: Comparison, watched: dict[str, str]) -> list[Mark]:
    """Events that are times, with the curve that each is read from."""
    clock = found.training["time"].attrs.get("units", "")
    timed = [
        (str(n), v)
        for n, v in found.training.data_vars.items()
        if "time" not in v.dims and v.dtype.kind == "f" and clock and v.attrs.get("units") == clock
    ]
    return [Mark(name, watched.get(name), str(v.attrs.get("long_name", name))) for name, v in timed]


def draw_marks(axes: Axes, found: Comparison, name: str, known: list[Mark]) -> bool:
    """Events of one curve: theory solid, training's mean dotted with its spread. True if any was drawn."""
    drawn = 0
    for mark in known:
        if mark.of in (None, name):
            drawn += _draw(axes, found, mark, drawn)
    return drawn > 0


def draw_levels(axes: Axes, found: Comparison, levels: list[str]) -> None:
    """Events that are values of this curve (the loss on a plateau): mean of the runs dotted, of a theory drawn out."""
    for name in levels:
        for level in np.ravel(mean_over_seeds(found.good[name]).values)[:MOST]:
            if np.isfinite(level):
                axes.axhline(level, color=INK, lw=0.9, ls=DOTTED, zorder=1)
        for position, part in enumerate(found.theories):
            for level in np.ravel(mean_over_seeds(part.told[name]).values)[:MOST] if name in part.told else ():
                if np.isfinite(level):
                    axes.axhline(level, color=band_colour(position), lw=0.8, zorder=1)


def _draw(axes: Axes, found: Comparison, mark: Mark, above: int) -> bool:
    """One event, below the names of `above` others; False where it happened nowhere."""
    places: list[float] = []
    # what happens at the start has no place on a logarithmic axis
    first = 0.0 if axes.get_xscale() == "log" else -np.inf
    for values in _columns(found.good[mark.name]):
        values = values[np.isfinite(values) & (values > first)]
        if values.size:
            mean, spread = float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0
            axes.axvspan(mean - spread, mean + spread, color=INK, alpha=0.07, lw=0, zorder=1)
            axes.axvline(mean, color=INK, lw=1.2, ls=DOTTED, zorder=3)
            places += [mean - spread, mean + spread]
    for position, part in enumerate(found.theories):
        told = np.ravel(mean_over_seeds(part.told[mark.name]).values)[:MOST] if mark.name in part.told else []
        for when in told:
            if np.isfinite(when) and when > first:
                axes.axvline(when, color=band_colour(position), lw=1.0, zorder=3)
                places.append(float(when))
    if places:
        _name(axes, mark.words, min(places), max(places), above)
    return bool(places)


def _columns(values: xr.DataArray) -> np.ndarray:
    """The runs' values of each component (a mode, a level); all in one where they are too many to tell apart."""
    table = values.transpose("seed", ...).values.reshape(values.sizes["seed"], -1)
    return table.T if table.shape[1] <= MOST else table.reshape(1, -1)


def _name(axes: Axes, words: str, first: float, last: float, above: int) -> None:
    """The event's name beside its lines, at the end of the panel that the curve leaves free there."""
    left, right = axes.transAxes.inverted().transform(axes.transData.transform([(first, 0), (last, 0)]))[:, 0]
    # where lines are spread over the whole panel, the name stands after the first of them
    place, offset, side = (first, -5, "right") if right >= 0.6 and left >= 0.35 else (last, 5, "left")
    place = first if right >= 0.6 else place
    upper = _curves_are_high(axes, place, 1 if side == "left" else -1)
    style = {"size": 7.5, "color": GREY, "ha": side, "va": "bottom" if upper else "top", "zorder": 6}
    halo = {"path_effects": [withStroke(linewidth=2.5, foreground="white")]}
    where = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points", **halo}
    row = 0.15 * above
    height = 0.03 + row if upper else 0.97 - row
    axes.annotate(wrapped(words, 30), (place, height), xytext=(offset, 0), **where, **style)


def _curves_are_high(axes: Axes, place: float, way: int) -> bool:
    """Whether the curves leave more room below them than above, where a name would stand beside `place`."""
    to_panel = axes.transData + axes.transAxes.inverted()
    at = to_panel.transform((place, axes.get_ylim()[1]))[0]
    drawn = [np.asarray(line.get_xydata(), dtype=float) for line in axes.lines]
    points = to_panel.transform(np.concatenate([part for part in drawn if len(part) > 2]))
    beside = points[(way * (points[:, 0] - at) >= 0) & (way * (points[:, 0] - at) < NAME_WIDTH), 1]
    heights = beside[np.isfinite(beside)]
    return bool(heights.size and heights.min() > 1 - heights.max())
