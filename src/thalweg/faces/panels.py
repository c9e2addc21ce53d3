"""Panels: curves of theory and training with their bands and errors, and the gap below them."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ..words.phrases import pretty
from .components import Shown, flat, name_curves, shown
from .gap_panel import draw_gap, in_budgets
from .marks import Event, draw_events
from .reading import Comparison, TheoryPart, centre, sides
from .style import dots, look, scale_time, tones, visible, wrapped

CLAIMS = {"upper": "upper bound", "lower": "lower bound", "rate": "its rate is meant", "limit": "limit"}


def is_log(values: xr.DataArray) -> bool:
    """Whether a curve is looked at on a logarithmic scale."""
    return values.attrs.get("scale") == "log"


def name_axes(axes: Axes, values: xr.DataArray, values_at: str | None = None, left_out: str = "") -> None:
    """Words above, symbol and unit beside, the clock below (where `values_at` names it)."""
    words = str(values.attrs.get("long_name", values.name))
    title = wrapped(words[:1].upper() + words[1:])
    axes.set_title(f"{title}\n({left_out})" if left_out else title)
    symbol, unit = pretty(values.attrs.get("symbol", "")), values.attrs.get("units", "")
    axes.set_ylabel(f"{symbol} ({unit})" if symbol and unit else symbol or unit)
    # a loss that is predicted to be 0 has no place on a logarithmic axis
    drawn = [values.values, *(np.asarray(line.get_ydata(), dtype=float) for line in axes.lines)]
    if is_log(values) and any(np.any(part > 0) for part in drawn):
        axes.set_yscale("log")
    if values_at:
        axes.set_xlabel(values_at)


def clock_of(dataset: xr.Dataset) -> str:
    """What the time axis counts."""
    return str(dataset["time"].attrs.get("long_name", "time"))


def draw_theory(axes: Axes, part: TheoryPart, name: str, position: int, chosen: Shown) -> None:
    """The predicted curve with the band of what it leaves open; a limit with its approach, a bound with its side."""
    if name not in part.told:
        return
    some = visible(part.told["time"].values)
    times = part.told["time"].values[some]
    mean = over_time(centre(part.told[name]), part.told["time"].values).isel(time=some)
    draw_between(axes, times, mean, chosen, position)
    for kind, side in sides(mean).items():
        for curve, colour in zip(chosen.of(side), chosen.colours(position), strict=True):
            axes.plot(times, curve, lw=1.9, zorder=4, **{**look(position), "color": colour})
        if f"{name}_allowance" in part.gap:
            allowed = part.gap[f"{name}_allowance"].isel(time=some)
            _draw_allowance(axes, times, side, allowed.sel(claim=kind) if kind else allowed, position, chosen)


def over_time(values: xr.DataArray, times: np.ndarray) -> xr.DataArray:
    """A curve; a limit that is told without time stands at all times."""
    return values if "time" in values.dims else values.expand_dims(time=times)


def draw_between(axes: Axes, times: np.ndarray, values: xr.DataArray, chosen: Shown, position: int) -> None:
    """The band between a lower and an upper bound."""
    told = sides(values)
    if {"lower", "upper"} <= set(told):
        for low, high, colour in zip(
            chosen.of(told["lower"]), chosen.of(told["upper"]), chosen.colours(position), strict=True
        ):
            axes.fill_between(times, low, high, color=colour, alpha=0.12, lw=0, zorder=1)


def _draw_allowance(
    axes: Axes, times: np.ndarray, values: xr.DataArray, allowed: xr.DataArray, position: int, chosen: Shown
) -> None:
    for curve, width, colour in zip(chosen.of(values), chosen.of(allowed), chosen.colours(position), strict=True):
        low, high = around(curve, width, is_log(values))
        # a width that nobody could see is none
        if np.nanmax(width, initial=0.0) > 1e-6 * (1.0 if is_log(values) else np.nanmax(np.abs(curve), initial=0.0)):
            # bands that lie on each other stay pale
            band = {"color": colour, "alpha": 0.22 / len(chosen.places) ** 0.5, "lw": 0, "zorder": 2}
            axes.fill_between(times, low, high, **band)


def around(curve: np.ndarray, width: np.ndarray, logarithmic: bool) -> tuple[np.ndarray, np.ndarray]:
    """A curve less and plus a width, which is one of the logarithm where that is looked at."""
    if logarithmic:
        return curve * np.exp(-width), curve * np.exp(np.minimum(width, 300.0))
    return curve - width, curve + width


def draw_training(axes: Axes, seen: xr.Dataset, name: str, error: xr.DataArray | None, chosen: Shown) -> None:
    """The mean over seeds as dots with the error of the mean."""
    times, mean = seen["time"].values, centre(seen[name])
    some = dots(times)
    widths = [None] * len(chosen.places) if error is None else [e[some] for e in chosen.of(error)]
    colours = chosen.colours(0) if chosen.count > 1 else [tones().ink]
    for curve, width, colour in zip(chosen.of(mean), widths, colours, strict=True):
        draw_dots(axes, times[some], curve[some], width, colour, is_log(seen[name]))


def draw_dots(
    axes: Axes, times: np.ndarray, curve: np.ndarray, width: np.ndarray | None, colour: Any, logarithmic: bool
) -> None:
    """Open dots, with bars where their errors are known."""
    bars = None
    if width is not None:
        low, high = around(curve, np.where(np.isfinite(width), width, 0.0), logarithmic)
        bars = np.maximum(np.nan_to_num(np.stack([curve - low, high - curve])), 0.0)
    dot = {"ms": 3.6, "mfc": tones().paper, "mec": colour, "mew": 1.0, "ecolor": colour, "elinewidth": 0.9}
    axes.errorbar(times, curve, yerr=bars, fmt="o", zorder=5, **dot)


def draw_pair(upper: Axes, lower: Axes, found: Comparison, name: str, events: list[Event]) -> bool:
    """Curves above, gaps below; True if events were marked."""
    seen = centre(found.good[name])
    chosen = shown(seen, _worst_parts(found, name))
    for position, part in enumerate(found.theories):
        draw_theory(upper, part, name, position, chosen)
    errors = [part.gap[f"{name}_error"] for part in found.theories if f"{name}_error" in part.gap]
    errors = [one.max("claim") if "claim" in one.dims else one for one in errors]
    # a theory of this very draw has no error at all; the dots show the largest
    largest = xr.concat(errors, "theory").max("theory") if errors else None
    draw_training(upper, found.good, name, largest, chosen)
    draw_gap(lower, found, name, chosen)
    name_axes(upper, found.training[name], left_out=chosen.left_out)
    lower.set_xlabel(clock_of(found.training))
    scale_time(upper, found.training["time"].values)
    upper.tick_params(which="both", labelbottom=False, bottom=False)
    _frame(upper, found, name, chosen)
    name_curves(upper, chosen, chosen.of(seen))
    return draw_events(upper, found, name, events)


def _worst_parts(found: Comparison, name: str) -> list[int]:
    """The components that are furthest outside of their budgets."""
    worst: dict[int, float] = {}
    for part in found.theories:
        if f"{name}_error" in part.gap:
            away = np.nan_to_num(np.abs(flat(in_budgets(part, name)))).max(axis=0)
            worst |= {i: float(w) for i, w in enumerate(away) if w > max(1.0, worst.get(i, 0.0))}
    return sorted(worst, key=lambda i: -worst[i])


def _frame(axes: Axes, found: Comparison, name: str, chosen: Shown) -> None:
    """Keep to the curves: neither a theory outside its regime nor a bar or a band may stretch the axis much beyond."""
    seen = np.concatenate(chosen.of(centre(found.good[name])))
    told = [
        c for t in found.theories if name in t.told for s in sides(centre(t.told[name])).values() for c in chosen.of(s)
    ]
    low, high = _range(seen, is_log(found.training[name]))
    if not low < high:
        low, high = _range(np.concatenate([seen, *told]), is_log(found.training[name]))
        if not low < high:
            return
    bottom, top = axes.get_ylim()
    if axes.get_yscale() == "log":
        room = max(np.log(high / low), 1.0)
        axes.set_ylim(max(bottom, low * np.exp(-0.8 * room)), min(top, high * np.exp(0.8 * room)))
    elif high - low > 1e-9 * max(abs(low), abs(high)):
        room = max(high - low, 1e-3 * max(abs(low), abs(high)))
        axes.set_ylim(max(bottom, low - 0.8 * room), min(top, high + 0.8 * room))


def _range(values: np.ndarray, logarithmic: bool) -> tuple[float, float]:
    known = values[np.isfinite(values) & ((values > 0) | (not logarithmic))]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
