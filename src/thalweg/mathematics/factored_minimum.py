"""Minimisers of |WW' - A|^2/2 + (tr(WW' - A))^2/4 + rho |W|^2/2 at bounded rank, and how fast descent reaches them.

A has eigenvalues lam, largest first; W has `columns` columns. Without the trace term the problem is `centred`.
Times and rates are those of W' = -gradient.
"""

from typing import Any, NamedTuple

import jax
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


class Plateaus(NamedTuple):
    """By number of columns from 1 to d: the risk of the minimum, tr(Z A) and |Z|^2."""

    risk: Float[Array, " d"]
    product: Float[Array, " d"]
    square: Float[Array, " d"]


def plateaus(lam: Float[Array, " d"], rho: Array | float, centred: bool) -> Plateaus:
    """The minima of `minimum` for every number of columns at once, from sums over the first eigenvalues."""
    d = lam.shape[0]
    counts = jnp.arange(d + 1)
    sums = jnp.concatenate([jnp.zeros(1), jnp.cumsum(lam)])
    squares = jnp.concatenate([jnp.zeros(1), jnp.cumsum(lam**2)])
    # what is left over, summed from its small end
    left = jnp.concatenate([jnp.cumsum(lam[::-1] ** 2)[::-1], jnp.zeros(1)])
    tails = jnp.concatenate([jnp.cumsum(lam[::-1])[::-1], jnp.zeros(1)])
    shifts = jnp.full(d + 1, 0.5) * rho if centred else (rho - tails) / (counts + 2.0)
    last = jnp.concatenate([jnp.full(1, jnp.inf), lam])
    nu = jax.lax.cummax(jnp.where(last > shifts, counts, 0))[1:]
    s = shifts[nu]
    gap = 0.0 if centred else -tails[nu] - nu * s
    product = squares[nu] - s * sums[nu]
    return Plateaus(0.5 * (nu * s**2 + left[nu]) + 0.25 * gap**2, product, product - s * sums[nu] + nu * s**2)


def curvatures(z: Float[Array, " d"], active: Bool[Array, " d"], centred: bool) -> tuple[Array, Array]:
    """Least and largest eigenvalue of 4 diag(z) + 2 sqrt(z) sqrt(z)' over the active z (centred: 4 diag(z)).

    Roots of the secular equation 1 + sum 2 z/(4 z - x) = 0: one between the two least of 4 z, one above the largest.
    """
    kept = jnp.where(active, jnp.maximum(z, 0.0), 0.0)
    least = jnp.min(jnp.where(active, kept, jnp.inf), initial=jnp.inf)
    most = jnp.max(kept, initial=0.0)
    if centred:
        return 4 * least, 4 * most
    where = jnp.argmin(jnp.where(active, kept, jnp.inf))
    next_one = jnp.min(jnp.where(active & (jnp.arange(z.shape[0]) != where), kept, jnp.inf), initial=jnp.inf)
    total = jnp.sum(kept)
    # alone, the one eigenvalue is 6 z
    lower = _secular(kept, 4 * least, jnp.minimum(4 * next_one, 4 * least + 2 * total))
    return lower, _secular(kept, 4 * most, 4 * most + 2 * total)


def _secular(z: Float[Array, " d"], low: Array, high: Array) -> Float[Array, ""]:
    """The root of the secular equation between two poles, or above the last one; the pole itself where two meet."""

    def value(x: Array) -> Array:
        gap = 4 * z - x
        return 1 + jnp.sum(2 * z / jnp.where(gap == 0, 1e-300, gap))

    def halve(_: Any, span: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (span[0] + span[1])
        below = value(middle) < 0
        return jnp.where(below, middle, span[0]), jnp.where(below, span[1], middle)

    ends = jax.lax.stop_gradient((low, high))
    low_end, high_end = jax.lax.fori_loop(0, 60, halve, ends)
    root = jax.lax.stop_gradient(0.5 * (low_end + high_end))
    gap = 4 * z - root
    # one step of Newton's method carries the derivatives; where poles meet the root is the pole
    speed = jnp.sum(2 * z / jnp.where(gap == 0, 1.0, gap) ** 2)
    corrected = root - value(root) / jnp.where(speed > 0, speed, 1.0)
    return jnp.where(high - low > 1e-12 * high, corrected, low)


def exponential_rate(lam: Float[Array, " d"], columns: int, found: Minimum, centred: bool) -> Float[Array, ""]:
    """Rate at which the risk nears its minimum; 0 where the approach is algebraic.

    The least of: 4 (lam_i - lam_j) over active i and inactive j of another eigenvalue, 2 eigmin M(z), 4 (z_nu +
    z_{nu-1}), and, where columns are left over, 4 (s - lam_j) over inactive j.
    """
    d = lam.shape[0]
    many = min(columns, d)
    nu = jnp.sum(found.active)
    size = 1e-12 * jnp.max(jnp.abs(lam), initial=1e-300)
    last = jnp.min(jnp.where(found.active, lam, jnp.inf), initial=jnp.inf)
    # eigenvalues that descend: the least gap is from the last active one down, or, in a tie, from the next above it
    down = last - jnp.max(jnp.where(~found.active & (lam < last - size), lam, -jnp.inf), initial=-jnp.inf)
    tied = jnp.any(~found.active & (lam >= last - size))
    above = jnp.min(jnp.where(found.active & (lam > last + size), lam, jnp.inf), initial=jnp.inf) - last
    gap = jnp.minimum(down, jnp.where(tied, above, jnp.inf))
    sorted_up = jnp.sort(jnp.where(found.active, found.values, jnp.inf))
    pair = sorted_up[0] + sorted_up[1] if d > 1 else jnp.asarray(jnp.inf)
    inner = jnp.where(nu > 0, 2 * curvatures(found.values, found.active, centred)[0], jnp.inf)
    spare = jnp.min(jnp.where(found.active, jnp.inf, found.shift - lam), initial=jnp.inf)
    left = jnp.where(nu < many, 4 * jnp.maximum(spare, 0.0), jnp.inf)
    return jnp.min(jnp.stack([4 * jnp.where(nu > 0, gap, jnp.inf), inner, 4 * pair, left]))


def algebraic_constant(rank: Array, columns: Array | float, centred: bool) -> tuple[Array, Array]:
    """lim t^2 risk and lim t tr D for a positive A of this rank and more columns (at most the dimension), rho = 0."""
    spare = jnp.maximum(columns - rank, 0.0)
    if centred:
        return spare / 32, spare / 4
    return spare * (rank + 2) / (32 * (columns + 2)), spare / (2 * (columns + 2))


def correction_exponent(rank: Array, columns: Array | float) -> Array:
    """The relative correction to the algebraic law falls like t to minus this power."""
    return jnp.minimum(1.0, 2 * (rank + 2) / (columns + 2))
