"""Ridge regression at other sample sizes, and the noise, from the spectrum and the errors of one table.

For rows of covariance C (eigenvalues c_j) and m rows, ridge of strength l acts on a fresh row like a shrinkage by

    k > 0:   k (1 - D(k)/m) = l,    D(k) = sum_j c_j/(c_j + k),    F(k) = sum_j c_j^2/(c_j + k)^2 = D + k D',

and the expected squared error on a fresh row, noise included, is

    M_m(k) = N(k) / (1 - F(k)/m),   N(k) = k^2 sum_j c_j b_j^2/(c_j + k)^2 + noise variance,

where N does not depend on m. A table of n rows gives all three without knowledge of C or b: at penalty s = n l, with
the eigenvalues d of its scatter, D = sum_j d_j/(d_j + s), k = s/(n - D), and N = M_n (1 - F/n) from any estimate of
M_n, such as the errors on rows held out. Then M_m is known for every m, at the k that the table can see: all of them
where n > p, else only k above its value at s = 0. Centred tables count one row less.

Source: the closed form of ridge and its use on one table, Wei, Hu and Steinhardt 2022; other sizes derived here, since
N is the same for every m. In the limit of many rows and columns; errors O(1/n).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .held_out import Scatter

Strengths = Float[Array, " s"]
Number = Float[Array, ""]


class Equivalent(NamedTuple):
    """Shrinkage k, degrees of freedom D and F at each penalty, and the number of rows that count."""

    shrinkage: Strengths
    degrees: Strengths
    squared: Strengths
    rows: float | Number


def equivalent(values: Float[Array, " r"], rows: float | Number, penalties: Strengths) -> Equivalent:
    """From the eigenvalues of the scatter of `rows` rows, at positive penalties."""
    share = values[None, :] / (values[None, :] + penalties[:, None])
    degrees = jnp.sum(share, axis=1)
    # s dD/ds, and with it d log k / d log s
    slope = -jnp.sum(share * (1 - share), axis=1)
    left = rows - degrees
    steep = 1 + slope / left
    return Equivalent(penalties / left, degrees, degrees + slope / steep, rows)


def at_other_size(found: Equivalent, errors: Strengths, rows: Float[Array, " m"]) -> Float[Array, "m s"]:
    """Mean squared errors for other numbers of rows, at the same shrinkages; inf where ridge would be negative."""
    constant = monotone(errors * jnp.maximum(1 - found.squared / found.rows, 0.0))
    left = 1 - found.squared[None, :] / rows[:, None]
    legal = (found.degrees[None, :] < rows[:, None]) & (left > 0)
    return jnp.where(legal, constant[None, :] / jnp.where(legal, left, 1.0), jnp.inf)


def monotone(values: Strengths) -> Strengths:
    """N grows with the shrinkage; what is measured is pulled to the middle of its rising envelopes."""
    return 0.5 * (jax.lax.cummax(values) + jax.lax.cummin(values, reverse=True))


def noise_variance(found: Scatter, targets: Float[Array, " n"], rows: float | Number, penalties: Strengths) -> Number:
    """Variance of what no linear function explains.

    With a fifth of the rows (and ten) to spare beyond the rank: the residual sum of squares over rows - rank, unbiased.
    Else the likelihood of independent normal weights, targets ~ N(0, noise (I + A A'/s)), maximised over s among
    `penalties`: right for signals that lie in no special direction.
    """
    values, total = found.values, jnp.sum(targets**2)
    alive = values > 1e-10 * jnp.max(values)
    power = jnp.where(alive, found.drive**2 / jnp.where(alive, values, 1.0), 0.0)
    rank = jnp.sum(alive)
    spare = rows - rank
    rest = jnp.maximum(total - jnp.sum(power), 0.0)
    inflation = 1 + jnp.where(alive, values, 0.0)[None, :] / penalties[:, None]
    profile = (jnp.sum(power[None, :] / inflation, axis=1) + rest) / rows
    cost = jnp.sum(jnp.log(inflation), axis=1) + rows * jnp.log(jnp.maximum(profile, 1e-300))
    ample = spare >= jnp.maximum(10.0, rows / 5)
    return jnp.where(ample, rest / jnp.where(ample, spare, 1.0), profile[jnp.argmin(cost)])
