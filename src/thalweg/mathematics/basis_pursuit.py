"""The interpolator of least weighted l1 norm: a linear programme by a primal-dual interior point method in JAX."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

STEPS = 80
# of the norm: where the gap between primal and dual value ends
CLOSE = 1e-14
# of the norm: complementarity is not driven below
FLOOR = 1e-15
# steps after which the gap must go on falling
SURE = 15
# share of the way to the boundary
BOLD = 0.995


class Pursuit(NamedTuple):
    """Sizes (k,), dual variables (n,) with |matrix^T dual| <= weights, and the gap that is left, over the norm."""

    output: Float[Array, " k"]
    dual: Float[Array, " n"]
    gap: Float[Array, ""]


class _State(NamedTuple):
    """Positive and negative parts u, v (k,), their slacks s, t (k,), dual variables (n,)."""

    u: Array
    v: Array
    s: Array
    t: Array
    dual: Array
    gap: Array
    steps: Array


def basis_pursuit(matrix: Float[Array, "n k"], targets: Float[Array, " n"], weights: Float[Array, " k"]) -> Pursuit:
    """argmin sum_j w_j |b_j| such that matrix b = targets, w_j > 0.

    Mehrotra's predictor and corrector on b = u - v, u, v >= 0, with slacks s = w - M^T dual, t = w + M^T dual; a step
    solves one n x n system, O(n^2 k). Some 20 steps. Where several points are optimal it ends amid them. The rows must
    be independent; where they are not, or the targets are out of reach, the gap stays large.
    """
    size = jnp.max(jnp.abs(targets))
    size = jnp.where(size > 0, size, 1.0)
    begin = _begin(matrix, targets / size, weights)

    def going(state: _State) -> Array:
        return (state.gap > CLOSE) & (state.steps < STEPS)

    found = jax.lax.while_loop(going, lambda state: _step(matrix, targets / size, weights, state), begin)
    return Pursuit(size * (found.u - found.v), found.dual, found.gap)


def _begin(matrix: Array, targets: Array, weights: Array) -> _State:
    """The solution of least norm, moved inside."""
    gram = matrix @ matrix.T
    least = matrix.T @ jnp.linalg.solve(gram + 1e-13 * jnp.trace(gram) * jnp.eye(gram.shape[0]), targets)
    room = jnp.maximum(jnp.mean(jnp.abs(least)), 1e-12)
    u, v = jnp.maximum(least, 0.0) + room, jnp.maximum(-least, 0.0) + room
    return _State(u, v, weights, weights, jnp.zeros_like(targets), jnp.asarray(jnp.inf), jnp.asarray(0))


class _Newton(NamedTuple):
    """What the Newton steps at a state share: residuals, ratios of parts to slacks, the scaled normal matrix."""

    matrix: Array
    state: _State
    miss: Array
    off: tuple[Array, Array]
    ratio: tuple[Array, Array]
    root: Array
    factor: tuple[Array, bool]

    def direction(self, target_u: Array, target_v: Array) -> tuple[Array, ...]:
        """Changes of u, v, s, t and dual with s du + u ds = target_u, and the same for v and t."""
        state, ratio, off = self.state, self.ratio, self.off
        gain = (target_u - state.u * off[0]) / state.s, (target_v - state.v * off[1]) / state.t
        right = self.miss - self.matrix @ (gain[0] - gain[1])
        step = jax.scipy.linalg.cho_solve(self.factor, right / self.root) / self.root
        move = step @ self.matrix
        return gain[0] + ratio[0] * move, gain[1] - ratio[1] * move, off[0] - move, off[1] + move, step

    def lengths(self, way: tuple[Array, ...]) -> tuple[Array, Array]:
        """How far parts and slacks may go, at most 1."""
        state = self.state
        primal = jnp.minimum(_reach(state.u, way[0]), _reach(state.v, way[1]))
        slack = jnp.minimum(_reach(state.s, way[2]), _reach(state.t, way[3]))
        return jnp.minimum(1.0, BOLD * primal), jnp.minimum(1.0, BOLD * slack)


def _reach(value: Array, change: Array) -> Array:
    return jnp.min(jnp.where(change < 0, -value / jnp.where(change < 0, change, -1.0), jnp.inf))


def _newton(matrix: Array, targets: Array, weights: Array, state: _State) -> _Newton:
    turn = state.dual @ matrix
    off = weights - turn - state.s, weights + turn - state.t
    ratio = state.u / state.s, state.v / state.t
    normal = (matrix * (ratio[0] + ratio[1])[None, :]) @ matrix.T
    root = jnp.sqrt(jnp.diagonal(normal))
    factor = jax.scipy.linalg.cho_factor(normal / root[:, None] / root[None, :] + 1e-15 * jnp.eye(root.size))
    return _Newton(matrix, state, targets - matrix @ (state.u - state.v), off, ratio, root, factor)


def _step(matrix: Array, targets: Array, weights: Array, state: _State) -> _State:
    u, v, s, t, dual = state.u, state.v, state.s, state.t, state.dual
    newton = _newton(matrix, targets, weights, state)
    mean = (u @ s + v @ t) / (2 * u.size)
    way = newton.direction(-u * s, -v * t)
    a, b = newton.lengths(way)
    ahead = ((u + a * way[0]) @ (s + b * way[2]) + (v + a * way[1]) @ (t + b * way[3])) / (2 * u.size)
    # not below what rounding leaves: the parts must stay apart for the linear systems to mean something
    aim = jnp.maximum((ahead / mean) ** 3 * mean, FLOOR * (weights @ (u + v)) / (2 * u.size))
    way = newton.direction(aim - u * s - way[0] * way[2], aim - v * t - way[1] * way[3])
    a, b = newton.lengths(way)
    new = u + a * way[0], v + a * way[1], s + b * way[2], t + b * way[3], dual + b * way[4]
    value = weights @ (new[0] + new[1])
    left = jnp.sum(jnp.abs(targets - matrix @ (new[0] - new[1]))), jnp.max(jnp.abs(newton.off[0] + newton.off[1]))
    gap = (new[0] @ new[2] + new[1] @ new[3] + left[0] + (1 - b) * left[1]) / value
    good = jnp.isfinite(gap) & (gap < jnp.where(state.steps > SURE, state.gap, jnp.inf))
    u, v, s, t, dual = (jnp.where(good, one, old) for one, old in zip(new, (u, v, s, t, dual), strict=True))
    # numbers that are not finite end the search with what there was
    return _State(u, v, s, t, dual, jnp.where(good, gap, state.gap), jnp.where(good, state.steps + 1, STEPS))
