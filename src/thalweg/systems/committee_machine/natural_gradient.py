"""Natural gradient descent of a committee machine: the Fisher matrix by blocks, its inverse, the law of motion.

The model is the student's output with Gaussian noise of fixed variance, which cancels. Its Fisher matrix over the
first layer, G_ij = v_i v_j E g'(l_i) g'(l_j) x x' (N x N blocks), is at every N

    G_ij = a_ij I_N + (1/N) sum_kl th^ij_kl w_k w_l',   a_ij = v_i v_j E g'(l_i) g'(l_j),
    th^ij_kl = v_i v_j E d_k d_l [g'(l_i) g'(l_j)]      (not 0 only for k, l in {i, j}).

Outside the span of the weights its inverse is a^-1. Inside, where block j is sum_m C_jm w_m, it is the inverse of
    Mop[(i,k),(j,m)] = a_ij delta_km + sum_l th^ij_kl Q_lm      (K^2 x K^2).
Damping: G + damping I, which adds to the diagonals of a and of Mop.
Source: Rattray, Saad and Amari 1998; the blocks in these units derived here, by integrating g'(l_i) g'(l_j) x x' by
parts.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.gaussian_averages import GaussianAverages
from .order_parameters import Motion, Scalar, State, Target, diffusion, drift, joint_covariance, signed_weights


class Metric(NamedTuple):
    """The Fisher matrix: outside the span of the weights, and inside it."""

    outside: Float[Array, "k k"]
    inside: Float[Array, "k2 k2"]


def metric(
    averages: GaussianAverages, overlap: Float[Array, "k k"], output: Float[Array, " k"], damping: Scalar
) -> Metric:
    """a and Mop of the module's docstring at student overlaps Q and output weights v."""
    units = output.shape[0]
    i, j = np.indices((units, units))
    weights = jnp.outer(output, output)
    outside = weights * averages.slopes(overlap, i, j)
    first, second, mixed = averages.curvatures(overlap, i, j)
    # th^ij Q, row k: only rows i and j of Q take part
    at_i, at_j = np.eye(units)[:, None, :, None], np.eye(units)[None, :, :, None]
    row_i, row_j = overlap[:, None, None, :], overlap[None, :, None, :]
    first, second, mixed = (term[:, :, None, None] for term in (first, second, mixed))
    bent = at_i * (first * row_i + mixed * row_j) + at_j * (second * row_j + mixed * row_i)
    within = outside[:, :, None, None] * np.eye(units)[None, None] + weights[:, :, None, None] * bent
    inside = within.transpose(0, 2, 1, 3).reshape(units**2, units**2)
    return Metric(outside + damping * np.eye(units), inside + damping * np.eye(units**2))


def inside_span(fisher: Metric, block: Float[Array, "k k"]) -> Float[Array, "k k"]:
    """G^-1 of the vector whose block j is sum_m C_jm w_m, in the same coordinates."""
    return jnp.linalg.solve(fisher.inside, block.reshape(-1)).reshape(block.shape)


def natural_velocity(averages: GaussianAverages, now: State, target: Target, motion: Motion, damping: Scalar) -> State:
    """d(Q, R, v)/dt of one-pass natural gradient descent on the first layer; v stays.

    psi_jb = v_j drift_jb = (psi_S | psi_T), Ups = v_j v_l diffusion_jl, gam = a^-1, E = Mop^-1 (psi_S Q^-1):
    dR/dt = -eta [gam (psi_T - psi_S Q^-1 R) + E R] - wd R
    dQ/dt = -eta [E Q + (E Q)'] + eta^2 gam Ups gam' - 2 wd Q
    Cost: that of gradient descent and O(K^6). Collinear students make Q and a singular: use damping for the latter.
    Source: Rattray, Saad and Amari 1998, in the units of this module. The decay, decoupled from the metric, is the
    plain one.
    """
    units, v, eta = now.output.shape[0], now.output, motion.learning_rate
    covariance, c = joint_covariance(now, target), signed_weights(now, target)
    fisher = metric(averages, now.student, v, damping)
    psi = v[:, None] * drift(averages, covariance, c, units)
    along = jnp.linalg.solve(now.student, psi[:, :units].T).T
    moved = inside_span(fisher, along)
    across = jnp.linalg.solve(fisher.outside, psi[:, units:] - along @ now.teacher)
    spread = jnp.outer(v, v) * diffusion(averages, covariance, c, units, motion.noise)
    half = jnp.linalg.solve(fisher.outside, spread)
    spread = jnp.linalg.solve(fisher.outside, half.T)
    decay = eta * motion.weight_decay
    turned = moved @ now.student
    student = -eta * (turned + turned.T) - 2 * decay * now.student
    student += motion.second_order * eta**2 * 0.5 * (spread + spread.T)
    return State(
        student=student,
        teacher=-eta * (across + moved @ now.teacher) - decay * now.teacher,
        output=jnp.zeros_like(v),
    )
