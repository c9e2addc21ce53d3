"""Coefficients of the Radau IIA collocation method: implicit, of order 2 STAGES - 1, and damping what is stiff."""

import numpy as np

# order 2 STAGES - 1
STAGES = 5


def _inner_nodes(stages: int) -> np.ndarray:
    """Zeros of P_s - P_{s-1} on (-1, 1), mapped to (0, 1): those of the Jacobi polynomial P_{s-1}^{(1, 0)}.

    They are eigenvalues of its symmetric recurrence matrix, real by construction, unlike those of a companion matrix.
    """
    k = np.arange(stages - 1)
    middle = -1 / ((2 * k + 1) * (2 * k + 3))
    k = k[1:]
    beside = np.sqrt(k * (k + 1)) / (2 * k + 1)
    return 0.5 * (1 + np.linalg.eigvalsh(np.diag(middle) + np.diag(beside, 1) + np.diag(beside, -1)))


def radau(stages: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes c (the last is 1) and coefficients A of the Radau IIA method: int_0^{c_i} l_j over Lagrange's basis l_j."""
    nodes = np.append(_inner_nodes(stages), 1.0)
    powers = np.arange(stages)
    vandermonde = nodes[:, None] ** powers
    integrals = nodes[:, None] ** (powers + 1) / (powers + 1)
    return nodes, np.linalg.solve(vandermonde.T, integrals.T).T


NODES, COEFFICIENTS = radau(STAGES)
# the value at 0 of the polynomial through the nodes
EXTRAPOLATION = np.linalg.solve((NODES[:, None] ** np.arange(STAGES)).T, np.eye(STAGES)[0])
