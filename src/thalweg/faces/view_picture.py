"""The views that a problem declares: growth of components, paths in the plane, matrices in time. One run is shown."""

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..results.kinds import kind_of, parts
from ..words.phrases import pretty, unknown
from ..words.views import Growth, Matrices, Paths, View, views_of
from .panels import clock_of, name_axes
from .reading import class_of, good_runs, is_curve, problem_of
from .style import DOTTED, band_colour, blank, scale_time, tones, visible

Entries = list[Any]
MOST_LINES = 200


class Runs(NamedTuple):
    """One run and what theories say of it, by name ("training", or the theory's), and the class of their problem."""

    kind: Any
    named: list[tuple[str, xr.Dataset]]


def runs_of(result: Any) -> Runs:
    """Training and theories of one run, the first seed, with the class of their problem."""
    seen = [("training", good_runs(part)) for part in parts(result, "training")]
    told = [(str(part.attrs["theory"]), part) for part in parts(result, "theory")]
    return one_run(class_of(problem_of(result)), seen + told)


def one_run(kind: Any, named: Sequence[tuple[str, xr.Dataset]]) -> Runs:
    """The first seed of these results, all curves with all of their dims."""
    runs = [(name, _plain(part.isel(seed=0) if "seed" in part.dims else part)) for name, part in named]
    curves = {str(n): v for _, part in runs for n, v in part.data_vars.items() if is_curve(v)}
    listed = {o.name for o in getattr(kind, "observables", ())}
    return Runs(kind, [(name, _over_time(part, curves, listed)) for name, part in runs])


def _over_time(part: xr.Dataset, curves: dict[str, xr.DataArray], listed: set[str]) -> xr.Dataset:
    """With every curve at all times and components: a limit is told without time, perhaps as one number for all."""
    if "time" not in part.dims:
        return part
    wide = {}
    for name, values in part.data_vars.items():
        if str(name) not in listed or values.dtype.kind != "f":
            continue
        like = curves.get(str(name), values)
        sizes = {"time": part.sizes["time"], **{d: n for d, n in like.sizes.items() if d != "time"}}
        lacking = {d: n for d, n in sizes.items() if d not in values.dims}
        wide[name] = values.expand_dims(lacking).transpose("time", *[d for d in sizes if d != "time"], ...)
    return part.assign(wide)


def _plain(part: xr.Dataset) -> xr.Dataset:
    """Without what no view can show: bounds from several sides, curves of two times."""
    return part.drop_vars([n for n, v in part.data_vars.items() if {"claim", "time2"} & set(v.dims)])


def views_in(result: Any) -> list[View]:
    """The views of a result's problem for which a single run holds all that they need."""
    return views_for(runs_of(result)) if kind_of(result).views else []


def views_for(runs: Runs) -> list[View]:
    """The views for which one of these holds all that they need."""
    each = [{str(n) for n, v in part.data_vars.items() if is_curve(v)} for _, part in runs.named]
    listed = views_of(runs.kind, set[str]().union(*each))
    return [view for view in listed if any(set(view.needs()) <= held for held in each)]


def find_view(result: Any, name: str) -> View:
    """A view by its name; ValueError with the nearest one otherwise."""
    known = {view.name: view for view in views_in(result)}
    if name not in known:
        raise ValueError(unknown("view", name, sorted(known)) if known else "this result has no views of its own.")
    return known[name]


@singledispatch
def draw_view(view: View, runs: Runs) -> tuple[Figure, Entries]:
    """The figure of a view, and the entries of its legend."""
    raise TypeError(f"{type(view).__name__} has no picture.")


def lines_of(values: xr.DataArray) -> np.ndarray:
    """Components as rows (component, time), at most MOST_LINES of them."""
    rest = [d for d in values.dims if d != "time"]
    return values.transpose(*rest, "time").values.reshape(-1, values.sizes["time"])[:MOST_LINES]


def _colour(position: int, runs: list[tuple[str, xr.Dataset]]) -> str:
    """A theory's colour; training, where it is there, comes first and is no theory."""
    return band_colour(position - (runs[0][0] == "training"))


