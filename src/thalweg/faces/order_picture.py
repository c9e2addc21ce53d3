"""The picture of an order study: the gap of each functional against the size, with its fitted power."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..verbs.orders import Fit
from .layout import Parts, empty_for, grid, select
from .style import COLOURS, GREY, INK

# panels that are drawn, the clearest orders first
MOST = 6


def order_picture(study: xr.Dataset, chosen: Sequence[str] | None = None) -> Parts:
    """A panel a functional, both axes logarithmic: |gap| with one standard error, the fit, and the declared order."""
    names = [str(n) for n in study["functional"].values]
    if chosen is not None:
        listed = select(list(dict.fromkeys(n.partition(":")[0] for n in names)), chosen)
        shown = [n for n in names if n.partition(":")[0] in listed]
    else:
        clear = np.argsort(np.nan_to_num(study["order_error"].values, nan=np.inf), kind="stable")
        shown = [names[i] for i in clear[:MOST]]
    figure = empty_for(len(shown))
    for axes, name in zip(grid(figure, len(shown)), shown, strict=True):
        _panel(axes, study, name)
    said = [(f"{study.attrs['theory']}: gap against size{_left_out(names, shown)}", "")]
    return figure, said, _legend()


def _left_out(names: list[str], shown: list[str]) -> str:
    if len(shown) == len(names):
        return ""
    return (
        f" ({len(shown)} of {len(names)} functionals; observables= chooses others)" if len(shown) < len(names) else ""
    )


def _panel(axes: Axes, study: xr.Dataset, name: str) -> None:
    dim = str(study["gap"].dims[0])
    one = study.sel(functional=name)
    sizes, gaps, errors = (one[n].values for n in (dim, "gap", "error"))
    size, low = np.abs(gaps), 0.3 * float(np.min(errors))
    below = np.minimum(errors, np.maximum(size - low, 0.0))
    axes.errorbar(sizes, np.maximum(size, low), [below, errors], fmt="o", color=INK, ms=4.5, lw=1.1, capsize=2)
    order, declared = float(one["order"]), float(one["declared_order"])
    line = np.geomspace(sizes[0], sizes[-1], 50)
    centre = float(np.exp(np.log(sizes).mean()))
    if np.isfinite(order):
        fit = Fit(order, float(one["order_error"]), float(one["amount"]), centre)
        axes.plot(line, np.abs(fit.at(line)), color=COLOURS[0], lw=1.6)
        told = f"order {order:.2f} ± {float(one['order_error']):.2f}"
        if np.isfinite(declared):
            held = np.abs(float(one["amount"])) * (line / centre) ** -declared
            axes.plot(line, held, color=GREY, lw=1.1, ls="--")
            told += f", declared {declared:g}"
    else:
        told = "no gap beyond chance"
    axes.set_title(f"{name}\n{told}", fontsize=9, loc="left")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(dim)
    axes.set_ylabel("|gap| / scale")


def _legend() -> list[Any]:
    return [
        Line2D([], [], marker="o", ls="none", color=INK, ms=4.5, label="|measured - predicted|, one standard error"),
        Line2D([], [], color=COLOURS[0], lw=1.6, label="fitted power"),
        Line2D([], [], color=GREY, lw=1.1, ls="--", label="declared order"),
    ]
