"""What is read from a deep linear network: observables, and the events that watch a run."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ...words.events import Reading
from ...words.plateaus import PlateauLosses
from ...words.problem import Axis, Event, Observable
from .detectors import DecayRate, Drift, EachCrossing, FirstShare
from .layers import imbalances, product
from .task import RANK_TOLERANCE

MODE = Axis("mode", words="mode, the strongest first")
PAIR = Axis("pair", words="layer and the next, from the inputs")
LAYER = Axis("layer", words="layer, from the inputs")
PLATEAU = Axis("plateau", words="plateau, the first in time first")
HALF = 0.5
# the share of the reducible loss that is left where a run has escaped from its start
ESCAPED = 0.9

TRAIN_LOSS = Observable("train_loss", "training loss, half the (mean) squared error", "L", low=0.0)
# what may be zero but for rounding is measured against 1, the order of a target's singular values
SINGULAR_VALUES = Observable(
    "singular_values", "singular values of W, largest first", "s", dims=(MODE,), low=0.0, natural=1.0
)
ALIGNMENT_DEFECT = Observable(
    "alignment_defect", "largest commutator of neighbouring layers", "|[A, B]|", low=0.0, needs="hidden_layers",
    natural=1.0,
)  # fmt: skip
IMBALANCE = Observable(
    "imbalance", "norms of W_{j+1}'W_{j+1} - W_jW_j'", "|D_j|", dims=(PAIR,), low=0.0, needs="hidden_layers",
    natural=1.0,
)  # fmt: skip
DISTANCE = Observable("distance_to_min_norm", "distance to the least-squares map of least norm", "|W - W*|", low=0.0)
LAYER_NORMS = Observable("layer_norms", "norm of each layer", "|W_j|", dims=(LAYER,), low=0.0)
GRADIENT_NORM = Observable("gradient_norm", "norm of the gradient of the objective, all layers", "|grad|", low=0.0)
OBSERVABLES = (
    TRAIN_LOSS, SINGULAR_VALUES, ALIGNMENT_DEFECT, IMBALANCE, DISTANCE, LAYER_NORMS, GRADIENT_NORM,
)  # fmt: skip


def mode_shares(values: Float[Array, "... k"], strengths: Float[Any, " k"]) -> Float[Array, "... k"]:
    """Singular values over those of the solution; NaN where the solution has none."""
    known = strengths > RANK_TOLERANCE * jnp.max(strengths, initial=0.0)
    safe = jnp.where(known, strengths, 1.0)
    return jnp.where(known, values / safe, jnp.nan)


def gradient_norm(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    """Norm of the gradient of the objective in the stored parameters."""
    slope = jax.tree.leaves(jax.grad(problem.objective)(params, data))
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in slope))


def _shares(problem: Any, params: Any, data: Any) -> Float[Array, " k"]:
    values = jnp.linalg.svd(product(problem.layers(params)), compute_uv=False)
    return mode_shares(values, jnp.asarray(data.strengths))


def _excess(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    return data.loss(product(problem.layers(params))) - data.floor


def _log_gradient(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    return jnp.log10(gradient_norm(problem, params, data))


def _imbalances(problem: Any, params: Any, data: Any) -> Float[Array, "pairs size"]:
    """All D_j as rows, padded with zeros to one length."""
    found = [one.reshape(-1) for one in imbalances(problem.layers(params))]
    length = max((one.shape[0] for one in found), default=0)
    return jnp.stack([jnp.pad(one, (0, length - one.shape[0])) for one in found] or [jnp.zeros(0)])


def _modes(problem: Any) -> int:
    return min(problem.widths[0], problem.widths[-1])


EXCESS = Reading("excess_loss", _excess, beside="train_loss")
HALF_TIME = Event(
    "half_time",
    "time at which each singular value reaches half of that of the solution",
    EachCrossing(Reading("mode_shares", _shares, beside="singular_values"), HALF),
    "the solution has no such mode, the network is too narrow for it, or it is not yet learned at the end of the run",
    dims=(MODE,),
)
PLATEAU_LOSS = Event(
    "plateau_loss",
    "loss at each plateau after the start",
    PlateauLosses(Reading("log_gradient", _log_gradient, beside="train_loss"), "train_loss", _modes),
    "there are no more plateaus: minima of the gradient norm that stand out by half a decade",
    unit="",
    dims=(PLATEAU,),
    level_of="train_loss",
)
LATE_RATE = Event(
    "late_rate",
    "rate of decay of the gradient norm, and so of the distance to the limit, at the end of the run",
    DecayRate("gradient_norm"),
    "the gradient has fallen below 1e-5 of its largest value, where the integrator's error rules",
    unit="1/clock",
    may_be_lost=True,
)
ESCAPE_TIME = Event(
    "escape_time",
    "time at which the first tenth of the reducible loss is gone",
    FirstShare(EXCESS, ESCAPED),
    "the run stays near its start to the end, or starts at the least loss",
)
IMBALANCE_DRIFT = Event(
    "imbalance_drift",
    "norm of the change of W_{j+1}'W_{j+1} - W_jW_j' over the run: 0 under the flow, O(learning rate) in steps",
    Drift(Reading("imbalances", _imbalances, beside="imbalance")),
    "the network has one layer",
    unit="",
    dims=(PAIR,),
)
EVENTS = (HALF_TIME, PLATEAU_LOSS, LATE_RATE, ESCAPE_TIME, IMBALANCE_DRIFT)
