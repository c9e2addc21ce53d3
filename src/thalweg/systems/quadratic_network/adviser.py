"""What to choose for a quadratic network: how wide, how large a step."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...rules.demands import plain_steps
from ...words.problem import Problem
from ...words.recommendations import Adviser, Recommendation
from ...words.theory import Setting, Theory
from .high_dimensional import HighDimensionalFlow, curves
from .long_time import LongTimeLimit
from .one_pass_theory import OnePassQuadratic
from .problem import QuadraticNetwork
from .random_start import RandomStartFlow
from .readings import RECOVERED
from .regime import EDGE, rate_of, step_share, teacher_rank
from .riccati_flow import RiccatiFlow
from .stability_edge import StabilityEdge

# recovery is looked for up to so many default horizons
PATIENCE = 20.0


def holds(theory: type[Theory], setting: Setting) -> bool:
    """Whether all assumptions of a theory hold here."""
    return all(assumption.strain(setting) <= 1 for assumption in theory.assumptions)


class QuadraticNetworkAdviser(Adviser):
    """How wide a student recovers its teacher, how fast by width, and how large a step may be.

    `width`: the least that recovers (LongTimeLimit); `recovery_time`: when the overlap reaches 0.99 at the problem's
    width, by the theory that holds here (RiccatiFlow for a given start, HighDimensionalFlow, RandomStartFlow); beside
    it the times of other widths; `fastest_width`: the one that is there first; `learning_rate`: the stability edge, and
    how large a step keeps the flow's curves (StabilityEdge). Intervals are those of the finite size that the theories
    declare: of the mean over starts, not of a single run.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticNetwork,)

    def advise(self, setting: Setting) -> tuple[Recommendation, ...]:
        problem = setting.problem
        widths = _widths(problem)
        times = _recovery_times(setting, widths)
        return (_least_width(setting), _when(setting, times), _fastest(problem, times), _learning_rate(setting))


def _least_width(setting: Setting) -> Recommendation:
    problem = setting.problem
    told = LongTimeLimit().predict(problem, setting.data, None, jnp.ones(1))
    least, plateaus = float(told["recovering_width"]), np.asarray(told["plateau_loss"])
    here = {"plateau_loss_here": float(told["test_loss"][0]), "overlap_at_the_end_here": float(told["overlap"][0])}
    source = str(LongTimeLimit.source[0])
    if math.isnan(least) or problem.weight_decay > 0:
        # beyond this width no further unit stays alive
        enough = 1 + int(np.argmax(plateaus <= plateaus[-1] + 1e-12 * abs(plateaus[-1])))
        why = "a teacher with negative eigenvalues" if math.isnan(least) else "weight decay"
        reason = (
            f"With {why} no width ends at zero loss; from this width on the end is the best that any width reaches."
        )
        return Recommendation("width", float(enough), reason, evidence=here, source=source)
    enough = 1 + int(np.argmax(np.asarray(told["plateau_overlap"]) >= RECOVERED))
    here[f"width_for_overlap_{RECOVERED}"] = float(enough)
    plural = "s" if least != 1 else ""
    reason = (
        f"The teacher has {least:.0f} direction{plural}: a student of that many units recovers it from any start of "
        f"full rank, a narrower one ends on a plateau; one of {enough} ends with an overlap of {RECOVERED}. This "
        f"problem's width is {problem.width}: " + ("wide enough." if problem.width >= least else "too narrow.")
    )
    if least > 1:
        here["plateau_loss_one_unit_short"] = float(plateaus[int(least) - 2])
    return Recommendation("width", least, reason, float(enough), math.inf, evidence=here, source=source)


def _widths(problem: QuadraticNetwork) -> list[int]:
    """Widths to look at: the problem's own, the teacher's rank and multiples of it, at most the dimension."""
    rank = teacher_rank(problem)
    ladder = [rank, math.ceil(1.25 * rank), math.ceil(1.5 * rank), 2 * rank, 3 * rank, problem.dimension]
    return sorted({problem.width, *(w for w in ladder if 1 <= w <= problem.dimension)})


class _Times:
    """Recovery times by width from one theory, and the share of them that its limit leaves open."""

    def __init__(self, theory: type[Theory] | None, by_width: dict[int, float], open_share: float) -> None:
        self.theory, self.by_width, self.open_share = theory, by_width, open_share

    def told(self) -> dict[str, float]:
        """All that recover, for the evidence."""
        return {f"time_at_width_{w}": t for w, t in self.by_width.items() if not math.isnan(t)}


