"""The growth law u' = N |u|^(2 - 2/N) (mu - lambda u) and its mirror image, in closed form or by one inversion.

With s = mu/lambda, u = +-s y^N and theta = lambda t s^(2 - 2/N):
    sign +: y' = y^(N-1) (1 - y^N),    sign -: y' = -y^(N-1) (1 + y^N)    (in theta),
and since 1/(y^(N-1) (1 -+ y^N)) = y^(1-N) +- y/(1 -+ y^N), theta(y) is a power and logarithms of the N-th roots of
+-1: no hypergeometric function, and no singular point but y = 1, which a logarithmic variable takes apart.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

NODES = 1024
# ends of the inner variable: below the first nothing has moved within rounding, above the last all is done
RISING = (-80.0, 42.0)
FALLING = (-80.0, 5.0)
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
    y0 = jnp.where(still & (begin > 0), 0.5, ratio ** (1 / depth))
    up = _Inverse(depth, y0, 1.0)
    # most starts have no mode of the wrong sign, and then it costs nothing
    some = jnp.any(moving & (begin < 0))
    pace = lam * (mu / lam) ** (2 - 2 / depth)

    def at(time: Float[Array, ""]) -> Float[Array, " k"]:
        theta = pace * time
        rises = jnp.where(still, ratio, up(theta) ** depth)
        falls = jax.lax.cond(some, lambda: _Inverse(depth, y0, -1.0)(theta) ** depth, lambda: jnp.zeros_like(theta))
        found = mu / lam * jnp.where(begin > 0, rises, -falls)
        return jnp.where(moving, found, _unforced(depth, start, curvature, time))

    return at


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


class _Inverse:
    """theta -> y of each component: a table in an inner variable xi, cubic between its nodes, then two Newton steps.

    Rising: y = y0 + (1 - y0) p, p = 1/(1 + e^-xi); falling: y = y0 exp(-e^xi).
    """

    def __init__(self, depth: int, y0: Float[Array, " k"], sign: float) -> None:
        self.depth, self.y0, self.sign = depth, y0, sign
        self.nodes = jnp.linspace(*(RISING if sign > 0 else FALLING), NODES)
        self.fixed = jax.lax.stop_gradient(y0)
        self.table = jax.vmap(lambda xi: _theta(depth, sign, self.fixed, jnp.full_like(self.fixed, xi)))(self.nodes)

    def __call__(self, theta: Float[Array, " k"]) -> Float[Array, " k"]:
        wanted = jax.lax.stop_gradient(theta)
        index = jax.vmap(jnp.searchsorted, in_axes=(1, 0))(self.table.theta, wanted).clip(1, NODES - 1)
        each = jnp.arange(wanted.shape[0])
        low, high = self.nodes[index - 1], self.nodes[index]
        before, after = (_Point(*(part[i, each] for part in self.table)) for i in (index - 1, index))
        inside = (wanted > before.theta) & (wanted <= after.theta)
        xi = _cubic(before, after, low, high, wanted).clip(low, high)
        xi = jnp.where(inside, xi, jnp.where(wanted <= before.theta, self.nodes[0], self.nodes[-1]))
        here = _theta(self.depth, self.sign, self.fixed, xi)
        better = (xi - (here.theta - wanted) / here.slope).clip(low, high)
        xi = jax.lax.stop_gradient(jnp.where(inside & jnp.isfinite(better), better, xi))
        here = _theta(self.depth, self.sign, self.y0, xi)
        # one more step, which carries the derivative of the inverse; no longer than its bracket
        step = (theta - here.theta) / jax.lax.stop_gradient(here.slope)
        sound = inside & (jnp.abs(jax.lax.stop_gradient(step)) <= high - low)
        return _value(self.sign, self.y0, xi + jnp.where(sound, step, 0.0))


def _cubic(before: "_Point", after: "_Point", low: Array, high: Array, wanted: Array) -> Float[Array, " k"]:
    """xi between two nodes by the cubic in theta that has their slopes."""
    width = after.theta - before.theta
    some = width > 0
    width = jnp.where(some, width, 1.0)
    u = (wanted - before.theta) / width
    bend = (1 - u) * width / before.slope * u * (1 - u) - u * width / after.slope * u * (1 - u)
    line = low * (1 + 2 * u) * (1 - u) ** 2 + high * u**2 * (3 - 2 * u)
    found = line + bend
    return jnp.where(some & jnp.isfinite(found), found, 0.5 * (low + high))


class _Point(NamedTuple):
    theta: Float[Array, " k"]
    slope: Float[Array, " k"]


def _value(sign: float, y0: Array, xi: Array) -> Float[Array, " k"]:
    if sign > 0:
        return y0 + (1 - y0) * jax.nn.sigmoid(xi)
    return y0 * jnp.exp(-jnp.exp(xi))


def _theta(depth: int, sign: float, y0: Array, xi: Array) -> _Point:
    """theta and d theta/d xi at the inner variable."""
    n = depth
    y = _value(sign, y0, xi)
    if sign > 0:
        part = jax.nn.sigmoid(xi)
        powers = -jnp.expm1((2 - n) * jnp.log1p((1 - y0) * part / y0)) * y0 ** (2 - n) / (n - 2)
        logs = jax.nn.softplus(xi) / n + _roots(n, y, sign) - _roots(n, y0, sign)
        # (1 - y^N)/(1 - y) is a sum of powers: dy/dxi = (1 - y0) p (1 - p) and 1 - y = (1 - y0)(1 - p)
        return _Point(powers + logs, part / (y ** (n - 1) * _ladder(n, y)))
    fall = jnp.exp(xi)
    powers = jnp.expm1((n - 2) * fall) * y0 ** (2 - n) / (n - 2)
    logs = _roots(n, y, sign) - _roots(n, y0, sign)
    return _Point(powers + logs, fall * y / (y ** (n - 1) * (1 + y**n)))


def _ladder(n: int, y: Array) -> Array:
    """1 + y + ... + y^(N-1)."""
    return sum((y**k for k in range(1, n)), jnp.ones_like(y))


def _roots(n: int, y: Array, sign: float) -> Array:
    """int y/(1 -+ y^N) dy = -(1/N) Re sum_w w^2 log(1 - y/w) over the N-th roots w of +-1, but for the root 1."""
    total = jnp.zeros_like(y)
    for k in range(n):
        angle = (2 * k if sign > 0 else 2 * k + 1) * np.pi / n
        if angle > np.pi + 1e-9 or angle == 0:
            continue
        weight = 1.0 if abs(angle - np.pi) < 1e-9 else 2.0
        size = 0.5 * jnp.log(1 - 2 * y * np.cos(angle) + y**2)
        turn = jnp.arctan2(y * np.sin(angle), 1 - y * np.cos(angle))
        total = total + weight * (np.cos(2 * angle) * size - np.sin(2 * angle) * turn)
    return -total / n
