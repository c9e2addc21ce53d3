"""Every limit on a step that can be measured before training, as marks on one axis of learning rates."""

import dataclasses
import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .expansion import Expansion, expand
from .own_loss import FORWARD, Runs, Task, batch_size, mean_loss
from .suggestion import inputs_of
from .updates import Updates, frozen_updates, losses_along, stability_limit, top_curvature

# updates that fill the memory of a rule before any is measured: ten times the memory of momentum 0.9
WARM = 10


@dataclasses.dataclass(frozen=True)
class Mark:
    """A learning rate that some measurement points to: its median over batches, their range, and what it cost.

    `cost` is in gradients of one minibatch; a forward pass counts one third, a Hessian-vector product two.
    """

    name: str
    rate: float
    low: float
    high: float
    cost: float
    words: str


def over_batches(name: str, values: Sequence[float], cost: float, words: str) -> Mark:
    """Median and range over the batches; NaN where none of them gave a number."""
    known = np.asarray([v for v in values if not math.isnan(v)])
    middle, low, high = (np.median(known), known.min(), known.max()) if known.size else (math.nan,) * 3
    return Mark(name, float(middle), float(low), float(high), float(cost), words)


def limits(task: Task, thresholds: Sequence[float], kept: int, several: int) -> list[Mark]:
    """Linear range (where states are known), line search, curvature along the step, and the stability limit.

    All along the updates that the rule would make at the start, its memory filled, on `kept` batches; the sharpness
    is that of the mean loss over `several`.
    """
    before = 0 if task.rule.descends() else WARM
    updates = frozen_updates(task.loss, task.params, task.batches, task.rule, before, kept)
    scales = [_bottom(task, batch, way) for batch, way in zip(updates.batches, updates.directions, strict=True)]
    found = _ranges(task, thresholds, updates, scales) if task.states is not None else []
    return [*found, *_line_searches(task, updates, scales), _stability(task, updates, several)]


def _bottom(task: Task, batch: Any, way: Any) -> float:
    """The bottom of the parabola along an update; NaN where the loss rises or bends down, so that there is none."""
    slope, bend = (float(part) for part in _slope_and_bend(task.loss, task.params, way, batch))
    return -slope / bend if slope < 0 < bend else math.nan


def _around(task: Task, way: Any, bottom: float) -> float:
    """The scale on which to look along an update: its parabola's, else a tenth of the length of the parameters."""
    if math.isfinite(bottom):
        return bottom
    long, short = (math.sqrt(sum(float(jnp.sum(x**2)) for x in jax.tree.leaves(t))) for t in (task.params, way))
    return 0.1 * max(long, 1.0) / short if short > 0 else 1.0


def _ranges(task: Task, thresholds: Sequence[float], updates: Updates, scales: list[float]) -> list[Mark]:
    states: Any = task.states
    whole, rows = bool(jax.tree.leaves(task.fixed)), []
    of_moving = (lambda now, x: states(eqx.combine(now, task.fixed), x)) if whole else states
    for batch, way, bottom in zip(updates.batches, updates.directions, scales, strict=True):
        curve = expand(of_moving, task.params, inputs_of(batch), way)
        rows.append(_crossings(curve, _around(task, way, bottom) * STEPS[::2], thresholds))
    # the tangent pass is two forward ones; then one a step, and one a threshold
    cost = len(rows) * ((2 + STEPS[::2].size) / len(thresholds) + 1) * FORWARD
    words = "the states leave their linearisation (Ni & Talnikar 2019)"
    return [
        over_batches(f"linear range {level:g}", [row[i] for row in rows], cost, words)
        for i, level in enumerate(thresholds)
    ]


def _crossings(curve: Expansion, steps: np.ndarray, levels: Sequence[float]) -> list[float]:
    """First steps with these nonlinearities: between two steps by a power law, then once by proportion; inf if none."""
    seen = np.asarray([curve.measure(float(step), "min").mean for step in steps])
    seen, found = np.where(np.isfinite(seen), seen, np.inf), []
    for level in levels:
        i = int((seen >= level).argmax())
        if not seen[i] >= level:
            found.append(math.inf)
            continue
        step = float(steps[i])
        if i > 0 and seen[i - 1] > 0 and np.isfinite(seen[i]):
            share = math.log(level / seen[i - 1]) / math.log(seen[i] / seen[i - 1])
            step = float(steps[i - 1] * (steps[i] / steps[i - 1]) ** share)
        there = curve.measure(step, "min").mean
        found.append(step * level / there if np.isfinite(there) and there > 0 else step)
    return found


# around the bottom of the parabola along an update
STEPS = 10.0 ** np.arange(-3.0, 3.01, 0.25)


