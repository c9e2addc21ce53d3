"""Curves that stay where they are, alike in runs and theories: a line in the header instead of a panel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..words.phrases import plain_number
from .reading import Comparison

# a share of the scale of the curve, and what is nothing where no scale is known
SMALL, NOTHING = 1e-6, 1e-8


def folded(found: Comparison, names: Sequence[str]) -> tuple[list[str], str]:
    """The curves of a comparison that deserve a panel, and a sentence about the others; all, where none does."""
    still = {name: level for name in names if (level := _level_of(found, name)) is not None}
    return _apart(names, still)


def folded_alone(result: xr.Dataset, names: Sequence[str]) -> tuple[list[str], str]:
    """The same for a prediction or a training."""
    still = {
        name: level for name in names if (level := _constant([result[name]], _own_scale(result[name]))) is not None
    }
    return _apart(names, still)


def _apart(names: Sequence[str], still: dict[str, str]) -> tuple[list[str], str]:
    if not still or len(still) == len(names):
        return list(names), ""
    told = ", ".join(f"{name} ({level})" for name, level in still.items())
    return [name for name in names if name not in still], f"not drawn, as they do not move: {told}"


def _level_of(found: Comparison, name: str) -> str | None:
    """The level at which runs and all theories stay; None where something moves, or disagrees."""
    scale = 0.0
    parts = [found.good[name]]
    for theory in found.theories:
        if name in theory.told:
            parts.append(theory.told[name])
        mine = theory.budget["variable"].values.astype(str) == name
        if not np.all(theory.budget["agrees"].values[mine]):
            return None
        values = np.isin(theory.budget["measure"].values.astype(str), ("start", "end", "area")) & mine
        scale = max(scale, float(np.max(theory.budget["scale"].values[values], initial=0.0)))
    return _constant(parts, SMALL * scale)


def _own_scale(values: xr.DataArray) -> float:
    return NOTHING if values.attrs.get("scale") != "log" else 0.0


def _constant(parts: Sequence[xr.DataArray], within: float) -> str | None:
    """The one value of each component in all parts and seeds; None where there are several, or something is no
    number."""
    rows = [values.transpose("time", ...) if "time" in values.dims else values.expand_dims("time") for values in parts]
    if any(values.size == 0 or not np.all(np.isfinite(values.values)) for values in rows):
        return None
    low = [values.min([d for d in values.dims if d in ("time", "time2", "seed", "claim")]) for values in rows]
    high = [values.max([d for d in values.dims if d in ("time", "time2", "seed", "claim")]) for values in rows]
    lowest: Any
    highest: Any
    lowest, highest = low[0], high[0]
    for one, other in zip(low[1:], high[1:], strict=True):
        lowest, highest = np.minimum(lowest, one), np.maximum(highest, other)
    room = np.maximum(SMALL * np.maximum(abs(lowest), abs(highest)), within)
    if np.any((highest - lowest).values > room.values):
        return None
    levels = np.where(np.abs(lowest.values) <= within, 0.0, lowest.values)
    return plain_number(float(levels.flat[0])) if np.ptp(levels) <= float(room.max()) else "constant"
