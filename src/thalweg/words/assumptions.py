"""Assumptions as numbers: how hard a case presses on a theory, measured on the problem, its draw and its start."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .draws import first_case


@dataclasses.dataclass(frozen=True)
class Assumption:
    """One assumption as a number: `strain(setting)` is 0 where it holds exactly, 1 at the edge of the regime.

    Above 1 it is broken; inf means structurally impossible. `words` say what 1 means. `holds(problem)` is a cheap test
    of what the problem itself rules out, asked before any strain is measured: where it fails the strain is inf.
    `broken_by(problem)` makes of a problem on which the theory speaks (its `example`, mostly) a legal one that breaks
    this assumption; the contract asks it, nothing else does. Where theories share an assumption and need other problems
    to break it, `dataclasses.replace(SHARED, broken_by=...)` says so.
    """

    name: str
    words: str
    strain: Callable[["Setting"], float]
    holds: Callable[[Any], bool] | None = None
    broken_by: Callable[[Any], Any] | None = None

    def asks_the_case(self, setting: "Setting") -> bool:
        """Whether its strain depends on the draw or the start, so that every seed has one of its own."""
        return self.holds is None and asks_the_case(self.strain, setting)


def asks_the_case(function: Callable[["Setting"], float], setting: "Setting") -> bool:
    """Whether a function of a case looks at the draw or the start."""
    try:
        function(_Unseen(setting.problem, given_times=setting.given_times))
    except _AskedError:
        return True
    return False


def structural(
    name: str, words: str, holds: Callable[[Any], bool], broken_by: Callable[[Any], Any] | None = None
) -> Assumption:
    """An assumption that a problem meets exactly or not at all."""
    return Assumption(name, words, lambda setting: 0.0 if holds(setting.problem) else math.inf, holds, broken_by)


@dataclasses.dataclass
class Setting:
    """The case on which assumptions are measured; a draw or a start is made only when an assumption asks for it."""

    problem: Any
    given_data: Any = None
    given_start: Any = None
    given_times: Any = None

    @property
    def times(self) -> np.ndarray:
        """The given times, or the problem's horizon, on the rule's clock."""
        return self.problem.horizon() if self.given_times is None else np.asarray(self.given_times, dtype=np.float64)

    @functools.cached_property
    def _case(self) -> tuple[Any, Any]:
        return first_case(self.problem, (self.given_data, self.given_start))

    @property
    def data(self) -> Any:
        """The given data, or the draw of seed 0."""
        return self._case[0] if self.given_data is None else self.given_data

    @property
    def start(self) -> Any:
        """The given start, or the start of seed 0."""
        return self._case[1] if self.given_start is None else self.given_start


class _AskedError(Exception):
    """The draw or the start was looked at."""


class _Unseen(Setting):
    """A case whose draw and start nobody may see."""

    @property
    def data(self) -> Any:
        raise _AskedError

    @property
    def start(self) -> Any:
        raise _AskedError
