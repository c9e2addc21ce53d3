"""Critical points of deep linear networks with weight decay: roots, values, thresholds, layers."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .layers import Layers
from .problem import DeepLinear

HALVINGS = 100


def degenerate_value(depth: int, strength: Any) -> Any:
    """y* at which the two roots meet, or at which the only one meets zero (depth 2); `strength` is prod lambda_l."""
    if depth == 2:
        return strength**0.5
    n = depth
    share = ((n - 2) / n) ** (n / (2 * (n - 1))) + (n / (n - 2)) ** ((n - 2) / (2 * (n - 1)))
    return share * strength ** (1 / (2 * (n - 1)))


def global_value(depth: int, strength: Any) -> Any:
    """y above which the upper root beats zero; y* for two layers."""
    if depth == 2:
        return degenerate_value(2, strength)
    n, unit = depth, strength ** (1 / depth)
    product = (unit * (n - 2)) ** (n / (2 * n - 2))
    return product + unit * product ** (2 / n - 1)


def roots(depth: int, strength: Any, targets: Float[Array, " k"]) -> tuple[Float[Array, " k"], Float[Array, " k"]]:
    """Lower and upper positive root s of s^(2L-2) - sqrt(Lam) y s^(L-2) + Lam = 0; NaN where there is none.

    Depth 2 has one, told as the upper.
    """
    root = jnp.sqrt(strength)
    if depth == 2:
        square = root * (targets - root)
        return jnp.full_like(targets, jnp.nan), jnp.where(square > 0, jnp.sqrt(jnp.abs(square)), jnp.nan)
    n = depth
    lowest = (root * targets * (n - 2) / (2 * n - 2)) ** (1 / n)

    def height(s: Array) -> Array:
        return s ** (2 * n - 2) - root * targets * s ** (n - 2) + strength

    exist = targets >= degenerate_value(n, strength)
    highest = (root * targets) ** (1 / n)
    found = []
    for inner, outer in ((lowest, jnp.zeros_like(lowest)), (lowest, highest)):

        def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = 0.5 * (low + high)
            below = height(middle) < 0
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        low, _ = jax.lax.fori_loop(0, HALVINGS, halve, (inner, outer))
        low = jax.lax.stop_gradient(low)
        # the derivative of the root; at a double root there is none
        slope = (2 * n - 2) * low ** (2 * n - 3) - root * targets * (n - 2) * low ** (n - 3)
        steep = jax.lax.stop_gradient(jnp.where(jnp.abs(slope) > 1e-12, slope, jnp.inf))
        change = height(low)
        newton = low - (change - jax.lax.stop_gradient(change)) / steep
        found.append(jnp.where(exist, newton, jnp.nan))
    return found[0], found[1]


class Branches(NamedTuple):
    """Singular values y (k,) of the target, products (k, 3) at the roots zero, lower, upper (NaN where absent), what
    each mode gains on its upper root over zero (k,), which are on it at the global minimum, objective at zero."""

    depth: int
    strength: Array
    targets: Float[Array, " k"]
    products: Float[Array, "k roots"]
    gains: Float[Array, " k"]
    chosen: Array
    nothing: Array
    room: int

    def labels(self) -> Float[Array, "k roots"]:
        """1 where a mode on this root may stand in a local minimum, 0 where it makes a saddle, NaN where absent."""
        zero = jnp.where(self.targets <= degenerate_value(2, self.strength), 1.0, 0.0) if self.depth == 2 else 1.0
        zero = jnp.broadcast_to(jnp.asarray(zero), self.targets.shape)
        kinds = jnp.stack([zero, jnp.zeros_like(zero), jnp.ones_like(zero)], axis=1)
        return jnp.where(jnp.isnan(self.products), jnp.nan, kinds)


def branches_of(problem: DeepLinear, data: Any) -> Branches:
    """All branches of a problem."""
    decays = problem.decays()
    depth, strength = decays.shape[0], jnp.prod(decays)
    targets = jnp.linalg.svd(data.correlation(), compute_uv=False)
    lower, upper = roots(depth, strength, targets)
    products = jnp.stack([jnp.zeros_like(targets), lower**depth, upper**depth], axis=1) / jnp.sqrt(strength)
    values = 0.5 * ((products[:, 2] - targets) ** 2 + depth * upper**2)
    gains = 0.5 * targets**2 - values
    room = min(problem.widths)
    chosen = (gains > 0) & (jnp.arange(targets.shape[0]) < room)
    return Branches(depth, strength, targets, products, gains, chosen, 0.5 * jnp.sum(targets**2), room)


def critical_layers(problem: DeepLinear, data: Any, branches: Int[Array, " k"]) -> Layers:
    """Layers of the critical point with the given root of each mode: 0 zero, 1 lower, 2 upper."""
    decays = problem.decays()
    depth, strength = decays.shape[0], jnp.prod(decays)
    left, targets, right = jnp.linalg.svd(data.correlation(), full_matrices=False)
    lower, upper = roots(depth, strength, targets)
    values = jnp.stack([jnp.zeros_like(targets), lower, upper], axis=1)
    count = min(problem.widths)
    s = jnp.take_along_axis(values, branches[:, None], axis=1)[:count, 0]
    frames = [right[:count].T, *(jnp.eye(d, count) for d in problem.widths[1:-1]), left[:, :count]]
    sizes = s[None, :] / jnp.sqrt(decays)[:, None]
    return tuple((frames[j + 1] * sizes[j][None, :]) @ frames[j].T for j in range(depth))
