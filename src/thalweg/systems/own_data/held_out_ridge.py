"""Ridge, noise, signal and what more points would buy, from the training points alone."""

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ...mathematics.held_out import ridge_errors, scatter
from ...mathematics.ridge_equivalent import at_other_size, equivalent, noise_variance
from ...words.problem import Axis, Problem
from ...words.theory import Assumption, Estimate, Source, Variable
from ..shared.least_squares import TableProblem
from .leave_one_out import ENOUGH
from .regression_table import DatasetRegression
from .several_classes import DatasetClasses
from .two_classes import DatasetClassifier

# the mean variance of a column is 1: what lies outside is no ridge or, up to some 10^4 columns, nothing but ridge
STRENGTHS = np.geomspace(1e-6, 1e6, 121)
SIZES = np.array([0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0])


RIDGE = Axis("ridge", STRENGTHS, "strength of ridge")
SIZE = Axis("learning_samples", "learning_samples", "number of training points")


class BestRidge(NamedTuple):
    """The advised strength (0: no ridge is best; NaN: the mean alone is best) and its held-out loss."""

    strength: Array
    loss: Array


def strongest_minimum(losses: Float[Array, "s n"]) -> Int[Array, ""]:
    """Of all local minima of the mean loss that cannot be told from the least by one standard error, the strongest.

    Mostly there is one. A second towards no ridge at all comes from columns that move in one row only: without this
    row nothing is learned about them, so that errors held out do not see the huge weights that they get.
    """
    mean = jnp.mean(losses, axis=1)
    least = losses[jnp.argmin(mean)]
    apart = losses - least[None, :]
    even = jnp.mean(apart, axis=1) <= jnp.std(apart, axis=1) / np.sqrt(losses.shape[1])
    around = jnp.pad(mean, 1, constant_values=jnp.inf)
    local = (mean <= around[:-2]) & (mean <= around[2:])
    return mean.shape[0] - 1 - jnp.argmax((even & local)[::-1])


def best_strength(losses: Float[Array, "s n"]) -> BestRidge:
    """The vertex of the parabola through the best of the mean losses on STRENGTHS and its neighbours."""
    at, mean = strongest_minimum(losses), jnp.mean(losses, axis=1)
    inner = jnp.clip(at, 1, mean.shape[0] - 2)
    low, here, high = mean[inner - 1], mean[inner], mean[inner + 1]
    bend = low - 2 * here + high
    shift = 0.5 * (low - high) / jnp.where(bend > 0, bend, 1.0)
    step = np.log(STRENGTHS[1] / STRENGTHS[0])
    inside = jnp.asarray(STRENGTHS)[inner] * jnp.exp(step * jnp.clip(shift, -1.0, 1.0))
    ends = jnp.where(at == 0, 0.0, jnp.nan)
    is_end = (at == 0) | (at == mean.shape[0] - 1)
    return BestRidge(jnp.where(is_end, ends, inside), jnp.where(is_end, mean[at], here - 0.25 * (low - high) * shift))


class RidgeTable(NamedTuple):
    """All that ridge tells of a table; losses are half squared errors on the point held out.

    `errors` of several outputs are the norms of theirs.
    """

    errors: Float[Array, "s n"]
    best: BestRidge
    noise: Array
    signal: Array
    learning: Float[Array, " sizes"]


def ridge_table(inputs: Float[Array, "n p"], targets: Float[Array, " n *outputs"], centred: bool) -> RidgeTable:
    """Everything above from one eigenproblem and one more for the errors."""
    n = inputs.shape[0]
    rows = float(n - centred)
    strengths = jnp.asarray(STRENGTHS)
    # several outputs share the rows: their squared errors and noises add up
    columns = targets.reshape(n, -1)
    missed = jax.vmap(lambda y: ridge_errors(inputs, y, centred, strengths), in_axes=1)(columns)
    errors = jnp.sqrt(jnp.sum(missed**2, axis=0))
    each = 0.5 * errors**2
    losses = jnp.mean(each, axis=1)
    found = scatter(inputs, columns[:, 0])
    noises = jax.vmap(lambda y: noise_variance(scatter(inputs, y), y, rows, n * strengths), in_axes=1)(columns)
    noise = jnp.sum(noises)
    total = jnp.sum(targets**2) / rows
    # a mean fitted from m points adds the share 1/m to the loss
    share = 1.0 if centred else 0.0
    sizes = jnp.round(jnp.asarray(SIZES) * n)
    plain = losses / (1 + share / (n - 1))
    other = at_other_size(equivalent(found.values, rows, (n - 1) * strengths), plain, sizes - share)
    best, learning = best_strength(each), jnp.min(other, axis=1) * (1 + share / sizes)
    # the curve goes through what is measured at this size
    learning = learning * best.loss / learning[int(np.flatnonzero(SIZES == 1.0)[0])]
    return RidgeTable(errors, best, jnp.sqrt(noise), jnp.sqrt(jnp.maximum(total - noise, 0.0)), learning)


