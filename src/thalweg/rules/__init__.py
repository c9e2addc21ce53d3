"""Laws of motion: gradient flow, and rules that move in whole steps."""

from .composed import Averaged, Minibatches, Scheduled, at_rate, whole_steps
from .discrete import DiscreteRule, GradientDescent, HeavyBall, Nesterov, Underway
from .filters import has_filter, largest_stable_rate, spectral_filter
from .flow import GradientFlow
from .one_pass import OnePassNaturalGradient, OnePassSGD
from .optimiser import Optax
from .sampled import SGD, as_descent, draws_anew, is_descent, mean_rule
from .schedules import Constant, Drop, Geometric, InverseTime, Schedule

__all__ = [
    "SGD",
    "Averaged",
    "Constant",
    "DiscreteRule",
    "Drop",
    "Geometric",
    "GradientDescent",
    "GradientFlow",
    "HeavyBall",
    "InverseTime",
    "Minibatches",
    "Nesterov",
    "OnePassNaturalGradient",
    "OnePassSGD",
    "Optax",
    "Schedule",
    "Scheduled",
    "Underway",
    "as_descent",
    "at_rate",
    "draws_anew",
    "has_filter",
    "is_descent",
    "largest_stable_rate",
    "mean_rule",
    "spectral_filter",
    "whole_steps",
]
