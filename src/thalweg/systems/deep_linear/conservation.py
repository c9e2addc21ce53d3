"""What every flow of a deep linear network conserves, and by how much steps break it."""

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ...rules.demands import plain_steps, stepped_strain, under_descent
from ...words.problem import Problem
from ...words.theory import Assumption, Claim, FiniteSize, Limit, Setting, Source, Variable
from . import regime
from .layers import imbalance_norms, product
from .problem import DeepLinear


def step_drift(problem: DeepLinear, layers: Any, data: Any) -> list[Array]:
    """G_{j+1}'G_{j+1} - G_jG_j', G_j the gradient in layer j: one step of size eta changes D_j by exactly eta^2 this.

    `layers` and `data` are those of the problem (`as_start`, `as_data`); any loss of the product and any depth. Summed
    along a run of descent it is all that D_j changes: O(eta) over a fixed time, the meter of how flow-like a run is.
    Weight decay adds terms of first order. Clock: one whole step. Source: derived; float64 under jax.enable_x64().
    """
    slopes = jax.grad(problem.objective)(tuple(jnp.asarray(layer) for layer in layers), data)
    return [after.T @ after - before @ before.T for before, after in itertools.pairwise(slopes)]


def _curvature(setting: Setting) -> float:
    """Scale of the largest curvature, at the start and at a balanced solution."""
    layers, covariance = regime.layers_of(setting), np.asarray(setting.data.covariance())
    norms = np.array([np.linalg.norm(layer, 2) for layer in layers])
    others = [float(np.prod(np.delete(norms, j)) ** 2) for j in range(len(layers))]
    _, strengths, axes = np.linalg.svd(np.asarray(setting.data.solution), full_matrices=False)
    variances, depth = np.sum(axes * (axes @ covariance), axis=1), len(layers)
    ends = depth * np.max(variances * strengths ** (2 - 2 / depth))
    return max(float(np.linalg.norm(covariance, 2)) * sum(others), float(ends))


def _step_strain(setting: Setting) -> float:
    return stepped_strain(setting.problem.rule, lambda rate: rate * _curvature(setting))


GENTLE_STEPS = Assumption(
    "gentle steps",
    "The rule must be gradient flow, or descent whose learning rate times the largest curvature, at the start and at a "
    "balanced solution, is below 1 (strain 1).",
    _step_strain,
    broken_by=under_descent(3.0),
)


class ImbalanceConservation(Limit[DeepLinear]):
    """D_j = W_{j+1}'W_{j+1} - W_jW_j' is conserved by the flow, for any data, depth and widths, and nearly so by steps.

    Flow: d D_j/dt = 0. Descent: D_j changes by eta^2 (G_{j+1}'G_{j+1} - G_jG_j') a step (`step_drift`), and since eta
    |G|^2 / 2 is at most what the loss falls while eta times the curvature is below 1, over any run by at most
        drift_bound = 2 eta (train_loss(0) - least loss),
    which is the error that `imbalance` declares, and an upper bound of `imbalance_drift`. Small drift: the run is
    flow-like. Clock: the rule's own. Conditions on draw and start. Fails for momentum and adaptive rules, whose layers
    feel different rates, and for weight decay, which shrinks D_j. Source: Arora et al. 2019; the sum: derived.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DeepLinear,)
    source: ClassVar[tuple[Source, ...]] = (Source("Arora2019", "conservation of balance"),)
    conditions_on: ClassVar[tuple[str, ...]] = ("start", "draw")
    own: ClassVar[tuple[Variable, ...]] = (
        Variable("drift_bound", "most that the imbalance changes in steps; 0 for the flow"),
    )
    speaks_of: ClassVar[tuple[str, ...]] = ("imbalance", "imbalance_drift", "drift_bound")
    claims: ClassVar[Mapping[str, Claim]] = {"imbalance_drift": Claim("upper"), "drift_bound": Claim("upper")}
    assumptions: ClassVar[tuple[Assumption, ...]] = (GENTLE_STEPS, regime.FREE_LAYERS, regime.NO_DECAY)

    def predict(self, problem: DeepLinear, data: Any, start: Any, times: Array) -> dict[str, Array]:
        layers = tuple(jnp.asarray(layer) for layer in start)
        begin = imbalance_norms(layers)
        rate = problem.rule.pace() if plain_steps(problem.rule) else 0.0
        bound = 2 * rate * (data.loss(product(layers)) - data.floor)
        return {
            "imbalance": jnp.broadcast_to(begin, (times.shape[0], *begin.shape)),
            "imbalance_drift": jnp.full_like(begin, bound),
            "drift_bound": bound,
        }

    def finite_size(self, problem: DeepLinear) -> Mapping[str, FiniteSize]:
        return {"imbalance": FiniteSize(1.0, 1.0, per="drift_bound")}
