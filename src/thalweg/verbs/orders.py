"""order_study: how fast theory and training come together as sizes grow, and the size at which a theory is good."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar

from ..catalogue import choice
from ..computing.float64 import float64
from ..computing.interrupts import Interrupted
from ..computing.parallel import Progress
from ..results.schema import stamp
from ..results.serial import to_json
from ..running.request import Request, Seeds, seed_list
from ..verdict.chance import student
from ..words.problem import Problem
from ..words.theory import Theory
from .comparison import compare
from .grid import Grid, grid_of, variants

# orders that a fit looks at, and how many standard errors a gap must reach for an order to be read from it
ORDERS = (0.05, 6.0)
SEEN = 3.0
SHARES = {"good_to_5_percent": 0.05, "good_to_1_percent": 0.01}


def order_study(
    problem: Problem,
    over: Any,
    times: Any = None,
    *,
    theory: Any = None,
    seeds: Seeds = 24,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Compare at several sizes, and fit the gap of each functional by a power of the size.

    `over` is one entry of a sweep: sizes tied to each other, as {("dimension", "samples"): [(32, 64), (64, 128),
    (128, 256)]}, or one of them, as {"width": [10, 30, 100]}; three or more, the first of the fields being the size n.
    For each functional of the comparison (`tw.compare`) the gap, as a share of its scale, is fitted by
        gap(n) = a n^(-order),
    by least squares weighted with the standard errors over seeds (for a theory of every single run: with what the
    integrators leave open). `order` (functional) comes with coordinates: `order_error`, one standard error;
    `declared_order`, what the theory's `finite_size` says; `good_to_5_percent` and `good_to_1_percent`, the n from
    which |gap| is below (beyond the sizes that were run this is extrapolated). NaN where the gaps stand out of chance
    at no size (below 3 standard errors): then the theory is as good as can be seen. `gap` and `error` (size,
    functional) are shares of the scale, `verdict` (size) the word of each comparison.
    Raises ValueError for fewer than three sizes, parts or values that are not sizes, and whatever `compare` refuses.
    Ctrl-C raises Interrupted, whose `finished` is the study of the sizes that had ended.
    """
    grid = _sizes(problem, over)
    with float64():
        first = variants(problem, grid)
        named = _theory(first[0], times, theory, seeds)
    found: list[xr.DataTree] = []
    for i, varied in enumerate(first):
        try:
            found.append(compare(varied, times, theory=named, seeds=seeds))
        except Interrupted:
            told = f"{i} of {len(first)} sizes are in `.finished`; call it again for the others"
            raise Interrupted(_study(problem, grid, named, found) if found else None, told) from None
        if progress:
            progress(i + 1, len(first))
    return _study(problem, grid, named, found)


def _sizes(problem: Problem, over: Any) -> Grid:
    grid = grid_of(problem, over)
    rows = grid.axes[0].rows
    numbers = all(isinstance(v, int | float | np.number) and v > 0 for row in rows for v in row)
    if len(grid.axes) != 1 or len(rows) < 3 or not numbers:
        raise ValueError(
            f"over = {over!r:.80} is not allowed; give one size, or several tied to each other, at three values or "
            'more: {("dimension", "samples"): [(32, 64), (64, 128), (128, 256)]}.'
        )
    return grid


def _theory(problem: Problem, times: Any, theory: Any, seeds: Seeds) -> Theory:
    """The theory that was named, or the one that is taken at the first size."""
    if theory is not None:
        return choice.as_theory(theory, problem)
    return choice.choose(problem, Request.of(problem, times, seed_list(seeds)).setting).theory


class Fit(NamedTuple):
    """gap = amount * (size / geometric mean)^(-order), with the standard error of the order; NaN where none is seen."""

    order: float
    order_error: float
    amount: float
    centre: float

    def at(self, sizes: Any) -> np.ndarray:
        """The fitted gap."""
        return np.asarray(self.amount * (np.asarray(sizes) / self.centre) ** -self.order)

    def size_for(self, share: float) -> float:
        """The size from which the gap is below a share."""
        return float(self.centre * (abs(self.amount) / share) ** (1 / self.order))


