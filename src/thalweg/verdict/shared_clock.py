"""One clock for all curves of a theory: an error of it moves them alike, and together they see it more sharply."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from .budget_row import ALL, Row
from .chance import Chance, mean_gap
from .fitted import CLOCK, CLOCKS_ARE_SHARP


def shared_clock(budget: Sequence[Row], chance: Chance) -> list[Row]:
    """The mean of the clocks of all curves, each weighted by one over the square of what it leaves open.

    None for a theory of every single run, which needs no pooling, or where fewer than two curves have a clock.
    """
    clocks = [row for row in budget if row.measure == CLOCK and np.isfinite(row.gap) and np.isfinite(row.blur)]
    if chance.exact or len(clocks) < 2 or any(row.mean.rest.size < 2 for row in clocks):
        return []
    weights = np.asarray([max(row.blur, 1e-12) ** -2 for row in clocks])
    weights /= weights.sum()
    mean = mean_gap(weights @ np.stack([row.gap + row.mean.rest for row in clocks]), chance)
    limits = {name: _mean(weights, clocks, name) for name in ("finite_size", "tolerance", "margin", "approach")}
    row = Row(f"{ALL}: {CLOCK}", ALL, CLOCK, "value", 1.0, 1 + mean.gap, mean, 0.0, 0.0, 0.0, 1.0)
    return [dataclasses.replace(row, bluntness=CLOCKS_ARE_SHARP, **limits)]


def _mean(weights: np.ndarray, clocks: Sequence[Row], name: str) -> float:
    return float(weights @ [getattr(row, name) for row in clocks])
