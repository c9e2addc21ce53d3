"""The Riccati flow of a random projector towards another one, in the limit of large dimension.

Two independent random subspaces of relative dimensions a and b; Z(0) projects on the first, Z* on the second, both with
trace one. Times are gamma = t / dimension. Everything is a function of u = log J and of ell = log(e^{4 gamma/b}/J):
    G(u) = (1/2)[a + b - (c1 x + c2 (1-x))/(x + Q)],  x = e^{-u},  Q^2 = x^2 + c1 x (1-x) + c2 (1-x)^2,
    c1 = 2 (a + b - 2ab),  c2 = (a - b)^2.
Differences that vanish at late times are written without cancellation: min(a, b) - G and all that follows from it.
"""

from typing import Any, NamedTuple

import diffrax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

GRID = 384
STEPS = 65536


class Transform(NamedTuple):
    """G, its slope dG/du, and b - G, which has no cancellation where a >= b and u is large."""

    value: Array
    slope: Array
    left: Array


def transform(a: Array, b: Array, u: Array) -> Transform:
    """G(u), dG/du and b - G at u >= 0."""
    delta = jnp.abs(a - b)
    c1, c2 = 2 * (a + b - 2 * a * b), delta**2

    def below(u: Array) -> Array:
        # min(a, b) - G, proportional to x
        x = jnp.exp(-jnp.minimum(u, 600.0))
        q = jnp.sqrt(jnp.maximum(x * x + c1 * x * (1 - x) + c2 * (1 - x) ** 2, 1e-300))
        w = x + c1 * (1 - x) + c2 * (x - 2)
        return x * (c1 - c2 - delta - delta * w / (delta + q)) / (2 * (x + q))

    missing, minus_slope = jax.jvp(below, (u,), (jnp.ones_like(u),))
    least = jnp.minimum(a, b)
    return Transform(least - missing, -minus_slope, b - least + missing)


class Point(NamedTuple):
    """State of the limit: ell and v; phi, overlap, and dimension times half the squared distance and squared norm."""

    phi: Array
    overlap: Array
    distance: Array
    norm: Array


def velocity(a: Array, b: Array, gamma: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
    """d ell/d gamma and d v/d gamma."""
    ell, _ = state
    g = transform(a, b, 4 * gamma / b - ell)
    eps = jnp.exp(-ell)
    den = a * eps + g.value * (1 - eps)
    return 4 * (a * eps - g.left * (1 - eps)) / (b * den), 4 * eps / den


def observe(a: Array, b: Array, gamma: Array, state: tuple[Array, Array]) -> Point:
    """phi, overlap, dimension |D|^2 / 2 and dimension |Z|^2."""
    ell, v = state
    g = transform(a, b, 4 * gamma / b - ell)
    eps = jnp.exp(-ell)
    den = a * eps + g.value * (1 - eps)
    square = a * eps**2 + 2 * (1 - eps) * eps * g.value + (1 - eps) ** 2 * (g.value - g.slope)
    # b square - G^2: what the overlap lacks to one
    lack = b * eps**2 * (a - g.value) + g.value * g.left - b * (1 - eps) ** 2 * g.slope
    distance = jnp.maximum(lack, 0.0) + (eps * (a - g.value)) ** 2
    return Point(
        phi=0.5 * (jnp.log(den / a) + ell - v),
        overlap=g.value / jnp.sqrt(b * square),
        distance=distance / (2 * b * den**2),
        norm=square / den**2,
    )


def follow(
    a: Array, b: Array, gammas: Float[Array, " t"], tolerance: Array
) -> tuple[tuple[Array, Array], Float[Array, " g"], tuple[Array, Array]]:
    """States at `gammas`, and at a fixed grid of times up to the last one, on which events are looked for."""
    last = jnp.maximum(gammas[-1], 1e-12)
    grid = last * jnp.concatenate([jnp.zeros(1), jnp.geomspace(1e-6, 1.0, GRID)])
    grid = grid.at[-1].set(last)
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, y, args: velocity(a, b, jnp.asarray(t), y)),
        diffrax.Dopri8(),
        t0=0.0,
        t1=last,
        dt0=None,
        y0=(jnp.zeros(()), jnp.zeros(())),
        saveat=diffrax.SaveAt(subs=[diffrax.SubSaveAt(ts=gammas), diffrax.SubSaveAt(ts=grid)]),
        stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
        max_steps=STEPS,
        adjoint=diffrax.ForwardMode(),
        throw=False,
    )
    asked, on_grid = solution.ys  # pyright: ignore[reportGeneralTypeIssues]
    return asked, grid, on_grid


def crossing(
    a: Array, b: Array, grid: Float[Array, " g"], states: tuple[Array, Array], level: float
) -> Float[Array, ""]:
    """First gamma at which the overlap reaches `level`; NaN where it does not on the grid, 0 where it starts there."""
    overlaps = observe(a, b, grid, states).overlap
    above = overlaps >= level
    index = jnp.maximum(jnp.argmax(above), 1)
    left, right = grid[index - 1], grid[index]
    ends = (states[0][index - 1], states[1][index - 1]), (states[0][index], states[1][index])
    slopes = velocity(a, b, left, ends[0]), velocity(a, b, right, ends[1])
    h = right - left

    def missing(s: Array) -> Array:
        def between(p: Array, q: Array, dp: Array, dq: Array) -> Array:
            rise, c = q - p, h * dp
            return p + s * (c + s * (3 * rise - 2 * c - h * dq + s * (c + h * dq - 2 * rise)))

        state = tuple(between(*four) for four in zip(*ends, *slopes, strict=True))
        return observe(a, b, left + s * h, (state[0], state[1])).overlap - level

    def halve(_: Any, span: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (span[0] + span[1])
        low = missing(middle) < 0
        return jnp.where(low, middle, span[0]), jnp.where(low, span[1], middle)

    low, high = jax.lax.fori_loop(0, 40, halve, (jnp.zeros(()), jnp.ones(())))
    root = jax.lax.stop_gradient(0.5 * (low + high))
    speed = jax.lax.stop_gradient(jax.jvp(missing, (root,), (jnp.ones(()),))[1])
    found = left + h * (root - missing(root) / speed)
    return jnp.where(above[0], 0.0, jnp.where(jnp.any(above), found, jnp.nan))
