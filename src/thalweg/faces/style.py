"""The look of all pictures: colours that survive print and colour blindness, quiet axes, a header with the verdict."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

INK, GREY, PALE = "#222222", "#6b6b6b", "#e9edf0"
# Okabe and Ito's colours, the darker ones first; dashes tell lines apart where colours do not
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.2)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 3)))
DOTTED = (0, (1, 1.6))
VERDICT_COLOURS = {
    "confirmed": "#00704f",
    "consistent": "#00704f",
    "better than promised": "#00704f",
    "inconclusive": "#8a5a00",
    "contradicted": "#b3261e",
    "outside its regime": "#5b4a8a",
}
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": "#8c8c8c",
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titlepad": 7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
    "axes.unicode_minus": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "thalweg",
}
PANEL_WIDTH, CHARACTERS_PER_INCH, LINE = 4.1, 11.5, 0.22


def look(position: int) -> dict[str, Any]:
    """Colour and dashes of the theory at this position."""
    return {"color": band_colour(position), "linestyle": DASHES[position % len(DASHES)]}


def band_colour(position: int) -> str:
    """The colour alone."""
    return COLOURS[position % len(COLOURS)]


@contextmanager
def clean_style() -> Iterator[None]:
    """This look, and no other setting of matplotlib, for as long as it lasts."""
    settings: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    del settings["backend"]  # the one setting that rc_context would not put back
    settings.update(STYLE)
    with matplotlib.rc_context(settings):
        yield


def blank(columns: int, height: float) -> Figure:
    """An empty figure for some columns of panels, with a canvas of its own (no global state)."""
    figure = Figure(figsize=(max(6.4, PANEL_WIDTH * columns), height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def header(figure: Figure, title: str, sentences: Sequence[tuple[str, str]], handles: Sequence[Any]) -> None:
    """Title, verdict sentences (text, verdict) and one legend above all panels; the panels keep clear of them."""
    width, panels = figure.get_size_inches()
    most = int(width * CHARACTERS_PER_INCH)
    # no line ends inside `p = 16`
    kept = title.replace(" = ", "\u00a0=\u00a0")
    rows = [(line, 11.5, "bold", INK) for line in textwrap.wrap(kept, int(most * 0.8))]
    for text, verdict in sentences:
        colour = VERDICT_COLOURS.get(verdict, INK)
        rows += [(line, 9.5, "normal", colour) for line in textwrap.wrap(text, most)]
    per_row = max(1, min(len(handles), int(width // 2.9)))
    legend_rows = math.ceil(len(handles) / per_row)
    head = 0.16 + LINE * (len(rows) + legend_rows) + 0.1
    height = panels + head
    figure.set_size_inches(width, height)
    for i, (line, size, weight, colour) in enumerate(rows):
        y = 1 - (0.12 + LINE * i) / height
        figure.text(0.12 / width, y, line, size=size, weight=weight, color=colour, va="top", ha="left")
    if handles:
        place = (0.07 / width, 1 - (0.12 + LINE * len(rows)) / height)
        figure.legend(
            handles=handles, loc="upper left", bbox_to_anchor=place, ncols=per_row, borderaxespad=0.2, borderpad=0.1
        )
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1 - 0.06 / width, 1 - head / height), w_pad=0.09, h_pad=0.03, hspace=0.0, wspace=0.03)


def wrapped(text: str, most: int = 46) -> str:
    """A panel's title on as many lines as it needs."""
    return "\n".join(textwrap.wrap(text, most))


def spans_decades(times: np.ndarray, least: float = 2.5) -> bool:
    """Whether the positive times reach over so many decades that a logarithmic axis is due."""
    positive = times[times > 0]
    return positive.size > 1 and math.log10(positive.max() / positive.min()) > least


def visible(times: np.ndarray) -> np.ndarray:
    """Indices of the times that the axis can show: a logarithmic one has no place for 0."""
    return np.flatnonzero(times > 0) if spans_decades(times) else np.arange(times.size)


def scale_time(axes: Axes, times: np.ndarray) -> None:
    """A logarithmic time axis where the times ask for it; limits at the data."""
    positive = times[times > 0]
    if spans_decades(times):
        axes.set_xscale("log")
        pad = (positive.max() / positive.min()) ** 0.02
        axes.set_xlim(positive.min() / pad, positive.max() * pad)
    elif times.size > 1:
        pad = 0.02 * (times[-1] - times[0])
        axes.set_xlim(times[0] - pad, times[-1] + pad)


def dots(times: np.ndarray, most: int = 22) -> np.ndarray:
    """Indices of a few times, even on the axis that is shown."""
    shown = visible(times)
    if shown.size <= most:
        return shown
    axis = np.log(times[shown]) if spans_decades(times) else times[shown]
    wanted = np.linspace(axis[0], axis[-1], most)
    return np.unique(shown[np.abs(axis[:, None] - wanted).argmin(axis=0)])
