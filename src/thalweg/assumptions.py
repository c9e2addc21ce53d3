"""What theories most often demand of a rule, said once."""

import math
from collections.abc import Callable
from typing import Any

from .problem import Rule
from .rules import OnePassSGD
from .theory import Assumption, Setting


def plain_steps(rule: Rule) -> bool:
    """Whether it is plain gradient descent in whole steps."""
    return rule.descends() and not rule.continuous


def one_pass(rule: Rule) -> bool:
    """Whether it is descent that sees each sample once, with no rule around it."""
    return isinstance(rule, OnePassSGD)


def followed_pace(rule: Rule) -> Any:
    """Flow time in one unit of the clock of flow and plain descent; 1 for a rule that no theory of them follows."""
    return rule.pace() if rule.descends() else 1.0


def flow_strain(setting: Setting) -> float:
    """0 under gradient flow, inf under any other rule."""
    return 0.0 if setting.problem.rule.continuous else math.inf


def descent_strain(setting: Setting) -> float:
    """0 under plain gradient descent, inf under any other rule."""
    return 0.0 if plain_steps(setting.problem.rule) else math.inf


def stepped_strain(rule: Any, size: Callable[[float], float]) -> float:
    """0 under gradient flow, `size(learning rate)` under plain descent, inf under any other rule."""
    if rule.continuous:
        return 0.0
    return size(float(rule.learning_rate)) if plain_steps(rule) else math.inf


ONE_PASS = Assumption(
    "fresh samples",
    "The rule must see a fresh sample at every step: OnePassSGD.",
    lambda setting: 0.0 if one_pass(setting.problem.rule) else math.inf,
)
