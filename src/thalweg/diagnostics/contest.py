"""Short runs at a few learning rates that go on in rounds, fewer and longer each time, within a budget of gradients."""

import math
from collections.abc import Sequence

import numpy as np

from .own_loss import FORWARD, Courses, Task
from .regimes import DIVERGENT, regimes
from .step_marks import watch

APART = 0.5  # decades between neighbours
OFFSETS = (-1.5, -1.0, -0.5, 0.0)  # decades from the lowest point of the sweep
ROUNDS = ((4, 1), (3, 2), (2, 4))  # how many rates go on, and to how many units of steps
LOOKS = (0.7, 0.8, 0.9, 1.0)  # of the length so far
READING = 0.1  # share of the budget that goes into readings of the loss, at least
LEAST = 12  # steps of the first round
WIDER = 3  # rates added to a round, at most, where its best one stands at an end


class Contest:
    """Four rates half a decade apart; the best three go on to twice the steps, the best two to four times.

    `budget`: gradients to spend, as far as it allows 12 steps in the first round; `longest`: no run is longer.
    Where the best of a round stands at an end of all that were tried, the next rate joins in. `levels`: a round's
    losses by rate, the median of four readings over the last 30 % of its steps; inf where one is not finite.
    """

    def __init__(self, task: Task, middle: float, budget: float, longest: int) -> None:
        counts, lengths = zip(*ROUNDS, strict=True)
        units = float(np.dot(counts, np.diff(lengths, prepend=0)))
        readings = sum(counts) * len(LOOKS) * FORWARD
        # at least four batches and eight samples
        watched = min(len(task.batches), max(watch(task, 4, 8), int(READING * budget / readings)))
        unit = min(max(LEAST, round((budget - watched * readings) / units)), longest // lengths[-1])
        self.courses = Courses(task, watched)
        self.levels: list[dict[float, float]] = []
        rates = (middle * 10.0 ** np.asarray(OFFSETS)).tolist()
        for count, length in ROUNDS:
            chosen = rates if not self.levels else _lowest(self.levels[-1], count)
            self._round(chosen, length * unit)
        self.steps = lengths[-1] * unit

    def _round(self, rates: Sequence[float], steps: int) -> None:
        found: dict[float, float] = {}
        self.levels.append(found)
        for _ in range(1 + WIDER):
            found |= {rate: self._level(rate, steps) for rate in rates}
            end = self.end()
            if end == 0:
                return
            tried = self.tried()
            rates = [(tried[-1] if end > 0 else tried[0]) * 10.0 ** (APART * end)]

    def _level(self, rate: float, steps: int) -> float:
        read = self.courses.extend(rate, np.round(np.asarray(LOOKS) * steps))
        return float(np.median(read)) if np.isfinite(read).all() else math.inf

    def tried(self) -> list[float]:
        """All rates so far, in order."""
        return sorted(self.courses.losses)

    def best(self, number: int = -1) -> float:
        """The rate that was best in this round: of equal ones the smallest."""
        return _lowest(self.levels[number], 1)[0]

    def end(self) -> int:
        """1 or -1 where the best rate of the last round is the highest or the lowest of all tried, else 0."""
        best, tried = self.best(), self.tried()
        if not math.isfinite(self.levels[-1][best]):
            return -1 if best == tried[0] else 0
        return int(best == tried[-1]) or -int(best == tried[0])

    def reached(self) -> dict[float, tuple[int, float]]:
        """Steps of each rate's run, and its loss there (the median of the last readings), in order of the rates."""
        last = {rate: level for levels in self.levels for rate, level in levels.items()}
        return {rate: (self.courses.steps(rate), last[rate]) for rate in self.tried()}

    def fall(self) -> float:
        """How far the best rate brought the loss down, as a share of the first loss."""
        first = self.courses.first
        return (first - self.levels[-1][self.best()]) / abs(first) if first != 0 else 0.0

    def diverged(self) -> float:
        """The smallest rate above the best whose run diverged; inf if none did."""
        lost = [
            rate
            for rate, losses in self.courses.losses.items()
            if rate > self.best() and regimes(np.asarray([[self.courses.first, *losses]]))[0] == DIVERGENT
        ]
        return min(lost, default=math.inf)


def _lowest(levels: dict[float, float], count: int) -> list[float]:
    """The rates of the lowest losses, in order of the rates."""
    return sorted(sorted(levels, key=lambda rate: (levels[rate], rate))[:count])
