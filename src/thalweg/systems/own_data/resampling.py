"""How sure a choice is that was read from held-out errors: bootstrap of the errors, and half of the points refitted.

The bootstrap draws the n held-out errors again with replacement: the chance of being judged by these points. It
leaves out the chance of being fitted to them. Refitting on half of the points, drawn without replacement, has both: a
statistic on half of the points lies about as far from that on all as that on all lies from the truth.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...mathematics.left_out_rows import (
    LeftOut,
    is_followed,
    left_out,
    loop,
    path_left_out,
    ridge_left_out,
)
from ..shared.least_squares import TableProblem, TrainingPart
from .held_out_ridge import STRENGTHS
from .leave_one_out import held_out, step_noise
from .ridge_of_rows import RowsRidge, learning_of, ridge_of

HALVES = 40
DRAWS = 400
# nominal; over 20 splits of each of the tables of benchmarks/own_data.py it held less often, which LEVEL says
QUANTILES = (0.05, 0.95)
LEVEL = 0.8
# rows of a half at most: beyond, fewer rows say how far a statistic lies, brought to half of all by its root law
MOST_ROWS = 3000
# the best time is sought this many times around the best of the grid, at so many times
ROUNDS, AROUND = 3, 9


class PathEvidence(NamedTuple):
    """Held-out losses along the path (times, n), the variance in them that SGD's own draws make, errors (n, outputs) at
    the least of them, the best time, and whether the contour is sound."""

    losses: np.ndarray
    noise: np.ndarray
    errors: np.ndarray
    best: float
    fits: bool


class TableEvidence(NamedTuple):
    """All points and every half: the path on a grid of times, ridge on a grid of strengths.

    `reach`: what the spread of the halves is to be multiplied with.
    """

    path: PathEvidence | None
    ridge: RowsRidge
    half_path: np.ndarray | None
    half_ridge: np.ndarray
    half_gain: np.ndarray
    reach: float


class _Follower:
    """The path of one rule on rows left out."""

    def __init__(self, problem: TableProblem, horizon: float, nodes: int) -> None:
        self.problem, self.horizon, self.nodes = problem, horizon, nodes

    def filters(self, z: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """g and f (times, nodes) at complex or real z; f only where the start is spread."""
        rule: Any = self.problem.rule.mean()
        f, g = rule.filter(jnp.asarray(z + self.problem.weight_decay), jnp.asarray(times))
        return np.asarray(g), np.asarray(f) if self.problem.init_variance else None

    def losses(self, rows: LeftOut, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Losses (times, n), the start averaged, and errors (times, n, K)."""
        z, weights = loop(rows.largest, self.horizon, self.nodes)
        errors, spreads = path_left_out(rows, z, weights, self.filters(z, times))
        outputs, p = errors.shape[2], np.shape(self.problem.inputs)[1]
        spread = outputs * self.problem.init_variance / p * spreads
        return 0.5 * (np.sum(errors**2, axis=2) + spread), errors

    def is_sound(self, rows: LeftOut, last: np.ndarray) -> bool:
        """Whether the contour has nodes enough."""
        z, weights = loop(rows.largest, self.horizon, self.nodes)
        known = self.filters(rows.values / (rows.count - 1), last)[0]
        return is_followed(rows, z, weights, self.filters(z, last)[0], known)

    def best_time(self, rows: LeftOut, times: np.ndarray, mean: np.ndarray) -> float:
        """The time of the least mean loss, sought around the best of the grid; NaN where that is an end."""
        at = int(np.argmin(mean))
        if at in (0, len(times) - 1):
            return float("nan")
        low, high, best = max(times[at - 1], 0.1 * times[at]), times[at + 1], times[at]
        for _ in range(ROUNDS):
            tried = np.geomspace(low, high, AROUND)
            tried = tried if self.problem.rule.continuous else np.round(tried)
            seen = self.losses(rows, tried)[0].mean(axis=1)
            place = int(np.argmin(seen))
            best, low, high = tried[place], tried[max(place - 1, 0)], tried[min(place + 1, AROUND - 1)]
        return float(best)