def fitted(sizes: np.ndarray, gaps: np.ndarray, errors: np.ndarray) -> Fit:
    """Weighted least squares of a power law of either sign; for each order the amount is linear.

    The order is one-dimensional: a bounded search, its error from the curvature of chi^2 at the minimum.
    """
    centre = float(np.exp(np.log(sizes).mean()))
    weights = 1 / errors**2

    def amount(order: float) -> float:
        shape = (sizes / centre) ** -order
        return float(np.sum(weights * gaps * shape) / np.sum(weights * shape**2))

    def misfit(order: float) -> float:
        return float(np.sum(weights * (gaps - amount(order) * (sizes / centre) ** -order) ** 2))

    nothing = Fit(np.nan, np.nan, np.nan, centre)
    if len(sizes) < 3 or np.max(np.abs(gaps) / errors) < SEEN:
        return nothing
    best: Any = minimize_scalar(misfit, bounds=ORDERS, method="bounded", options={"xatol": 1e-8})
    order, step = float(best.x), 1e-3
    bend = (misfit(order + step) - 2 * misfit(order) + misfit(order - step)) / step**2
    if not ORDERS[0] + 1e-3 < order < ORDERS[1] - 1e-3 or bend <= 0:
        return nothing
    # where points scatter by more than their errors, the error of the order is as much larger
    excess = max(1.0, misfit(order) / max(len(sizes) - 2, 1))
    return Fit(order, float(np.sqrt(2 * excess / bend)), amount(order), centre)


def _study(problem: Problem, grid: Grid, theory: Theory, found: Sequence[xr.DataTree]) -> xr.Dataset:
    axis = grid.axes[0]
    count, dim = len(found), axis.name
    budgets = [one["budget"].to_dataset() for one in found]
    shared = [n for n in budgets[0]["functional"].values if all(n in b["functional"].values for b in budgets)]
    budgets = [b.sel(functional=shared) for b in budgets]
    scale = np.stack([b["scale"].values for b in budgets])
    gaps = np.stack([b["gap"].values for b in budgets]) / scale
    errors = np.stack([_one_error(b, len(json.loads(t.attrs["seeds"]))) for b, t in zip(budgets, found, strict=True)])
    errors = errors / scale
    sizes = np.asarray(axis.labels(0)[:count], dtype=float)
    fits = [fitted(sizes, gaps[:, i], errors[:, i]) for i in range(len(shared))]
    coords: dict[str, Any] = {
        **{n: (dim, np.asarray(axis.labels(i)[:count], dtype=float)) for i, n in enumerate(axis.fields)},
        "functional": shared,
        **_beside(problem, grid, theory, [str(v) for v in budgets[0]["variable"].values], fits),
    }
    study = xr.Dataset(
        {
            "order": ("functional", [f.order for f in fits], {"long_name": "order of the gap in the size"}),
            "amount": ("functional", [f.amount for f in fits], {"long_name": "gap at the mean of the log sizes"}),
            "gap": ((dim, "functional"), gaps, {"long_name": "measured minus predicted, as a share of the scale"}),
            "error": ((dim, "functional"), errors, {"long_name": "one standard error of the gap"}),
            "verdict": (dim, np.asarray([t.attrs["verdict"] for t in found], dtype=object)),
        },
        coords,
    )
    study.attrs = stamp(
        verb="order_study",
        problem=to_json(problem)[0],
        theory=type(theory).__name__,
        theory_json=to_json(theory)[0],
        seeds=json.loads(found[0].attrs["seeds"]),
        over=grid.told(),
        grid=grid.kept(),
        times=np.asarray(found[0]["training"]["time"]).tolist(),
        remarks=[],
    )
    return study


def _beside(
    problem: Problem, grid: Grid, theory: Theory, variables: Sequence[str], fits: Sequence[Fit]
) -> dict[str, Any]:
    """What stands beside each order: its error, what the theory declares, and from which size the theory is good."""
    declared = theory.finite_size(variants(problem, grid)[0])
    return {
        "order_error": ("functional", [f.order_error for f in fits]),
        "declared_order": ("functional", [declared[v].order if v in declared else np.nan for v in variables]),
        **{n: ("functional", [f.size_for(share) for f in fits]) for n, share in SHARES.items()},
    }


def _one_error(budget: xr.Dataset, seeds: int) -> np.ndarray:
    """One standard error of each gap: of the mean over seeds, or what the integrators leave open where none is."""
    chance = budget["error"].values / student(seeds, budget.sizes["functional"]) if seeds > 1 else 0.0
    floor = np.maximum(budget["tolerance"].values, 1e-15 * budget["scale"].values)
    return np.hypot(chance, floor)
