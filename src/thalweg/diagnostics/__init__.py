"""What a network tells while it trains: functions of its parameters, a data set, or a recorded curve."""

from .saddles import saddles
from .two_layer import (
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
    "activation_changes",
    "alignment",
    "balance",
    "dead_units",
    "distinct_patterns",
    "drives",
    "effective_units",
    "gradient_norm",
    "half_squared_norm",
    "outputs",
    "path_norm",
    "patterns",
    "preactivations",
    "saddles",
    "shares",
    "variation_norm",
]
