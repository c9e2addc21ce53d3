"""Growth through gates that close one by one: a' = sum_k b_k u_k, u_k' = a b_k, over the open gates u_k > 0.

A gate that reaches zero closes for good and its u_k stays where it is. Between two closings, with |D| = sqrt(sum b_k^2)
and q = sum u_k b_k / |D| over the open gates and tau the time since the last closing,
    a = a0 cosh(|D| tau) + q0 sinh(|D| tau),   u_k = u_k0 + b_k I,   I = [a0 sinh + q0 (cosh - 1)] / |D|;
gate k closes at the smallest z = exp(|D| tau) > 1 of A z^2 - C z - B = 0, where A = (a0 + q0)/2, B = (a0 - q0)/2,
C = q0 - u_k0 |D|/b_k. At most n closings, no time stepping; jit, vmap and jacfwd go through. Float64.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# exponents are cut here: far beyond any use of the formula, before float64 overflows in a product
MOST = 300.0


class GatedGrowth(NamedTuple):
    """The pieces of m units with n gates: each of the n + 1 pieces holds from `begin` on (inf: not needed).

    `closing` is the time at which each gate closes (inf: never; 0: closed from the start).
    """

    drive: Float[Array, " n"]
    begin: Float[Array, "m p"]
    level: Float[Array, "m p"]
    gates: Float[Array, "m p n"]
    open: Bool[Array, "m p n"]
    closing: Float[Array, "m n"]


def gated_growth(level: Float[Array, " m"], gates: Float[Array, "m n"], drive: Float[Array, " n"]) -> GatedGrowth:
    """All pieces of the motion of units (a (m,), u (m, n)) under the constant drive b (n,)."""
    n = drive.shape[0]

    def piece(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        begin, a, u, opened = state
        wait = _first_closing(a, u, opened, drive)
        which = jnp.argmin(wait, axis=1)
        delay = jnp.min(wait, axis=1)
        again = jnp.isfinite(delay)
        later_a, later_u = _advance(a, u, opened, drive, jnp.where(again, delay, 0.0))
        closed = again[:, None] & (jnp.arange(n)[None, :] == which[:, None])
        after = (
            jnp.where(again, begin + delay, jnp.inf),
            later_a,
            jnp.where(closed, 0.0, later_u),
            opened & ~closed,
        )
        return after, (begin, a, u, opened)

    first = (jnp.zeros_like(level), level, gates, gates > 0)
    _, pieces = jax.lax.scan(piece, first, None, length=n + 1)
    begin, a, u, opened = (jnp.moveaxis(part, 0, 1) for part in pieces)
    # gate k closes when the first piece begins in which it is shut
    closing = jnp.min(jnp.where(opened, jnp.inf, begin[:, :, None]), axis=1)
    return GatedGrowth(drive, begin, a, u, opened, closing)


def _rate(opened: Bool[Array, "m n"], drive: Float[Array, " n"]) -> Float[Array, " m"]:
    """|D| over the open gates; exactly 0, with derivative 0, where none is open."""
    square = jnp.sum(jnp.where(opened, drive[None, :] ** 2, 0.0), axis=1)
    some = square > 0
    return jnp.where(some, jnp.sqrt(jnp.where(some, square, 1.0)), 0.0)


def _along(u: Array, opened: Array, drive: Array, rate: Array) -> Float[Array, " m"]:
    """q: the part of u along the drive."""
    return jnp.sum(jnp.where(opened, u * drive[None, :], 0.0), axis=1) / jnp.where(rate > 0, rate, 1.0)


def _first_closing(a: Array, u: Array, opened: Array, drive: Array) -> Float[Array, "m n"]:
    """Time until each open gate would close if the others stayed open; inf where it never does."""
    rate = _rate(opened, drive)
    q = _along(u, opened, drive, rate)
    high, low = 0.5 * (a + q)[:, None], 0.5 * (a - q)[:, None]
    middle = q[:, None] - u * rate[:, None] / drive[None, :]
    square = middle**2 + 4 * high * low
    real = square > 0
    root = jnp.sqrt(jnp.where(real, square, 1.0))
    # both roots without cancellation
    half = 0.5 * (middle + jnp.where(middle >= 0, root, -root))
    ends = (half / jnp.where(high == 0, 1.0, high), -low / jnp.where(half == 0, 1.0, half))
    valid = ((high != 0) & real, (half != 0) & real)
    z = jnp.minimum(*(jnp.where(v & (e > 1), e, jnp.inf) for v, e in zip(valid, ends, strict=True)))
    found = opened & jnp.isfinite(z) & (rate > 0)[:, None]
    return jnp.where(found, jnp.log(jnp.where(found, z, 2.0)) / jnp.where(rate > 0, rate, 1.0)[:, None], jnp.inf)


def _advance(a: Array, u: Array, opened: Array, drive: Array, delay: Array) -> tuple[Array, Array]:
    """The closed form after `delay` (m,) in one piece."""
    rate = _rate(opened, drive)
    q = _along(u, opened, drive, rate)
    x = jnp.minimum(rate * delay, MOST)
    sinh, less = jnp.sinh(x), 2 * jnp.sinh(0.5 * x) ** 2
    gained = (a * sinh + q * less) / jnp.where(rate > 0, rate, 1.0)
    moved = a + a * less + q * sinh
    return moved, u + jnp.where(opened, drive[None, :] * gained[:, None], 0.0)


def state_at(growth: GatedGrowth, time: Float[Array, ""]) -> tuple[Float[Array, " m"], Float[Array, "m n"], Array]:
    """Levels (m,), gates (m, n) and which gates are open (m, n) at one time."""
    index = jnp.sum(growth.begin <= time, axis=1) - 1

    def pick(part: Array) -> Array:
        return jax.vmap(lambda row, i: row[i])(part, index)

    begin, a, u, opened = (pick(p) for p in (growth.begin, growth.level, growth.gates, growth.open))
    return (*_advance(a, u, opened, growth.drive, time - begin), opened)


class FinalPattern(NamedTuple):
    """What remains of each unit after its last closing: pattern (m, n), its rate |D| (m,), the time of that closing
    (m,), and a ~ sign exp(log_amplitude + |D| t) (m,), with log_amplitude -inf where nothing is open."""

    pattern: Bool[Array, "m n"]
    rate: Float[Array, " m"]
    since: Float[Array, " m"]
    sign: Float[Array, " m"]
    log_amplitude: Float[Array, " m"]


def final_pattern(growth: GatedGrowth) -> FinalPattern:
    """Pattern, rate and asymptotic amplitude c = (a + q)/2 exp(-|D| t_off) of each unit."""
    index = jnp.sum(jnp.isfinite(growth.begin), axis=1) - 1

    def pick(part: Array) -> Array:
        return jax.vmap(lambda row, i: row[i])(part, index)

    begin, a, u, opened = (pick(p) for p in (growth.begin, growth.level, growth.gates, growth.open))
    rate = _rate(opened, growth.drive)
    grown = 0.5 * (a + _along(u, opened, growth.drive, rate))
    alive = (rate > 0) & (grown != 0)
    log_amplitude = jnp.where(alive, jnp.log(jnp.abs(jnp.where(alive, grown, 1.0))) - rate * begin, -jnp.inf)
    return FinalPattern(opened, rate, begin, jnp.where(alive, jnp.sign(grown), 0.0), log_amplitude)
