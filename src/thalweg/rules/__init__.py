"""Laws of motion: gradient flow, and rules that move in whole steps."""

from .discrete import DiscreteRule, GradientDescent, HeavyBall, Nesterov
from .filters import has_filter, largest_stable_rate, spectral_filter
from .flow import GradientFlow
from .one_pass import OnePassNaturalGradient, OnePassSGD
from .optimiser import Optax
from .sampled import SGD
from .schedules import Constant, InverseTime, Schedule

__all__ = [
    "SGD",
    "Constant",
    "DiscreteRule",
    "GradientDescent",
    "GradientFlow",
    "HeavyBall",
    "InverseTime",
    "Nesterov",
    "OnePassNaturalGradient",
    "OnePassSGD",
    "Optax",
    "Schedule",
    "has_filter",
    "largest_stable_rate",
    "spectral_filter",
]