def evidence(problem: TableProblem, data: Any, times: np.ndarray | None, nodes: int) -> TableEvidence:
    """Everything that advice rests on; `times` None where the rule has no path that can be followed by modes."""
    part: Any = TrainingPart(*(np.asarray(one) for one in problem.training(data)))  # pyright: ignore
    inputs, targets = np.asarray(part.inputs), np.asarray(part.targets).reshape(len(part.targets), -1)
    count = len(inputs)
    size = min(count // 2, MOST_ROWS)
    rng = np.random.default_rng(0)
    halves = [left_out(*_recentred(problem, inputs, targets, rng.permutation(count)[:size])) for _ in range(HALVES)]
    reach = float(np.sqrt(1 / (count / size - 1)))
    rows = left_out(inputs, targets, problem.centred)
    ridge = ridge_of(rows, problem.centred)
    half_ridge = np.stack([_mean(ridge_left_out(half, STRENGTHS)) for half in halves])
    gain = learning_of(halves, half_ridge, problem.centred)
    if times is None:
        return TableEvidence(None, ridge, None, half_ridge, gain, reach)
    follower = _Follower(problem, float(times[-1] * problem.rule.effective_pace()), nodes)
    losses, errors = follower.losses(rows, times)
    noise = np.zeros(losses.shape)
    if problem.rule.draws_anew:
        z, kernels = held_out(problem, jax.tree.map(jnp.asarray, part), times[-1], nodes)
        noise = np.asarray(step_noise(problem, part, z, kernels, jnp.asarray(times)))
    losses = losses + 0.5 * noise
    mean = losses.mean(axis=1)
    # the best step of noisy steps is read from the grid
    best = float("nan") if problem.rule.random else follower.best_time(rows, times, mean)
    path = PathEvidence(losses, noise, errors[int(np.argmin(mean))], best, follower.is_sound(rows, times[-1:]))
    # halves differ by the path of their mean weights; the noise around it, a power per step, is that of all points
    half_path = np.stack([follower.losses(half, times)[0].mean(axis=1) for half in halves])
    return TableEvidence(path, ridge, half_path + 0.5 * noise.mean(axis=1)[None, :], half_ridge, gain, reach)


def _mean(errors: np.ndarray) -> np.ndarray:
    return 0.5 * np.mean(np.sum(errors**2, axis=2), axis=1)


def _recentred(
    problem: TableProblem, inputs: np.ndarray, targets: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, bool]:
    x, y = inputs[chosen], targets[chosen]
    return (x - x.mean(axis=0), y - y.mean(axis=0), True) if problem.centred else (x, y, False)


class GridSpread(NamedTuple):
    """Intervals of a best place on a grid (positions), and of the mean loss there as a factor of it."""

    low: int
    high: int
    factors: tuple[float, float]


def spread(losses: np.ndarray, halves: np.ndarray, reach: float = 1.0) -> GridSpread:
    """From held-out losses (grid, n) and the mean curves of the halves (HALVES, grid).

    On each side the wider of bootstrap and halves: of the place, and of the loss at it, the halves about their mean
    times `reach`.
    """
    count = losses.shape[1]
    drawn = np.random.default_rng(1).multinomial(count, np.full(count, 1 / count), size=DRAWS) / count
    again, refitted = np.argmin(drawn @ losses.T, axis=1), np.argmin(halves, axis=1)
    ends = np.stack([np.quantile(places, QUANTILES, method="nearest") for places in (again, refitted)])
    level = np.log(halves.min(axis=1))
    fitted = reach * np.quantile(level - level.mean(), QUANTILES)
    chosen = losses[int(np.argmin(losses.mean(axis=1)))]
    judged = np.quantile(np.log(drawn @ chosen / chosen.mean()), QUANTILES) if chosen.mean() > 0 else fitted
    low, high = float(min(fitted[0], judged[0])), float(max(fitted[1], judged[1]))
    return GridSpread(int(ends[:, 0].min()), int(ends[:, 1].max()), (float(np.exp(low)), float(np.exp(high))))
