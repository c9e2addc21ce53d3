"""Laws of motion: gradient flow, and rules that move in whole steps."""

from .discrete import DiscreteRule, GradientDescent, HeavyBall, Nesterov
from .filters import has_filter, largest_stable_rate, spectral_filter
from .flow import GradientFlow
from .optimiser import Optax

__all__ = [
    "DiscreteRule",
    "GradientDescent",
    "GradientFlow",
    "HeavyBall",
    "Nesterov",
    "Optax",
    "has_filter",
    "largest_stable_rate",
    "spectral_filter",
]
