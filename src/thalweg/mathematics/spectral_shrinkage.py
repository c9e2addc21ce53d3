"""Shrinking the eigenvalues of a matrix that semicircular noise has spread: the state evolution of a penalised fit.

A symmetric matrix of d eigenvalues x_i (shares p_i) plus symmetric Gaussian noise of semicircle variance xi has the
spectral density rho, with H its principal value transform. With G(w) = sum p_i/(w - x_i), the map z = w + xi G(w)
takes the curve w = u + i v(u), sum p_i/((u - x_i)^2 + v^2) = 1/xi (v = 0 where the sum cannot be so large), to the
real axis; there rho = v/(pi xi) (Biane 1997). All integrals of rho and rho H above a point b run over any path in the
upper half of the w-plane, where the integrands are analytic: no edge and no gap of the support is ever seen.

The fit of n = ratio d^2 noisy measurements with nuclear penalty keeps the noisy eigenvalues above b = max(q, omega) and
lowers them by q; omega leaves the share `width` of them. With I = int_b rho H (x - q):
    MSE = sum p x^2 + int_b rho (q^2 - x^2) + 4 xi I,   2 ratio xi = MSE + noise/2,   q (1 - I/ratio) = decay.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

RISE_NODES, RISE_WEIGHTS = np.polynomial.legendre.leggauss(48)
ARC_NODES, ARC_WEIGHTS = np.polynomial.legendre.leggauss(24)
HEIGHT_STEPS, INNER_HALVINGS, OUTER_HALVINGS = 30, 44, 48
SHARE = 1e-10


class Law(NamedTuple):
    """Distinct eigenvalues and their shares, which sum to one."""

    values: Float[Array, " k"]
    shares: Float[Array, " k"]

    def moment(self, power: int) -> Float[Array, ""]:
        """Mean of a power of the eigenvalues."""
        return jnp.sum(self.shares * self.values**power)


class Fit(NamedTuple):
    """A fit's numbers: share of rows n/d^2, penalty, noise variance, and the share of eigenvalues it may keep."""

    ratio: Any
    decay: Any
    noise: Any
    width: Any


class Tail(NamedTuple):
    """Above b: moments 0, 1, 2 of rho, and 0, 1 of rho H."""

    cut: Float[Array, ""]
    plain: Float[Array, " 3"]
    paired: Float[Array, " 2"]


class Equilibrium(NamedTuple):
    """Solution: noise xi, shrinkage q, then means over d of |Z - Z*|^2, |Z|^2, Z Z*, Z, and the share of rank kept."""

    noise: Float[Array, ""]
    shrinkage: Float[Array, ""]
    error: Float[Array, ""]
    square: Float[Array, ""]
    product: Float[Array, ""]
    trace: Float[Array, ""]
    rank: Float[Array, ""]


def height(law: Law, xi: Array, u: Array) -> Float[Array, ""]:
    """v(u): Newton's method on the concave 1/sum p/((u - x)^2 + s) = xi from below, s = v^2; it never overshoots."""
    away = (u - law.values) ** 2
    least = jnp.maximum(jnp.max(law.shares * xi - away), 0.0)

    def improve(_: Any, s: Array) -> Array:
        one = jnp.sum(law.shares / (away + s + 1e-300))
        two = jnp.sum(law.shares / (away + s + 1e-300) ** 2)
        return jnp.maximum(s + (xi * one - 1) * one / two, 0.0)

    s = jax.lax.fori_loop(0, HEIGHT_STEPS, improve, least)
    return jnp.where(s > 0, jnp.sqrt(jnp.where(s > 0, s, 1.0)), 0.0)


def position(law: Law, xi: Array, u: Array) -> Float[Array, ""]:
    """The point b of the real axis that belongs to u; increasing in u."""
    v = height(law, xi, u)
    return u + xi * jnp.sum(law.shares * (u - law.values) / ((u - law.values) ** 2 + v**2 + 1e-300))


def mass_above(law: Law, xi: Array, u: Array) -> Float[Array, ""]:
    """Share of eigenvalues above b(u), in closed form."""
    v = height(law, xi, u)
    turn = jnp.sum(law.shares * jnp.arctan2(v, u - law.values))
    slope = jnp.sum(law.shares / (u + 1j * v - law.values + 1e-300))
    return (turn + 0.5 * xi * jnp.imag(slope**2)) / jnp.pi


def path(law: Law, xi: Array, u: Array) -> tuple[Complex[Array, " n"], Complex[Array, " n"]]:
    """Nodes and weights from w(u) up in even logarithms of the height, then along an arc to the right of all."""
    reach = 2 * (jnp.abs(jnp.max(law.values) - u) + 2 * jnp.sqrt(xi))
    low, high = jnp.log(jnp.maximum(height(law, xi, u), 1e-9 * reach)), jnp.log(reach)
    rise = jnp.exp(0.5 * (high + low) + 0.5 * (high - low) * RISE_NODES)
    turn = reach * jnp.exp(0.25j * jnp.pi * (1 - ARC_NODES))
    nodes = jnp.concatenate([u + 1j * rise, u + turn])
    weights = [0.5j * (high - low) * RISE_WEIGHTS * rise, -0.25j * jnp.pi * ARC_WEIGHTS * turn]
    return nodes, jnp.concatenate(weights)


def tail(law: Law, xi: Array, u: Array) -> Tail:
    """Integrals above b(u)."""
    w, dw = path(law, xi, u)
    gaps = 1 / (w[:, None] - law.values[None, :])
    g, slope = gaps @ law.shares, -(gaps**2) @ law.shares
    z, dz = w + xi * g, (1 + xi * slope) * dw
    plain = [-jnp.imag(jnp.sum(g * z**k * dz)) / jnp.pi for k in range(3)]
    paired = [-jnp.imag(jnp.sum(g**2 * z**k * dz)) / (2 * jnp.pi) for k in range(2)]
    return Tail(position(law, xi, u), jnp.stack(plain), jnp.stack(paired))


