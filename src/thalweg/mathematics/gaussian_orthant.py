"""The probability that all of a few correlated Gaussian numbers are positive."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .elimination import root

_POINTS = 2048
# where a number cannot be told from certain
_EDGE = 1e-15


def orthant(mean: Float[Array, " k"], covariance: Float[Array, "k k"]) -> Float[Array, ""]:
    """P(X > 0 in all k entries), X ~ N(mean, covariance), to about 1e-4 for a few entries, exact for one.

    Separation of variables, one entry after the other, averaged over a fixed lattice folded to be periodic; a
    direction without variance counts by the sign of its mean. Source: Genz 1992.
    """
    k = mean.shape[0]
    # where a variance has gone to rounding
    floor = 1e-30 + 1e-15 * jnp.square(mean)
    variance = jnp.maximum(jnp.diagonal(covariance), floor)
    scale = jnp.sqrt(variance)
    apart = covariance * (1 - jnp.eye(k))
    unit = apart / scale[:, None] / scale[None, :] + (1 + 1e-12) * jnp.eye(k)
    lower, goal = root(unit), mean / scale
    lattice = jnp.asarray(_lattice(k - 1))
    drawn = jnp.zeros((lattice.shape[0], k))
    total = jnp.ones(lattice.shape[0])
    for i in range(k):
        share = jax.scipy.stats.norm.cdf((goal[i] + drawn @ lower[i]) / lower[i, i])
        total = total * share
        if i + 1 < k:
            # a draw from what lies above the bound: minus it is uniform below `share`
            inside = jnp.clip(share * lattice[:, i], _EDGE, 1 - _EDGE)
            drawn = drawn.at[:, i].set(-jax.scipy.special.ndtri(inside))
    return jnp.mean(total)


def _lattice(dimension: int) -> np.ndarray:
    """Even points in the first direction and Richtmyer's in the others, in (0, 1), folded (baker's transformation).

    One point where there is no direction.
    """
    if dimension == 0:
        return np.zeros((1, 0))
    primes = [n for n in range(2, 12 * dimension + 12) if all(n % d for d in range(2, int(n**0.5) + 1))]
    steps = np.array([1 / _POINTS, *np.sqrt(primes[: dimension - 1])])
    return np.abs(2 * (np.outer(np.arange(_POINTS) + 0.5, steps) % 1.0) - 1)
