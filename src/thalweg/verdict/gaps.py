"""The gap of every curve at every time beside its error and its allowance: for the eyes."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..words.problem import Problem
from ..words.theory import Theory
from .budget_row import Row
from .chance import student
from .measures import good_seeds, measured_curve


def gap_curves(
    problem: Problem, theory: Theory, told: xr.Dataset, seen: xr.Dataset, budget: Sequence[Row], chance: float
) -> xr.Dataset:
    """Mean gap, error (at the level `chance`) and allowance of every common curve at every time, for the eyes."""
    good = good_seeds(seen)
    sizes = theory.finite_size(problem)
    count = int(good.sum())
    quantile = student(count, len(budget), chance)
    content: dict[str, xr.DataArray] = {}
    for name in map(str, told.data_vars):
        observable = measured_curve(problem, name)
        if observable is None or name not in seen or "time" not in told[name].dims:
            continue
        gaps = (seen[name] - told[name]).isel(seed=good)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            content[name] = gaps.mean("seed")
            spread = gaps.std("seed", ddof=1) / math.sqrt(max(count, 1))
        content[f"{name}_error"] = spread * quantile if count > 1 else spread * np.nan
        size = sizes.get(name)
        level: Any = abs(told[name]) if "seed" not in told[name].dims else abs(told[name]).mean("seed")
        whole = observable.log or (size is not None and size.relative)
        scale: Any = level if whole else 1.0 + 0.0 * level
        values = [row.tolerance for row in budget if row.variable == name and row.measure in ("start", "end", "area")]
        over = [dim for dim in ("time", "time2") if dim in level.dims]
        fixed = problem.margins.get(name, 0.0) * level.max(over) + max(values, default=0.0)
        content[f"{name}_allowance"] = (0.0 if size is None else size.within(told)) * scale + fixed
    return xr.Dataset(content).drop_vars("seed", errors="ignore")
