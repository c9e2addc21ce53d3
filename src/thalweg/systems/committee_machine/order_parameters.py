"""Order parameters of a committee machine and their law of motion under one-pass gradient descent.

Fields: student l_k = w_k.x / sqrt N (K of them), teacher rho_m = w*_m.x / sqrt N (M), x ~ N(0, I_N).
Overlaps: Q = w w'/N (K, K), R = w w*'/N (K, M), T = w* w*'/N (M, M); output weights v (K), v* (M).
Clock: t = steps / N. All functions here are pure, float64, and may be jitted, mapped and differentiated forward.
Source: Saad and Solla 1995; Goldt et al. 2019; signs and units as above derived here.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.gaussian_averages import GaussianAverages

Scalar = float | Float[Array, ""]


class State(NamedTuple):
    """What moves: student overlaps Q, teacher overlaps R, output weights v."""

    student: Float[Array, "k k"]
    teacher: Float[Array, "k m"]
    output: Float[Array, " k"]


class Target(NamedTuple):
    """What stays: the teacher's own overlaps T and its output weights v*."""

    overlap: Float[Array, "m m"]
    output: Float[Array, " m"]


class Motion(NamedTuple):
    """Rates of one-pass gradient descent at one moment.

    w <- w - (learning_rate / sqrt N) v g'(l) Delta x - (learning_rate weight_decay / N) w,
    v <- v - (output_learning_rate / N) g(l) Delta. `noise` is the standard deviation of the label noise.
    `second_order` is 1, or 0 for the limit of small rates, where what is quadratic in the rate is dropped.
    """

    learning_rate: Scalar
    output_learning_rate: Scalar
    weight_decay: Scalar
    noise: Scalar
    second_order: Scalar


def joint_covariance(now: State, target: Target) -> Float[Array, "n n"]:
    """Covariance of all K + M fields, the student's first."""
    upper = jnp.concatenate([now.student, now.teacher], axis=1)
    lower = jnp.concatenate([now.teacher.T, target.overlap], axis=1)
    return jnp.concatenate([upper, lower])


def signed_weights(now: State, target: Target) -> Float[Array, " n"]:
    """c = (v, -v*): the noiseless residual is sum_b c_b g(u_b)."""
    return jnp.concatenate([now.output, -target.output])


def second_averages(averages: GaussianAverages, covariance: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """E g(u_a) g(u_b) for all pairs, each computed once."""
    fields = covariance.shape[0]
    a, b, place = _pairs(fields)
    return averages.second(covariance, a, b)[place]


def population_loss(averages: GaussianAverages, now: State, target: Target) -> Float[Array, ""]:
    """(1/2) E (student - noiseless teacher)^2 = (1/2) sum_ab c_a c_b E g(u_a) g(u_b)."""
    c = signed_weights(now, target)
    return 0.5 * c @ second_averages(averages, joint_covariance(now, target)) @ c


def _pairs(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the pairs a <= b, and the (count, count) table of the place of each pair in that list."""
    a, b = np.triu_indices(count)
    place = np.zeros((count, count), int)
    place[a, b] = place[b, a] = np.arange(a.size)
    return a, b, place


def drift(
    averages: GaussianAverages, covariance: Float[Array, "n n"], c: Float[Array, " n"], units: int
) -> Float[Array, "k n"]:
    """sum_b c_b E g'(u_i) u_n g(u_b): what the residual pulls student i along field n."""
    fields = covariance.shape[0]
    i, n, b = np.ix_(np.arange(units), np.arange(fields), np.arange(fields))
    return averages.third(covariance, i, n, b) @ c


def diffusion(
    averages: GaussianAverages, covariance: Float[Array, "n n"], c: Float[Array, " n"], units: int, noise: Scalar
) -> Float[Array, "k k"]:
    """E g'(l_i) g'(l_k) (Delta + noise)^2 = sum_ab c_a c_b fourth(i, k, a, b) + noise^2 slopes(i, k).

    Both pairs of indices are exchangeable: K (K+1) / 2 times n (n+1) / 2 averages instead of K^2 n^2.
    """
    i, k, place = _pairs(units)
    a, b, _ = _pairs(covariance.shape[0])
    product = c[a] * c[b] * np.where(a == b, 1.0, 2.0)
    four = averages.fourth(covariance, i[:, None], k[:, None], a[None, :], b[None, :])
    return (four @ product + noise**2 * averages.slopes(covariance, i, k))[place]


def gradient_velocity(averages: GaussianAverages, now: State, target: Target, motion: Motion) -> State:
    """d(Q, R, v)/dt of one-pass gradient descent, exact as N grows at fixed K, M, t and rates.

    dR_in/dt = -eta v_i drift_in - wd R_in,   wd = eta weight_decay
    dQ_ik/dt = -eta (v_i drift_ik + v_k drift_ki) + eta^2 v_i v_k diffusion_ik - 2 wd Q_ik
    dv_i/dt  = -eta_v sum_b c_b E g(u_i) g(u_b)
    Cost: O(K^2 (K + M)^2) averages. Q stays symmetric to the last bit.
    Source: Saad and Solla 1995; Goldt et al. 2019.
    """
    units, v = now.output.shape[0], now.output
    covariance, c = joint_covariance(now, target), signed_weights(now, target)
    pull = motion.learning_rate * v[:, None] * drift(averages, covariance, c, units)
    decay = motion.learning_rate * motion.weight_decay
    student = -(pull[:, :units] + pull[:, :units].T) - 2 * decay * now.student
    if not _dropped(motion.second_order):
        spread = diffusion(averages, covariance, c, units, motion.noise)
        student += motion.second_order * motion.learning_rate**2 * jnp.outer(v, v) * spread
    return State(
        student=student,
        teacher=-pull[:, units:] - decay * now.teacher,
        output=-motion.output_learning_rate * (second_averages(averages, covariance)[:units] @ c),
    )


def _dropped(second_order: Scalar) -> bool:
    """Whether the order is known to be absent: then it is not computed (for the rectifier it need not even exist)."""
    return isinstance(second_order, int | float) and bool(second_order == 0)
