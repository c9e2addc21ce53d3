"""advise_rate: a learning rate with reasons, or a refusal, from limits at the start and a few short runs."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ..words.problem import Problem
from .as_loss import in_float64
from .contest import Contest
from .own_loss import Task, batch_size, checked, ramp
from .step_marks import Mark, centre, limits, lowest_of_sweep, watch

# chosen on the 34 problems of benchmarks/learning_rate_problems.py, before those of learning_rate_published.py were run
SWEEP, SWEPT = (-3.5, 2.5), 40  # decades of the sweep around the middle of the limits, and its steps
DRIFT = 0.3  # decades by which the best rate falls in each decade of steps, over the root of the size of a batch
BESIDE, WIDENS = 0.2, 0.4  # half-width of the advised range in decades, and its growth in each decade of steps
MOVING, FAR = 1.5, 1.5  # decades of disagreement at which it refuses
NEAR_LIMIT = 0.8  # without chance the largest stable rate is the fastest: this share of the limit
LEAST = 20  # steps of the training to come


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

    def _repr_html_(self) -> str:
        head, *said = str(self).splitlines()
        listed = "".join(f"<li>{escape(line.lstrip('-! '))}</li>" for line in said)
        return f"<p><b>{escape(head)}</b></p><ul>{listed}</ul>{self.table.to_html()}"


@in_float64
def advise_rate(
    loss: Callable[..., Any] | Problem,
    params: Any = None,
    batches: Any = None,
    states: Callable[..., Any] | None = None,
    rule: Any = None,
    *,
    steps: int = 1000,
    budget: float = 0.5,
    order: str | None = None,
    seed: int = 0,
) -> RateAdvice:
    """The constant learning rate with which the loss is lowest after `steps` steps of your own network, with reasons.

    `advise_rate(problem)` asks about a problem, a `tw.NetworkProblem` or any other, under its own rule.
    Other arguments as for `tw.learning_rate_study`. At the start: linear range (with `states`), line search and
    stability limit of the rule say on which scale to look; a sweep of 40 steps shows where the loss breaks. Then four
    short runs half a decade apart, of which the best three go on to twice the steps, the best two to four times.
    `budget`: what all this may cost, as a share of the training (a little more is spent where runs must be added at
    an end; at least some 150 gradients). The best rate falls with the length of the training where batches are small:
    0.3 / sqrt(samples in a batch) decades for each decade between the longest short run and `steps`. With one batch
    and a rule of known limit there is no noise: the advice is then at least 0.8 of the stability limit.

    More budget finds the best rate more often; for a single training that has to pay for it 0.3 to 0.5 is best, for a
    long one less will do (docs/learning_rates.md). All runs go through the one training loop. It refuses (low, high,
    rate NaN) where no rate makes the loss fall, where the best short run stays at the end of what was tried, where the
    best rate moves by more than 1.5 decades between rounds, or where it lies 1.5 decades above every limit. A warning
    tells when the advised rates come within a factor 2 of one that diverged. ValueError as for the study, and for steps
    below 20 or a budget that is not positive. It fails where the loss of the start says nothing about the end:
    catapults, long plateaus, data seen once. Sources: Ni & Talnikar 2019; successive halving after Jamieson &
    Talwalkar 2016; the constants from benchmarks/learning_rate_advice.py.
    """
    task = checked(loss, params, batches, rule, order, seed, states)
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < LEAST:
        raise ValueError(f"steps = {steps!r} is not allowed; give the length of the training, at least {LEAST}.")
    if not (isinstance(budget, int | float | np.number) and 0 < budget < math.inf):
        raise ValueError(f"budget = {budget!r} is not allowed; give the share of the training to spend, such as 0.5.")
    found = limits(task, (1.0,), kept=2, several=1)
    middle = centre(found)
    rates, swept = ramp(task, middle * 10 ** SWEEP[0], middle * 10 ** SWEEP[1], SWEPT, watch(task, 1, 4))
    lowest = lowest_of_sweep(rates, swept)
    marks = [*found, dataclasses.replace(lowest, cost=swept.cost)]
    spent = sum(mark.cost for mark in marks)
    contest = Contest(task, lowest.rate, budget * steps - spent, int(steps))
    return _judged(contest, marks, steps)


def _without_chance(task: Task) -> bool:
    """Whether every step sees the same batch, by a rule for which the limit at the start is exact there."""
    return len(task.batches) == 1 and task.rule.filtered


def _noise(task: Task) -> float:
    """One over the root of the size of a batch; 0 where all data are one batch."""
    return batch_size(task) ** -0.5 if len(task.batches) > 1 else 0.0


def _judged(contest: Contest, marks: Sequence[Mark], steps: int) -> RateAdvice:
    task, further = contest.courses.task, math.log10(max(steps, contest.steps) / contest.steps)
    early, late = (math.log10(contest.best(number)) for number in (0, -1))
    middle, beside = late - DRIFT * _noise(task) * further, BESIDE + WIDENS * further
    limit = next(m.rate for m in marks if m.name == "stability limit")
    certain = _without_chance(task)
    if certain and math.isfinite(limit):
        middle = max(middle, math.log10(NEAR_LIMIT * limit))
    edge = contest.diverged()
    # where short runs converge beyond the limit, the loss is unlike the parabola that it is made for
    capped = certain and late <= math.log10(limit)
    high = min(middle + beside, math.log10(edge) - 0.05, math.log10(limit) if capped else math.inf)
    middle = min(middle, high)
    low = min(middle - beside, late)
    against = _objections(contest, marks, early, late)
    table = _table(contest, marks)
    cost = round(float(np.sum(table["cost"].to_numpy())), 1)
    reasons = [
        f"short runs of up to {contest.steps} steps: the loss is lowest near {10**late:.3g} (near {10**early:.3g} "
        f"after a quarter of them), {contest.fall():.0%} below the start.",
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


def _objections(contest: Contest, marks: Sequence[Mark], early: float, late: float) -> list[str]:
    """Why there should be no advice; empty where there should."""
    found = []
    if not contest.fall() > 0:
        return ["no rate that was tried makes the loss fall: look at the loss, the data, or the start."]
    end = contest.end()
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


def _table(contest: Contest, marks: Sequence[Mark]) -> pd.DataFrame:
    rows = [dataclasses.asdict(m) for m in marks]
    each = contest.courses.cost / len(contest.tried())
    for rate, (steps, loss) in contest.reached().items():
        words = f"loss {loss:.4g} after {steps} steps"
        rows.append(dataclasses.asdict(Mark("short run", rate, rate, rate, each, words)))
    return pd.DataFrame(rows).set_index("name").sort_values("rate")
