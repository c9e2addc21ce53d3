"""plot: a picture of what predict, train, compare or sweep returned."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..results.kinds import kind_of, parts
from ..words.phrases import counted
from .layout import COLUMNS, Parts, columns_for, empty_for, grid, select
from .marks import marks
from .panels import clock_of, components, draw_between, draw_pair, handles, name_axes
from .reading import Comparison, class_of, curves_of, is_two_time, mean_over_seeds, problem_of, title_of
from .style import INK, blank, clean_style, header, look, scale_time, visible
from .two_times import draw_alone, draw_row, images_of
from .view_picture import View, draw_view, find_view

FORMATS = (".png", ".svg", ".pdf", ".jpg", ".jpeg")


def plot(
    result: Any,
    path: str | os.PathLike[str] | None = None,
    observables: Sequence[str] | str | None = None,
    view: str | None = None,
) -> Figure:
    """A picture of a result (or of a saved one, by its path); written to `path` (.png, .svg, .pdf) where given.

    compare: a panel a curve, theory as a line with the band of its finite size, the seeds' mean as dots with its
    error; below, the gap in units of its budget. sweep: curves coloured by the parameter. learning_rate_study: losses
    against the rate over the marks on the same axis. `observables` chooses the
    curves, all by default; `view` names a picture of the problem's own instead (growth of units, overlaps as matrices).
    Returns a matplotlib Figure; ValueError for an unknown observable or view, or no result.
    """
    from ..results.checks import check
    from ..results.storage import load, write_aside

    found = load(result) if isinstance(result, str | os.PathLike) else result
    check(found)
    if path is not None and Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: a picture ends in {', '.join(FORMATS)}.")
    chosen = [observables] if isinstance(observables, str) else observables
    with clean_style():
        figure = drawn(found, chosen) if view is None else viewed(found, find_view(found, view))
        if path is not None:
            write_aside(path, figure.savefig)
    return figure


def drawn(result: Any, chosen: Sequence[str] | None = None, titled: bool = True) -> Figure:
    """The figure of a loaded result; without title and verdict for a page that says them itself."""
    figure, said, listed = kind_of(result).ask("picture")(result, chosen)
    header(figure, title_of(result) if titled else "", said if titled else [], listed)
    return figure


def viewed(result: Any, view: View, titled: bool = True) -> Figure:
    """The figure of one of the problem's own views."""
    figure, listed = draw_view(view, result)
    header(figure, title_of(result) if titled else "", [(view.words, "")], listed)
    return figure


def _watched(result: Any) -> dict[str, str]:
    """The curve from which each event is read, where the problem's class is at hand."""
    kind = class_of(problem_of(result))
    return {e.name: e.detector.watches[0] for e in getattr(kind, "events", ()) if e.detector.watches}


def _levels(result: Any, curve: str) -> list[str]:
    """Events in the result that are values of this curve."""
    kind = class_of(problem_of(result))
    held = result["training"].data_vars
    return [e.name for e in getattr(kind, "events", ()) if e.level_of == curve and e.name in held]


def comparison_picture(result: xr.DataTree, chosen: Sequence[str] | None) -> Parts:
    """A panel a curve: theory, training and, below, their gap in units of its budget."""
    found = Comparison(result)
    chosen = select(found.curves(), chosen)
    names = [name for name in chosen if not is_two_time(found.training[name])]
    images = [images_of(found, name) for name in chosen if is_two_time(found.training[name])]
    heights = [3.75 * -(-len(names) // columns_for(len(names)))] if names else []
    heights += [3.2] * len(images)
    widest = max(columns_for(len(names)) if names else 1, *(min(len(row), COLUMNS) for row in images), 1)
    figure = blank(widest, sum(heights))
    parts = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    for i, row in enumerate(images):
        draw_row(figure, parts[i + bool(names)].subgridspec(1, len(row)), row)
    marked = _draw_curves(figure, parts[0], found, result, names) if names else False
    several = len(found.theories) > 1
    said = [((f"{t.name}: " if several else "") + t.sentence, t.verdict) for t in found.theories]
    return figure, said, handles(found, marked) if names else []


def _draw_curves(figure: Figure, place: Any, found: Comparison, result: xr.DataTree, names: list[str]) -> bool:
    """Panels of curves over time with their gaps; True if events were marked."""
    columns = columns_for(len(names))
    outer = place.subgridspec(-(-len(names) // columns), columns, hspace=0.045)
    known = marks(found, _watched(result))
    marked = False
    for i, name in enumerate(names):
        inner = outer[divmod(i, columns)].subgridspec(2, 1, height_ratios=(3.2, 1), hspace=0.0)
        upper = figure.add_subplot(inner[0])
        lower = figure.add_subplot(inner[1], sharex=upper)
        marked = draw_pair(upper, lower, found, name, known, _levels(result, name)) or marked
        if i % columns == 0:
            lower.set_ylabel("gap / budget")
    return marked


def one_picture(result: xr.Dataset, chosen: Sequence[str] | None) -> Parts:
    """What predict or train returned: the mean, and behind it every seed (at most a few dozen)."""
    names = select(curves_of(result), chosen)
    figure = empty_for(len(names))
    theory = bool(parts(result, "theory"))
    style = look(0) if theory else {"color": INK, "linestyle": "-"}
    whole, result = result, result.isel(time=visible(result["time"].values))
    times = result["time"].values
    for axes, name in zip(grid(figure, len(names)), names, strict=True):
        values = result[name]
        if is_two_time(values):
            draw_alone(figure, axes, mean_over_seeds(whole[name]))
            continue
        if values.sizes.get("seed", 1) > 1:
            for one in values.transpose("seed", ...)[:48]:
                for curve in components(one):
                    axes.plot(times, curve, color=style["color"], lw=0.6, alpha=0.25)
        draw_between(axes, times, mean_over_seeds(values), str(style["color"]))
        for curve in components(mean_over_seeds(values)):
            axes.plot(times, curve, lw=1.9, marker="o" if times.size == 1 else "", **style)
        name_axes(axes, values, clock_of(result))
        scale_time(axes, times)
    return figure, _remarks(result), _legend(result, theory, style)


def _legend(result: xr.Dataset, theory: bool, style: dict[str, Any]) -> list[Any]:
    count = result.sizes.get("seed", 1)
    what = f"theory: {result.attrs.get('theory', '')}" if theory else "training"
    listed = [Line2D([], [], lw=1.9, label=f"{what}, mean of {counted(count, 'seed')}" if count > 1 else what, **style)]
    if count > 1:
        listed.append(Line2D([], [], lw=0.6, color=style["color"], alpha=0.5, label="single seeds"))
    return listed


def _remarks(result: xr.Dataset) -> list[tuple[str, str]]:
    """How many runs went wrong, if any did."""
    if "outcome" not in result:
        return []
    wrong = [str(o) for o in np.ravel(result["outcome"].values) if str(o) != "ok"]
    return [(f"{len(wrong)} of {result.sizes['seed']} runs went wrong: {wrong[0]}", "contradicted")] if wrong else []
