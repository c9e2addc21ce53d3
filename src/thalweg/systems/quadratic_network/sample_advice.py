"""What to choose for a quadratic network on a fixed sample: how many samples, how much decay, how large a step."""

import math
from functools import partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ...mathematics.lanczos import largest_eigenvalue
from ...words.problem import Problem
from ...words.recommendations import Adviser, Recommendation
from ...words.theory import Setting
from .adviser import holds
from .long_time import FULL_RANK
from .quadratic_regression import QuadraticRegression
from .readings import RECOVERED, teacher_point
from .recovery_samples import RecoverySamples
from .riccati_flow import blocks_of
from .state_evolution import DECAYED, NO_TRACE, OFF, StateEvolution, solve
from .teacher import Student

# sample ratios and decays that are looked at, the decays in units of the problem's largest eigenvalue
COUNT = 48
RATIOS = np.geomspace(0.02, 20.0, COUNT - 1)
DECAYS = np.geomspace(1e-3, 3.0, COUNT)


class QuadraticRegressionAdviser(Adviser):
    """How many samples recover the teacher, which decay generalises best, and how large a step may be.

    `samples`: the least number with which the end of training overlaps by 0.99 with the teacher, by StateEvolution at
    this decay and noise, or by RecoverySamples without decay; `weight_decay`: the one of least test loss at the end,
    for these samples; `learning_rate`: below 2 over the largest curvature of this data set's loss at the teacher.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (QuadraticRegression,)

    def advise(self, setting: Setting) -> tuple[Recommendation, ...]:
        return _samples(setting), _decay(setting), _learning_rate(setting)


@partial(jax.jit, static_argnums=1)
def _ends(problem: Any, blocks: tuple[int, ...], spectrum: Any, samples: Any, decays: Any) -> tuple[Any, Any]:
    """Overlap and test loss at the end for pairs of a number of samples and a decay."""

    def end(samples: Any, decay: Any) -> tuple[Any, Any]:
        other = eqx.tree_at(lambda p: (p.samples, p.weight_decay), problem, (samples, decay))
        unit, found, _ = solve(other, spectrum, blocks)
        norm = jnp.sqrt(jnp.maximum(found.square, 1e-300) * jnp.sum(spectrum**2)) / unit
        return found.product / norm, unit**2 * found.error

    return jax.vmap(end)(samples, decays)


def _state(setting: Setting, samples: Any = None, decays: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """The same for COUNT values of one of the two, the other as it is here."""
    problem = setting.problem
    samples = np.full(COUNT, float(problem.samples)) if samples is None else samples
    decays = np.full(COUNT, float(problem.weight_decay)) if decays is None else decays
    told = _ends(problem, blocks_of(problem), jnp.asarray(setting.data.values), samples, decays)
    return np.asarray(told[0]), np.asarray(told[1])


def _unfit(setting: Setting) -> str:
    """The first assumption that both theories need and that fails, in words; empty if none does."""
    return next((a.words for a in (NO_TRACE, FULL_RANK) if a.strain(setting) > 1), "")


def _samples(setting: Setting) -> Recommendation:
    problem = setting.problem
    if fails := _unfit(setting):
        return Recommendation("samples", math.nan, fails)
    evidence: dict[str, float] = {"samples_here": float(problem.samples)}
    exact = RecoverySamples().prepare(problem, np.ones(1)).predict(problem, None, None, jnp.ones(1))
    with_decay, without = (float(exact[f"samples_{word}_decay"]) for word in ("with", "without"))
    reached = holds(RecoverySamples, setting)
    source = str(RecoverySamples.source[0])
    if reached or not math.isnan(with_decay):
        evidence |= {"threshold_with_vanishing_decay": with_decay, "threshold_without_decay": without}
    if problem.weight_decay == 0:
        return _samples_without_decay(reached, with_decay, without, evidence, source)
    counts = RATIOS * problem.dimension * (problem.dimension + 1)
    overlap, _ = _state(setting, samples=np.append(counts, float(problem.samples)))
    evidence["overlap_here"], overlap = float(overlap[-1]), overlap[:-1]
    lack = 1 - overlap
    # the bias that the finite dimension may add to the logarithm of the loss, and so of what the overlap lacks
    off = math.exp(OFF["vectors"]["test_loss"] / problem.dimension)
    value, high = (_first(counts, lack, (1 - RECOVERED) / share) for share in (1.0, off))
    if not math.isnan(value):
        # once more, finely, about what was found
        counts = np.geomspace(value / 1.1, 1.1 * (value if math.isnan(high) else high), COUNT)
        lack = 1 - _state(setting, samples=counts)[0]
        value, high = (_first(counts, lack, (1 - RECOVERED) / share) for share in (1.0, off))
    if math.isnan(value):
        best = float(np.max(overlap))
        reason = (
            f"With this weight decay and width no number of samples up to {counts[-1]:.3g} brings the overlap to "
            f"{RECOVERED}: it ends at {best:.3g}. Lower the decay, or widen the student to the teacher's rank."
        )
        return Recommendation("samples", math.nan, reason, evidence=evidence, source=source)
    low = with_decay if not math.isnan(with_decay) else 0.0
    reason = (
        f"With so many samples the end of training overlaps by {RECOVERED} with the teacher at this decay and noise. "
        "The interval: below its start not even noiseless labels suffice; up to its end the finite dimension may ask."
    )
    return Recommendation("samples", value, reason, min(low, value), high, "samples", evidence=evidence, source=source)


def _samples_without_decay(
    reached: bool, with_decay: float, without: float, evidence: dict[str, float], source: str
) -> Recommendation:
    if not reached or math.isnan(without):
        reason = (
            "Without weight decay the end is known for noiseless labels, a positive teacher and a width of at least "
            "its rank only; set weight_decay > 0, where StateEvolution speaks."
        )
        return Recommendation("samples", math.nan, reason, evidence=evidence, source=source)
    reason = (
        "Fewer noiseless samples leave a run without decay where its start decides. A decay that vanishes at the end "
        "of the run asks for as few as the interval's start."
    )
    return Recommendation("samples", without, reason, with_decay, without, "samples", evidence=evidence, source=source)


def _first(counts: np.ndarray, lack: np.ndarray, level: float) -> float:
    """Least count at which `lack` falls to a level, by interpolation in logarithms; NaN where it never does."""
    below = lack <= level
    if not np.any(below):
        return math.nan
    i = int(np.argmax(below))
    if i == 0:
        return float(counts[0])
    x, y = np.log(counts[i - 1 : i + 1]), np.log(np.maximum(lack[i - 1 : i + 1], 1e-300))
    return float(np.exp(x[0] + (x[1] - x[0]) * (math.log(level) - y[0]) / (y[1] - y[0])))


def _decay(setting: Setting) -> Recommendation:
    problem = setting.problem
    if fails := _unfit(setting):
        return Recommendation("weight_decay", math.nan, fails)
    decays = DECAYS * max(float(np.max(np.asarray(setting.data.values))), 1e-300)
    best = int(np.argmin(_state(setting, decays=decays)[1]))
    edge = best == 0
    # once more, finely, between the neighbours but one
    decays = np.geomspace(decays[max(best - 2, 0)], decays[min(best + 2, COUNT - 1)], COUNT - 1)
    here = DECAYED.strain(setting) <= 1
    losses = _state(setting, decays=np.append(decays, problem.weight_decay if here else decays[0]))[1]
    evidence = {"test_loss_here": float(losses[-1])} if here else {}
    losses = losses[:-1]
    best = int(np.argmin(losses))
    alike = decays[losses <= 1.01 * losses[best]]
    evidence = {"test_loss_at_the_end": float(losses[best]), **evidence}
    reason = (
        "Of all decays this one ends with the least test loss for these samples and this noise; within the interval "
        "the loss is at most 1 % larger."
        + (" It is the least that was looked at: less decay is better still, but takes longer." if edge else "")
    )
    return Recommendation(
        "weight_decay", float(decays[best]), reason, float(alike[0]), float(alike[-1]), evidence=evidence,
        source=str(StateEvolution.source[0]),
    )  # fmt: skip


def _learning_rate(setting: Setting) -> Recommendation:
    problem, data = setting.problem, setting.data
    at = teacher_point(problem, data)

    def slope(weights: Any) -> Any:
        return jax.grad(problem.objective)(Student(weights, jnp.zeros(())), data).weights

    def curve(direction: Any) -> Any:
        return jax.jvp(slope, (at,), (direction.reshape(at.shape),))[1].reshape(-1)

    top = jax.jit(lambda: largest_eigenvalue(curve, jnp.cos(1.0 + jnp.arange(at.size) ** 1.5), 60))()
    edge = float(problem.rule.stable_rate(top))
    if math.isnan(edge):
        return Recommendation("learning_rate", math.nan, "No stability limit is known for this rule.")
    reason = (
        "2 over the largest curvature of this data set's loss at the teacher, where a good run ends nearby: above it "
        "the loss oscillates at a plausible level. Half of it is safe against a start that is steeper than its end."
    )
    evidence = {"largest_curvature": float(top), "stability_edge": edge}
    return Recommendation("learning_rate", 0.5 * edge, reason, 0.0, edge, evidence=evidence)
