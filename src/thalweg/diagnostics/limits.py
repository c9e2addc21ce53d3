"""Largest learning rates that keep a rule stable, from curvatures. Exact on a quadratic loss; each holds per
eigenvalue, so the largest decides. A curvature <= 0 sets no limit (inf): the rule moves away from there at every rate.

All have units 1 / curvature; numbers or arrays. Source: spectral radius of the step; Cohen et al. 2021 and 2022 for
training at the edge.
"""

from typing import Any

import numpy as np

from ..mathematics.stable_steps import DESCENT, averaged, heavy_ball, nesterov, over


def descent_limit(sharpness: Any) -> Any:
    """Gradient descent, theta -= eta g: eta < 2 / lambda."""
    return over(DESCENT, sharpness)


def momentum_limit(sharpness: Any, momentum: float = 0.9) -> Any:
    """Heavy ball, m = beta m + g, theta -= eta m (optax.sgd, torch.optim.SGD): eta < 2 (1 + beta) / lambda."""
    _check_share("momentum", momentum)
    return over(heavy_ball(momentum), sharpness)


def nesterov_limit(sharpness: Any, momentum: float = 0.9) -> Any:
    """Nesterov, gradient at the look-ahead, theta -= eta (g + beta m): eta < 2 (1 + beta)/((1 + 2 beta) lambda)."""
    _check_share("momentum", momentum)
    return over(nesterov(momentum), sharpness)


def averaged_momentum_limit(sharpness: Any, momentum: float = 0.9) -> Any:
    """Averaged momentum, m = beta m + (1 - beta) g, theta -= eta m: eta < 2 (1 + beta)/((1 - beta) lambda)."""
    _check_share("momentum", momentum)
    return over(averaged(momentum), sharpness)


def adam_limit(preconditioned_sharpness: Any, b1: float = 0.9) -> Any:
    """Adam with its preconditioner P = sqrt(second moment) + epsilon held still: as averaged momentum, 38 at 0.9.

    The sharpness is that of P^-1 H: `sharpness(loss, params, batch, preconditioner=adam_preconditioner(...))`.
    """
    return adamw_limit(preconditioned_sharpness, b1, 0.0)


def adamw_limit(preconditioned_sharpness: Any, b1: float = 0.9, weight_decay: float = 0.0) -> Any:
    """Adam with decoupled decay w, theta -= eta (P^-1 m + w theta): eta [lambda (1 - b1)/(1 + b1) + w] < 2."""
    _check_share("b1", b1)
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay={weight_decay}: give a number >= 0.")
    # that of averaged momentum, with the decay beside the curvature
    return over(DESCENT, np.asarray(preconditioned_sharpness, float) * DESCENT / averaged(b1) + weight_decay)


def fresh_batch_limit(samples: int, dimension: int) -> float:
    """SGD, fresh minibatches of B inputs x ~ N(0, I_d), linear teacher without noise: eta < 2/(1 + (d + 1)/B)."""
    if samples < 1 or dimension < 1:
        raise ValueError(f"samples={samples}, dimension={dimension}: give whole numbers >= 1.")
    return 2.0 / (1.0 + (dimension + 1) / samples)


def best_momentum(lowest: float, largest: float) -> tuple[float, float]:
    """Rate and momentum of the heavy ball that converges fastest on curvatures in [lowest, largest], both > 0."""
    if not 0 < lowest <= largest:
        raise ValueError(f"lowest={lowest}, largest={largest}: give curvatures with 0 < lowest <= largest.")
    low, high = np.sqrt(lowest), np.sqrt(largest)
    return float(4 / (low + high) ** 2), float(((high - low) / (high + low)) ** 2)


def adam_preconditioner(second_moment: Any, steps: int, b2: float = 0.999, eps: float = 1e-8) -> Any:
    """P = sqrt(v / (1 - b2^steps)) + eps, of Adam's running second moment (`nu` of optax, `exp_avg_sq` of PyTorch)."""
    import jax
    import jax.numpy as jnp

    if steps < 1:
        raise ValueError(f"steps={steps}: Adam has no preconditioner before its first step.")
    return jax.tree.map(lambda v: jnp.sqrt(jnp.asarray(v) / (1 - b2**steps)) + eps, second_moment)


def _check_share(word: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{word}={value}: give a number in [0, 1).")
