"""advise_rate: a learning rate with reasons, or a refusal, from limits at the start and a few short runs."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..rules import GradientDescent, HeavyBall, Nesterov
from .own_loss import Runs, Task, at_rates, checked, ramp
from .regimes import DIVERGENT, regimes
from .step_marks import Mark, centre, limits, lowest_of_sweep, watch

# chosen on the development set of benchmarks/learning_rate_problems.py, before the published one was looked at
SHARE, LEAST, MOST = 0.04, 20, 500  # length of a short run: this share of the training, within these bounds
SWEEP, SWEPT = (-3.5, 2.5), 40  # decades of the sweep around the middle of the limits, and its steps
CANDIDATES = (-1.75, -1.25, -0.75, -0.25, 0.25)  # decades from the lowest point of the sweep
TREND, SAFETY = 0.6, 0.05  # share of the measured trend that is extrapolated; decades below what it gives
BESIDE = 0.5  # decades around the advice, at least: they hold the best of 7 in 10 development problems
MOVING, FAR = 1.5, 1.5  # decades of disagreement at which it refuses
NEAR_LIMIT = 0.8  # without chance the largest stable rate is the fastest: this share of the limit
LOOKS = (0.0, 0.15, 0.2, 0.25, 0.5, 0.7, 0.85, 1.0)  # of a short run


@dataclasses.dataclass(frozen=True)
class RateAdvice:
    """`low` to `high`: learning rates advised; `rate` inside is the one to take first; all NaN where `refused`.

    `reasons` and `warnings` are sentences, `table` all that was measured (rate, low, high, cost, words; one row a mark
    and a row a short run), `cost` its price in gradients of one minibatch.
    """

    low: float
    high: float
    rate: float
    refused: bool
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    table: pd.DataFrame
    cost: float

    def __str__(self) -> str:
        head = "no advice" if self.refused else f"learning rate {self.rate:.3g} ({self.low:.3g} to {self.high:.3g})"
        lines = [head, *(f"- {text}" for text in self.reasons), *(f"! {text}" for text in self.warnings)]
        return "\n".join(lines)


def advise_rate(
    loss: Callable[..., Any],
    params: Any,
    batches: Any,
    states: Callable[..., Any] | None = None,
    rule: Any = None,
    *,
    steps: int = 1000,
    order: str = "cyclic",
    seed: int = 0,
) -> RateAdvice:
    """The constant learning rate with which the loss is lowest after `steps` steps of your own network, with reasons.

    Arguments as for `tw.learning_rate_study`. At the start: linear range (with `states`), line search and stability
    limit of the rule say on which scale to look; a sweep of 40 steps shows where the loss breaks; five or more short
    runs half a decade apart, each 4 % of `steps` (20 to 500), tell which is best. Over the last three quarters of
    their length the best rate eta*(k) moves; 0.6 of a downward trend, on log k, is extrapolated to `steps`. With one
    batch and a rule of known limit there is no noise: the advice is then at least 0.8 of the stability limit. Costs
    about a third of `steps`, or 3500 gradients if that is less. All runs go through the one training loop.

    It refuses (low, high, rate NaN) where no rate makes the loss fall, where the best short run stays at the end of
    what was tried, where eta* moves by more than 1.5 decades, or where it lies 1.5 decades above every limit. A
    warning tells when the advised rates come within a factor 2 of one that diverged. ValueError as for the study.
    It fails where the loss of the start says nothing about the end: catapults, long plateaus, data seen once.
    Sources: Ni & Talnikar 2019; the constants from benchmarks/learning_rate_advice.py.
    """
    task = checked(loss, params, batches, GradientDescent() if rule is None else rule, order, seed)
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < LEAST:
        raise ValueError(f"steps = {steps!r} is not allowed; give the length of the training, at least {LEAST}.")
    found = limits(task, states, (1.0,), kept=2, several=1)
    middle = centre(found)
    rates, swept = ramp(task, middle * 10 ** SWEEP[0], middle * 10 ** SWEEP[1], SWEPT, watch(task, 1, 4))
    lowest = lowest_of_sweep(rates, swept)
    short = int(np.clip(round(SHARE * steps), LEAST, MOST))
    tried = _Tried(task, lowest.rate * 10.0 ** np.asarray(CANDIDATES), short)
    marks = [*found, dataclasses.replace(lowest, cost=swept.cost)]
    return _judged(tried, marks, steps, _without_chance(task))


class _Tried:
    """Short runs at a few rates, half a decade apart, with more at an end where the best one stands."""

    def __init__(self, task: Task, rates: np.ndarray, short: int) -> None:
        ticks = np.unique(np.round(np.asarray(LOOKS) * short).astype(int))
        watched = watch(task, 4, 16)
        self.runs = at_rates(task, rates, ticks, watched)
        self.rates = rates
        for _ in range(2):
            end = self.end()
            if end == 0:
                return
            more = (rates[-1] if end > 0 else rates[0]) * 10.0 ** (0.5 * end * np.arange(1, 3))
            self._add(np.sort(more), at_rates(task, np.sort(more), ticks, watched))
            rates = self.rates

    def _add(self, rates: np.ndarray, runs: Runs) -> None:
        order = np.argsort([*self.rates, *rates])
        losses = np.concatenate([self.runs.losses, runs.losses])[order]
        self.rates = np.asarray([*self.rates, *rates])[order]
        self.runs = Runs(runs.ticks, losses, self.runs.cost + runs.cost)

    def levels(self, share: float) -> np.ndarray:
        """Loss of each rate around this share of the run: the median over its last 30 %; inf where not finite."""
        ticks = self.runs.ticks / self.runs.ticks[-1]
        chosen = self.runs.losses[:, (ticks > 0) & (ticks >= 0.7 * share - 1e-9) & (ticks <= share + 1e-9)]
        return np.where(np.isfinite(chosen).all(axis=1), np.median(chosen, axis=1), np.inf)

    def end(self) -> int:
        """-1 or 1 where the lowest or the highest rate tried is as good as the best, else 0."""
        levels = self.levels(1.0)
        return int(levels[-1] == levels.min()) or -int(levels[0] == levels.min())

    def best(self, share: float) -> float:
        """log10 of the best rate at this share of the run, by a parabola through the logs of three losses."""
        levels, x = self.levels(share), np.log10(self.rates)
        i = int(levels.argmin())
        if i in (0, len(x) - 1) or not np.isfinite(levels[i - 1 : i + 2]).all() or levels[i - 1 : i + 2].min() <= 0:
            return float(x[i])
        left, middle, right = np.log(levels[i - 1 : i + 2])
        bend = left - 2 * middle + right
        return float(x[i] + (np.clip(0.25 * (left - right) / bend, -0.25, 0.25) if bend > 0 else 0.0))

    def fall(self) -> float:
        """How far the best rate brought the loss down, as a share of the first loss."""
        first = self.runs.losses[0, 0]
        return float((first - self.levels(1.0).min()) / abs(first)) if first != 0 else 0.0

    def diverged(self) -> float:
        """The smallest rate whose run diverged; inf if none did."""
        lost = regimes(self.runs.losses) == DIVERGENT
        return float(self.rates[lost][0]) if lost.any() else math.inf


def _without_chance(task: Task) -> bool:
    """Whether every step sees the same batch, by a rule for which the limit at the start is exact there."""
    return len(task.batches) == 1 and isinstance(task.rule, GradientDescent | HeavyBall | Nesterov)


def _judged(tried: _Tried, marks: Sequence[Mark], steps: int, certain: bool) -> RateAdvice:
    short = int(tried.runs.ticks[-1])
    early, late = tried.best(0.25), tried.best(1.0)
    trend = float(np.clip((early - late) / math.log10(4.0), 0.0, 1.0))
    further = math.log10(max(steps, short) / short)
    middle = late - TREND * trend * further - SAFETY
    limit = next(m.rate for m in marks if m.name == "stability limit")
    if certain and math.isfinite(limit):
        middle = max(middle, math.log10(NEAR_LIMIT * limit))
    low, high = min(middle - BESIDE, late - trend * further), max(late, middle + BESIDE)
    edge = tried.diverged()
    # where short runs converge beyond the limit, the loss is unlike the parabola that it is made for
    capped = certain and late <= math.log10(limit)
    high = min(high, math.log10(edge) - 0.05, math.log10(limit) if capped else math.inf)
    low, middle = min(low, high), min(middle, high)
    against = _objections(tried, marks, early, late)
    table = _table(tried, marks)
    cost = round(float(np.sum(table["cost"].to_numpy())), 1)
    reasons = [
        f"short runs of {short} steps: the loss is lowest near {10**late:.3g} (near {10**early:.3g} after a quarter "
        f"of them), {tried.fall():.0%} below the start.",
        f"extrapolated to {steps} steps: {10**middle:.3g}.",
        *(f"{m.name}: {m.rate:.3g}; {m.words}." for m in marks if math.isfinite(m.rate)),
        f"measured with {cost:.0f} gradients of a minibatch, {cost / steps:.0%} of the training.",
    ]
    if against:
        return RateAdvice(math.nan, math.nan, math.nan, True, (*against, *reasons), (), table, cost)
    close = math.isfinite(edge) and 2 * 10**high >= edge
    alarm = (
        [f"a short run diverged at {edge:.3g}, within a factor 2 of the upper end; watch the loss."] if close else []
    )
    return RateAdvice(10**low, 10**high, 10**middle, False, tuple(reasons), tuple(alarm), table, cost)


def _objections(tried: _Tried, marks: Sequence[Mark], early: float, late: float) -> list[str]:
    """Why there should be no advice; empty where there should."""
    found = []
    if not tried.fall() > 0:
        return ["no rate that was tried makes the loss fall: look at the loss, the data, or the start."]
    end = tried.end()
    if end:
        side, other = ("higher", "highest") if end > 0 else ("lower", "lowest")
        found.append(f"the best short run is the {other} that was tried, {10**late:.3g}: the best rate may be {side}.")
    if abs(early - late) > MOVING:
        found.append(
            f"the best rate moved from {10**early:.3g} to {10**late:.3g} within the short runs: they are too short to "
            "say more."
        )
    known = [m for m in marks[:-1] if math.isfinite(m.rate)]
    if known and late - math.log10(max(m.rate for m in known)) > FAR:
        found.append(
            f"short runs like {10**late:.3g}, but every limit measured at the start lies far below "
            f"(at most {max(m.rate for m in known):.3g}): the start is unlike what follows."
        )
    return found


def _table(tried: _Tried, marks: Sequence[Mark]) -> pd.DataFrame:
    rows = [dataclasses.asdict(m) for m in marks]
    each = tried.runs.cost / len(tried.rates)
    for rate, loss in zip(tried.rates.tolist(), tried.levels(1.0).tolist(), strict=True):
        rows.append(dataclasses.asdict(Mark("short run", rate, rate, rate, each, f"loss {loss:.4g}")))
    return pd.DataFrame(rows).set_index("name").sort_values("rate")
