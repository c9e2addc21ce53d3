"""Ridge, noise and more points from rows left out, without compiling: what `ridge_table` says, for the advice."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ...mathematics.held_out import Scatter
from ...mathematics.left_out_rows import LeftOut, ridge_left_out
from ...mathematics.ridge_equivalent import at_other_size, equivalent, noise_variance
from .held_out_ridge import SIZES, STRENGTHS, best_strength, strongest_minimum


class RowsRidge(NamedTuple):
    """As RidgeTable: errors (s, n), the best strength and its loss, noise and signal, learning curve, errors (n, K) at
    the best."""

    errors: np.ndarray
    strength: float
    loss: float
    noise: float
    signal: float
    learning: np.ndarray
    missed: np.ndarray


def ridge_of(rows: LeftOut, centred: bool) -> RowsRidge:
    """Everything that ridge tells of these rows."""
    missed = ridge_left_out(rows, STRENGTHS)
    errors = np.sqrt(np.sum(missed**2, axis=2))
    each = 0.5 * errors**2
    # the choice reads means and standard errors alone: a sample stands for very many rows
    best, at = best_strength(jnp.asarray(each)), int(strongest_minimum(jnp.asarray(each)))
    count = rows.count - centred
    values = _padded(rows.values)
    noise = 0.0
    for k in range(rows.targets.shape[1]):
        drive = _padded(np.sqrt(rows.values) * rows.share[:, k])
        noise += float(_noise(values, drive, float(np.sum(rows.targets[:, k] ** 2)), float(count), rows.count))
    total = float(np.sum(rows.targets**2)) / count
    learning = learning_of([rows], each.mean(axis=1)[None, :], centred)[0]
    learning = learning * float(best.loss) / learning[int(np.flatnonzero(SIZES == 1.0)[0])]
    signal = np.sqrt(max(total - noise, 0.0))
    return RowsRidge(errors, float(best.strength), float(best.loss), np.sqrt(noise), signal, learning, missed[at])


def _padded(values: np.ndarray) -> np.ndarray:
    """With zeros to a power of two, rising: one program for many shapes."""
    size = 1 << max(len(values) - 1, 0).bit_length()
    return np.concatenate([np.zeros(size - len(values)), values[::-1]])


@jax.jit
def _noise(values: Any, drive: Any, total: Any, rows: Any, count: Any) -> Any:
    # squares of these targets sum to the total; nothing else of them is read
    targets = jnp.sqrt(jnp.asarray(total))[None]
    nothing = jnp.zeros((1, values.shape[0]))
    found = Scatter(values, nothing, drive, nothing, drive)
    return noise_variance(found, targets, rows, count * jnp.asarray(STRENGTHS))


@jax.jit
def _learning(values: Any, losses: Any, rows: Any, strengths: Any, sizes: Any) -> Any:
    def one(d: Any, loss: Any) -> Any:
        return jnp.min(at_other_size(equivalent(d, rows, strengths), loss, sizes), axis=1)

    return jax.lax.map(lambda both: one(*both), (values, losses))


def learning_of(several: list[LeftOut], losses: np.ndarray, centred: bool) -> np.ndarray:
    """Losses (tables, sizes) of the best ridge at SIZES times their rows, from mean losses (tables, s)."""
    count = several[0].count
    share = 1.0 if centred else 0.0
    sizes = np.round(SIZES * count)
    longest = max(len(one.values) for one in several)
    values = np.stack([_padded(np.pad(one.values, (0, longest - len(one.values)))) for one in several])
    plain = losses / (1 + share / (count - 1))
    found = _learning(values, plain, count - share, (count - 1) * STRENGTHS, sizes - share)
    return np.asarray(found) * (1 + share / sizes)[None, :]
