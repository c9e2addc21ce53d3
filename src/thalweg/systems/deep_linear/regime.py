"""What theories of deep linear networks assume, as numbers."""

import itertools
import math
from typing import Any

import numpy as np

from ...rules.demands import flows, under_descent
from ...words.fields import varied, vary
from ...words.theory import Assumption, Setting, structural
from .problem import DeepLinear
from .starts import GaussianLayers
from .task import WhiteTask

# relative size of what exact theories take for zero; by how much their answers are then off, about
EXACT = 1e-9


def layers_of(setting: Setting) -> list[np.ndarray]:
    """The layers at the start as matrices."""
    return [np.asarray(layer) for layer in setting.problem.layers(setting.start)]


def depth_of(problem: Any) -> int:
    """Number of layers N."""
    return len(problem.widths) - 1


def decays_of(problem: DeepLinear) -> np.ndarray:
    """Weight decay of each layer."""
    return np.broadcast_to(np.asarray(problem.weight_decay), (depth_of(problem),))


def from_gaussian(problem: Any) -> Any:
    """The same problem from independent normal entries: neither balanced nor aligned."""
    return vary(problem, {"start": GaussianLayers()})


FLOW = structural(
    "gradient flow",
    "The rule must be gradient flow; steps of descent of size eta differ from it by O(eta).",
    flows,
    under_descent(0.1),
)
TWO_LAYERS = structural(
    "two layers",
    "The network must have two layers, free in every entry (no circulant layers).",
    lambda problem: depth_of(problem) == 2 and not problem.circulant,
    lambda problem: vary(problem, {"widths": (3, 5, 5, 2), "start": GaussianLayers()}),
)
FREE_LAYERS = structural(
    "free layers",
    "Every entry of every layer must be free: circulant layers follow a projected gradient, d times faster.",
    lambda problem: not problem.circulant,
    lambda problem: vary(problem, {"widths": (3, 3, 3), "circulant": True, "start": GaussianLayers()}),
)
NO_DECAY = structural(
    "no decay",
    "Weight decay must be zero: it moves the end of the flow and breaks the conservation laws.",
    lambda problem: not np.any(decays_of(problem) != 0),
    varied(weight_decay=0.1),
)


def _white_strain(setting: Setting) -> float:
    if isinstance(setting.data, WhiteTask):
        return 0.0
    covariance = np.asarray(setting.data.covariance())
    return float(np.linalg.norm(covariance - np.eye(len(covariance)))) / EXACT


WHITE = Assumption(
    "white inputs",
    "The second moment of the inputs must be the identity (strain 1: off by 1e-9); whiten the inputs, or see GramFlow.",
    _white_strain,
    broken_by=varied(samples=20),
)


def pair_imbalances(layers: list[np.ndarray]) -> list[np.ndarray]:
    """W_{j+1}'W_{j+1} - W_jW_j'."""
    return [after.T @ after - before @ before.T for before, after in itertools.pairwise(layers)]


def total_square(layers: list[np.ndarray]) -> float:
    """Squared norm of all layers; a tiny number where all are zero."""
    return float(sum(np.sum(layer**2) for layer in layers)) or 1e-300


def _balance_strain(setting: Setting) -> float:
    layers = layers_of(setting)
    worst = max((float(np.linalg.norm(one)) for one in pair_imbalances(layers)), default=0.0)
    return worst / total_square(layers) / EXACT


BALANCED = Assumption(
    "balanced start",
    "W_{j+1}'W_{j+1} = W_jW_j' at the start (strain 1: off by 1e-9 of the squared norm of all layers).",
    _balance_strain,
    broken_by=from_gaussian,
)


def _lambda_strain(setting: Setting) -> float:
    layers = layers_of(setting)
    if len(layers) != 2:
        return math.inf
    (found,) = pair_imbalances(layers)
    mean = np.trace(found) / len(found)
    return float(np.linalg.norm(found - mean * np.eye(len(found)))) / total_square(layers) / EXACT


LAMBDA_BALANCED = Assumption(
    "lambda-balanced start",
    "W_2'W_2 - W_1W_1' must be a multiple of the identity at the start (strain 1: off by 1e-9 of the squared norm of "
    "both layers). See GramFlow for any other start.",
    _lambda_strain,
    broken_by=from_gaussian,
)


def _equal_decay_strain(setting: Setting) -> float:
    decays = decays_of(setting.problem)
    if not np.any(decays):
        return 0.0
    return _balance_strain(setting) if np.all(decays == decays[0]) else math.inf


EQUAL_DECAY = Assumption(
    "equal decay",
    "Weight decay must be zero, or the same in both layers of a balanced start (strain 1: off balance by 1e-9 of the "
    "squared norm): else the imbalance is not conserved.",
    _equal_decay_strain,
    broken_by=varied(weight_decay=(0.1, 0.2)),
)
