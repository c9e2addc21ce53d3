"""How sure a choice is that was read from held-out errors: bootstrap of the errors, and half of the points refitted.

The bootstrap draws the n held-out errors again with replacement: the chance of being judged by these points. It
leaves out the chance of being fitted to them. Refitting on half of the points, drawn without replacement, has both: a
statistic on half of the points lies about as far from that on all as that on all lies from the truth.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..shared.least_squares import TableProblem, TrainingPart
from ..shared.square_loss import best_time
from .held_out_ridge import RidgeTable, ridge_table
from .leave_one_out import curves, held_out, right, sound, step_noise

HALVES = 40
DRAWS = 400
# nominal; over 20 splits of each of the tables of benchmarks/own_data.py it held less often, which LEVEL says
QUANTILES = (0.05, 0.95)
LEVEL = 0.8


class PathEvidence(NamedTuple):
    """Held-out losses along the path (times, n), the variance in them that SGD's own draws make, outputs on the right
    side, the best time, whether the contour is sound, and the errors (n, outputs) at the least loss of the grid."""

    losses: Array
    noise: Array
    right: Array
    best: Array
    fits: Array
    errors: Array


class TableEvidence(NamedTuple):
    """All points and every half: the path on a grid of times, ridge on a grid of strengths."""

    path: PathEvidence | None
    ridge: RidgeTable
    half_path: Array | None
    half_ridge: Array
    half_gain: Array


@eqx.filter_jit
def _path(problem: TableProblem, part: TrainingPart, times: Array, nodes: int) -> PathEvidence:
    z, kernels = held_out(problem, part, times[-1], nodes)

    def mean_loss(at: Array) -> Array:
        return jnp.mean(curves(problem, z, kernels, at).losses(), axis=1)

    seen = curves(problem, z, kernels, times)
    noise = step_noise(problem, part, z, kernels, times)
    # the best step of noisy steps is read from the grid
    drawn = problem.rule.random
    best = jnp.asarray(jnp.nan) if drawn else best_time(problem, mean_loss, times[-1], 1)
    hits = right(problem, part, kernels, seen, times)
    losses = seen.losses() + 0.5 * noise
    at = jnp.argmin(jnp.mean(losses, axis=1))
    errors = kernels.targets - jnp.take(seen.outputs, at, axis=-2)
    errors = jnp.reshape(jnp.moveaxis(errors, -1, 0), (part.targets.shape[0], -1))
    return PathEvidence(losses, noise, hits, best, sound(problem, z, kernels, times), errors)


@eqx.filter_jit
def _halves(problem: TableProblem, inputs: Array, targets: Array, rows: Array, times: Array, nodes: int) -> Array:
    def one(chosen: Array) -> Array:
        part = TrainingPart(*_recentred(problem, inputs[chosen], targets[chosen]))
        z, kernels = held_out(problem, part, times[-1], nodes)
        return jnp.mean(curves(problem, z, kernels, times).losses(), axis=1)

    return jax.lax.map(one, rows)


@eqx.filter_jit
def _ridge(problem: TableProblem, inputs: Array, targets: Array) -> RidgeTable:
    return ridge_table(inputs, targets, problem.centred)


@eqx.filter_jit
def _ridge_halves(problem: TableProblem, inputs: Array, targets: Array, rows: Array) -> tuple[Array, Array]:
    def one(chosen: Array) -> tuple[Array, Array]:
        found = ridge_table(*_recentred(problem, inputs[chosen], targets[chosen]), problem.centred)
        return 0.5 * jnp.mean(found.errors**2, axis=1), found.learning

    return jax.lax.map(one, rows)


def _recentred(problem: TableProblem, inputs: Array, targets: Array) -> tuple[Array, Array]:
    if not problem.centred:
        return inputs, targets
    return inputs - jnp.mean(inputs, axis=0)[None, :], targets - jnp.mean(targets, axis=0, keepdims=True)


def evidence(problem: TableProblem, data: Any, times: np.ndarray | None, nodes: int) -> TableEvidence:
    """Everything that advice rests on; `times` None where the rule has no path that can be followed by modes."""
    part = TrainingPart(*(jnp.asarray(one) for one in problem.training(data)))
    inputs, targets, _ = part
    count = inputs.shape[0]
    rng = np.random.default_rng(0)
    rows = jnp.asarray(np.stack([rng.permutation(count)[: count // 2] for _ in range(HALVES)]))
    # the table itself is no part of what is compiled for: only rule, start and decay of the problem are read
    ridge, (half_ridge, gain) = _ridge(problem, inputs, targets), _ridge_halves(problem, inputs, targets, rows)
    if times is None:
        return TableEvidence(None, ridge, None, half_ridge, gain)
    axis = jnp.asarray(times)
    path = _path(problem, part, axis, nodes)
    # halves differ by the path of their mean weights; the noise around it, a power per step, is that of all points
    halves = _halves(problem, inputs, targets, rows, axis, nodes) + 0.5 * jnp.mean(path.noise, axis=1)[None, :]
    return TableEvidence(path, ridge, halves, half_ridge, gain)


class GridSpread(NamedTuple):
    """Intervals of a best place on a grid (positions), and of the mean loss there as a factor of it."""

    low: int
    high: int
    factors: tuple[float, float]


def spread(losses: np.ndarray, halves: np.ndarray) -> GridSpread:
    """From held-out losses (grid, n) and the mean curves of the halves (HALVES, grid).

    The place: the wider of bootstrap and halves on each side. The loss at it: the halves, about their mean.
    """
    count = losses.shape[1]
    drawn = np.random.default_rng(1).multinomial(count, np.full(count, 1 / count), size=DRAWS) / count
    again, refitted = np.argmin(drawn @ losses.T, axis=1), np.argmin(halves, axis=1)
    ends = np.stack([np.quantile(places, QUANTILES, method="nearest") for places in (again, refitted)])
    level = np.log(halves.min(axis=1))
    factors = np.exp(np.quantile(level - level.mean(), QUANTILES))
    return GridSpread(int(ends[:, 0].min()), int(ends[:, 1].max()), (float(factors[0]), float(factors[1])))
