"""The Riccati flow of a random projector towards another one, in the limit of large dimension.

Two independent random subspaces of relative dimensions a and b; Z(0) projects on the first, Z* on the second, both with
trace one. Times are gamma = t / dimension. Everything is a function of u = log J and of ell = log(e^{4 gamma/b}/J):
    G(u) = (1/2)[a + b - (c1 x + c2 (1-x))/(x + Q)],  x = e^{-u},  Q^2 = x^2 + c1 x (1-x) + c2 (1-x)^2,
    c1 = 2 (a + b - 2ab),  c2 = (a - b)^2.
Differences that vanish at late times are written without cancellation: min(a, b) - G and all that follows from it.

The next order in 1/dimension has two parts. The mean spectrum of two real random projectors differs from the limit:
with y = J - 1, sum 1/(1 + x y) gains (2 + c1 y)/(4 q^2) - 1/(2 q), q^2 = 1 + c1 y + c2 y^2. And the trace of Z lags
behind that of Z*: tr Z = 1 + phi'/dimension, phi' = d phi/d gamma, after a layer of t of order 1; phi' holds tr Z in
turn, for which it is solved. Fluctuations add only in the order after. `order` is 1/dimension, or 0 for the limit.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .watched_flow import watched_flow

GRID = 384
STEPS = 65536
# largest u whose exp(-u/2) float64 holds; what is left in units of that has long settled there
MOST = 1400.0


class Transform(NamedTuple):
    """G(u), its slope dG/du and b - G, both in units of exp(log_unit), the size of min(a, b) - G at equal widths.

    There everything falls as exp(-u/2), far below what float64 holds; else the unit is 1.
    """

    value: Array
    slope: Array
    left: Array
    log_unit: Array


def transform(a: Array, b: Array, u: Array, order: Any = 0.0) -> Transform:
    """G(u), dG/du and b - G at u >= 0; their mean at finite dimension where `order` is not 0."""
    least = jnp.minimum(a, b)
    missing, turn = jax.jvp(lambda u: _missing(a, b, u, order), (u,), (jnp.ones_like(u),))
    # the next order does not vanish at equal widths
    falls = (a == b) & _without(order)
    log_unit = jnp.where(falls, -0.5 * u, 0.0)
    slope = jnp.where(falls, 0.5 * missing, 0.0) - turn
    return Transform(least - jnp.exp(log_unit) * missing, slope, b - least + missing, log_unit)


def _without(order: Any) -> bool:
    return isinstance(order, float) and order == 0


def _missing(a: Array, b: Array, u: Array, order: Any) -> Array:
    """min(a, b) - G in its unit: proportional to y = sqrt(x) at equal widths, to x at others."""
    delta, equal = jnp.abs(a - b), a == b
    c1, c2 = 2 * (a + b - 2 * a * b), delta**2
    y = jnp.exp(-0.5 * jnp.minimum(u, MOST))
    x = y * y
    root = jnp.sqrt(jnp.maximum(x + c1 * (1 - x), 1e-300))
    # Q/y at equal widths: Q itself has no square that float64 holds
    q = jnp.where(equal, root, jnp.sqrt((y * root) ** 2 + jnp.where(equal, 1.0, c2) * (1 - x) ** 2))
    drop = c1 - c2 - delta - delta * (x + c1 * (1 - x) + c2 * (x - 2)) / (delta + q)
    limit = jnp.where(equal, drop / (2 * (y + q)), x * drop / (2 * (x + q)))
    if _without(order):
        return limit
    unit = jnp.where(equal, y, 1.0)
    limit, share = unit * limit, jnp.where(equal, 1.0, x) / q**2
    more = share * (1 - x) * (c1**2 - 4 * c2) / (4 * (2 * x + c1 * (1 - x) + 2 * unit * q))
    # at equal widths the next order grows without bound; it may take half of what there is
    return limit + jnp.minimum(order * more, 0.5 * (jnp.minimum(a, b) - limit))


class Point(NamedTuple):
    """What a state means: phi, overlap, the log of dimension times the risk, and dimension times |Z|^2/(tr Z)^2."""

    phi: Array
    overlap: Array
    log_distance: Array
    norm: Array


def denominator(a: Array, eps: Array, g: Transform) -> Array:
    """a eps + G (1 - eps): e^{2 phi} over a, J/e and the first kernel."""
    return a * eps + g.value * (1 - eps)


class _Speed(NamedTuple):
    """Speeds of the state (ell, v) at tr Z = 1, and what each unit of tr Z - 1 adds to them."""

    still: tuple[Array, Array]
    ahead: tuple[Array, Array]


def _speed(a: Array, b: Array, gamma: Array, state: tuple[Array, Array], order: Any) -> _Speed:
    ell, _ = state
    g = transform(a, b, 4 * gamma / b - ell, order)
    eps = jnp.exp(-ell)
    den, left = denominator(a, eps, g), g.left * jnp.exp(g.log_unit)
    grown = 4 * eps / den
    return _Speed((4 * (a * eps - left * (1 - eps)) / (b * den), grown), (-4 * (1 - eps) / den, grown))


def lag(a: Array, b: Array, gamma: Array, state: tuple[Array, Array], order: Any) -> Array:
    """h = tr Z - 1 = order d phi/d gamma, with d phi/d gamma = p + q h - h'/(2 (1 + h)).

    p and q grow as 1/a, so that an expansion in `order` would be one in 2/width: settled, h = order p/(1 - order q).
    From h = 0 it comes there by the logistic of constant p and q, which matters in a layer of width `order` alone.
    """

    def phi(gamma: Array, ell: Array, v: Array) -> Array:
        den = denominator(a, jnp.exp(-ell), transform(a, b, 4 * gamma / b - ell, order))
        return 0.5 * (jnp.log(den) + ell - v)

    speed, one = _speed(a, b, gamma, state, order), jnp.ones_like(gamma)
    free = jax.jvp(phi, (gamma, *state), (one, *speed.still))[1]
    back = jax.jvp(phi, (gamma, *state), (0 * one, *speed.ahead))[1]
    pull = 1 - order * back
    settled = order * free / pull
    left = jnp.exp(-2 * gamma * (1 + settled) * pull / jnp.where(order == 0, 1.0, order))
    return settled * (1 - left) / (1 + settled * left)


def velocity(a: Array, b: Array, gamma: Array, state: tuple[Array, Array], order: Any = 0.0) -> tuple[Array, Array]:
    """d ell/d gamma and d v/d gamma."""
    speed = _speed(a, b, gamma, state, order)
    ahead = 0.0 if _without(order) else lag(a, b, gamma, state, order)
    return speed.still[0] + ahead * speed.ahead[0], speed.still[1] + ahead * speed.ahead[1]


def observe(a: Array, b: Array, gamma: Array, state: tuple[Array, Array], order: Any = 0.0) -> Point:
    """phi, overlap, log of dimension times the risk R = |D|^2/2 + (tr D)^2/4, and dimension |Z|^2/(tr Z)^2."""
    ell, v = state
    g = transform(a, b, 4 * gamma / b - ell, order)
    eps = jnp.exp(-ell)
    den = denominator(a, eps, g)
    unit = jnp.exp(g.log_unit)
    square = a * eps**2 + 2 * (1 - eps) * eps * g.value + (1 - eps) ** 2 * (g.value - unit * g.slope)
    # in the unit: a - G, and b square - G^2, what the overlap lacks to one
    over = a - b + g.left
    lack = b * eps**2 * over + g.value * g.left - b * (1 - eps) ** 2 * g.slope
    distance = jnp.maximum(lack, 0.0) + unit * (eps * over) ** 2
    limit = Point(
        phi=0.5 * (jnp.log(den / a) + ell - v),
        overlap=g.value / jnp.sqrt(b * square),
        log_distance=g.log_unit + jnp.log(distance / (2 * b * den**2)),
        norm=square / den**2,
    )
    if _without(order):
        return limit
    ahead = lag(a, b, gamma, state, order)
    # Z grows by 1 + ahead as a whole
    cross = limit.norm - g.value / (b * den)
    risk = jnp.exp(limit.log_distance) + ahead * cross + 0.5 * ahead**2 * limit.norm + 0.25 * ahead**2 / order
    return Point(limit.phi - 0.5 * jnp.log1p(ahead), limit.overlap, jnp.log(risk), limit.norm)


def follow(
    a: Array, b: Array, gammas: Float[Array, " t"], tolerance: Array, order: Any = 0.0
) -> tuple[tuple[Array, Array], Float[Array, " g"], tuple[Array, Array]]:
    """States at `gammas`, and at a fixed grid of times up to the last one, on which events are looked for."""
    last = jnp.maximum(gammas[-1], 1e-12)
    grid = last * jnp.concatenate([jnp.zeros(1), jnp.geomspace(1e-6, 1.0, GRID)])
    grid = grid.at[-1].set(last)
    times = jnp.concatenate([1.0 * gammas, grid])
    order_of = jnp.argsort(times)
    run = watched_flow(
        lambda t, y: velocity(a, b, t, y, order),
        (jnp.zeros(()), jnp.zeros(())),
        times[order_of],
        lambda y: y,
        tolerance=tolerance,
        floor=1.0,
        step_ceiling=STEPS,
    )
    place = jnp.argsort(order_of)
    asked, on_grid = (tuple(curve[part] for curve in run.observed) for part in jnp.split(place, [gammas.shape[0]]))
    return asked, grid, on_grid


def crossing(
    a: Array, b: Array, grid: Float[Array, " g"], states: tuple[Array, Array], level: float, order: Any = 0.0
) -> Float[Array, ""]:
    """First gamma at which the overlap reaches `level`; NaN where it does not on the grid, 0 where it starts there."""
    overlaps = observe(a, b, grid, states, order).overlap
    above = overlaps >= level
    index = jnp.maximum(jnp.argmax(above), 1)
    left, right = grid[index - 1], grid[index]
    ends = (states[0][index - 1], states[1][index - 1]), (states[0][index], states[1][index])
    slopes = velocity(a, b, left, ends[0], order), velocity(a, b, right, ends[1], order)
    h = right - left

    def missing(s: Array) -> Array:
        def between(p: Array, q: Array, dp: Array, dq: Array) -> Array:
            rise, c = q - p, h * dp
            return p + s * (c + s * (3 * rise - 2 * c - h * dq + s * (c + h * dq - 2 * rise)))

        state = tuple(between(*four) for four in zip(*ends, *slopes, strict=True))
        return observe(a, b, left + s * h, (state[0], state[1]), order).overlap - level

    def halve(_: Any, span: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (span[0] + span[1])
        low = missing(middle) < 0
        return jnp.where(low, middle, span[0]), jnp.where(low, span[1], middle)

    low, high = jax.lax.fori_loop(0, 40, halve, (jnp.zeros(()), jnp.ones(())))
    root = jax.lax.stop_gradient(0.5 * (low + high))
    speed = jax.lax.stop_gradient(jax.jvp(missing, (root,), (jnp.ones(()),))[1])
    found = left + h * (root - missing(root) / speed)
    return jnp.where(above[0], 0.0, jnp.where(jnp.any(above), found, jnp.nan))