class HeldOutRidge(Estimate[TableProblem]):
    """Ridge regression on each training point held out; noise, signal and the learning curve that follow from it.

    Ridge of strength lambda minimises (1/2n) sum (y - x.w)^2 + (lambda/2)|w|^2: the end of the path at weight_decay =
    lambda. With e the residuals and H the hat matrix of penalty (n-1) lambda,
        ridge_loss(lambda) = (1/2n) sum_i |e_i / (1 - H_ii)|^2        along the axis `ridge`, 1e-6 to 1e6;
    `best_ridge` is its minimum (of several that are even by one standard error, the strongest; 0 where no ridge is
    best, NaN where the mean alone is best), `best_ridge_loss` the loss there, too low by having been chosen.
    `noise`: standard deviation of what no linear function explains, from the residuals where points are ample (rank
    below 4/5 of them), else by the likelihood of independent normal weights.
    `signal`: that of the linear part. `learning_loss` along the axis `learning_samples` (n/2 to 4n): test loss at the
    best ridge of that many points, from the errors at n and the spectrum alone: the deterministic equivalent
        loss_m(k) = N(k)/(1 - F(k)/m),    N(k) = loss_n(k) (1 - F(k)/n) at equal shrinkage k
    (mathematics/ridge_equivalent.py), taken where N grows with k.
    Clock: none. Conditions on the draw. Not told of rule, start and decay. Losses in targets squared.
    Fails where the best ridge of more points is weaker than any that these points can show (more columns than points).
    Source: Allen 1974; other sample sizes after Wei, Hu & Steinhardt 2022.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DatasetClassifier, DatasetRegression, DatasetClasses)
    source: ClassVar[tuple[Source, ...]] = (Source("Allen1974"), Source("WeiHuSteinhardt2022"))
    conditions_on: ClassVar[tuple[str, ...]] = ("draw",)
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("ridge_loss", "test loss of ridge", "targets squared", (RIDGE,)),
        Variable("best_ridge", "strength of the least test loss"),
        Variable("best_ridge_loss", "test loss of the best ridge", "targets squared"),
        Variable("noise", "standard deviation of the noise", "targets"),
        Variable("signal", "standard deviation of the linear part", "targets"),
        Variable("learning_loss", "test loss of the best ridge of that many points", "targets squared", (SIZE,)),
    )
    speaks_of: ClassVar[tuple[str, ...]] = (
        "ridge_loss",
        "best_ridge",
        "best_ridge_loss",
        "noise",
        "signal",
        "learning_loss",
    )
    shapes: ClassVar[tuple[str, ...]] = ("samples", "moments", "classes", "bias", "intercept")
    assumptions: ClassVar[tuple[Assumption, ...]] = (ENOUGH,)

    def predict(self, problem: TableProblem, data: Any, start: Any, times: Array) -> dict[str, Array]:
        inputs, targets, _ = problem.training(data)
        found = ridge_table(inputs, targets, problem.centred)
        return {
            "ridge_loss": 0.5 * jnp.mean(found.errors**2, axis=1),
            "best_ridge": found.best.strength,
            "best_ridge_loss": found.best.loss,
            "noise": found.noise,
            "signal": found.signal,
            "learning_samples": jnp.round(jnp.asarray(SIZES) * inputs.shape[0]),
            "learning_loss": found.learning,
        }
