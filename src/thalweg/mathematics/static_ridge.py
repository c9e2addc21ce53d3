"""Ridge regression with Gaussian inputs of any covariance, many features and samples: closed form by one fixed point.

kappa > 0 solves kappa = lam + kappa (1/n) sum_i l_i/(l_i + kappa); with df2 = (1/n) sum_i l_i^2/(l_i + kappa)^2 the
solution (S + lam)^-1 X y/n has excess risk [kappa^2 sum_i l_i beta_i^2/(l_i + kappa)^2 + s df2]/(1 - df2).
Source: Wei, Hu and Steinhardt 2022, for the fixed point and the risk; equal to the double contour integral of
`linear_equivalent` at the filter of ridge.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .extremum import interior_extremum
from .linear_equivalent import LinearLaw, Scalar

_STEPS = 60
# penalties are searched over this many factors of ten on both sides of the mean eigenvalue
_DECADES = 8.0


@jax.jit
def effective_ridge(law: LinearLaw, samples: Scalar, ridge: Float[Array, " m"]) -> Float[Array, " m"]:
    """kappa for each penalty > 0: Newton's method from above on a convex increasing function."""
    share = law.counts / samples

    def gap(kappa: Float[Array, " m"]) -> Float[Array, " m"]:
        return kappa - ridge - kappa * ((1 / (law.values[None, :] + kappa[:, None])) @ (share * law.values))

    def newton(kappa: Float[Array, " m"], _: None) -> tuple[Float[Array, " m"], None]:
        value, slope = jax.jvp(gap, (kappa,), (jnp.ones_like(kappa),))
        return jnp.maximum(kappa - value / slope, ridge), None

    return jax.lax.scan(newton, ridge + jnp.sum(share * law.values), None, length=_STEPS)[0]


def ridge_excess(law: LinearLaw, samples: Scalar, ridge: Float[Array, " m"]) -> Float[Array, " m"]:
    """Excess risk for each penalty > 0 of (1/2n) |y - X^T w|^2 + (penalty/2) |w|^2."""
    kappa = effective_ridge(law, samples, ridge)[:, None]
    shrink = 1 / (law.values[None, :] + kappa)
    df2 = shrink**2 @ (law.counts * law.values**2) / samples
    bias = (kappa * shrink) ** 2 @ (law.values * law.signal)
    return (bias + law.noise * df2) / (1 - df2)


def best_ridge(law: LinearLaw, samples: Scalar) -> Float[Array, ""]:
    """The penalty of least excess risk; NaN where none lies inside: no noise (0 is best) or no signal (infinity is)."""
    centre = jnp.sum(law.counts * law.values) / jnp.sum(law.counts)

    def penalty(share: Float[Array, " m"]) -> Float[Array, " m"]:
        return centre * 10.0 ** ((2 * share - 1) * _DECADES)

    # the logarithm, since a risk may fall by many powers of ten
    best = interior_extremum(lambda v: jnp.log(ridge_excess(law, samples, penalty(v))), 1.0, 1, coarse=48, rounds=6)
    return penalty(best[None])[0]
