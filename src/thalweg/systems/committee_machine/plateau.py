"""The symmetric plateau: fixed points at which no student has chosen its teacher.

Setting: K = M, orthonormal teachers, v = v* = 1, no noise. The permutation-symmetric states (Q_diag, Q_off, R) are
Q = Q_diag I + Q_off (11' - I), R_in = R for all i, n.
Source: Saad and Solla 1995 for small rates; at finite ones derived here, as fixed points of the law of motion of
`order_parameters` among symmetric states.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...mathematics.gaussian_averages import GaussianAverages
from .order_parameters import Motion, State, Target, gradient_velocity, joint_covariance, population_loss

Scalar = float | Float[Array, ""]


class SymmetricPoint(NamedTuple):
    """A permutation-symmetric state and its loss."""

    diagonal: Scalar
    off_diagonal: Scalar
    teacher: Scalar
    loss: Scalar


def small_rate_plateau(units: int) -> SymmetricPoint:
    """The plateau of the error function to first order in the rate.

    Q_ik = 1/(2K - 1), R_in = 1/sqrt(K (2K - 1)), loss = (K/pi) [pi/6 - K asin(1/(2K))].
    """
    overlap = 1 / (2 * units - 1)
    loss = units / math.pi * (math.pi / 6 - units * math.asin(1 / (2 * units)))
    return SymmetricPoint(overlap, overlap, 1 / math.sqrt(units * (2 * units - 1)), loss)


def symmetric_state(units: int, diagonal: Scalar, off_diagonal: Scalar, teacher: Scalar) -> State:
    """The order parameters of a symmetric state."""
    eye, all_ = jnp.eye(units), jnp.ones((units, units))
    return State(diagonal * eye + off_diagonal * (all_ - eye), teacher * all_, jnp.ones(units))


def _newton(residual: Callable[[Array], Array], start: Array, rounds: int = 60) -> Array:
    """Newton's method with steps cut to half of the distance at which an overlap would change sign."""

    def step(_: Any, x: Array) -> Array:
        move = jnp.linalg.solve(jax.jacfwd(residual)(x), residual(x))
        # a factor in (0, 1] that keeps every component positive
        reach = jnp.min(jnp.where(move > 0, 0.5 * x / jnp.where(move > 0, move, 1.0), 1.0))
        return x - jnp.minimum(1.0, reach) * move

    return jax.lax.fori_loop(0, rounds, step, start)


def _point(averages: GaussianAverages, residual: Array, state: State) -> SymmetricPoint:
    """The state as numbers; NaN where Newton's method found no root, or one that no weights can have."""
    units = state.output.shape[0]
    target = _target(units)
    least = jnp.linalg.eigvalsh(joint_covariance(state, target))[0]
    good = (jnp.max(jnp.abs(residual)) < 1e-10) & (least > -1e-10)
    q, r = state.student, state.teacher
    numbers = (q[0, 0], q[0, -1], r[0, 0], population_loss(averages, state, target))
    return SymmetricPoint(*(jnp.where(good, number, jnp.nan) for number in numbers))


def _target(units: int) -> Target:
    return Target(jnp.eye(units), jnp.ones(units))


def _velocity(averages: GaussianAverages, units: int, rate: Scalar, state: State) -> State:
    return gradient_velocity(averages, state, _target(units), Motion(rate, 0.0, 0.0, 0.0, jnp.ones(())))


def identical_students(averages: GaussianAverages, units: int, learning_rate: Scalar) -> SymmetricPoint:
    """The fixed point with Q_diag = Q_off at a finite rate; unstable even among symmetric states.

    Found by Newton's method from the plateau of small rates; NaN at large rates, where it leads to no weights.
    """
    guess = small_rate_plateau(units)

    def residual(x: Array) -> Array:
        moved = _velocity(averages, units, learning_rate, symmetric_state(units, x[0], x[0], x[1]))
        return jnp.stack([moved.student[0, 0], moved.teacher[0, 0]]) / learning_rate

    x = _newton(residual, jnp.array([guess.diagonal, guess.teacher]))
    return _point(averages, residual(x), symmetric_state(units, x[0], x[0], x[1]))


def attracting_plateau(averages: GaussianAverages, units: int, learning_rate: Scalar) -> SymmetricPoint:
    """The fixed point with Q_diag > Q_off at a finite rate: attracts symmetric states, unstable to specialisation.

    Unknowns d = Q_diag - Q_off, Q_off, R. The rate of change of d is divided by d, so that the identical students
    (d = 0) are no solution. Needs two units; as the rate vanishes, d does too.
    """
    guess = small_rate_plateau(units)

    def residual(x: Array) -> Array:
        moved = _velocity(averages, units, learning_rate, symmetric_state(units, x[1] + x[0], x[1], x[2]))
        apart = (moved.student[0, 0] - moved.student[0, 1]) / x[0]
        return jnp.stack([apart, moved.student[0, 1], moved.teacher[0, 0]]) / learning_rate

    x = _newton(residual, jnp.array([0.1 * guess.diagonal, guess.diagonal, guess.teacher]))
    return _point(averages, residual(x), symmetric_state(units, x[1] + x[0], x[1], x[2]))
