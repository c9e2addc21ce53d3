"""Coefficients of the Radau IIA collocation method: implicit, of order 2 STAGES - 1, and damping what is stiff."""

import numpy as np

# order 2 STAGES - 1
STAGES = 5


def radau(stages: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes c (the last is 1) and coefficients A of the Radau IIA method: int_0^{c_i} l_j over Lagrange's basis l_j."""
    legendre = np.polynomial.legendre.Legendre.basis
    inner = (legendre(stages) - legendre(stages - 1)).roots()
    nodes = np.sort(0.5 * (1 + np.asarray(inner, dtype=float)))
    nodes[-1] = 1.0
    powers = np.arange(stages)
    vandermonde = nodes[:, None] ** powers
    integrals = nodes[:, None] ** (powers + 1) / (powers + 1)
    return nodes, np.linalg.solve(vandermonde.T, integrals.T).T


NODES, COEFFICIENTS = radau(STAGES)
# the value at 0 of the polynomial through the nodes
EXTRAPOLATION = np.linalg.solve((NODES[:, None] ** np.arange(STAGES)).T, np.eye(STAGES)[0])