def _halve(function: Any, low: Array, high: Array, count: int) -> Float[Array, "*n"]:
    """Roots of functions that are negative at `low` and grow through zero, all at once."""

    def step(_: Any, span: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (span[0] + span[1])
        below = function(middle) < 0
        return jnp.where(below, middle, span[0]), jnp.where(below, span[1], middle)

    low, high = jax.lax.fori_loop(0, count, step, (low, high))
    return 0.5 * (low + high)


def _pull(fit: Fit, above: Tail, q: Array) -> Float[Array, ""]:
    """q (1 - I/ratio) - decay."""
    return q * (1 - (above.paired[1] - q * above.paired[0]) / fit.ratio) - fit.decay


def _limited(fit: Fit, above: Tail) -> Float[Array, ""]:
    """The positive q of the same equation where the cut does not move: a quadratic one."""
    lift = 1 - above.paired[1] / fit.ratio
    bend = jnp.maximum(above.paired[0], 0.0) / fit.ratio
    return 2 * fit.decay / (lift + jnp.sqrt(lift**2 + 4 * bend * fit.decay))


class _Cut(NamedTuple):
    """Where the cut stands: at q (free), or where the width allows no more eigenvalues."""

    u: Array
    limited: Array


def _cut(law: Law, fit: Fit, xi: Array) -> _Cut:
    """The cut for a given noise, from the shrinkage equation."""
    spread = 4 * jnp.sqrt(xi)
    low, high = jnp.min(law.values) - spread, jnp.max(law.values) + spread

    def landmarks(u: Array) -> Array:
        # b = 0, and the width's share from both sides: inside a gap of the support that is a whole interval
        mass = jax.vmap(lambda one: mass_above(law, xi, one))(u)
        return jnp.stack([position(law, xi, u[0]), fit.width - SHARE - mass[1], fit.width + SHARE - mass[2]])

    zero, *ends = _halve(landmarks, jnp.stack([low] * 3), jnp.stack([high] * 3), INNER_HALVINGS)
    full = 0.5 * (ends[0] + ends[1])
    # a width that never binds is no bound
    binds = (fit.width < 1) & (full > zero)

    def pull(u: Array) -> Array:
        above = tail(law, xi, u)
        return _pull(fit, above, above.cut)

    floor = jnp.where(binds, full, zero)
    limited = binds & (pull(floor) >= 0)
    free = _halve(pull, floor, high + 2 * fit.decay + spread, INNER_HALVINGS)
    return _Cut(jnp.where(limited, full, free), limited)


def _state(law: Law, fit: Fit, xi: Array, cut: _Cut) -> tuple[Equilibrium, Tail]:
    above = tail(law, xi, cut.u)
    q = jnp.where(cut.limited, _limited(fit, above), above.cut)
    inner = above.paired[1] - q * above.paired[0]
    error = law.moment(2) + q**2 * above.plain[0] - above.plain[2] + 4 * xi * inner
    square = above.plain[2] - 2 * q * above.plain[1] + q**2 * above.plain[0]
    product = above.plain[2] - q * above.plain[1] - 2 * xi * inner
    trace = above.plain[1] - q * above.plain[0]
    return Equilibrium(xi, q, error, square, product, trace, above.plain[0]), above


def equilibrium(law: Law, fit: Fit) -> Equilibrium:
    """The solution, by halvings of log xi and one Newton correction, which carries the derivatives."""
    whole = law.moment(2) + 0.5 * fit.noise
    low = jnp.log(1e-20 * whole)
    high = jnp.log(1e4 * whole * (1 + 1 / fit.ratio))
    still_law, still = jax.lax.stop_gradient((law, Fit(*map(jnp.asarray, fit))))

    def halve(_: Any, carry: tuple[Array, Array, _Cut]) -> tuple[Array, Array, _Cut]:
        low, high, _ = carry
        middle = 0.5 * (low + high)
        xi = jnp.exp(middle)
        cut = _cut(still_law, still, xi)
        state, _ = _state(still_law, still, xi, cut)
        below = 2 * still.ratio * xi < state.error + 0.5 * still.noise
        return jnp.where(below, middle, low), jnp.where(below, high, middle), cut

    begin = (*jax.lax.stop_gradient((low, high)), _Cut(jnp.zeros(()), jnp.asarray(False)))
    low, high, cut = jax.lax.fori_loop(0, OUTER_HALVINGS, halve, begin)
    unknown = jax.lax.stop_gradient(jnp.stack([0.5 * (low + high), cut.u]))
    # in a gap of the support nothing depends on where the cut lies
    idle = cut.limited & (height(still_law, jnp.exp(unknown[0]), unknown[1]) == 0)

    def missing(both: Array, law: Law, fit: Fit) -> Array:
        xi, u = jnp.exp(both[0]), both[1]
        state, above = _state(law, fit, xi, _Cut(u, cut.limited))
        bound = jnp.where(cut.limited, fit.width - mass_above(law, xi, u), _pull(fit, above, above.cut))
        bound = jnp.where(idle, u - unknown[1], bound)
        return jnp.stack([2 * fit.ratio * xi - state.error - 0.5 * fit.noise, bound])

    slopes = jax.jacfwd(missing)(unknown, still_law, still)
    step = jnp.linalg.solve(slopes, missing(unknown, law, fit))
    # a corner, where a slope is lost, keeps what the halvings found
    both = unknown - jnp.where(jnp.all(jnp.isfinite(step)), step, 0.0)
    return _state(law, fit, jnp.exp(both[0]), _Cut(both[1], cut.limited))[0]
