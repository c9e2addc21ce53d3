"""Laws of motion: gradient flow, and rules that move in whole steps."""

from .composed import Averaged, Minibatches, Scheduled, whole_steps
from .descent import GradientDescent, HeavyBall, Nesterov
from .discrete import DiscreteRule, RunState, Step
from .flow import GradientFlow
from .leaf_rates import LeafRates
from .one_pass import OnePassNaturalGradient, OnePassSGD
from .optimiser import Optax
from .sampled import SGD, as_descent
from .schedules import Constant, Drop, Geometric, InverseTime, PowerLaw, Schedule
from .sources import Source, Whole

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
    "LeafRates",
    "Minibatches",
    "Nesterov",
    "OnePassNaturalGradient",
    "OnePassSGD",
    "Optax",
    "PowerLaw",
    "RunState",
    "Schedule",
    "Scheduled",
    "Source",
    "Step",
    "Whole",
    "as_descent",
    "whole_steps",
]
