"""One line of the error budget."""

import dataclasses

from .chance import Mean
from .fitted import FITTED

# of no single variable
ALL = "all curves"


@dataclasses.dataclass
class Row:
    """One line of the budget; all numbers on the functional's own scale. `mean` is the gap with what chance leaves."""

    name: str
    variable: str
    measure: str
    claim: str
    predicted: float
    measured: float
    mean: Mean
    finite_size: float
    tolerance: float
    margin: float
    scale: float
    approach: float = 0.0
    bluntness: float = 1.0
    grain: float = 0.0
    # by how much controls raise what errors of the curve do
    lever: float = 1.0
    resolved: bool = False
    # whether agreement asks it to be sharp
    asked: bool = True
    # a sentence about a prediction that no number can save
    fault: str = ""
    # why the row is not compared
    left_out: str = ""

    @property
    def gap(self) -> float:
        """Measured - predicted."""
        return self.mean.gap

    @property
    def error(self) -> float:
        """What chance may have done on the side on which the gap lies."""
        return self.mean.error

    @property
    def widest(self) -> float:
        """What chance may do on either side."""
        return self.mean.width

    @property
    def allowance(self) -> float:
        """What may differ without a contradiction, apart from chance."""
        return self.finite_size + self.tolerance + self.margin + self.approach

    @property
    def reach(self) -> float:
        """How large a gap on this side is no contradiction, as a share of the scale."""
        return (self.allowance + self.error) / self.scale

    @property
    def seen(self) -> float:
        """What the run could have seen on either side, as a share of the scale."""
        return (self.allowance + self.widest) / self.scale

    @property
    def blur(self) -> float:
        """What the run leaves open, the way to a limit included, apart from a margin that was granted beforehand."""
        return self.allowance - self.margin + self.widest

    def wanted(self, resolution: float) -> float:
        """How small the blur must be at this resolution: a share of the scale, but not less than one step.

        What is still on its way to a limit need only be nearer to it than the limit's own size.
        """
        share = max(resolution * self.bluntness, 1.0 if self.claim == "limit" else 0.0)
        return max(share * self.scale, self.grain)

    def decides(self, resolution: float, alone: bool) -> bool:
        """Whether agreement asks this row to be sharp.

        Not the value of a random start, in which there is no training yet, unless the start is all there is (`alone`).
        Clock and amplitude of single curves repeat what values say; the clock of all curves together is asked for where
        chance alone can blur it.
        """
        if self.measure == "start":
            return alone or self.widest == 0
        if self.measure not in FITTED:
            return True
        return self.variable == ALL and 2 * (self.allowance - self.margin) <= self.wanted(resolution)

    @property
    def agrees(self) -> bool:
        """Whether the gap lies inside allowance + error; a bound is one-sided."""
        if self.fault:
            return False
        reach = self.allowance + self.error
        if self.claim == "upper":
            return self.gap <= reach
        return self.gap >= -reach if self.claim == "lower" else abs(self.gap) <= reach
