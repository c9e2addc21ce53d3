"""Largest stable learning rates at the perfect solution, and the loss at which label noise holds a run.

Setting: as many students as teachers (K = M), orthonormal teachers, v = v* = 1. Near the solution the perpendicular
weight errors q (K, K) obey dq/dt = -eta (a q + q a) + eta^2 U[q], and the slowest mode has the form
q = X I + Y (11' - I), which leaves a 2 x 2 problem with m_n = E g'(z)^n, z ~ N(0, 1).
Source: derived here, as the linearisation of the law of motion (Saad and Solla 1995; Rattray, Saad and Amari 1998) at
the perfect solution; the floor by label noise as in Goldt et al. 2019.
"""

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...mathematics.gaussian_averages import GaussianAverages

Scalar = float | Float[Array, ""]


def linear_response(averages: GaussianAverages, units: int) -> tuple[np.ndarray, np.ndarray]:
    """The matrices A (drift) and U (diffusion) of the mode (X, Y); 1 x 1 for one unit."""
    m1, m2, m3, m4 = (averages.moment(n) for n in (1, 2, 3, 4))
    k = units
    drift = np.array([[m2, (k - 1) * m1**2], [m1**2, m2 + (k - 2) * m1**2]])
    diagonal = [m4 + (k - 1) * m2**2, 2 * (k - 1) * m3 * m1 + (k - 1) * (k - 2) * m2 * m1**2]
    mixed = [
        2 * m3 * m1 + (k - 2) * m2 * m1**2,
        2 * m2**2 + 4 * (k - 2) * m2 * m1**2 + (k - 2) * (k - 3) * m1**4,
    ]
    size = 1 if units == 1 else 2
    return drift[:size, :size], np.array([diagonal, mixed])[:size, :size]


def _largest(matrix: np.ndarray) -> float:
    return float(np.max(np.linalg.eigvals(matrix).real))


def critical_rate(averages: GaussianAverages, units: int) -> float:
    """Largest rate at which gradient descent stays at the solution: 1 / lambda_max((2A)^-1 U)."""
    drift, diffusion = linear_response(averages, units)
    return 1 / _largest(np.linalg.solve(2 * drift, diffusion))


def natural_critical_rate(averages: GaussianAverages, units: int) -> float:
    """The same for natural gradient without damping: 1 / lambda_max(A^-2 U / 2)."""
    drift, diffusion = linear_response(averages, units)
    return 1 / _largest(np.linalg.solve(drift @ drift, diffusion) / 2)


def noise_floor(averages: GaussianAverages, units: int, learning_rate: Scalar, noise: Scalar) -> Float[Array, ""]:
    """Final loss of gradient descent for small noise at a finite rate; infinite from the critical rate on.

    (2A - eta U)(X, Y) = eta noise^2 (m2, m1^2),  loss = (1/2) [K m2 X + K (K-1) m1^2 Y].
    What is left out is of relative order noise^2.
    """
    drift, diffusion = linear_response(averages, units)
    force = np.array([averages.moment(2), averages.moment(1) ** 2])[: len(drift)]
    eta = jnp.asarray(learning_rate)
    mode = jnp.linalg.solve(2 * drift - eta * diffusion, eta * jnp.asarray(noise) ** 2 * force)
    weights = 0.5 * units * force * np.array([1.0, units - 1.0])[: len(drift)]
    return jnp.where(eta < critical_rate(averages, units), mode @ weights, jnp.inf)


def small_rate_floor(units: int, teachers: int, learning_rate: Scalar, noise: Scalar) -> Scalar:
    """Final loss of gradient descent to first order in the rate, for the error function and units >= teachers.

    noise^2 eta / (2 pi) (L + M / sqrt 3), with L = units - teachers idle students.
    With L >= 2 idle students it is that of short ones: pairs w, -w are a flat direction, along which they lengthen
    over times of 1e6 (eta = .01) while the loss sinks further.
    """
    return noise**2 * learning_rate / (2 * math.pi) * (units - teachers + teachers / math.sqrt(3))


def natural_floor(units: int, learning_rate: Scalar, noise: Scalar) -> Scalar:
    """Final loss of natural gradient at a constant rate, to first order: eta K noise^2 / 4."""
    return learning_rate * units * noise**2 / 4


def annealed_loss(units: int, noise: Scalar, t: Scalar) -> Scalar:
    """Loss of natural gradient with rate 1/t at late times: K noise^2 / (2 t), the Cramer-Rao value."""
    return units * noise**2 / (2 * t)
