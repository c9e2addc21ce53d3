"""learning_rate_study: every limit on a step of a user's own network, and short runs, on one axis of rates."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import pandas as pd
import xarray as xr

from ..diagnostics.as_loss import in_float64
from ..diagnostics.own_loss import Runs, Task, at_rates, checked, ramp, rate_then_averaged, rate_then_small
from ..diagnostics.regimes import CONVERGENT, DIVERGENT, regimes
from ..diagnostics.step_marks import Mark, centre, finder, limits, lowest_of_sweep, watch
from ..results.schema import stamp
from ..results.serial import describe
from ..words.problem import Problem

VERB = "learning_rate_study"
# decades below and above the middle of all marks
SWEEP, GRID, PER_DECADE = (4.0, 3.0), (3.0, 2.0), 4
WORDS = {
    "loss": "loss on the watched batches",
    "final_loss": "loss after the short run",
    "fine_tuned_loss": "loss after a first rate, then small-rate training",
    "averaged_loss": "loss after a first rate, then averaging of weights",
    "sweep_loss": "loss while the rate grows",
    "sweep_smoothed": "the same, smoothed as torch-lr-finder does",
}


@in_float64
def learning_rate_study(
    loss: Callable[..., Any] | Problem,
    params: Any = None,
    batches: Any = None,
    states: Callable[..., Any] | None = None,
    rule: Any = None,
    *,
    rates: Any = None,
    steps: int = 200,
    thresholds: Sequence[float] = (0.1, 0.3, 1.0),
    then: int = 0,
    small: float | None = None,
    known: Mapping[str, float] | None = None,
    order: str | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Limits on a step and short runs of your own network on one axis of learning rates: an xarray.Dataset.

    `loss(params, batch)`: mean over the samples of one of the `batches` (a list of alike pytrees, such as pairs of
    inputs and targets); `states(params, inputs)`: layer states for the linear range. `rule`: GradientDescent by
    default, HeavyBall, Nesterov or Optax; its own learning rate is not used. Runs go through the package's training
    loop, minibatches in `order` ("cyclic" unless "drawn"), in the precision of `params`.
    `learning_rate_study(problem)` speaks about a problem in their place, a `tw.NetworkProblem` or any other: one draw
    and one start (`params`, if given), the batches and the moves of its rule, in float64. Variables:
    loss (rate, step), final_loss and regime (rate): short runs of `steps` steps at constant `rates`;
    sweep_loss, sweep_smoothed, sweep_rate (sweep): one run of growing rate, the usual finder;
    mark_rate, mark_low, mark_high, mark_cost, mark_words (mark): linear range for each threshold, line search,
    1 / curvature along the step, stability limit (2/sharpness for descent), the finder's suggestion, the edges of the
    regimes, and `known` rates by name; median and range over batches. With `then` > 0 the experiment of Lobacheva
    et al. 2023: each first rate for `steps` steps, followed by `then` steps at the rate `small` (default: a tenth of
    the largest convergent one) or by averaging of weights: fine_tuned_loss and averaged_loss (rate), NaN otherwise.

    Loss: the mean over the watched batches, at least 4 and 32 samples. Cost in gradients of a minibatch: attribute
    `cost`. Draw it with tw.plot, list it with tw.rate_table. ValueError: no batches, empty or unlike ones, parameters
    that are integers or not finite, a loss that is not one finite number, rates that do not increase.
    It fails as a forecast where short runs say little about long ones.
    Sources: Ni & Talnikar 2019; Kodryan et al. 2022; Lobacheva et al. 2023.
    """
    task = checked(loss, params, batches, rule, order, seed, states)
    _check_steps(steps, then)
    found = limits(task, thresholds, kept=8, several=4)
    middle = centre(found) if rates is None else float(np.sqrt(np.prod(_axis(rates)[[0, -1]])))
    axis = middle * 10.0 ** _grid(*GRID) if rates is None else _axis(rates)
    watched = watch(task)
    sweep, swept = ramp(task, middle * 10 ** -SWEEP[0], middle * 10 ** SWEEP[1], 100, watched)
    suggestion, smooth = finder(sweep, swept)
    runs = at_rates(task, axis, ticks_of(steps), watched)
    kinds = regimes(runs.losses)
    edges = _edges(axis, kinds)
    after, cost = _experiment(task, axis, kinds, steps, then, small, watched)
    given = [Mark(name, float(v), float(v), float(v), 0.0, "known exactly") for name, v in (known or {}).items()]
    marks = [*found, suggestion, lowest_of_sweep(sweep, swept), *edges, *given]
    result = _labelled(axis, runs, kinds, sweep, swept, smooth, after, marks)
    total = sum(m.cost for m in found) + swept.cost + runs.cost + cost
    result.attrs = _provenance(task, total, steps, then)
    return result