def _recovery_times(setting: Setting, widths: list[int]) -> _Times:
    problem = setting.problem
    times = np.linspace(0.0, PATIENCE * float(problem.horizon()[-1]), 8)
    if setting.given_start is not None and holds(RiccatiFlow, setting):
        exact = RiccatiFlow(1e-9).prepare(problem, times)
        return _Times(RiccatiFlow, {problem.width: _one(exact, setting, setting.start, times)}, 0.0)
    if holds(OnePassQuadratic, setting):
        exact = OnePassQuadratic().prepare(problem, times)
        found = {problem.width: _one(exact, setting, setting.start, times)}
        return _Times(OnePassQuadratic, found, _share(exact, problem))
    if setting.given_start is None and holds(HighDimensionalFlow, setting):
        limit = HighDimensionalFlow()
        several = [w for w in widths if w <= problem.dimension]

        @jax.jit
        @jax.vmap
        def recover(width: Any) -> Any:
            other = eqx.tree_at(lambda p: p.width, problem, width)
            return curves(other, setting.data, jnp.asarray(times), limit.tolerance)["recovery_time"]

        found = np.asarray(recover(jnp.asarray(several, float)))
        return _Times(HighDimensionalFlow, dict(zip(several, found.tolist(), strict=True)), _share(limit, problem))
    if setting.given_start is None and holds(RandomStartFlow, setting):
        typical = RandomStartFlow(1e-7).prepare(problem, times)
        return _Times(RandomStartFlow, {problem.width: _one(typical, setting, None, times)}, _share(typical, problem))
    return _Times(None, {}, math.nan)


def _one(theory: Theory, setting: Setting, start: Any, times: np.ndarray) -> float:
    when = jax.jit(lambda: theory.predict(setting.problem, setting.data, start, jnp.asarray(times))["recovery_time"])
    return float(when())


def _share(theory: Theory, problem: QuadraticNetwork) -> float:
    return theory.finite_size(problem)["recovery_time"].amount


def _when(setting: Setting, times: _Times) -> Recommendation:
    problem = setting.problem
    if times.theory is None:
        reason = "No theory here speaks about this rule and start; theories(problem) says what fails."
        return Recommendation("recovery_time", math.nan, reason)
    name, source = times.theory.__name__, str(times.theory.source[0])
    value = times.by_width[problem.width]
    if math.isnan(value):
        reason = (
            f"{name}: at width {problem.width} the overlap does not reach {RECOVERED} within {PATIENCE:.0f} horizons."
        )
        return Recommendation("recovery_time", math.nan, reason, evidence=times.told(), source=source)
    low, high = value * (1 - times.open_share), value * (1 + times.open_share)
    reason = (
        f"{name}: at width {problem.width} the overlap with the teacher reaches {RECOVERED} then. The interval is what "
        "the finite dimension leaves open in the mean over starts."
    )
    return Recommendation(
        "recovery_time", value, reason, low, high, problem.rule.clock, evidence=times.told(), source=source
    )


def _fastest(problem: QuadraticNetwork, times: _Times) -> Recommendation:
    there = {w: t for w, t in times.by_width.items() if not math.isnan(t)}
    if len(times.by_width) < 2 or not there:
        reason = "Recovery times by width need orthonormal families of equal trace, where one limit covers all widths."
        return Recommendation("fastest_width", math.nan, reason)
    best = min(there, key=lambda w: there[w])
    reach = there[best] * (1 + 2 * times.open_share)
    alike = [w for w, t in there.items() if t <= reach]
    reason = (
        f"Of the widths {', '.join(map(str, times.by_width))} this one recovers first, at {there[best]:.4g}; the "
        "interval holds those that cannot be told from it at this dimension."
    )
    return Recommendation(
        "fastest_width", float(best), reason, float(min(alike)), float(max(alike)),
        source=str(HighDimensionalFlow.source[0]),
    )  # fmt: skip


def _learning_rate(setting: Setting) -> Recommendation:
    problem, source = setting.problem, str(StabilityEdge.source[0])
    if not holds(StabilityEdge, setting):
        failing = next(a for a in StabilityEdge.assumptions if a.strain(setting) > 1)
        reason = f"The stability edge is known at the teacher only, and {failing.name!r} fails: {failing.words}"
        return Recommendation("learning_rate", math.nan, reason, source=source)
    told = StabilityEdge().predict(problem, setting.data, None, jnp.ones(1))
    edge = float(told["largest_stable_rate"])
    evidence = {"stability_edge": edge}
    plain = problem.rule.descends()
    if plain_steps(problem.rule):
        evidence["learning_rate_here"] = float(rate_of(problem))
    if not plain:
        reason = "Above the edge the teacher is no stable end; below it the rule converges near the teacher."
        return Recommendation("learning_rate", 0.5 * edge, reason, 0.0, edge, evidence=evidence, source=source)
    # of descent: the share of its edge, 2/curvature, at which curves differ from the flow's by about 5 per cent
    faithful = 0.5 * EDGE * edge
    reason = (
        "Descent in steps of this size keeps the curves of the flow to about 5 %. Up to the edge it still converges to "
        "the teacher; above it the loss settles on a two-cycle, whose small value may look like convergence."
    )
    if step_share(problem) > 2:
        reason += " The learning rate here is beyond the edge."
    return Recommendation("learning_rate", faithful, reason, 0.0, edge, evidence=evidence, source=source)
