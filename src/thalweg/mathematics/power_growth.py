"""The growth law u' = N |u|^(2 - 2/N) (mu - lambda u) and its mirror image, in closed form or by one inversion.

With s = mu/lambda, u = +-s y^N and theta = lambda t s^(2 - 2/N):
    sign +: y' = y^(N-1) (1 - y^N),    sign -: y' = -y^(N-1) (1 + y^N)    (in theta),
whose solutions differ by a shift of theta alone; `growth_ways.py` inverts theta(y).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .growth_ways import Falling, Rising, Sinking, Way, logarithm

Curve = Callable[[Float[Array, ""]], Float[Array, " k"]]


def growth_curve(
    depth: int, start: Float[Array, " k"], drive: Float[Array, " k"], curvature: Float[Array, " k"]
) -> Curve:
    """t -> u(t) of each component, for drive mu >= 0, curvature lambda >= 0 (mu = 0 where lambda = 0).

    A negative start belongs to layers of which an odd number is negative: u' = -N |u|^(2-2/N) (mu - lambda u), which
    goes to 0 and never passes it (depth >= 2). Relative error about 1e-13; forward derivatives in all arguments.
    """
    if depth == 1:
        return lambda time: _relaxed(start, drive, curvature, time)
    if depth == 2:
        return lambda time: _logistic(start, drive, curvature, time)
    moving = (drive > 0) & (curvature > 0) & (start != 0)
    mu, lam, begin = (jnp.where(moving, value, 1.0) for value in (drive, curvature, start))
    ratio = jnp.abs(begin) * lam / mu
    still = jnp.abs(ratio - 1) <= 4 * jnp.finfo(ratio.dtype).eps
    log, pace = jnp.log(ratio) / depth, lam * (mu / lam) ** (2 - 2 / depth)
    ways = [
        (Rising(depth), moving & ~still & (begin > 0) & (ratio < 1)),
        (Sinking(depth), moving & ~still & (begin > 0) & (ratio > 1)),
        (Falling(depth), moving & (begin < 0)),
    ]

    def at(time: Float[Array, ""]) -> Float[Array, " k"]:
        # a power costs more than all the rest, and few starts need it
        found = jax.lax.cond(
            jnp.all(moving),
            lambda: start,
            lambda: jnp.where(moving, start, _unforced(depth, start, curvature, time)),
        )
        for way, taken in ways:
            found = _follow(way, taken, log, pace * time, mu / lam * jnp.sign(begin), found)
        return found

    return at


def _follow(
    way: Way, taken: Bool[Array, " k"], log: Array, theta: Array, scale: Array, other: Array
) -> Float[Array, " k"]:
    """scale y^N where this way is taken; it costs nothing where no component takes it."""

    def moved() -> Float[Array, " k"]:
        clock = way.clock(jnp.where(taken, log, way.side), jnp) + theta
        return jnp.where(taken, scale * jnp.exp(logarithm(type(way), way.depth, clock)), other)

    return jax.lax.cond(jnp.any(taken), moved, lambda: other)


def _relaxed(start: Array, mu: Array, lam: Array, time: Array) -> Float[Array, " k"]:
    flat = lam == 0
    target = mu / jnp.where(flat, 1.0, lam)
    return jnp.where(flat, start + mu * time, target + (start - target) * jnp.exp(-lam * time))


def _logistic(start: Array, mu: Array, lam: Array, time: Array) -> Float[Array, " k"]:
    """u = u0/(e^(-2 mu t) + u0 lambda h), or mirrored, with h = (1 - e^(-2 mu t))/mu."""
    small = 2 * mu * time < 1e-8
    fade = jnp.exp(-2 * mu * time)
    safe = jnp.where(small, 1.0, mu)
    h = jnp.where(small, 2 * time * (1 - mu * time), -jnp.expm1(-2 * safe * time) / safe)
    size = jnp.abs(start)
    return jnp.where(start >= 0, start / (fade + size * lam * h), start * fade / (1 + size * lam * h))


def _unforced(depth: int, start: Array, lam: Array, time: Array) -> Float[Array, " k"]:
    """mu = 0: |u| = [|u0|^-(2-2/N) + (2N - 2) lambda t]^(-N/(2N-2)), written without the negative power."""
    power = 2 - 2 / depth
    size = jnp.abs(jnp.where(start == 0, 1.0, start))
    return start * (1 + (2 * depth - 2) * lam * time * size**power) ** (-1 / power)
