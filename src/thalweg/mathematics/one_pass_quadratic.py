"""One-pass stochastic descent of x'WW'x towards x'Z*x in the limit of large dimension: a closed system of equations.

W <- W - (eta/B) sum_b e_b x_b x_b'W over B fresh standard normal samples, e = f - y, label noise of variance `noise`.
At fixed nu = eta dimension/B, few columns m and a teacher of few eigenvalues lam (r of them, not 0): with A (r, m) the
rows of W along the teacher's eigenvectors, G = W_perp'W_perp of all others, Q = A'A + G, P = A' diag(lam) A,
    A' = -2 (A Q - diag(lam) A) - tr(D) A,
    G' = -2 (G Q + Q G) - 2 tr(D) G + nu C,
    C  = (2 |D|^2 + tr(D)^2 + noise) Q + 4 tr(D)(Q^2 - P) + 8 [(A Q - diag(lam) A)'(A Q - diag(lam) A) + Q G Q].
Time is steps times eta; the risk is |D|^2/2 + tr(D)^2/4.
"""

from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Moments(NamedTuple):
    """Rows along the teacher A (r, m), and the Gram matrix G (m, m) of all other rows."""

    along: Float[Array, "r m"]
    across: Float[Array, "m m"]


def gaps(lam: Float[Array, " r"], state: Moments) -> tuple[Array, Array]:
    """tr D and |D|^2, the latter from its blocks: no difference of large norms along the teacher."""
    along, across = state
    block = along @ along.T - jnp.diag(lam)
    mixed = jnp.sum((along @ across) * along)
    return jnp.trace(block) + jnp.trace(across), jnp.sum(block**2) + 2 * mixed + jnp.sum(across**2)


def velocity(lam: Float[Array, " r"], nu: Array, noise: Array, state: Moments) -> Moments:
    """Time derivative of the moments."""
    along, across = state
    trace, square = gaps(lam, state)
    total = along.T @ along + across
    scaled = lam[:, None] * along
    pull = along @ total - scaled
    kick = (2 * square + trace**2 + noise) * total + 4 * trace * (total @ total - along.T @ scaled)
    kick = kick + 8 * (pull.T @ pull + total @ across @ total)
    mixed = across @ total
    return Moments(-2 * pull - trace * along, -2 * (mixed + mixed.T) - 2 * trace * across + nu * kick)


def follow(
    lam: Float[Array, " r"],
    start: Moments,
    nu: Array | float,
    noise: Array | float,
    times: Float[Array, " t"],
    tolerance: float = 1e-10,
) -> tuple[Moments, Float[Array, " t"]]:
    """Moments and risk at increasing times (time = steps times eta)."""
    rate, variance = jnp.asarray(nu), jnp.asarray(noise)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, args: velocity(lam, rate, variance, y)),
        diffrax.Dopri8(),
        t0=0.0,
        t1=times[-1],
        dt0=None,
        y0=start,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=65536,
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )
    found: Any = solution.ys
    trace, square = jax.vmap(lambda along, across: gaps(lam, Moments(along, across)))(*found)
    return found, 0.5 * square + 0.25 * trace**2
