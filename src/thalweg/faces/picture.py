"""plot: a picture of what predict, train, compare or sweep returned."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..results.kinds import kind_of, parts
from ..words.phrases import counted
from .components import name_curves, shown
from .folding import folded, folded_alone
from .layout import Parts, columns_for, empty_for, grid, select
from .legend import handles
from .marks import Event, events_of
from .panels import clock_of, draw_between, draw_pair, name_axes
from .reading import Comparison, centre, curves_of, is_two_time, sides, title_of
from .style import NOTE, blank, clean_style, header, look, most_columns, scale_time, tones, visible
from .two_times import draw_alone, draw_row, images_of
from .view_picture import View, draw_view, find_view, runs_of

FORMATS = (".png", ".svg", ".pdf", ".jpg", ".jpeg")
# single runs that are drawn behind their mean
SEEDS = 48


def plot(
    result: Any,
    path: str | os.PathLike[str] | Sequence[str] | None = None,
    observables: Sequence[str] | str | None = None,
    view: str | None = None,
    *,
    dark: bool = False,
    columns: int | None = None,
) -> Figure:
    """A picture of a result (or of a saved one, by its path); written to `path` (.png, .svg, .pdf) where given.

    compare: a panel a curve, theory as a line with the band of its finite size, the seeds' mean as dots with its
    error; below, the gap in units of its budget. sweep: curves coloured by the parameter. learning_rate_study: losses
    against the rate over the marks on the same axis. order_study: the gap against the size. `observables` chooses the
    curves, all but those that do not move by default; `plot(result, ["overlap"])` does so, too. `view` names a picture
    of the problem's own instead (growth of units, overlaps as matrices).
    `dark` draws on dark paper; `columns` is the most panels in a row (3; 1 for a phone).
    Returns a matplotlib Figure; ValueError for an unknown observable or view, or no result.
    """
    from ..results.checks import check
    from ..results.storage import load, write_aside

    if path is not None and not isinstance(path, str | os.PathLike):
        path, observables = None, list(path)
    found = load(result) if isinstance(result, str | os.PathLike) else result
    check(found)
    if path is not None and Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: a picture ends in {', '.join(FORMATS)}; curves are chosen by a list of names.")
    chosen = [observables] if isinstance(observables, str) else observables
    with clean_style(dark, columns):
        figure = drawn(found, chosen) if view is None else viewed(found, find_view(found, view))
        if path is not None:
            write_aside(path, figure.savefig)
    return figure


def drawn(result: Any, chosen: Sequence[str] | None = None, titled: bool = True) -> Figure:
    """The figure of a loaded result; without title and verdict for a page that says them itself, but not its notes."""
    figure, said, listed = kind_of(result).ask("picture")(result, chosen)
    shown_lines = said if titled else [line for line in said if line[1] == NOTE]
    header(figure, title_of(result) if titled else "", shown_lines, listed)
    return figure


def viewed(result: Any, view: View, titled: bool = True) -> Figure:
    """The figure of one of the problem's own views."""
    figure, listed = draw_view(view, runs_of(result))
    header(figure, title_of(result) if titled else "", [(view.words, "")], listed)
    return figure


