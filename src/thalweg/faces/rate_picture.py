"""The picture of a learning-rate study: losses against the rate, and every mark on the same axis."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .layout import Parts
from .style import band_colour, blank, tones

# each with the place of its colour
REGIMES = {"convergent": 2, "chaotic": 4, "divergent": 1}
AFTER = {"fine_tuned_loss": ("then a small rate", 0), "averaged_loss": ("then averaging", 3)}
EXACT = "known exactly"


def rate_picture(study: xr.Dataset, chosen: Sequence[str] | None = None) -> Parts:
    """Above: the sweep, and the loss after a short run at each rate, by regime; below: one row a mark."""
    if chosen is not None:
        raise ValueError("a learning-rate study is one picture; leave observables out.")
    marks = _marks(study)
    figure = blank(2, 3.4 + 0.21 * max(len(marks), 1) + 0.7)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.4, 0.21 * max(len(marks), 1) + 0.4])
    listed = [*_losses(upper, study), *_experiment(upper, study)]
    _rows(lower, marks)
    rates = study["rate"].values
    for axes in (upper, lower):
        axes.set_xscale("log")
        for _, rate, _, _, words in marks:
            if words == EXACT:
                axes.axvline(rate, color=tones().ink, lw=0.9, zorder=1)
    upper.set_xlim(rates[0] / 1.3, rates[-1] * 1.3)
    lower.set_xlabel("learning rate")
    steps = int(study.attrs["steps"])
    said = [
        (f"losses after {steps} steps at each rate; cost: {float(study.attrs['cost']):.0f} minibatch gradients", "")
    ]
    return figure, said, listed


def _marks(study: xr.Dataset) -> list[tuple[str, float, float, float, str]]:
    """Name, rate, range and words of the marks that are finite, smallest rate first."""
    parts = (study[n].values for n in ("mark", "mark_rate", "mark_low", "mark_high", "mark_words"))
    found = [(str(n), float(r), float(a), float(b), str(w)) for n, r, a, b, w in zip(*parts, strict=True)]
    return sorted((m for m in found if np.isfinite(m[1])), key=lambda m: m[1])


def _losses(axes: Axes, study: xr.Dataset) -> list[Any]:
    first = float(study["loss"].values[0, 0])
    final, rates, kinds = study["final_loss"].values, study["rate"].values, study["regime"].values.astype(str)
    sweep, smooth = study["sweep_loss"].values, study["sweep_smoothed"].values
    good = np.concatenate([final[np.isfinite(final) & (final <= 2 * first)], [first]])
    low, high = float(good.min()), 1.6 * first
    logarithmic = low > 0 and high / low > 30
    # what lies beyond the picture is shown at its upper edge
    top = high * (0.93 if logarithmic else 0.97)
    shown = np.where(np.isfinite(final), np.minimum(final, top), top)
    axes.axhline(first, color=tones().grey, lw=0.8, ls=":")
    axes.plot(
        study["sweep_rate"].values, np.where(sweep < 3 * high, sweep, np.nan), color=tones().grey, lw=0.7, alpha=0.6
    )
    axes.plot(study["sweep_rate"].values, smooth, color=tones().grey, lw=1.4)
    axes.plot(rates, shown, color=tones().pale, lw=1.2, zorder=1.5)
    for name, colour in REGIMES.items():
        some = kinds == name
        axes.plot(
            rates[some],
            shown[some],
            "o",
            ms=5,
            mfc=band_colour(colour),
            mec=tones().paper,
            mew=0.6,
            ls="none",
            zorder=3,
        )
    if logarithmic:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.5, high)
    else:
        axes.set_ylim(min(0.0, low) if low < 0.3 * first else low - 0.1 * (high - low), high)
    axes.set_ylabel("loss")
    look: dict[str, Any] = {"marker": "o", "ls": "none", "ms": 5}
    present = [n for n in REGIMES if np.any(kinds == n)]
    dots = [Line2D([], [], color=band_colour(REGIMES[n]), label=f"short run, {n}", **look) for n in present]
    return [*dots, Line2D([], [], color=tones().grey, lw=1.4, label="sweep of a growing rate, smoothed")]


def _experiment(axes: Axes, study: xr.Dataset) -> list[Any]:
    listed = []
    for name, (words, colour) in AFTER.items():
        values = study[name].values
        if np.isfinite(values).any():
            axes.plot(study["rate"].values, values, color=band_colour(colour), lw=1.4, zorder=2)
            listed.append(
                Line2D(
                    [],
                    [],
                    color=band_colour(colour),
                    lw=1.4,
                    label=f"first rate, {words} ({study.attrs['then']} steps)",
                )
            )
    return listed


def _rows(axes: Axes, marks: list[tuple[str, float, float, float, str]]) -> None:
    for row, (_, rate, low, high, words) in enumerate(marks):
        colour = tones().ink if words == EXACT else tones().colours[0]
        axes.plot([low, high], [row, row], color=colour, lw=2.2, alpha=0.35, solid_capstyle="butt")
        axes.plot([rate], [row], "D" if words == EXACT else "o", color=colour, ms=4.5)
    axes.set_yticks(range(len(marks)), [name for name, *_ in marks])
    axes.set_ylim(len(marks) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
