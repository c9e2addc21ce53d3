"""How large steps may be on a quadratic loss: learning rate times curvature at the edge of stability.

Source: spectral radius of one step. A curvature <= 0 sets no limit (inf): steps lead away from there at every rate.
"""

from typing import Any

import numpy as np

# w <- w - eta g: |1 - eta u| <= 1
DESCENT = 2.0


def heavy_ball(momentum: Any) -> Any:
    """w <- w - eta g + beta (last displacement): 2 (1 + beta)."""
    return 2 * (1 + momentum)


def nesterov(momentum: Any) -> Any:
    """The same with the gradient at the look-ahead: 2 (1 + beta)/(1 + 2 beta)."""
    return 2 * (1 + momentum) / (1 + 2 * momentum)


def averaged(momentum: Any) -> Any:
    """m <- beta m + (1 - beta) g, w <- w - eta m: 2 (1 + beta)/(1 - beta)."""
    return 2 * (1 + momentum) / (1 - momentum)


def over(edge: Any, curvature: Any) -> Any:
    """edge / curvature for numbers, NumPy or JAX arrays; inf at a curvature <= 0, NaN at NaN."""
    if isinstance(curvature, int | float | list | np.ndarray | np.generic):
        return _over(edge, np.asarray(curvature, float), np)[()]
    import jax.numpy as jnp
    from jax.core import Tracer

    if any(isinstance(value, Tracer) for value in (edge, curvature)):
        return _over(edge, curvature, jnp)
    # known numbers: as JAX has them, each operation would be a program of its own
    return jnp.asarray(_over(np.asarray(edge), np.asarray(curvature), np))


def _over(edge: Any, curvature: Any, xp: Any) -> Any:
    positive = curvature > 0
    limit = xp.where(positive, edge / xp.where(positive, curvature, 1.0), xp.inf)
    return xp.where(xp.isnan(curvature), xp.nan, limit)
