"""The picture of an order study: the gap of each functional against the size, with its fitted power."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ..verbs.orders import SHARES, Fit
from .layout import Parts, empty_for, grid, select
from .style import NOTE, band_colour, tones, wrapped
from .sweep_picture import name_ticks

# panels that are drawn, the clearest orders first
MOST = 6
# how far beyond the sizes that were run an axis goes to show where a theory is good
FURTHER = 30.0


def order_picture(study: xr.Dataset, chosen: Sequence[str] | None = None) -> Parts:
    """A panel a functional, both axes logarithmic: |gap| with one standard error, the fit, the declared order, and the
    sizes from which the theory is good to 5 % and 1 %."""
    names = [str(n) for n in study["functional"].values]
    fitted = np.isfinite(study["order"].values)
    if chosen is not None:
        listed = select(list(dict.fromkeys(n.partition(":")[0] for n in names)), chosen)
        some = [n for n in names if n.partition(":")[0] in listed]
    else:
        clear = np.argsort(np.nan_to_num(study["order_error"].values, nan=np.inf), kind="stable")
        # where no gap stands out at all, the first ones show how small it is
        some = [names[i] for i in clear if fitted[i] or not fitted.any()][:MOST]
    figure = empty_for(len(some))
    for axes, name in zip(grid(figure, len(some)), some, strict=True):
        _panel(axes, study, name)
    said = [(f"{study.attrs['theory']}: gap against size", ""), *_told(names, some, fitted)]
    return figure, said, _legend(study, some)


def _told(names: list[str], some: list[str], fitted: np.ndarray) -> list[tuple[str, str]]:
    """Of how many functionals an order can be read, and which of them are drawn."""
    seen = int(fitted.sum())
    words = f"{seen} of {len(names)} functionals have a gap beyond chance"
    words += "" if seen == len(names) else "; on the others the theory is as good as these seeds can see"
    drawn = len(some) < (seen or len(names))
    return [(words + (f" ({len(some)} drawn; `observables` chooses others)" if drawn else ""), NOTE)]


def _panel(axes: Axes, study: xr.Dataset, name: str) -> None:
    dim = str(study["gap"].dims[0])
    one = study.sel(functional=name)
    sizes, gaps, errors = (one[n].values for n in (dim, "gap", "error"))
    size, low = np.abs(gaps), 0.3 * float(np.min(errors))
    below = np.minimum(errors, np.maximum(size - low, 0.0))
    axes.errorbar(sizes, np.maximum(size, low), [below, errors], fmt="o", color=tones().ink, ms=4.5, lw=1.1, capsize=2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    order, declared = float(one["order"]), float(one["declared_order"])
    told = ["no gap beyond chance"]
    if np.isfinite(order):
        fit = Fit(order, float(one["order_error"]), float(one["amount"]), float(np.exp(np.log(sizes).mean())))
        told = [f"order {order:.2f} ± {float(one['order_error']):.2f}"]
        if np.isfinite(declared):
            told[0] += f", declared {declared:g}"
        told += _draw_fit(axes, one, sizes, fit, declared)
    axes.set_title("\n".join([wrapped(name.replace("_", " ")), *told]), fontsize=9, loc="left")
    ends = np.asarray(axes.get_xlim())
    if ends[1] < 30 * ends[0]:
        name_ticks(axes, sizes)
    for axis in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        axis(FuncFormatter(_percent))
    axes.set_xlabel(dim)
    axes.set_ylabel("|gap|, of the scale")


def _percent(share: float, _: Any = None) -> str:
    """A tick in percent, where its first digit is 1, 2 or 5."""
    return f"{100 * share:g}%" if f"{share:.0e}"[0] in "125" else ""


def _draw_fit(axes: Axes, one: xr.Dataset, sizes: np.ndarray, fit: Fit, declared: float) -> list[str]:
    """The fitted and the declared power, and where the fit goes below each share; what that says in words."""
    good = {share: float(one[key]) for key, share in SHARES.items()}
    seen = [n for n in good.values() if sizes[0] / FURTHER < n < sizes[-1] * FURTHER]
    line = np.geomspace(min([sizes[0], *seen]), max([sizes[-1], *seen]), 50)
    inside = (line >= sizes[0]) & (line <= sizes[-1])
    colour = band_colour(0)
    axes.plot(line, np.abs(fit.at(line)), color=colour, lw=1.0, ls=":")
    axes.plot(line[inside], np.abs(fit.at(line[inside])), color=colour, lw=1.6)
    if np.isfinite(declared):
        held = np.abs(fit.amount) * (line / fit.centre) ** -declared
        axes.plot(line[inside], held[inside], color=tones().grey, lw=1.1, ls="--")
    for share, size in good.items():
        if size in seen:
            axes.plot([size], [share], "D", color=band_colour(1), ms=5, mec=tones().paper, zorder=5)
            axes.annotate(f"{share:.0%}", (size, share), xytext=(6, 4), textcoords="offset points", size=8,
                          color=band_colour(1))  # fmt: skip
    return ["good to " + ", ".join(f"{share:.0%} from {_size(n)}" for share, n in good.items())]


def _size(size: float) -> str:
    """A size in print: whole, rounded up, and no more digits than a fit can give."""
    if not np.isfinite(size):
        return "no size"
    if size < 1:
        return "1"
    digits = max(0, int(np.floor(np.log10(size))) - 2)
    return f"{int(np.ceil(size / 10**digits) * 10**digits)}" if size < 1e7 else f"{size:.1e}"


def _legend(study: xr.Dataset, some: list[str]) -> list[Any]:
    drawn = study.sel(functional=some)
    listed = [Line2D([], [], marker="o", ls="none", color=tones().ink, ms=4.5,
                     label="|measured - predicted|, one standard error")]  # fmt: skip
    if np.isfinite(drawn["order"].values).any():
        listed.append(Line2D([], [], color=band_colour(0), lw=1.6, label="fitted power (dots: beyond the sizes run)"))
        listed.append(Line2D([], [], marker="D", ls="none", color=band_colour(1), ms=5, label="good to 5 %, 1 %"))
    if np.isfinite(drawn["declared_order"].where(np.isfinite(drawn["order"])).values).any():
        listed.append(Line2D([], [], color=tones().grey, lw=1.1, ls="--", label="declared order"))
    return listed
