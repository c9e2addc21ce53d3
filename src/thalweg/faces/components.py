"""The components of a curve (modes, units, layers): which of them a panel shows, their colours and their names."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from .style import band_colour

MOST = 8
# of a panel's height, between two names
APART = 0.085
# curves as near to each other as this share of what is shown are one
SAME = 3e-3


class Shown(NamedTuple):
    """The components that are shown: their places, their names, and how many there are."""

    places: list[int]
    names: list[str]
    count: int
    kind: str

    def of(self, values: xr.DataArray) -> list[np.ndarray]:
        """Their curves (times,), from values with dim time; of what has no components the one curve, for each."""
        table = flat(values)
        return [table[:, i if table.shape[1] > 1 else 0] for i in self.places]

    def colours(self, position: int) -> list[str]:
        """Colours: of a single curve that of its theory, of several each its own."""
        return [band_colour(position)] if self.count == 1 else [band_colour(i) for i in range(len(self.places))]

    @property
    def left_out(self) -> str:
        """What a panel does not show, in words."""
        return f"{len(self.places)} of {self.count} {self.kind}s shown" if len(self.places) < self.count else ""


def flat(values: xr.DataArray) -> np.ndarray:
    """Values (times, components); what has no time is one time."""
    rest = [d for d in values.dims if d != "time"]
    table = values.transpose("time", *rest) if "time" in values.dims else values.expand_dims("time")
    return table.values.reshape(table.sizes["time"], -1)


def shown(values: xr.DataArray, first: Iterable[int] = ()) -> Shown:
    """At most MOST components of a curve without seeds: `first` these, then others evenly spread."""
    rest = [str(d) for d in values.dims if d not in ("time", "time2", "claim", "seed")]
    sizes = [values.sizes[d] for d in rest]
    count = int(np.prod(sizes, dtype=int))
    places = list(range(count))
    if count > MOST:
        kept = list(dict.fromkeys(i for i in first if i < count))[: MOST // 2]
        even = np.linspace(0, count - 1, MOST - len(kept)).round().astype(int)
        places = sorted({*kept, *even.tolist()})
    names = []
    for place in places:
        index = np.unravel_index(place, sizes) if sizes else ()
        names.append(",".join(str(values[d].values[i]) for d, i in zip(rest, index, strict=True)))
    return Shown(places, names, count, rest[0] if rest else "component")


def name_curves(axes: Axes, chosen: Shown, curves: Sequence[np.ndarray]) -> None:
    """Names beside the ends of the curves, outside the panel; curves that lie on each other share one."""
    if chosen.count == 1:
        return
    low, high = axes.get_ylim()
    groups: list[tuple[list[int], float]] = []
    for i, curve in enumerate(curves):
        known = curve[np.isfinite(curve)]
        if not known.size:
            continue
        twin = next((g for g, _ in groups if _same(curves[g[0]], curve, high - low)), None)
        if twin is not None:
            twin.append(i)
            continue
        end = known[-1] if axes.get_yscale() != "log" or known[-1] > 0 else low
        groups.append(([i], float(axes.transAxes.inverted().transform(axes.transData.transform((1.0, end)))[1])))
    colours = chosen.colours(0)
    for (members, _), height in zip(groups, spread([at for _, at in groups]), strict=True):
        words = f"{chosen.kind} {_joined([chosen.names[i] for i in members])}"
        axes.text(
            1.015,
            height,
            words,
            transform=axes.transAxes,
            color=colours[members[-1]],
            size=7.5,
            va="center",
            gid="curve",
        )


def _joined(names: list[str]) -> str:
    between = " / " if any("," in name for name in names) else ", "
    return between.join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]}"


def _same(one: np.ndarray, other: np.ndarray, height: float) -> bool:
    both = np.isfinite(one) & np.isfinite(other)
    return bool(both.any() and np.max(np.abs(one - other)[both]) <= SAME * abs(height))


def spread(wanted: Sequence[float]) -> list[float]:
    """Heights between 0 and 1 near the wanted ones, no two nearer than APART."""
    order = np.argsort(np.asarray(wanted), kind="stable")
    heights = np.clip(np.asarray(wanted, dtype=float)[order], 0.0, 1.0)
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + APART)
    if len(heights):
        heights[-1] = min(heights[-1], 1.0)
    for i in range(len(heights) - 2, -1, -1):
        heights[i] = min(heights[i], heights[i + 1] - APART)
    found = np.empty(len(heights))
    found[order] = heights
    return found.tolist()
