"""What the events of this family are read from: numbers along the run beside the observables."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...diagnostics import dead_units, gradient_norm, half_squared_norm, shares
from ...words.events import Crossing, Final, Reading
from ...words.plateaus import PlateauLosses, PlateauTimes
from ...words.problem import Axis, Event
from .relu_network import network_outputs, own_alignment, towards

PLATEAU = Axis("plateau", words="plateau, the first in time first")
# a mean alignment of .99: the units that matter point within 8 degrees of their targets
ALIGNED = 0.99
# below this share of the loss at zero output the run counts as having fitted all points
FITTED = 1e-10


def quiet_loss(labels: Any) -> Float[Array, ""]:
    """Loss of a network of zero output."""
    return 0.5 * jnp.mean(labels**2)


def group_norms(labels: Any, norms: Any) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """N_+ and N_-: N_s = sqrt(sum over the points of sign s of (y_k / xi_k)^2)."""
    weights = jnp.square(labels / norms)
    positive, negative = (jnp.sum(jnp.where(sign * labels > 0, weights, 0.0)) for sign in (1.0, -1.0))
    return jnp.sqrt(positive), jnp.sqrt(negative)


def minimal_half_norm(labels: Any, norms: Any) -> Float[Array, ""]:
    """Least (1/2)|theta|^2 of any network of loss 0 on orthogonal inputs: N_+ + N_-."""
    return sum(group_norms(labels, norms), jnp.zeros(()))


def _share(problem: Any, params: Any, data: Any, sign: float) -> Float[Array, ""]:
    ours = (sign * data.labels > 0).astype(data.labels.dtype)
    missed = network_outputs(params, data) - data.labels
    # 0/0 without a point of this sign: not a number, and no event
    return jnp.sum(ours * missed**2) / jnp.sum(ours * data.labels**2)


def _positive(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    return _share(problem, params, data, 1.0)


def _negative(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    return _share(problem, params, data, -1.0)


def _mean_alignment(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    weight = shares(params) / jnp.maximum(jnp.max(shares(params)), np.finfo(float).tiny)
    total = jnp.sum(weight)
    return jnp.sum(weight * own_alignment(params, data)) / jnp.where(total > 0, total, 1.0)


def _log_gradient(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    active = data.preactivations(params.hidden) > 0
    return jnp.log10(gradient_norm(params, towards(active, data.labels - network_outputs(params, data), data)))


def _dead(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    return jnp.sum(dead_units(data.preactivations(params.hidden) > 0).astype(data.labels.dtype))


def _gap(problem: Any, params: Any, data: Any) -> Float[Array, ""]:
    return norm_gap(network_outputs(params, data), half_squared_norm(params), data.labels, data.norms)


def norm_gap(outputs: Any, half_norm: Any, labels: Any, norms: Any) -> Float[Array, ""]:
    """Half the squared norm above the least one that fits all points; NaN where the points are not fitted well enough.

    outputs, labels, norms (n,), half_norm ().
    """
    missed = labels - outputs
    positive, negative = group_norms(labels, norms)
    gap = half_norm - (positive + negative)
    # the least norm answers to a change of the outputs at these prices: what is still missed could move it by `open_`
    prices = labels / (norms**2 * jnp.where(labels > 0, positive, negative))
    open_ = jnp.abs(jnp.sum(prices * missed))
    fitted = 0.5 * jnp.mean(missed**2) <= FITTED * quiet_loss(labels)
    return jnp.where(fitted & (open_ <= 0.1 * jnp.abs(gap)), gap, jnp.nan)


def _points(problem: Any) -> int:
    return problem.labels.shape[0]


LOG_GRADIENT = Reading("log_gradient", _log_gradient, beside="train_loss")

QUARTERS = tuple(
    Event(
        f"quarter_time_{word}",
        f"time at which the loss on {word} labels is a quarter",
        Crossing(Reading(f"{word}_loss_share", measure, beside="train_loss"), 0.25, -1.0),
        f"there is no {word} label, or their loss did not fall to a quarter by the end of the run",
    )
    for word, measure in (("positive", _positive), ("negative", _negative))
)
PLATEAU_LOSS = Event(
    "plateau_loss",
    "loss at each plateau after the start",
    PlateauLosses(LOG_GRADIENT, "train_loss", _points),
    "there are no more plateaus: minima of the gradient norm that stand out by half a decade",
    unit="",
    dims=(PLATEAU,),
    level_of="train_loss",
)
PLATEAU_TIME = Event(
    "plateau_time",
    "flattest moment of each plateau",
    PlateauTimes(LOG_GRADIENT, "train_loss", _points),
    "there are no more plateaus, or this one lasts to the end of the run",
    dims=(PLATEAU,),
)
ALIGNMENT_TIME = Event(
    "alignment_time",
    f"time at which the mean alignment, weighted by |a_j| |w_j|, reaches {ALIGNED}",
    Crossing(Reading("mean_alignment", _mean_alignment, beside="alignment"), ALIGNED),
    f"the mean alignment did not reach {ALIGNED} by the end of the run",
)
DEAD_UNITS = Event(
    "dead_units",
    "units active on no point at the end",
    Final(Reading("dead_count", _dead, beside="active_patterns")),
    "the run did not end well",
    unit="",
)
FINAL_NORM = Event(
    "final_half_squared_norm",
    "half the squared norm of all weights at the end",
    Final("half_squared_norm"),
    "the run did not end well",
    unit="",
)
NORM_GAP = Event(
    "norm_gap",
    "half squared norm at the end above the least one that fits all points",
    Final(Reading("norm_above_least", _gap, beside="half_squared_norm")),
    f"not all points are fitted (loss above {FITTED:g} of that of a zero network), or what is still missed may move "
    "the norm by more than a tenth of the gap: give longer times",
    unit="",
)
COMMON = (*QUARTERS, PLATEAU_LOSS, PLATEAU_TIME, ALIGNMENT_TIME, DEAD_UNITS, FINAL_NORM)
