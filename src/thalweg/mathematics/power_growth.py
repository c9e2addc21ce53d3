"""The growth law u' = N |u|^(2 - 2/N) (mu - lambda u) and its mirror image, in closed form or by one inversion.

With s = mu/lambda, u = +-s y^N and theta = lambda t s^(2 - 2/N):
    sign +: y' = y^(N-1) (1 - y^N),    sign -: y' = -y^(N-1) (1 + y^N)    (in theta),
and since 1/(y^(N-1) (1 -+ y^N)) = y^(1-N) +- y/(1 -+ y^N), theta(y) is a power and logarithms of the N-th roots of
+-1: no hypergeometric function, and no singular point but y = 1, which a logarithmic variable takes apart.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

NODES = 1024
NEWTON = 4
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
    up, down = _Inverse(depth, y0, 1.0), _Inverse(depth, y0, -1.0)
    pace = lam * (mu / lam) ** (2 - 2 / depth)

    def at(time: Float[Array, ""]) -> Float[Array, " k"]:
        theta = pace * time
        rises = jnp.where(still, ratio, up(theta) ** depth)
        found = mu / lam * jnp.where(begin > 0, rises, -(down(theta) ** depth))
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
    """theta -> y of each component: a table in an inner variable xi, then Newton within the bracket of two nodes.

    Rising: y = y0 + (1 - y0) p, p = 1/(1 + e^-xi); falling: y = y0 exp(-e^xi).
    """

    def __init__(self, depth: int, y0: Float[Array, " k"], sign: float) -> None:
        self.depth, self.y0, self.sign = depth, y0, sign
        low, high = RISING if sign > 0 else FALLING
        self.nodes = jnp.linspace(low, high, NODES)
        fixed = jax.lax.stop_gradient(y0)
        self.table = jax.vmap(lambda xi: _theta(depth, sign, fixed, jnp.full_like(fixed, xi)).theta)(self.nodes)

    def __call__(self, theta: Float[Array, " k"]) -> Float[Array, " k"]:
        wanted = jax.lax.stop_gradient(theta)
        index = jax.vmap(jnp.searchsorted, in_axes=(1, 0))(self.table, wanted).clip(1, NODES - 1)
        each = jnp.arange(wanted.shape[0])
        low, high = self.nodes[index - 1], self.nodes[index]
        before, after = self.table[index - 1, each], self.table[index, each]
        inside = (wanted > before) & (wanted <= after)
        share = (wanted - before) / jnp.where(after > before, after - before, 1.0)
        xi = jnp.where(inside, low + share * (high - low), jnp.where(wanted <= before, self.nodes[0], self.nodes[-1]))
        fixed = jax.lax.stop_gradient(self.y0)

        def improve(_: Any, xi: Array) -> Array:
            here = _theta(self.depth, self.sign, fixed, xi)
            better = xi - (here.theta - wanted) / here.slope
            return jnp.where(inside & jnp.isfinite(better), better.clip(low, high), xi)

        xi = jax.lax.stop_gradient(jax.lax.fori_loop(0, NEWTON, improve, xi))
        here = _theta(self.depth, self.sign, self.y0, xi)
        # one more step, whose value is rounding and whose derivative is that of the inverse
        step = (theta - here.theta) / jax.lax.stop_gradient(here.slope)
        still = jax.lax.stop_gradient(step)
        return _value(self.sign, self.y0, xi + jnp.where(inside & jnp.isfinite(still), step - still, 0.0))


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
