"""The interpolator that a product network ends at, as the optimum of its dual problem: n unknowns, Newton's method."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from .mirror_links import Gaps, Modes, gaps

STEPS = 3000
HALVINGS = 60
# of the size of the targets
CLOSE = 1e-13
# logarithm of the largest factor of a walled mode below which the limit is reached in all digits
LEAST = -800.0
# share of the gap to a wall that one step may use
BOLD = 0.99


class Interpolator(NamedTuple):
    """Sizes of the modes (k,), their gaps, dual variables nu (n,), the largest |output - target|, and Newton steps."""

    output: Float[Array, " k"]
    at: Gaps
    nu: Float[Array, " n"]
    residual: Float[Array, ""]
    steps: Int[Array, ""]


class _State(NamedTuple):
    nu: Array
    at: Gaps
    miss: Array
    steps: Array


def interpolator(modes: Modes, targets: Float[Array, " n"]) -> Interpolator:
    """The modes with outputs equal to targets that maximise nu.y - sum_j H_j(nu): the limit of gradient flow.

    Newton's method on the concave dual: curvature M diag(h') D^T, O(n^2 k) a step. Steps are cut at 99/100 of the way
    to the nearest wall (by a few units of z where there is none) and halved while they go beyond the maximum along
    their direction by more than half of its slope. Gaps are carried along, not computed from nu: close to a wall
    they stay accurate, so that scales whose powers underflow need no other method.
    The derivative (forward) is that of the optimum. Where no interpolator exists, `residual` stays large.
    """
    if modes.link.walled:
        lift = jnp.maximum(LEAST - jnp.max(modes.log_scale), 0.0)
        modes = modes._replace(log_scale=modes.log_scale + lift)
    held = jax.lax.stop_gradient((modes.matrix, modes.dual, modes.log_scale, targets))
    fixed = modes._replace(matrix=held[0], dual=held[1], log_scale=held[2])
    goal = held[3]
    size = 1.0 + jnp.max(jnp.abs(goal))

    def going(state: _State) -> Array:
        return (jnp.max(jnp.abs(state.miss)) > CLOSE * size) & (state.steps < STEPS)

    def newton(state: _State) -> _State:
        step, turn, log_whole = _direction(fixed, state)
        share = _share(fixed, goal, state, (step, turn, log_whole))
        at = Gaps(state.at.below - share * turn, state.at.above + share * turn)
        miss = fixed.matrix @ fixed.output(at) - goal
        return _State(state.nu + share * step, at, miss, state.steps + 1)

    zero = jnp.zeros_like(goal)
    begin = _State(zero, gaps(jnp.zeros_like(held[2])), -goal, jnp.asarray(0))
    found = jax.lax.while_loop(going, newton, begin)
    # one more step, which the derivative goes through: at the optimum it is that of the implicit function
    at = found.at
    last = found._replace(miss=modes.matrix @ modes.output(_moved(modes, at, found.nu)) - targets)
    step, turn, log_whole = _direction(fixed, last)
    step, turn = step * jnp.exp(log_whole), turn * jnp.exp(log_whole)
    # what dual's own derivative adds is in _moved
    at = _moved(modes, Gaps(at.below - turn, at.above + turn), found.nu)
    output = modes.output(at)
    worst = jnp.max(jnp.abs(modes.matrix @ output - targets))
    return Interpolator(output, at, found.nu + step, jax.lax.stop_gradient(worst), found.steps)


def _moved(modes: Modes, at: Gaps, nu: Array) -> Gaps:
    """The same gaps, with the derivative that they have through the dual matrix at fixed nu."""
    drift = nu @ modes.dual
    drift = drift - jax.lax.stop_gradient(drift)
    return Gaps(at.below - drift, at.above + drift)


def _direction(modes: Modes, state: _State) -> tuple[Array, Array, Array]:
    """Newton's direction in nu, what it does to z, and the logarithm of the factor that makes it Newton's step."""
    log_unit = jnp.max(modes.link.log_slope(modes.log_scale, state.at))
    hessian = modes.curvature(state.at, jax.lax.stop_gradient(log_unit))
    # rows of unlike size: divided by their roots before the solution
    root = jnp.sqrt(jnp.diagonal(hessian))
    root = jnp.where(root > 0, root, 1.0)
    ridge = 1e-15 * jnp.eye(root.size)
    step = jnp.linalg.solve(hessian / root[:, None] / root[None, :] + ridge, -state.miss / root) / root
    return step, step @ modes.dual, -jax.lax.stop_gradient(log_unit)


def _share(modes: Modes, goal: Array, state: _State, newton: tuple[Array, Array, Array]) -> Array:
    """How much of a direction is taken."""
    step, turn, log_whole = newton
    whole = jnp.exp(jnp.minimum(log_whole, 700.0))
    if modes.link.walled:
        room = jnp.where(turn > 0, state.at.below, state.at.above)
        share = jnp.minimum(whole, BOLD / jnp.max(jnp.abs(turn) / room))
    else:
        # as long as every output is far below 1, steps may be long
        left = jnp.min(-modes.log_scale - jnp.abs(state.at.z))
        share = jnp.minimum(whole, (3.0 + 0.5 * jnp.maximum(left, 0.0)) / jnp.max(jnp.abs(turn)))
    before = jnp.abs(jnp.dot(state.miss, step))

    def beyond(tried: Any) -> Any:
        share, halvings = tried
        at = Gaps(state.at.below - share * turn, state.at.above + share * turn)
        along = jnp.dot(modes.matrix @ modes.output(at) - goal, step)
        return ~(along <= 0.5 * before) & (halvings < HALVINGS)

    return jax.lax.while_loop(beyond, lambda tried: (0.5 * tried[0], tried[1] + 1), (share, 0))[0]
