"""Panels: curves of theory and training, the gap below them, and the marks of events."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..words.phrases import counted, pretty
from .marks import Mark, draw_levels, draw_marks
from .reading import Comparison, TheoryPart, mean_over_seeds, sides
from .style import DOTTED, GREY, INK, PALE, band_colour, dots, look, scale_time, visible, wrapped

CLAIMS = {"upper": "upper bound", "lower": "lower bound", "rate": "its rate is meant", "limit": "limit"}
MOST_COMPONENTS = 8


def components(values: xr.DataArray) -> Iterator[np.ndarray]:
    """The curves of a variable (dims time, and others): one for each component, at most a few."""
    rest = [d for d in values.dims if d != "time"]
    table = values.transpose("time", *rest).values.reshape(values.sizes["time"], -1)
    for i in range(min(table.shape[1], MOST_COMPONENTS)):
        yield table[:, i]


def name_axes(axes: Axes, values: xr.DataArray, values_at: str | None = None) -> None:
    """Words above, symbol and unit beside, the clock below (where `values_at` names it)."""
    words = str(values.attrs.get("long_name", values.name))
    axes.set_title(wrapped(words[:1].upper() + words[1:]))
    symbol, unit = pretty(values.attrs.get("symbol", "")), values.attrs.get("units", "")
    axes.set_ylabel(f"{symbol} ({unit})" if symbol and unit else symbol or unit)
    # a loss that is predicted to be 0 has no place on a logarithmic axis
    shown = [values.values, *(np.asarray(line.get_ydata(), dtype=float) for line in axes.lines)]
    if values.attrs.get("scale") == "log" and any(np.any(part > 0) for part in shown):
        axes.set_yscale("log")
    if values_at:
        axes.set_xlabel(values_at)


def clock_of(dataset: xr.Dataset) -> str:
    """What the time axis counts."""
    return str(dataset["time"].attrs.get("long_name", "time"))


def draw_theory(axes: Axes, part: TheoryPart, name: str, position: int) -> None:
    """The predicted curve with the band of what its limit leaves out."""
    if name not in part.told:
        return
    some = visible(part.told["time"].values)
    times = part.told["time"].values[some]
    mean = mean_over_seeds(part.told[name])
    # a limit that is told without time axis stands at all times
    mean = (mean if "time" in mean.dims else mean.expand_dims(time=part.told["time"].values)).isel(time=some)
    draw_between(axes, times, mean, band_colour(position))
    for kind, side in sides(mean).items():
        for curve in components(side):
            axes.plot(times, curve, lw=1.9, zorder=4, **look(position))
        if f"{name}_allowance" in part.gap:
            allowed = part.gap[f"{name}_allowance"].isel(time=some).broadcast_like(mean)
            _draw_allowance(axes, times, side, allowed.sel(claim=kind) if kind else allowed, position)


def draw_between(axes: Axes, times: np.ndarray, values: xr.DataArray, colour: str) -> None:
    """The band between a lower and an upper bound."""
    told = sides(values)
    if {"lower", "upper"} <= set(told):
        for low, high in zip(components(told["lower"]), components(told["upper"]), strict=True):
            axes.fill_between(times, low, high, color=colour, alpha=0.12, lw=0, zorder=1)


def _draw_allowance(axes: Axes, times: np.ndarray, values: xr.DataArray, allowed: xr.DataArray, position: int) -> None:
    count = min(values.size // values.sizes["time"], MOST_COMPONENTS)
    for curve, width in zip(components(values), components(allowed), strict=True):
        if np.nanmax(width, initial=0.0) > 0:
            # bands that lie on each other stay pale
            band = {"color": band_colour(position), "alpha": 0.2 / count**0.5, "lw": 0, "zorder": 2}
            axes.fill_between(times, curve - width, curve + width, **band)


def draw_training(axes: Axes, seen: xr.Dataset, name: str, error: xr.DataArray | None) -> None:
    """The mean over seeds as dots with the error of the mean."""
    times, mean = seen["time"].values, mean_over_seeds(seen[name])
    some = dots(times)
    widths = [None] * MOST_COMPONENTS if error is None else [e[some] for e in components(error.broadcast_like(mean))]
    for curve, width in zip(components(mean), widths, strict=False):
        bars = None if width is None else np.where(np.isfinite(width), width, 0.0)
        dot = {"fmt": "o", "ms": 3.6, "mfc": "white", "mec": INK, "mew": 1.0, "ecolor": INK, "elinewidth": 1.0}
        axes.errorbar(times[some], curve[some], yerr=bars, zorder=5, **dot)


def in_budgets(part: TheoryPart, name: str) -> xr.DataArray:
    """The gap in units of allowance + error; 0 where both are 0. Of bounds from both sides, what lies outside."""
    reach = part.gap[f"{name}_allowance"] + part.gap[f"{name}_error"]
    gap = part.gap[name]
    ratio = gap / reach.where(reach > 0)
    ratio = ratio.where((reach > 0) | (np.abs(gap) > 0), 0.0)
    several = sides(ratio)
    within = [side for kind, side in several.items() if kind not in ("lower", "upper")]
    if within:
        return within[0]
    below, above = several.get("lower", 0.0 * ratio), several.get("upper", 0.0 * ratio)
    return below.clip(max=0.0) + above.clip(min=0.0)


def draw_gap(axes: Axes, found: Comparison, name: str) -> None:
    """All gaps in units of their budgets, with the band inside which they agree."""
    widest = 1.5
    bounds = {part.claims().get(name, ()) for part in found.theories if name in part.gap}
    low, high = (-1e9 if bounds == {("upper",)} else -1.0), (1e9 if bounds == {("lower",)} else 1.0)
    for position, part in enumerate(found.theories):
        if name not in part.gap or f"{name}_error" not in part.gap:
            continue
        some = visible(part.gap["time"].values)
        ratio = in_budgets(part, name).isel(time=some)
        finite = np.abs(ratio.values[np.isfinite(ratio.values)])
        widest = max(widest, float(finite.max(initial=0.0)) * 1.15)
        for curve in components(ratio):
            axes.plot(ratio["time"].values, curve, lw=1.4, **look(position))
    axes.axhspan(max(low, -2 * widest), min(high, 2 * widest), color=PALE, zorder=0, lw=0)
    axes.axhline(0.0, color=GREY, lw=0.7, zorder=1)
    if widest > 20:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(-widest, widest)
    if widest < 3:
        axes.set_yticks([-1, 0, 1])
    elif widest <= 20:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))


def draw_pair(upper: Axes, lower: Axes, found: Comparison, name: str, known: list[Mark], levels: list[str]) -> bool:
    """Curves above, gaps below; True if events were marked."""
    for position, part in enumerate(found.theories):
        draw_theory(upper, part, name, position)
    errors = [part.gap[f"{name}_error"] for part in found.theories if f"{name}_error" in part.gap]
    # a theory of this very draw has the smallest error of all; the dots show the largest
    widest = xr.concat(errors, "theory", join="exact").max("theory") if errors else None
    draw_training(upper, found.good, name, widest)
    name_axes(upper, found.training[name])
    draw_gap(lower, found, name)
    lower.set_xlabel(clock_of(found.training))
    scale_time(upper, found.training["time"].values)
    upper.tick_params(which="both", labelbottom=False, bottom=False)
    draw_levels(upper, found, levels)
    _frame(upper, mean_over_seeds(found.good[name]).values)
    return draw_marks(upper, found, name, known)


def _frame(axes: Axes, seen: np.ndarray) -> None:
    """Keep to what was measured where a theory outside its regime would stretch the axis tenfold."""
    shown = seen[np.isfinite(seen)]
    if not shown.size:
        return
    low, high = float(shown.min()), float(shown.max())
    if axes.get_yscale() == "log":
        bottom, top = axes.get_ylim()
        if 0 < low < high and np.log(top / bottom) > 3 * np.log(high / low) + 10:
            axes.set_ylim(low / (high / low) ** 0.2, high * (high / low) ** 0.2)
    elif high - low > 1e-9 and np.ptp(axes.get_ylim()) > 10 * (high - low):
        axes.set_ylim(low - 0.3 * (high - low), high + 0.3 * (high - low))


def handles(found: Comparison, with_marks: bool) -> list[Any]:
    """The legend: a theory with its band, the dots, the events, the zone of agreement."""
    listed: list[Any] = []
    for position, part in enumerate(found.theories):
        claims = set(part.claims().values())
        meant = f" ({' and '.join(CLAIMS.get(kind, kind) for kind in claims.pop())})" if len(claims) == 1 else ""
        listed.append(Line2D([], [], lw=1.9, label=f"theory: {part.name}{meant}", **look(position)))
        parts = {"finite_size": "finite size", "margin": "margin of the problem"}
        left = [words for key, words in parts.items() if float(part.budget[key].max()) > 0]
        if left:
            colour = band_colour(position)
            listed.append(Patch(color=colour, alpha=0.2, lw=0, label=f"its allowance: {', '.join(left)}"))
    count = counted(found.good.sizes.get("seed", 1), "seed")
    dot = {"marker": "o", "ms": 4, "mfc": "white", "mec": INK, "ls": "none"}
    listed.append(Line2D([], [], label=f"training: mean of {count}, with error", **dot))
    if with_marks:
        listed.append(Line2D([], [], color=INK, lw=1.2, ls=DOTTED, label="event: line theory, dots training"))
    listed.append(Patch(color=PALE, lw=0, label="gap inside its budget (below)"))
    return listed