@draw_view.register
def _growth(view: Growth, given: Runs) -> tuple[Figure, Entries]:
    figure = blank(2, 4.2)
    axes = figure.add_subplot()
    listed: Entries = []
    runs = [(name, part) for name, part in given.named if view.of in part]
    events = {e.name for e in getattr(given.kind, "events", ())}
    for i, (name, part) in enumerate(runs):
        some = visible(part["time"].values) if len(runs) == 1 else np.arange(part.sizes["time"])
        colour, dashes = (
            (tones().ink, "-") if name == "training" else (band_colour(i - (runs[0][0] == "training")), (0, (4, 3)))
        )
        with np.errstate(invalid="ignore"):
            curves = np.where(lines_of(part[view.of]) > 0, lines_of(part[view.of]), np.nan)
        for curve in curves:
            axes.plot(part["time"].values[some], curve[some], color=colour, ls=dashes, lw=0.9, alpha=0.6)
        count = part[view.of].size // part.sizes["time"]
        more = f", {MOST_LINES} of {count} lines" if count > MOST_LINES else ""
        listed.append(Line2D([], [], color=colour, ls=dashes, lw=1.2, label=f"{name}, one run{more}"))
        _mark_times(axes, part, events, colour, DOTTED if name == "training" else "-")
    name_axes(axes, runs[0][1][view.of], clock_of(runs[0][1]))
    axes.set_yscale("log")
    _limit(axes, lines_of(runs[0][1][view.of]))
    scale_time(axes, runs[0][1]["time"].values)
    return figure, listed


def _limit(axes: Axes, curves: np.ndarray) -> None:
    """Limits at the first run's values: a theory may go on where it no longer holds."""
    shown = curves[np.isfinite(curves) & (curves > 0)]
    if shown.size:
        axes.set_ylim(shown.min() / 2, shown.max() * 2)


def _mark_times(axes: Axes, part: xr.Dataset, events: set[str], colour: str, style: Any) -> None:
    """A vertical line at the time of each event of the problem."""
    clock = part["time"].attrs.get("units", "")
    for name in events & {str(n) for n in part.data_vars}:
        if part[name].attrs.get("units") != clock:
            continue
        for when in np.ravel(part[name].values):
            if np.isfinite(when):
                axes.axvline(when, color=colour, ls=style, lw=0.8, alpha=0.7, zorder=1)


@draw_view.register
def _paths(view: Paths, given: Runs) -> tuple[Figure, Entries]:
    runs = [(name, part) for name, part in given.named if set(view.needs()) <= set(map(str, part.data_vars))]
    figure = blank(len(runs), 4.4)
    for i, (name, part) in enumerate(runs):
        axes = figure.add_subplot(1, len(runs), i + 1, projection="polar")
        radius, cosine = lines_of(part[view.radius]), lines_of(part[view.cosine])
        floor = float(np.min(radius, initial=np.inf, where=np.isfinite(radius) & (radius > 0)))
        floor = floor if np.isfinite(floor) else 1.0
        for j, (r, c) in enumerate(zip(radius, cosine, strict=True)):
            angle = np.arccos(np.clip(c, -1, 1)) * (1 if j % 2 == 0 else -1)
            height = np.log10(np.maximum(r, floor) / floor)
            axes.plot(angle, height, color=tones().ink if name == "training" else _colour(i, runs), lw=0.8, alpha=0.6)
            axes.plot(angle[-1:], height[-1:], "o", ms=3.5, mfc=tones().paper, mec=tones().ink, zorder=5)
        symbol = pretty(part[view.radius].attrs.get("symbol", "")) or view.radius
        axes.set_title(f"{name}: decades of {symbol}", size=9)
        axes.set_yticklabels([])
        axes.tick_params(labelsize=7, colors=tones().grey)
    look: dict[str, Any] = {"marker": "o", "ls": "none", "mfc": tones().paper, "mec": tones().ink}
    return figure, [Line2D([], [], label="end of the run; angle 0 is full alignment", **look)]


@draw_view.register
def _matrices(view: Matrices, given: Runs) -> tuple[Figure, Entries]:
    rows = [
        (f"{name}: {part[of].attrs.get('symbol') or of}", part["time"].values, part[of])
        for of in view.of
        for name, part in given.named
        if of in part
    ]
    figure = blank(3, 1.9 * len(rows))
    largest = max(float(np.max(np.abs(v.values), initial=0.0, where=np.isfinite(v.values))) for _, _, v in rows) or 1.0
    norm = Normalize(-largest, largest)
    for i, (label, times, values) in enumerate(rows):
        chosen = np.unique(np.linspace(0, times.size - 1, view.snapshots).round().astype(int))
        table = values.transpose("time", ...).values
        for j, k in enumerate(chosen):
            axes = figure.add_subplot(len(rows), view.snapshots, i * view.snapshots + j + 1)
            shown = table[k].reshape(len(table[k]) if table[k].ndim else 1, -1)
            axes.imshow(shown, cmap="RdBu_r", norm=norm, aspect="equal")
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_title(f"t = {times[k]:.4g}", size=8)
            if j == 0:
                axes.set_ylabel(label, size=8)
    figure.colorbar(ScalarMappable(norm, "RdBu_r"), ax=figure.axes, shrink=0.6, label="entry")
    return figure, []
