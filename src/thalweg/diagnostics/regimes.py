"""Regimes of a learning rate, read from short runs: convergent, chaotic, divergent."""

import numpy as np

CONVERGENT, CHAOTIC, DIVERGENT = "convergent", "chaotic", "divergent"
# shares of the way from the first loss to the lowest one seen
STILL, ABOVE = 0.02, 0.05


def regimes(losses: np.ndarray) -> np.ndarray:
    """The regime of each row of `losses` (rates in increasing order, times), after Kodryan et al. 2022.

    divergent: not finite, or over the last quarter no lower than at the start. Otherwise chaotic: the loss of the
    second half goes up more than half as much as it goes down, by more than 2 % of the whole way; or it has come to
    rest (under 2 % between the last two quarters) more than 5 % of the way above what a smaller rate had reached.
    Otherwise convergent: still falling, or at rest at the lowest level. The way: from the first loss to the lowest.
    """
    losses = np.asarray(losses, float)
    count = losses.shape[1]
    if count < 5:
        raise ValueError(f"{count} times are too few to see a regime; give at least 5.")
    first = losses[:, 0]
    half, quarter = losses[:, count // 2 :], max(1, count // 4)
    end, before = losses[:, -quarter:].mean(axis=1), losses[:, -2 * quarter : -quarter].mean(axis=1)
    with np.errstate(invalid="ignore", over="ignore"):
        divergent = ~np.isfinite(losses).all(axis=1) | ~(end < first)
        way = np.where(divergent, np.nan, first - end)
        whole = np.nanmax(way) if np.isfinite(way).any() else 0.0
        moves = np.diff(half, axis=1)
        up, down = np.maximum(moves, 0).sum(axis=1), np.maximum(-moves, 0).sum(axis=1)
        restless = (up > 0.5 * down) & (up > STILL * whole)
        lowest = np.minimum.accumulate(np.where(divergent, np.inf, end))
        stuck = (np.abs(before - end) < STILL * whole) & (end - lowest > ABOVE * whole)
    return np.where(divergent, DIVERGENT, np.where(restless | stuck, CHAOTIC, CONVERGENT)).astype(object)
