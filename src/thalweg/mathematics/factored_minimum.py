"""Minimisers of |WW' - A|^2/2 + (tr(WW' - A))^2/4 + rho |W|^2/2 at bounded rank, and how fast descent reaches them.

A has eigenvalues lam, largest first; W has `columns` columns. Without the trace term the problem is `centred`.
Times and rates are those of W' = -gradient.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Minimum(NamedTuple):
    """Shift s, which eigenvalues are kept, the kept z = lam - s (else 0), tr D, and the value without penalty."""

    shift: Float[Array, ""]
    active: Bool[Array, " d"]
    values: Float[Array, " d"]
    gap: Float[Array, ""]
    risk: Float[Array, ""]


def minimum(lam: Float[Array, " d"], columns: Array | int, rho: Array | float, centred: bool) -> Minimum:
    """The minimiser reached from a generic start: the largest active set nu <= columns with lam_nu > s_nu.

    s_nu = (rho - sum_{i > nu} lam_i)/(nu + 2), or rho/2 if centred.
    """
    d = lam.shape[0]
    counts = jnp.arange(d + 1)
    tails = jnp.sum(lam) - jnp.concatenate([jnp.zeros(1), jnp.cumsum(lam)])
    shifts = jnp.full(d + 1, 0.5) * rho if centred else (rho - tails) / (counts + 2.0)
    last = jnp.concatenate([jnp.full(1, jnp.inf), lam])
    nu = jnp.max(jnp.where((last > shifts) & (counts <= columns), counts, 0))
    shift = shifts[nu]
    active = jnp.arange(d) < nu
    values = jnp.where(active, lam - shift, 0.0)
    gap = jnp.sum(values) - jnp.sum(lam)
    trace = 0.0 if centred else 0.25 * gap**2
    return Minimum(shift, active, values, gap, 0.5 * jnp.sum((values - lam) ** 2) + trace)


def curvatures(z: Float[Array, " d"], active: Bool[Array, " d"], centred: bool) -> tuple[Array, Array]:
    """Least and largest eigenvalue of 4 diag(z) + 2 sqrt(z) sqrt(z)' over the active z (centred: 4 diag(z))."""
    root = jnp.sqrt(jnp.where(active, jnp.maximum(z, 1e-300), 0.0))
    matrix = 4 * jnp.diag(root**2) + (0.0 if centred else 2.0) * jnp.outer(root, root)
    # inactive rows are moved out of the way, once below and once above
    top = 10 * (jnp.trace(matrix) + 1.0)
    out = jnp.diag(jnp.where(active, 0.0, top))
    return jnp.linalg.eigvalsh(matrix + out)[0], jnp.linalg.eigvalsh(matrix)[-1]


def exponential_rate(lam: Float[Array, " d"], columns: int, found: Minimum, centred: bool) -> Float[Array, ""]:
    """Rate at which the risk nears its minimum; 0 where the approach is algebraic.

    The least of: 4 (lam_i - lam_j) over active i and inactive j of another eigenvalue, 2 eigmin M(z), 4 (z_nu +
    z_{nu-1}), and, where columns are left over, 4 (s - lam_j) over inactive j.
    """
    d = lam.shape[0]
    many = min(columns, d)
    nu = jnp.sum(found.active)
    gaps = jnp.where(found.active[:, None] & ~found.active[None, :], lam[:, None] - lam[None, :], jnp.inf)
    gaps = jnp.where(gaps > 1e-12 * jnp.max(jnp.abs(lam), initial=1e-300), gaps, jnp.inf)
    sorted_up = jnp.sort(jnp.where(found.active, found.values, jnp.inf))
    pair = sorted_up[0] + sorted_up[1] if d > 1 else jnp.asarray(jnp.inf)
    inner = jnp.where(nu > 0, 2 * curvatures(found.values, found.active, centred)[0], jnp.inf)
    spare = jnp.min(jnp.where(found.active, jnp.inf, found.shift - lam), initial=jnp.inf)
    left = jnp.where(nu < many, 4 * jnp.maximum(spare, 0.0), jnp.inf)
    return jnp.min(jnp.stack([4 * jnp.min(gaps), inner, 4 * pair, left]))


def algebraic_constant(rank: Array, columns: Array | float, centred: bool) -> tuple[Array, Array]:
    """lim t^2 risk and lim t tr D for a positive A of this rank and more columns (at most the dimension), rho = 0."""
    spare = jnp.maximum(columns - rank, 0.0)
    if centred:
        return spare / 32, spare / 4
    return spare * (rank + 2) / (32 * (columns + 2)), spare / (2 * (columns + 2))


def correction_exponent(rank: Array, columns: Array | float) -> Array:
    """The relative correction to the algebraic law falls like t to minus this power."""
    return jnp.minimum(1.0, 2 * (rank + 2) / (columns + 2))
