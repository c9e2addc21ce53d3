"""Events on the panel of the curve that they are read from: times as vertical lines, levels as horizontal ones."""

import dataclasses
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from .reading import Comparison, centre, class_of, problem_of
from .style import DOTTED, band_colour, tones
from .text_places import Place, put

MOST = 8
# what two events apart by less of a panel cannot be told from
TOGETHER = 0.02


@dataclasses.dataclass(frozen=True)
class Event:
    """An event on one panel (`of` is None where it belongs to all): a time, or a level of the curve."""

    name: str
    of: str | None
    words: str
    level: bool = False


def events_of(found: Comparison, result: Any) -> list[Event]:
    """Events that are times or levels, with the curve that each belongs to."""
    known = {e.name: e for e in getattr(class_of(problem_of(result)), "events", ())}
    clock = found.training["time"].attrs.get("units", "")
    listed = []
    for name, values in found.training.data_vars.items():
        if "time" in values.dims or values.dtype.kind != "f":
            continue
        event, words = known.get(str(name)), str(values.attrs.get("long_name", name))
        if event is not None and event.level_of:
            listed.append(Event(str(name), event.level_of, words, level=True))
        elif clock and values.attrs.get("units") == clock:
            watched = event.detector.watches[0] if event is not None and event.detector.watches else None
            listed.append(Event(str(name), watched, words))
    return listed


def draw_events(axes: Axes, found: Comparison, curve: str, events: list[Event]) -> bool:
    """Events of one curve: a theory's solid, the mean of the runs dotted with its spread. True if any was drawn."""
    mine = [event for event in events if event.of in (None, curve)]
    # lines first: names keep clear of all of them
    drawn = [(event, _levels(axes, found, event) if event.level else _times(axes, found, event)) for event in mine]
    for event, places in drawn:
        if places:
            _name(axes, event, places)
    return any(places for _, places in drawn)


def _values(found: Comparison, name: str) -> list[np.ndarray]:
    """The runs' values of each component (a mode, a level); all in one where they are too many to tell apart."""
    values = found.good[name]
    table = values.transpose("seed", ...).values.reshape(values.sizes["seed"], -1)
    return list(table.T if table.shape[1] <= MOST else table.reshape(1, -1))


def _told(found: Comparison, name: str) -> list[tuple[int, float, int]]:
    """Position of the theory, value and component of what theories say."""
    listed = []
    for position, part in enumerate(found.theories):
        if name in part.told:
            told = np.ravel(centre(part.told[name]).values)[:MOST]
            listed += [(position, float(v), i) for i, v in enumerate(told) if np.isfinite(v)]
    return listed


def _times(axes: Axes, found: Comparison, event: Event) -> list[float]:
    """Vertical lines of one event, and where they stand; empty where it happened nowhere."""
    places: list[float] = []
    # what happens at the start has no place on a logarithmic axis
    first = 0.0 if axes.get_xscale() == "log" else -np.inf
    for values in _values(found, event.name):
        values = values[np.isfinite(values) & (values > first)]
        if values.size:
            mean, spread = float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else 0.0
            left = max(mean - spread, axes.get_xlim()[0])
            axes.axvspan(left, mean + spread, color=tones().ink, alpha=0.07, lw=0, zorder=1)
            axes.axvline(mean, color=tones().ink, lw=1.2, ls=DOTTED, zorder=3)
            places.append(mean)
    for position, when, component in _told(found, event.name):
        if when > first:
            # modes have the colours of their curves
            colour = band_colour(component if len(found.theories) == 1 else position)
            axes.axvline(when, color=colour, lw=1.0, zorder=3)
            places.append(when)
    low, high = axes.get_xlim()
    return [place for place in places if low <= place <= high]


def _levels(axes: Axes, found: Comparison, event: Event) -> list[float]:
    """Horizontal lines of one event, and where they stand."""
    places: list[float] = []
    for values in _values(found, event.name):
        values = values[np.isfinite(values)]
        if values.size:
            places.append(float(values.mean()))
            axes.axhline(places[-1], color=tones().ink, lw=0.9, ls=DOTTED, zorder=1)
    for position, level, _ in _told(found, event.name):
        axes.axhline(level, color=band_colour(position), lw=0.8, zorder=1)
        places.append(level)
    low, high = axes.get_ylim()
    return [place for place in places if low <= place <= high]


def _name(axes: Axes, event: Event, places: list[float]) -> None:
    """The event's name beside one of its lines (above or below a level), where it covers least."""
    across = xr.DataArray(places).values
    points = np.stack([across, np.zeros(across.size)], axis=1)
    if event.level:
        points = np.stack([np.full(across.size, axes.get_xlim()[0]), across], axis=1)
    inside = axes.transAxes.inverted().transform(axes.transData.transform(points))[:, int(event.level)]
    apart = inside[np.concatenate([[True], np.diff(np.sort(inside)) > TOGETHER])] if inside.size > 1 else inside
    if event.level:
        tried = [Place(x, y + up, ha, va) for y in apart for up, va in ((0.012, "bottom"), (-0.012, "top"))
                 for x, ha in ((0.985, "right"), (0.5, "center"), (0.015, "left"))]  # fmt: skip
    else:
        tried = [Place(x + aside, y, ha, "top") for y in np.linspace(0.99, 0.13, 12) for x in apart
                 for aside, ha in ((0.012, "left"), (-0.012, "right"))]  # fmt: skip
    put(axes, event.words, tried)
