"""Advice about a user's own table: when to stop, how much ridge, which rate, what to expect, what more points buy."""

import math
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ...data import columns
from ...mathematics.extremum import least_time
from ...words.problem import Problem
from ...words.recommendations import Adviser, Recommendation
from ...words.theory import Setting
from .held_out_ridge import SIZES, STRENGTHS
from .leave_one_out import followed, nodes_for
from .regression_table import DatasetRegression, log_times
from .resampling import LEVEL, TableEvidence, evidence, spread
from .several_classes import DatasetClasses
from .table_plan import HEAVY, LARGEST, LEAK, measures, parts_of, plan_of, share_of_largest, sides
from .table_rates import largest_rate, too_fast
from .two_classes import DatasetClassifier

PATIL = "Patil et al. 2024, leave-one-out along the path"
ALLEN = "Allen 1974, the closed form of leave-one-out for ridge"
TIMES = 60
NORMAL = 1.645
# squares of an estimate of the noise below this share of the held-out error say that it cannot be told
UNTOLD = 0.01


class GridChoice(NamedTuple):
    """A place on a grid that was chosen by its held-out loss; `value` NaN where none is."""

    value: float
    low: float
    high: float
    loss: float
    loss_low: float
    loss_high: float


class TableAdviser(Adviser):
    """Reads from the training points held out what to do with them; see LeaveOneOut and HeldOutRidge.

    It speaks about the training part of the draw (seed 0, or `data`) and never looks at the test part. Intervals: the
    wider of a bootstrap of the held-out errors and of refits on half of the points, quantiles 5 and 95 %; over twenty
    splits of each table of benchmarks/own_data.py they held about four times in five, which is the level they state.
    """

    of: ClassVar[tuple[type[Problem], ...]] = (DatasetClassifier, DatasetRegression, DatasetClasses)
    plans: ClassVar[Any] = staticmethod(plan_of)
    parts: ClassVar[Any] = staticmethod(parts_of)

    def advise(self, setting: Setting) -> tuple[Recommendation, ...]:
        problem, data = setting.problem, setting.data
        times = log_times(problem, points=TIMES) if followed(problem) else None
        nodes = 0 if times is None else nodes_for(problem, times)
        found = evidence(problem, data, times, nodes)
        fast = too_fast(problem, problem.training(data))
        stop, ridge = None if fast else _stop(found, times), _ridge(found)
        return (
            _stopping(problem, found, stop, times, fast),
            _strength(np.shape(problem.inputs)[1], found, ridge, stop),
            largest_rate(problem, problem.training(data)),
            _expected(problem, found, stop, ridge),
            *_accuracy(problem, problem.training(data), found, stop),
            *measures(problem, problem.training(data), _errors(found, stop, ridge)),
            _more(problem, found, stop, ridge),
            _noise(problem, found, _better(stop, ridge)[1].loss),
            *_columns(problem),
        )


def _choice(
    value: float, grid: np.ndarray, losses: np.ndarray, halves: np.ndarray, loss: float, reach: float
) -> GridChoice:
    found = spread(losses, halves, reach)
    low, high = float(grid[found.low]), float(grid[found.high])
    high = math.inf if found.high == len(grid) - 1 else high
    return GridChoice(value, low, high, loss, loss * found.factors[0], loss * found.factors[1])


def _stop(found: TableEvidence, times: np.ndarray | None) -> GridChoice | None:
    if times is None or found.path is None or not bool(found.path.fits):
        return None
    losses = np.asarray(found.path.losses)
    mean = losses.mean(axis=1)
    # a coarse grid: the root is taken where it is as good to a per cent
    best, _ = least_time(times, mean, float(found.path.best), slack=0.01)
    return _choice(best, times, losses, np.asarray(found.half_path), float(mean.min()), found.reach)


def _ridge(found: TableEvidence) -> GridChoice:
    losses = 0.5 * np.asarray(found.ridge.errors) ** 2
    ridge = found.ridge
    made = _choice(ridge.strength, STRENGTHS, losses, found.half_ridge, ridge.loss, found.reach)
    return made._replace(low=0.0) if made.low == STRENGTHS[0] else made