def _line_searches(task: Task, updates: Updates, scales: list[float]) -> list[Mark]:
    lowest = []
    kind = jnp.result_type(*jax.tree.leaves(task.params))
    for batch, way, bottom in zip(updates.batches, updates.directions, scales, strict=True):
        steps = _around(task, way, bottom) * STEPS
        losses = np.asarray(losses_along(task.loss, task.params, way, jnp.asarray(steps, kind), batch), float)
        lowest.append(lowest_point(steps, losses))
    words = "the loss of the batch is lowest there"
    return [
        over_batches("line search", lowest, len(lowest) * STEPS.size * FORWARD, words),
        # with the gradients that made the updates
        over_batches("1 / curvature", scales, len(scales) * 3 + updates.count, "the same to second order"),
    ]


@functools.partial(jax.jit, static_argnums=0)
def _slope_and_bend(loss: Any, params: Any, way: Any, batch: Any) -> Any:
    def along(step: Any) -> Any:
        return loss(jax.tree.map(lambda w, v: w + step.astype(w.dtype) * v, params, way), batch)

    zero = jnp.zeros((), jnp.result_type(*jax.tree.leaves(params)))
    return jax.jvp(jax.grad(along), (zero,), (jnp.ones_like(zero),))


def lowest_point(steps: np.ndarray, losses: np.ndarray) -> float:
    """The step of the lowest loss, by the parabola through it and its neighbours; NaN where it stands at an end."""
    values = np.where(np.isfinite(losses), losses, np.inf)
    i = int(values.argmin())
    if i in (0, len(steps) - 1) or not np.isfinite(values[i]):
        return math.nan
    (x0, x1, x2), (y0, y1, y2) = steps[i - 1 : i + 2], values[i - 1 : i + 2]
    before, after = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    # a parabola through an infinite loss, or through three equal ones, has no bottom
    bend = (after - before) / (x2 - x0) if np.isfinite(after) else 0.0
    return float(np.clip(0.5 * (x0 + x1) - 0.5 * before / bend, x0, x2)) if bend > 0 else float(x1)


def _stability(task: Task, updates: Updates, several: int) -> Mark:
    several = min(several, len(task.batches))
    batch = jax.tree.map(lambda leaf: leaf[:several], task.stacked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        top = top_curvature(mean_loss(task.loss), task.params, batch, task.rule, updates)
    rate = stability_limit(task.rule, top)
    words = "beyond it the rule is unstable on a quadratic loss of this sharpness"
    return Mark("stability limit", rate, rate, rate, 2.0 * several * top.products, words)


def finder(rates: np.ndarray, runs: Runs, smoothing: float = 0.05, diverged: float = 5.0) -> tuple[Mark, np.ndarray]:
    """torch-lr-finder's suggestion on a sweep, the steepest descent of its smoothed loss, and that loss.

    The average forgets with 1 - `smoothing`; the sweep stops where it is `diverged` times its best (NaN from there).
    """
    smooth = np.full(len(rates), math.nan)
    smooth[0] = best = runs.losses[0, 0]
    for i in range(1, len(rates)):
        value = smoothing * runs.losses[0, i] + (1 - smoothing) * smooth[i - 1]
        if not np.isfinite(value):
            break
        smooth[i] = value
        best = min(best, value)
        if value > diverged * best:
            break
    known = smooth[np.isfinite(smooth)]
    rate = float(rates[np.gradient(known).argmin()]) if known.size > 1 else math.nan
    return Mark("steepest of the sweep", rate, rate, rate, runs.cost, "torch-lr-finder's suggestion"), smooth


def lowest_of_sweep(rates: np.ndarray, runs: Runs) -> Mark:
    """Where the loss of a sweep is lowest: just below the rates that break it."""
    losses = np.where(np.isfinite(runs.losses[0]), runs.losses[0], np.inf)
    rate = float(rates[losses.argmin()])
    return Mark("lowest of the sweep", rate, rate, rate, 0.0, "the loss of the growing rate is lowest there")


def centre(marks: Sequence[Mark]) -> float:
    """The geometric middle of all marks that are finite; ValueError where there is none."""
    known = [m.rate for m in marks if np.isfinite(m.rate) and m.rate > 0]
    if not known:
        raise ValueError(
            "nothing measured at the start says how large a step may be (the loss is flat, or linear, there); a "
            "study takes rates=... to look at."
        )
    return float(np.exp(np.median(np.log(known))))


def watch(task: Task, batches: int = 4, samples: int = 32) -> int:
    """How many batches the loss is read on: at least so many, and so many samples."""
    return min(len(task.batches), max(batches, math.ceil(samples / batch_size(task))))
