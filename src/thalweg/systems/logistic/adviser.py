"""What to do with a table of two classes before logistic regression is trained on it."""

import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from ...rules.demands import stepped_strain
from ...words.problem import Problem
from ...words.recommendations import Adviser, Recommendation
from ...words.theory import Setting
from .problem import DatasetLogistic, LogisticSample, curvature, excess, safe_rate

SOURCE = "Ji & Telgarsky 2019"
# share of the loss that can be gained which counts as nothing left to gain
LEFT = 0.01


class LogisticAdviser(Adviser):
    """Separable rows, safe learning rate, and how long to train, for logistic regression on a user's own data.

    `separable_rows`: how many rows logistic regression can separate for good. `largest_stable_rate`: safe wherever the
    weights are. `training_time`, on the rule's clock: by then the training loss has gained all but 1 % of what it can.
    It is a bound for gradient flow, and for descent at up to half the safe rate: from w = 0, for every z,
        R(T) - R(z) <= |z|^2/(2 T),    z = s offset + c ray, the best s and c taken.
    Of the test loss no theory here speaks: it says so.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DatasetLogistic,)

    def advise(self, setting: Setting) -> tuple[Recommendation, ...]:
        problem, data = setting.problem, setting.data
        held_out = (
            "No theory here foretells the logistic loss of points held out; tw.DatasetClassifier(inputs, labels) "
            "advises on stopping and ridge for the square loss on the same table."
        )
        return (
            _rows(data),
            _rate(problem, data),
            _time(problem, data, setting.given_start),
            *(Recommendation(name, math.nan, held_out) for name in ("stopping_time", "ridge", "test_loss")),
        )


def _rows(data: LogisticSample) -> Recommendation:
    total, found = data.separable.shape[0], int(np.sum(np.asarray(data.separable) > 0))
    if found == 0:
        why = "No row is separable: the weights end at a finite optimum, and training may go on until it is reached."
    else:
        some = "All rows are" if found == total else f"{found} of {total} rows are"
        why = (
            f"{some} separable: along one ray the weights grow like the logarithm of time, and never end. Stop, or add "
            "a penalty, if their size matters; the direction settles first."
        )
    evidence = {"lp_margin": float(data.lp_margin), "rows": total, "risk_infimum": float(data.risk_infimum)}
    return Recommendation("separable_rows", found, why, evidence=evidence, source=SOURCE)


def _rate(problem: DatasetLogistic, data: LogisticSample) -> Recommendation:
    edge, bend = float(safe_rate(problem, data)), float(curvature(data))
    if not math.isfinite(edge):
        kind = type(problem.rule).__name__
        if problem.rule.random and problem.rule.mean().descends():
            safe = 8 / max(float(np.max(np.sum(np.asarray(data.inputs) ** 2, axis=1))), 1e-300)
            why = (
                f"How large the steps of SGD may be is not known. Up to {safe:.4g} = 8/(largest |x|^2) every step is "
                "safe, whatever rows it draws: it brings no two weights further apart. The weights scatter around the "
                "optimum, the less the smaller the rate; where all rows are separable the scatter dies out."
            )
            return Recommendation("largest_stable_rate", math.nan, why, evidence={"safe_rate": safe})
        return Recommendation(
            "largest_stable_rate", math.nan, f"No stability limit is known for {kind}, or it has no rate."
        )
    why = (
        "The loss bends by no more than a quarter of the top eigenvalue of X'X/n; half of this rate is safe everywhere."
    )
    return Recommendation("largest_stable_rate", edge, why, 0.0, edge, evidence={"largest_curvature": bend})


def _time(problem: DatasetLogistic, data: LogisticSample, start: Any) -> Recommendation:
    rule, name = problem.rule, "training_time"
    follows = stepped_strain(rule, lambda rate: rate / (0.5 * float(safe_rate(problem, data)))) <= 1
    if not follows or start is not None:
        why = "A bound is known from zero weights for gradient flow, and for descent at up to half the stable rate."
        return Recommendation(name, math.nan, why)
    gain = math.log(2.0) - float(data.risk_infimum)
    if gain <= 0:
        return Recommendation(name, math.nan, "The weights are at their optimum from the start: nothing can be gained.")
    flow = _bound(data, LEFT * gain)
    per_unit = float(rule.pace())
    steps = flow / per_unit
    why = (
        f"By then the training loss has gained all but {LEFT:.0%} of what it can, whatever the data: a bound, often "
        "reached much earlier. On unseen points less may be best."
    )
    unit = rule.clock
    return Recommendation(
        name,
        steps if unit == "flow time" else math.ceil(steps),
        why,
        unit=unit,
        evidence={"loss_then": float(data.risk_infimum) + LEFT * gain, "loss_at_the_start": math.log(2.0)},
        source="convex descent against a point along the ray",
    )


def _bound(data: LogisticSample, left: float) -> float:
    """The least |z|^2/(2 (left - excess at z)) over points z = s offset + c ray."""
    offset, ray = np.asarray(data.offset), np.asarray(data.ray)
    found = np.asarray(data.separable) > 0
    margins = (np.asarray(data.labels) * (np.asarray(data.inputs) @ ray))[found]
    reaches = np.geomspace(0.1, 1e3, 200) / float(np.min(margins)) if margins.size else np.zeros(1)
    shares = np.linspace(0.05, 1.0, 39) if np.any(offset) else np.zeros(1)
    points = (shares[:, None, None] * offset + reaches[None, :, None] * ray).reshape(-1, offset.size)
    over = np.asarray(jax.lax.map(lambda z: excess(z, data), jnp.asarray(points), batch_size=64))
    sizes = np.sum(points**2, axis=1)
    return float(np.min(np.where(over < left, sizes / (2 * np.maximum(left - over, 1e-300)), np.inf)))