def _labelled(
    axis: np.ndarray,
    runs: Runs,
    kinds: np.ndarray,
    sweep: np.ndarray,
    swept: Runs,
    smooth: np.ndarray,
    after: dict[str, np.ndarray],
    marks: Sequence[Mark],
) -> xr.Dataset:
    content = {
        "loss": (("rate", "step"), runs.losses),
        "final_loss": ("rate", runs.losses[:, -1]),
        **{name: ("rate", values) for name, values in after.items()},
        "sweep_loss": ("sweep", swept.losses[0]),
        "sweep_smoothed": ("sweep", smooth),
    }
    named = {name: (dims, values, {"long_name": WORDS[name]}) for name, (dims, values) in content.items()}
    return xr.Dataset(
        {**named, "regime": ("rate", kinds, {"long_name": "regime of the short run"}), **_mark_variables(marks)},
        coords={
            "rate": ("rate", axis, {"long_name": "learning rate"}),
            "step": ("step", runs.ticks, {"long_name": "steps"}),
            "sweep_rate": ("sweep", sweep, {"long_name": "learning rate"}),
            "mark": ("mark", np.asarray([m.name for m in marks], dtype=object)),
        },
    )


def ticks_of(steps: int) -> np.ndarray:
    """Steps at which short runs are looked at."""
    return np.unique(np.round(np.linspace(0, steps, 21)).astype(int))


def _check_steps(steps: Any, then: Any) -> None:
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in (steps, then))
    if not whole or steps < 8 or then < 0:
        raise ValueError(
            f"steps = {steps!r}, then = {then!r} are not allowed; give whole numbers, steps >= 8, then >= 0."
        )


def _axis(rates: Any) -> np.ndarray:
    axis = np.atleast_1d(np.asarray(rates, dtype=np.float64))
    if axis.ndim > 1 or axis.size < 2 or not np.all(np.isfinite(axis)) or axis[0] <= 0 or np.any(np.diff(axis) <= 0):
        raise ValueError(f"rates = {rates!r:.60} is not allowed; give at least two positive, increasing numbers.")
    return axis


def _grid(below: float, above: float) -> np.ndarray:
    return np.arange(-below * PER_DECADE, above * PER_DECADE + 1) / PER_DECADE


def _edges(axis: np.ndarray, kinds: np.ndarray) -> list[Mark]:
    """Between which rates of the grid the regimes change; NaN where one does not occur."""
    lost = kinds == DIVERGENT
    # rates beyond the first divergent one may look convergent by chance
    first_lost = int(lost.argmax()) if lost.any() else len(axis)
    calm = np.flatnonzero(kinds[:first_lost] == CONVERGENT)
    last_calm = float(axis[calm[-1]]) if calm.size else math.nan
    broken = float(axis[first_lost]) if lost.any() else math.nan
    return [
        Mark("largest convergent", last_calm, last_calm, last_calm, 0.0, "largest rate whose short run converges"),
        Mark("smallest divergent", broken, broken, broken, 0.0, "smallest rate whose short run diverges"),
    ]


def _experiment(
    task: Task, axis: np.ndarray, kinds: np.ndarray, steps: int, then: int, small: float | None, watched: int
) -> tuple[dict[str, np.ndarray], float]:
    names = ("fine_tuned_loss", "averaged_loss")
    if then == 0:
        return {name: np.full(axis.shape, math.nan) for name in names}, 0.0
    if small is None:
        calm = np.flatnonzero(kinds == CONVERGENT)
        small = 0.1 * float(axis[calm[-1] if calm.size else 0])
    runs = (
        rate_then_small(task, axis, small, steps, then, watched),
        rate_then_averaged(task, axis, steps, then, watched),
    )
    return {n: r.losses[:, -1] for n, r in zip(names, runs, strict=True)}, sum(r.cost for r in runs)


def _mark_variables(marks: Sequence[Mark]) -> dict[str, Any]:
    words = {"rate": "learning rate", "low": "smallest over batches", "high": "largest over batches", "cost": "cost"}
    columns = {n: ("mark", np.asarray([getattr(m, n) for m in marks]), {"long_name": w}) for n, w in words.items()}
    told = np.asarray([m.words for m in marks], dtype=object)
    return {**{f"mark_{n}": v for n, v in columns.items()}, "mark_words": ("mark", told)}


def _provenance(task: Task, cost: float, steps: int, then: int) -> dict[str, Any]:
    precision = str(np.result_type(*(np.asarray(leaf).dtype for leaf in jax.tree.leaves(task.params))))
    count = sum(np.size(leaf) for leaf in jax.tree.leaves(task.params))
    rule = describe(task.rule, {})
    attrs = stamp(verb=VERB, rule=rule, cost=round(float(cost), 1), steps=steps, then=then, order=task.order)
    about = {"parameters": int(count), "batches": len(task.batches), "precision": precision}
    return attrs | about | {"title": f"{rule['class']}, {count} parameters, {len(task.batches)} batches"}


def rate_table(study: xr.Dataset) -> pd.DataFrame:
    """The marks of a learning_rate_study as a table, smallest rate first: rate, low, high, cost, what it means."""
    if not isinstance(study, xr.Dataset) or study.attrs.get("verb") != VERB:
        raise ValueError("rate_table is for what learning_rate_study returned.")
    names = [str(n) for n in study.data_vars if str(n).startswith("mark_")]
    columns = {n.removeprefix("mark_"): study[n].values for n in names}
    return pd.DataFrame(columns, index=pd.Index(study["mark"].values, name="mark")).sort_values("rate")


__all__ = ["learning_rate_study", "rate_table"]
