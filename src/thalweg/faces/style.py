"""The look of all pictures: colours that survive print and colour blindness, quiet axes, a header with the verdict."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend
from matplotlib.text import Text

from .tones import DARK, LIGHT, Tones, settings_of
from .tones import VERDICT_COLOURS as VERDICT_COLOURS

DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.2)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), (0, (8, 3)))
DOTTED = (0, (1, 1.6))
PANEL_WIDTH, LINE, GAP = 4.1, 0.22, 0.12
# a figure of one column is made for a phone
NARROW = 4.6
COLUMNS = 3
# in the place of a verdict: a remark about the picture
NOTE = "note"
_tones: ContextVar[Tones] = ContextVar("tones", default=LIGHT)
_columns: ContextVar[int] = ContextVar("columns", default=COLUMNS)


def tones() -> Tones:
    """The colours of the figure that is being drawn."""
    return _tones.get()


def look(position: int) -> dict[str, Any]:
    """Colour and dashes of the theory at this position."""
    return {"color": band_colour(position), "linestyle": DASHES[position % len(DASHES)]}


def band_colour(position: int) -> str:
    """The colour alone."""
    colours = tones().colours
    return colours[position % len(colours)]


@contextmanager
def clean_style(dark: bool = False, columns: int | None = None) -> Iterator[None]:
    """This look, and no other setting of matplotlib, for as long as it lasts.

    `columns` is the most panels in a row: 3 by default, 1 for a phone.
    """
    settings: dict[Any, Any] = dict(matplotlib.rcParamsDefault)
    del settings["backend"]  # the one setting that rc_context would not put back
    settings.update(settings_of(DARK if dark else LIGHT))
    before = _tones.set(DARK if dark else LIGHT), _columns.set(columns or COLUMNS)
    try:
        with matplotlib.rc_context(settings):
            yield
    finally:
        _tones.reset(before[0])
        _columns.reset(before[1])


def most_columns() -> int:
    """How many panels may stand in a row."""
    return _columns.get()


def blank(columns: int, height: float) -> Figure:
    """An empty figure for some columns of panels, with a canvas of its own (no global state)."""
    least = NARROW if most_columns() == 1 else 6.4
    figure = Figure(figsize=(max(least, PANEL_WIDTH * min(columns, most_columns())), height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def header(figure: Figure, title: str, sentences: Sequence[tuple[str, str]], handles: Sequence[Any]) -> None:
    """Title, verdict sentences (text, verdict) and one legend above all panels; the panels keep clear of them."""
    width, panels = figure.get_size_inches()
    # no line ends inside `p = 16`
    rows = _lines(figure, title.replace(" = ", "\u00a0=\u00a0"), width, size=11.5, weight="bold", color=tones().ink)
    for text, verdict in sentences:
        colour = tones().grey if verdict == NOTE else tones().verdicts.get(verdict, tones().ink)
        rows += _lines(figure, text, width, size=9.5, color=colour)
    legend, tall = _legend(figure, handles, width)
    head = GAP + LINE * len(rows) + tall + GAP
    height = panels + head
    figure.set_size_inches(width, height)
    for i, line in enumerate(rows):
        line.set_position((GAP / width, 1 - (GAP + LINE * i) / height))
    if legend is not None:
        legend.set_bbox_to_anchor((0.07 / width, 1 - (GAP + LINE * len(rows)) / height))
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(0, 0, 1 - 0.06 / width, 1 - head / height), w_pad=0.09, h_pad=0.03, hspace=0.0, wspace=0.03)


def _lines(figure: Figure, text: str, width: float, **look: Any) -> list[Text]:
    """Lines of a text as wide as the figure; they are put in their places later."""
    line = figure.text(0, 0, "", va="top", ha="left", **look)
    found, kept = [line], ""
    for word in text.split(" "):
        line.set_text(f"{kept} {word}".strip())
        if kept and line.get_window_extent().width > (width - 2 * GAP) * figure.dpi:
            line.set_text(kept)
            line = figure.text(0, 0, word, va="top", ha="left", **look)
            found.append(line)
        kept = line.get_text()
    if not kept:
        line.remove()
    return found if kept else []


def _legend(figure: Figure, handles: Sequence[Any], width: float) -> tuple[Legend | None, float]:
    """The legend in as many columns as fit, and its height in inches."""
    for columns in range(max(len(handles), 1), 0, -1):
        legend = figure.legend(
            handles=handles, loc="upper left", ncols=columns, borderaxespad=0.2, borderpad=0.1, columnspacing=1.6
        )
        box = legend.get_window_extent()
        if box.width <= (width - GAP) * figure.dpi or columns == 1:
            # the legend stands apart from the layout of the panels
            legend.set_in_layout(False)
            return (legend, box.height / figure.dpi + 0.06) if handles else (None, 0.0)
        legend.remove()
    return None, 0.0


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
