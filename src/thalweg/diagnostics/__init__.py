"""What a network tells while it trains: functions of its parameters, a data set, or a recorded curve."""

from .captured import equinox_states, flax_states, objective
from .limits import (
    adam_limit,
    adam_preconditioner,
    adamw_limit,
    averaged_momentum_limit,
    best_momentum,
    descent_limit,
    fresh_batch_limit,
    momentum_limit,
    nesterov_limit,
)
from .linear_ranges import LinearRange, linear_range
from .rate_advice import RateAdvice, advise_rate
from .saddles import saddles
from .sharpnesses import Sharpness, curvature, gauss_newton_sharpness, sharpness
from .suggestion import SuggestedRate, suggest_learning_rate
from .two_layer_relu import (
    activation_changes,
    alignment,
    balance,
    dead_units,
    distinct_patterns,
    drives,
    effective_units,
    gradient_norm,
    half_squared_norm,
    outputs,
    path_norm,
    patterns,
    preactivations,
    shares,
    variation_norm,
)

__all__ = [
    "LinearRange",
    "RateAdvice",
    "Sharpness",
    "SuggestedRate",
    "activation_changes",
    "adam_limit",
    "adam_preconditioner",
    "adamw_limit",
    "advise_rate",
    "alignment",
    "averaged_momentum_limit",
    "balance",
    "best_momentum",
    "curvature",
    "dead_units",
    "descent_limit",
    "distinct_patterns",
    "drives",
    "effective_units",
    "equinox_states",
    "flax_states",
    "fresh_batch_limit",
    "gauss_newton_sharpness",
    "gradient_norm",
    "half_squared_norm",
    "linear_range",
    "momentum_limit",
    "nesterov_limit",
    "objective",
    "outputs",
    "path_norm",
    "patterns",
    "preactivations",
    "saddles",
    "shares",
    "sharpness",
    "suggest_learning_rate",
    "variation_norm",
]
