"""Two layers on any data from any start: the closed flow of their Gram matrix, at a cost that forgets the width."""

from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from ...words.fields import scalar
from ...words.problem import Problem
from ...words.theory import Assumption, Exact, Source
from . import regime
from .layers import Layers
from .problem import DeepLinear
from .trajectories import CURVES, EVENTS, integrated

# singular values of the start below this share of the largest are rounding
RANK = 1e-13


def reduced(first: Any, second: Any) -> Layers:
    """Layers of at most d + o hidden units with the same W_1'W_1, W_2W_2' and W_2W_1, in orthogonal units.

    Units that the start does not use are exactly zero, and stay so: its rank is kept.
    """
    inputs = first.shape[1]
    stacked = jnp.concatenate([jnp.asarray(first).T, jnp.asarray(second)])
    left, values, _ = jnp.linalg.svd(stacked, full_matrices=False)
    values = jnp.where(values > RANK * jnp.max(values), values, 0.0)
    both = left * values[None, :]
    return both[:inputs].T, both[inputs:]


class GramFlow(Exact[DeepLinear]):
    """Exact flow of two layers on any data, from any start of any width, by a closed equation of its Gram matrix.

    With Q = [W_1'; W_2], G = QQ' ((d + o) x (d + o)), E = E y x' - W E x x':  G' = MG + GM, M = [[0, E'], [E, 0]]
    (weight decay: M - diag(decay)). W, W_1'W_1 and W_2W_2' are blocks of G, so that nothing knows the hidden width;
    what is integrated is a factor of G with min(h, d + o) columns, which keeps it positive and its rank exact. Data
    enter by their second moments alone. Dormand-Prince of order 8 at `tolerance` (relative; absolute in units of the
    start).
    Events: half_time, escape_time, late_rate. Clock: flow time. Conditions on draw and start.
    Fails for another depth, circulant layers, and steps. Source: Min et al. 2021 (the setting); closure by algebra.
    """

    tolerance: float = scalar("relative tolerance of the integrator", default=1e-11, above=0.0, below=0.1, log=True)

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Min2021", "the setting"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    speaks_of: ClassVar[tuple[str, ...]] = (*CURVES, *EVENTS)
    assumptions: ClassVar[tuple[Assumption, ...]] = (regime.FLOW, regime.TWO_LAYERS)

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        covariance, correlation = data.covariance(), data.correlation()
        decays = problem.decays()

        def velocity(layers: Layers) -> Layers:
            first, second = layers
            missed = correlation - (second @ first) @ covariance
            return second.T @ missed - decays[0] * first, missed @ first.T - decays[1] * second

        begin = reduced(*start)
        size = jnp.sqrt(sum(jnp.mean(layer**2) for layer in begin))
        floor = jnp.where(size > 0, size, 1.0)
        return integrated(
            problem, data, velocity, begin, lambda state: state, jnp.asarray(times), self.tolerance, floor
        )
