"""One-pass stochastic descent of x'WW'x towards x'Z*x in the limit of large dimension: a closed system of equations.

W <- (1 - eta decay) W - (eta/B) sum_b e_b x_b x_b'W over B fresh standard normal samples, e = f - y, label noise of
variance `noise`. At fixed nu = eta dimension/B, few columns m and a teacher of few eigenvalues lam (r of them, not 0):
with A (r, m) the rows of W along the teacher's eigenvectors, G = W_perp'W_perp of all others, Q = A'A + G,
P = A' diag(lam) A and T = tr D (T = 0 here where f and y are taken less their means: coupling = 0),
    A' = -2 (A Q - diag(lam) A) - (T + decay) A,
    G' = -2 (G Q + Q G) - 2 (T + decay) G + nu C,
    C  = (2 |D|^2 + T^2 + noise) Q + 4 T (Q^2 - P) + 8 [(A Q - diag(lam) A)'(A Q - diag(lam) A) + Q G Q].
Time is steps times eta; the risk is |D|^2/2 + tr(D)^2/4.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float


class Moments(NamedTuple):
    """Rows along the teacher A (r, m), and the Gram matrix G (m, m) of all other rows."""

    along: Float[Array, "r m"]
    across: Float[Array, "m m"]

    def total(self) -> Float[Array, "m m"]:
        """Q = W'W."""
        return self.along.T @ self.along + self.across


class Law(NamedTuple):
    """The teacher's eigenvalues that are not zero, variance of the label noise, decay, 0 or 1 for the trace term."""

    lam: Float[Array, " r"]
    noise: Any = 0.0
    decay: Any = 0.0
    coupling: Any = 1.0


def gaps(lam: Float[Array, " r"], state: Moments) -> tuple[Array, Array]:
    """tr D and |D|^2, the latter from its blocks: no difference of large norms along the teacher."""
    along, across = state
    block = along @ along.T - jnp.diag(lam)
    mixed = jnp.sum((along @ across) * along)
    return jnp.trace(block) + jnp.trace(across), jnp.sum(block**2) + 2 * mixed + jnp.sum(across**2)


def velocity(law: Law, nu: Any, state: Moments) -> Moments:
    """Time derivative of the moments."""
    along, across = state
    trace, square = gaps(law.lam, state)
    trace = law.coupling * trace
    total, scaled = state.total(), law.lam[:, None] * along
    pull = along @ total - scaled
    kick = (2 * square + trace**2 + law.noise) * total + 4 * trace * (total @ total - along.T @ scaled)
    kick = kick + 8 * (pull.T @ pull + total @ across @ total)
    mixed, shrink = across @ total, trace + law.decay
    return Moments(-2 * pull - shrink * along, -2 * (mixed + mixed.T) - 2 * shrink * across + nu * kick)