def _stopping(
    problem: Any, found: TableEvidence, stop: GridChoice | None, times: np.ndarray | None, fast: str
) -> Recommendation:
    if stop is None or times is None or found.path is None:
        why = fast or (
            "The contour of the path failed its own check: the learning rate is beyond its limit, or inputs are scaled "
            "in another way than the problem does it."
            if followed(problem)
            else f"{problem.rule.title()} cannot be followed by modes; take a validation split, or another rule."
        )
        return Recommendation("stopping_time", math.nan, why)
    mean = np.asarray(found.path.losses).mean(axis=1)
    told = {"held-out loss there": stop.loss, "at the start": float(mean[0]), "at the end": float(mean[-1])}
    share = 0.5 * float(np.mean(found.path.noise[mean.argmin()])) / stop.loss
    if share > 0:
        told["share of the steps' noise"] = share
    if math.isnan(stop.value):
        last = mean.argmin() > 0
        why = (
            f"The held-out loss still falls at the end of the path, {times[-1]:.4g} {problem.rule.clock}: there is "
            "nothing to gain by stopping earlier."
            if last
            else "No time is better than the start: on points held out, the mean of the targets alone does best."
        )
        return Recommendation("stopping_time", math.nan, why, evidence=told, source=PATIL)
    why = (
        f"Here the loss on points held out is least; trained to the end it is {mean[-1] / stop.loss - 1:.1%} higher. "
        "The optimum is flat: anywhere in the interval is nearly as good."
        + (
            ""
            if share < 0.02
            else f" The draws of SGD make {share:.1%} of it: a smaller rate or larger batch saves it."
        )
    )
    return Recommendation("stopping_time", stop.value, why, stop.low, stop.high, problem.rule.clock, LEVEL, told, PATIL)


def _strength(columns_used: int, found: TableEvidence, ridge: GridChoice, stop: GridChoice | None) -> Recommendation:
    weakest = 0.5 * float(np.mean(np.asarray(found.ridge.errors)[0] ** 2))
    told = {"held-out loss": ridge.loss, "without ridge": weakest}
    if math.isnan(ridge.value):
        why = "The stronger the ridge the better: on points held out the inputs do not help, the mean alone does best."
        return Recommendation("ridge", math.nan, why, evidence=told, source=ALLEN)
    why = (
        (
            "No ridge is best: the points determine the weights."
            if np.shape(found.ridge.errors)[1] > columns_used
            else "No ridge is best: the shortest weights that fit all points."
        )
        if ridge.value == 0
        else f"The weight_decay that is best on points held out; without any the loss is {weakest / ridge.loss - 1:.1%}"
        " higher."
    )
    if stop is not None:
        told["stopping instead"] = stop.loss
        better = "no better than" if ridge.loss >= stop.loss else f"{stop.loss / ridge.loss - 1:.1%} better than"
        why += f" Trained to the end with it, the loss is {better} that of stopping; do one of the two."
    return Recommendation("ridge", ridge.value, why, ridge.low, ridge.high, "", LEVEL, told, ALLEN)


def _better(stop: GridChoice | None, ridge: GridChoice) -> tuple[str, GridChoice]:
    if stop is None or stop.loss >= ridge.loss:
        advised = "the mean alone" if math.isnan(ridge.value) else "ridge as advised" if ridge.value else "no ridge"
        return advised, ridge
    return ("training to the end" if math.isnan(stop.value) else "stopping as advised"), stop


def _errors(found: TableEvidence, stop: GridChoice | None, ridge: GridChoice) -> np.ndarray:
    """Errors (n, outputs) on points held out at the better of both."""
    best = _better(stop, ridge)[1]
    return np.asarray(found.ridge.missed if best is ridge or found.path is None else found.path.errors)


def _expected(problem: Any, found: TableEvidence, stop: GridChoice | None, ridge: GridChoice) -> Recommendation:
    how, best = _better(stop, ridge)
    alone = 0.5 * float(np.mean(found.ridge.errors[-1] ** 2))
    without = "The mean alone" if problem.centred else "No input at all"
    why = (
        f"Half the mean squared error to expect on fresh points of the same kind, with {how}: that of "
        f"{problem.samples} points, each predicted from the others. {without} would give {alone:.4g}. It is a "
        "little too low for having been chosen, and says nothing about points of another kind."
    )
    told = {"root mean squared error": math.sqrt(2 * best.loss), "explained share": 1 - best.loss / alone}
    heavy = share_of_largest(_errors(found, stop, ridge))
    told[f"share of the largest {LARGEST:.0%} of errors"] = heavy
    if heavy > HEAVY:
        why += (
            f" {heavy:.0%} of it comes from the largest {LARGEST:.0%} of the errors: a few rows decide, and the loss "
            "on others may be far from it."
        )
    if best.loss < LEAK * alone:
        why += " Nearly all is explained: does a column hold what is to be predicted?"
    return Recommendation("test_loss", best.loss, why, best.loss_low, best.loss_high, "", LEVEL, told, PATIL)


def _accuracy(problem: Any, part: Any, found: TableEvidence, stop: GridChoice | None) -> tuple[Recommendation, ...]:
    """For classes: the share of points held out that are on the right side, with Wilson's interval."""
    if "test_accuracy" not in (o.name for o in problem.observables):
        return ()
    stopped = stop is not None and found.path is not None
    seen = sides(problem, part, found.path.errors if stopped and found.path is not None else found.ridge.missed)
    share, n = float(np.mean(seen.told == seen.numbers)), problem.samples
    middle, scale = share + NORMAL**2 / (2 * n), 1 + NORMAL**2 / n
    reach = NORMAL * math.sqrt(share * (1 - share) / n + (NORMAL / (2 * n)) ** 2)
    how = "at the least loss of the path" if stopped else "with the best ridge"
    why = f"{round(share * n)} of {n} points are on the right side when predicted from the others, {how}."
    ends = (middle - reach) / scale, (middle + reach) / scale
    return (Recommendation("test_accuracy", share, why, *ends, "", 0.9, {"points": float(n)}, PATIL),)


