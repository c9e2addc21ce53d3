"""The largest stable learning rate of a user's table, and what is said where a rate is too large."""

import dataclasses
import math
from typing import Any, NamedTuple

from ...rules import GradientDescent
from ...words.recommendations import Recommendation
from ..shared.least_squares import TableProblem, TrainingPart
from ..shared.square_loss import draw_rate
from .leave_one_out import CALM_SHARE


class _Ruled(NamedTuple):
    """What a stability limit reads of a problem."""

    rule: Any
    weight_decay: Any


def largest_rate(problem: TableProblem, part: TrainingPart) -> Recommendation:
    """The rate at which these rows would let the rule's steps grow, or why it is not known."""
    rule, name = problem.rule, "largest_stable_rate"
    if rule.mean() is not rule and not (rule.draws_anew or rule.descends(problem.samples)):
        anew = dataclasses.replace(rule, replacement=True)
        edge = float(draw_rate(_Ruled(anew, problem.weight_decay), part))
        why = (
            "No limit is known for epochs in random order. With batches drawn anew it is "
            f"{edge:.4g}; half of that is a guess that no theory here backs."
        )
        return Recommendation(name, math.nan, why, evidence={"limit with replacement": edge})
    limit = float(draw_rate(problem, part))
    if math.isnan(limit):
        return Recommendation(name, math.nan, f"No stability limit is known for {rule.title()}.")
    rate = getattr(rule, "learning_rate", None)
    state = "" if rate is None else f" The rate given, {rate:.4g}, is {rate / limit:.0%} of it."
    if rule.draws_anew:
        whole = float(draw_rate(_Ruled(GradientDescent(), problem.weight_decay), part))
        why = (
            "With larger steps the noise of the drawn rows feeds itself, and the mean square of the weights grows "
            f"without bound. Half of it is safe.{state}"
        )
        told = {"limit of descent on all points": whole}
        return Recommendation(name, limit, why, 0.0, limit, evidence=told)
    top = float(rule.mean().stable_rate(1.0)) / limit
    why = (
        f"The largest curvature of the objective is {top:.4g}: with larger steps the weights along it grow without "
        f"bound. Half of it is safe.{state}"
    )
    return Recommendation(name, limit, why, 0.0, limit, evidence={"largest curvature": top})


def too_fast(problem: TableProblem, part: TrainingPart) -> str:
    """The sentence for a rate at which no path can be foretold; empty where it can."""
    rate, limit = getattr(problem.rule, "learning_rate", None), float(draw_rate(problem, part))
    if rate is None or not rate > (CALM_SHARE if problem.rule.draws_anew else 1.0) * limit:
        return ""
    if rate > limit:
        return (
            f"The learning rate, {rate:.4g}, is beyond the largest stable one, {limit:.4g}: the weights grow for ever."
        )
    return (
        f"The learning rate, {rate:.4g}, is {rate / limit:.0%} of the largest stable one, {limit:.4g}: so near to it a "
        "few rows decide what SGD does, and nothing can be foretold. Take half of it or less."
    )
