"""What theories most often demand of a rule, said once."""

import math
from collections.abc import Callable
from typing import Any

from ..words.fields import vary
from ..words.problem import Rule
from ..words.theory import structural
from . import GradientDescent, GradientFlow, OnePassSGD, Optax


def plain_steps(rule: Rule) -> bool:
    """Whether it is plain gradient descent in whole steps."""
    return rule.descends() and not rule.continuous


def one_pass(rule: Rule) -> bool:
    """Whether it is descent that sees each sample once, with no rule around it."""
    return isinstance(rule, OnePassSGD)


def followed_pace(rule: Rule) -> Any:
    """Flow time in one unit of the clock of flow and plain descent; 1 for a rule that no theory of them follows."""
    return rule.pace() if rule.descends() else 1.0


def flows(problem: Any) -> bool:
    """Whether it moves by gradient flow."""
    return problem.rule.continuous


def descends(problem: Any) -> bool:
    """Whether it moves by plain gradient descent."""
    return plain_steps(problem.rule)


def stepped_strain(rule: Any, size: Callable[[float], float]) -> float:
    """0 under gradient flow, `size(learning rate)` under plain descent, inf under any other rule."""
    if rule.continuous:
        return 0.0
    return size(float(rule.learning_rate)) if plain_steps(rule) else math.inf


def stable_share(rule: Any, limit: Callable[[], Any]) -> float:
    """The learning rate over the largest stable one, `limit()`; 0 for a flow, which takes no steps and is not asked;
    NaN where one is not known."""
    return 0.0 if rule.continuous else float(getattr(rule, "learning_rate", math.nan)) / float(limit())


def under_flow(problem: Any) -> Any:
    """The same problem under gradient flow."""
    return vary(problem, {"rule": GradientFlow()})


def under_descent(rate: float) -> Callable[[Any], Any]:
    """Makes of a problem the same one under plain gradient descent at this rate."""
    return lambda problem: vary(problem, {"rule": GradientDescent(learning_rate=rate)})


def under_adam(problem: Any) -> Any:
    """The same problem under Adam, which no theory here follows."""
    return vary(problem, {"rule": Optax("optax.adam")})


ONE_PASS = structural(
    "fresh samples",
    "The rule must see a fresh sample at every step: OnePassSGD.",
    lambda problem: one_pass(problem.rule),
    under_flow,
)