def comparison_picture(result: xr.DataTree, chosen: Sequence[str] | None) -> Parts:
    """A panel a curve: theory, training and, below, their gap in units of its budget."""
    found = Comparison(result)
    selected, still = select(found.curves(), chosen), ""
    if chosen is None:
        selected, still = folded(found, selected)
    chosen = selected
    names = [name for name in chosen if not is_two_time(found.training[name])]
    images = [images_of(found, name) for name in chosen if is_two_time(found.training[name])]
    heights = [3.75 * -(-len(names) // columns_for(len(names)))] if names else []
    heights += [3.2] * len(images)
    widest = max(columns_for(len(names)) if names else 1, *(min(len(row), most_columns()) for row in images), 1)
    figure = blank(widest, sum(heights))
    parts = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    for i, row in enumerate(images):
        draw_row(figure, parts[i + bool(names)].subgridspec(1, len(row)), row)
    marked = _draw_curves(figure, parts[0], found, events_of(found, result), names) if names else False
    several = len(found.theories) > 1
    said = [((f"{t.name}: " if several else "") + t.sentence, t.verdict) for t in found.theories]
    return figure, [*said, *_notes(still, *_silent(found))], handles(found, names, marked) if names else []


def _notes(*notes: str) -> list[tuple[str, str]]:
    return [(note, NOTE) for note in notes if note]


def _silent(found: Comparison) -> list[str]:
    """Theories that give no number for any of their curves, which then have no line."""
    told = {t.name: [t.told[n].values for n in curves_of(t.told, found)] for t in found.theories}
    silent = [name for name, curves in told.items() if curves and not any(np.isfinite(c).any() for c in curves)]
    return [f"{name} gives no number for any curve, so that it has no line" for name in silent]


def _draw_curves(figure: Figure, place: Any, found: Comparison, events: list[Event], names: list[str]) -> bool:
    """Panels of curves over time with their gaps; True if events were marked."""
    columns = columns_for(len(names))
    outer = place.subgridspec(-(-len(names) // columns), columns, hspace=0.045)
    marked = False
    for i, name in enumerate(names):
        inner = outer[divmod(i, columns)].subgridspec(2, 1, height_ratios=(3.2, 1), hspace=0.0)
        upper = figure.add_subplot(inner[0])
        lower = figure.add_subplot(inner[1], sharex=upper)
        marked = draw_pair(upper, lower, found, name, events) or marked
        if i % columns == 0:
            lower.set_ylabel("gap / budget")
    return marked


def one_picture(result: xr.Dataset, chosen: Sequence[str] | None) -> Parts:
    """What predict or train returned: the mean, and behind it every seed (at most a few dozen)."""
    names, still = select(curves_of(result), chosen), ""
    if chosen is None:
        names, still = folded_alone(result, names)
    figure = empty_for(len(names))
    theory = bool(parts(result, "theory"))
    for axes, name in zip(grid(figure, len(names)), names, strict=True):
        if is_two_time(result[name]):
            draw_alone(figure, axes, centre(result[name]))
        else:
            _draw_one(axes, result.isel(time=visible(result["time"].values)), name, theory)
    return figure, [*_remarks(result), *_notes(still)], _legend(result, theory)


def _draw_one(axes: Axes, result: xr.Dataset, name: str, theory: bool) -> None:
    """The mean of one curve, and behind it the seeds."""
    values, times = result[name], result["time"].values
    mean = centre(values)
    chosen = shown(mean)
    colours = chosen.colours(0) if theory or chosen.count > 1 else [tones().ink]
    if values.sizes.get("seed", 1) > 1:
        for one in values.transpose("seed", ...)[:SEEDS]:
            for side in sides(one).values():
                for curve, colour in zip(chosen.of(side), colours, strict=True):
                    axes.plot(times, curve, color=colour, lw=0.6, alpha=0.25)
    draw_between(axes, times, mean, chosen, 0)
    drawn = []
    for side in sides(mean).values():
        drawn = chosen.of(side)
        for curve, colour in zip(drawn, colours, strict=True):
            axes.plot(times, curve, lw=1.9, marker="o" if times.size == 1 else "", color=colour)
    name_axes(axes, values, clock_of(result), chosen.left_out)
    scale_time(axes, times)
    name_curves(axes, chosen, drawn)


def _legend(result: xr.Dataset, theory: bool) -> list[Any]:
    count = result.sizes.get("seed", 1)
    style: dict[str, Any] = look(0) if theory else {"color": tones().ink, "linestyle": "-"}
    what = f"theory: {result.attrs.get('theory', '')}" if theory else "training"
    listed = [Line2D([], [], lw=1.9, label=f"{what}, mean of {counted(count, 'seed')}" if count > 1 else what, **style)]
    if count > 1:
        listed.append(
            Line2D(
                [],
                [],
                lw=0.6,
                color=style["color"],
                alpha=0.5,
                label="single seeds" if count <= SEEDS else f"{SEEDS} of {count} seeds",
            )
        )
    return listed


def _remarks(result: xr.Dataset) -> list[tuple[str, str]]:
    """How many runs went wrong, if any did."""
    if "outcome" not in result:
        return []
    wrong = [str(o) for o in np.ravel(result["outcome"].values) if str(o) != "ok"]
    return [(f"{len(wrong)} of {result.sizes['seed']} runs went wrong: {wrong[0]}", "contradicted")] if wrong else []