def _more(problem: Any, found: TableEvidence, stop: GridChoice | None, ridge: GridChoice) -> Recommendation:
    now, double = (int(np.flatnonzero(s == SIZES)[0]) for s in (1.0, 2.0))
    learning, halves = np.asarray(found.ridge.learning), np.asarray(found.half_gain)
    best = _better(stop, ridge)[1]
    gain = learning[double] / learning[now]
    chance = np.log(halves[:, double] / halves[:, now])
    # the chance of the gain, and of today's loss, which are of different origin
    gains, losses = np.quantile(chance - chance.mean(), (0.05, 0.95)), np.log([best.loss_low, best.loss_high])
    reach = np.hypot(gains, losses - np.log(best.loss))
    low, high = gain * best.loss * np.exp([-reach[0], reach[1]])
    n = problem.samples
    why = (
        f"Twice as many points, {2 * n}, would lower the test loss by about {1 - gain:.1%}, at the best ridge. "
        + ("The data are nearly used up: better inputs or another model would buy more." if gain > 0.97 else "")
        + ("More points are worth having." if gain <= 0.97 else "")
    )
    told = {
        f"at {round(s * n)} points": float(v / learning[now] * best.loss) for s, v in zip(SIZES, learning, strict=True)
    }
    # a floor lies below what it bounds, and so does every estimate of it
    told["floor, noise^2 / 2"] = min(0.5 * float(found.ridge.noise) ** 2, *told.values(), best.loss)
    source = "deterministic equivalent of ridge; Wei, Hu & Steinhardt 2022"
    return Recommendation(
        "test_loss_with_twice_the_points", gain * best.loss, why, float(low), float(high), "", LEVEL, told, source
    )


def _noise(problem: Any, found: TableEvidence, least: float) -> Recommendation:
    # no more than what is missed on points held out
    noise, signal = min(float(found.ridge.noise), math.sqrt(2 * least)), float(found.ridge.signal)
    if noise**2 < UNTOLD * 2 * least:
        why = (
            "These inputs have as many directions as there are points: what is noise and what is signal cannot be told "
            f"apart. It is no more than {math.sqrt(2 * least):.4g}, what is missed on points held out."
        )
        return Recommendation("noise", math.nan, why, 0.0, math.sqrt(2 * least))
    halves = np.sqrt(2 * np.asarray(found.half_ridge).min(axis=1))
    ends = np.exp(np.quantile(np.log(halves) - np.log(halves).mean(), (0.05, 0.95)))
    low, high = (noise * float(factor) for factor in ends)
    why = (
        "Standard deviation of what no linear function of these inputs explains, in units of the targets: noise, "
        "missing inputs, and all that is not linear."
    )
    told = {
        "standard deviation of the linear part": signal,
        "signal to noise": signal / noise if noise > 0 else math.inf,
    }
    return Recommendation("noise", noise, why, low, high, "", LEVEL, told)


def _columns(problem: Any) -> tuple[Recommendation, ...]:
    """What is odd about the columns, where anything is."""
    still, copies, span = columns.constant(problem.inputs), columns.copied(problem.inputs), columns.span(problem.inputs)
    told = []
    if isinstance(problem, DatasetRegression) and columns.named_like_classes(problem.targets):
        kinds = np.unique(problem.targets).size
        why = (
            f"The targets hold {kinds} whole numbers only. If they name classes, this advice is not for them: use "
            "tw.DatasetClasses, or tw.DatasetClassifier for one against the rest."
        )
        told.append(Recommendation("target_values", float(kinds), why))
    if still.size:
        which = _some(still.tolist())
        why = f"Columns {which} (from 0) never change; there is an intercept already, so they are left out."
        told.append(Recommendation("constant_columns", float(still.size), why))
    if copies:
        which = _some([f"{b} of {a}" for a, b in copies])
        why = (
            f"Columns {which} (from 0) are copies up to shift and scale: what they say is learned twice as "
            "fast and shared between their weights. Remove them to read single weights."
        )
        told.append(Recommendation("copied_columns", float(len(copies)), why))
    if span > 1e3:
        why = (
            "Largest deviation of a column over the smallest. Columns are scaled to equal size before anything "
            "is learned; unscaled, the largest would decide the largest stable rate, and the smallest would need about "
            f"{span**2:.1g} times as long."
        )
        told.append(Recommendation("column_span", span, why))
    return tuple(told)


def _some(names: list[Any], most: int = 6) -> str:
    return ", ".join(map(str, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
