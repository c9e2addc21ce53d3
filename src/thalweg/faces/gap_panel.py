"""The panel below a curve: its gap in units of its budget, and the numbers that were judged."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .components import Shown
from .reading import Comparison, TheoryPart, sides
from .style import look, tones, visible

# what is judged at a place on the axis of time
PLACED = ("start", "end", "half-time")
# how many budgets of the way to a limit are shown
WAY = 4.0


def in_budgets(part: TheoryPart, name: str) -> xr.DataArray:
    """The gap in units of allowance + error; 0 where both are 0. Of bounds from both sides, what lies outside."""
    reach = part.gap[f"{name}_allowance"] + part.gap[f"{name}_error"]
    gap = part.gap[name]
    ratio = gap / reach.where(reach > 0)
    ratio = ratio.where((reach != 0) | (gap != 0), 0.0)
    several = sides(ratio)
    within = [side for kind, side in several.items() if kind not in ("lower", "upper")]
    if within:
        return within[0]
    below, above = several.get("lower", 0.0 * ratio), several.get("upper", 0.0 * ratio)
    return below.clip(max=0.0) + above.clip(min=0.0)


def judged(part: TheoryPart, name: str) -> list[dict[str, Any]]:
    """The rows of the budget about a curve: measure, component's name in brackets, gap / budget, whether it agrees."""
    table = part.budget.isel(functional=part.budget["variable"].values.astype(str) == name)
    found = []
    for row in table.to_dataframe().reset_index().to_dict("records"):
        reach = row["allowance"] + row["error"]
        ratio = row["gap"] / reach if reach > 0 else 0.0 if row["gap"] == 0 else np.sign(row["gap"]) * np.inf
        whole = str(row["functional"]).partition(":")[0]
        row |= {"ratio": float(ratio), "part": whole.partition("[")[2].removesuffix("]")}
        found.append(row)
    return found


def draw_gap(axes: Axes, found: Comparison, name: str, chosen: Shown) -> None:
    """All gaps in units of their budgets, with the band inside which they agree."""
    bounds = {part.claims().get(name, ()) for part in found.theories if name in part.told}
    low, high = (-1e9 if bounds == {("upper",)} else -1.0), (1e9 if bounds == {("lower",)} else 1.0)
    heights, outside = [1.3], []
    for position, part in enumerate(found.theories):
        if f"{name}_error" in part.gap:
            heights += _draw_curves(axes, part, name, chosen, position)
        several = f"{part.name} " if len(found.theories) > 1 else ""
        for row in judged(part, name):
            heights += _draw_mark(axes, found, row, chosen, position)
            if not row["agrees"]:
                outside.append(f"{several}{row['part'] and chosen.kind + ' ' + row['part'] + ' '}{row['measure']}")
    _scale(axes, max(heights), low, high)
    if outside:
        more = f" and {len(outside) - 3} more" if len(outside) > 3 else ""
        axes.text(
            0.01, 0.03, f"outside: {', '.join(outside[:3])}{more}", transform=axes.transAxes, size=7, zorder=7,
            color=tones().verdicts["contradicted"], bbox={"fc": tones().paper, "ec": "none", "alpha": 0.75, "pad": 1},
        )  # fmt: skip
    elif len(heights) == 1:
        axes.text(0.5, 0.72, _told(found, name), transform=axes.transAxes, size=8, color=tones().grey, ha="center",
                  va="center")  # fmt: skip


def _told(found: Comparison, name: str) -> str:
    """The numbers that were judged, where none of them has a place on the axis of time."""
    rows = [row for part in found.theories for row in judged(part, name) if np.isfinite(row["ratio"])]
    told = [f"{row['measure']} {row['part']}".strip() + f": {abs(row['ratio']):.2g} of its budget" for row in rows[:2]]
    return ", ".join(told) or "nothing to compare"


def _draw_curves(axes: Axes, part: TheoryPart, name: str, chosen: Shown, position: int) -> list[float]:
    ratio = in_budgets(part, name)
    ratio = ratio.isel(time=visible(part.gap["time"].values))
    heights = []
    kinds = part.claims().get(name, ())
    # a limit is judged at the end alone: before it, runs are on their way; far inside a bound is as good as inside
    way, inside = kinds == ("limit",), kinds in (("upper",), ("lower",))
    for curve, colour in zip(chosen.of(ratio), chosen.colours(position), strict=True):
        known = curve[np.isfinite(curve)]
        if known.size:
            style = {**look(position), "color": colour, "lw": 1.3, "alpha": 0.45 if way else 1.0}
            axes.plot(ratio["time"].values, curve, **style)
            beyond = known if kinds == ("upper",) else -known if kinds == ("lower",) else np.abs(known)
            most = float(np.max(beyond, initial=0.0)) * 1.15
            heights.append(
                min(most, WAY) if way else max(most, min(float(np.max(np.abs(known))), WAY) if inside else 0.0)
            )
    return heights


def _draw_mark(axes: Axes, found: Comparison, row: dict[str, Any], chosen: Shown, position: int) -> list[float]:
    """A number that was judged, at its time; none for one of the whole curve, or of a component that is not shown."""
    parts = [name.replace(" ", "") for name in _indices(found, row["variable"], chosen)]
    if row["measure"] not in PLACED or row["part"] not in parts or not np.isfinite(row["ratio"]):
        return []
    times = found.training["time"].values[visible(found.training["time"].values)]
    when = {"start": times[0], "end": times[-1]}.get(row["measure"], row["predicted"])
    colour = chosen.colours(position)[parts.index(row["part"])]
    # what agrees and lies far away is far inside a bound
    height = float(np.clip(row["ratio"], -WAY, WAY)) if row["agrees"] else row["ratio"]
    axes.plot([when], [height], "D", ms=3.6, color=colour, mec=tones().paper, mew=0.5, zorder=6, clip_on=False)
    return [abs(height) * 1.15]


def _indices(found: Comparison, name: str, chosen: Shown) -> list[str]:
    """The components that are shown, as the budget writes them: by place."""
    values = found.training[name]
    sizes = [values.sizes[d] for d in values.dims if d not in ("time", "time2", "seed")]
    return [",".join(map(str, np.unravel_index(place, sizes))) if sizes else "" for place in chosen.places]


def _scale(axes: Axes, widest: float, low: float, high: float) -> None:
    axes.axhspan(max(low, -2 * widest), min(high, 2 * widest), color=tones().pale, zorder=0, lw=0)
    axes.axhline(0.0, color=tones().grey, lw=0.7, zorder=1)
    if widest > 20:
        axes.set_yscale("symlog", linthresh=1.0)
    axes.set_ylim(-widest, widest)
    if widest < 3:
        axes.set_yticks([-1, 0, 1])
    elif widest <= 20:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    else:
        top = 10.0 ** np.floor(np.log10(widest))
        axes.set_yticks([-top, 0, top])
        axes.set_yticks([], minor=True)
