"""What a problem declares beside its parameters: observables, events, remarks, and the axes that they run along."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .events import Detector

__all__ = ["Axis", "Event", "Observable", "Remark", "as_axis"]

# dims that every result may have: no declared axis takes their names
RESERVED = ("seed", "time", "time2", "claim", "flow_time", "outcome")


@dataclasses.dataclass(frozen=True)
class Axis:
    """A dim of a variable that carries its coordinate, the `words` and the `unit` of it.

    `coordinate` gives the values along it: a list or array of numbers or of words, a function of the problem, or the
    name under which a theory returns them beside its variables (where they hang on the data); None is 0, ..., n-1.
    Raises ValueError for a name that results keep for themselves.
    """

    name: str
    coordinate: Callable[[Any], Any] | Sequence[Any] | np.ndarray | str | None = None
    words: str = ""
    unit: str = ""

    def __post_init__(self) -> None:
        if self.name in RESERVED or not self.name.isidentifier():
            raise ValueError(
                f"an axis cannot be called {self.name!r}; give a name in one word other than {', '.join(RESERVED)} "
                "(a variable over time has the plain dim 'time')."
            )
        if isinstance(self.coordinate, list | np.ndarray):
            # a declaration is compared and hashed
            object.__setattr__(self, "coordinate", tuple(np.asarray(self.coordinate).tolist()))

    def given(self, problem: Any) -> np.ndarray | None:
        """The values along it, where they are known before any theory speaks."""
        if self.coordinate is None or isinstance(self.coordinate, str):
            return None
        return np.asarray(self.coordinate(problem) if callable(self.coordinate) else self.coordinate)


def as_axis(dim: str | Axis) -> Axis | None:
    """The axis of a declared dim: a name alone is a plain index; None for the times of the run."""
    if isinstance(dim, Axis):
        return dim
    return None if dim in ("time", "time2") else Axis(dim)


@dataclasses.dataclass(frozen=True)
class Observable:
    """A named curve. `needs` names a field: the curve exists only where that field is not 0.

    `dims`: its axes beside time, as `Axis` or, for a plain index without words, by name alone.
    `natural` is the size that percentages refer to, a number or a function of the problem, where the curve has one (the
    width of its bounds is taken if it has two; else the largest predicted value).
    `whole`: it counts things, and so jumps; a run that jumps a moment later is no other run.
    `counted(problem)`: over how many cases a share of them is counted, such as an accuracy over so many points.
    `pair` makes it a function of two times (dims `time`, `time2`): `observe` then returns what is remembered of one
    moment, and `pair(now, then)` is the value at `time` and `time2`, made of what was remembered at both.
    """

    name: str
    words: str
    symbol: str = ""
    unit: str = ""
    dims: tuple[str | Axis, ...] = ()
    low: float | None = None
    high: float | None = None
    log: bool = False
    needs: str | None = None
    natural: float | Callable[[Any], float] | None = None
    whole: bool = False
    counted: Callable[[Any], float] | None = None
    pair: Callable[[Any, Any], Any] | None = None

    def exists_in(self, problem: Any) -> bool:
        """Whether this curve is defined for these parameters."""
        if self.needs is None:
            return True
        value = getattr(problem, self.needs)
        return value != 0 if isinstance(value, float) else bool(np.any(np.asarray(value) != 0))


@dataclasses.dataclass(frozen=True)
class Event:
    """One number read from a run by a named detector; `absent` says what a NaN means. `unit` "clock" follows times.

    `bluntness` multiplies the resolution asked of a comparison: a best time at a flat optimum is ill determined by
    nature, since missing it costs next to nothing. `level_of` names the curve of which the event is a value. `dims` are
    those of an observable without time. `may_be_lost`: a NaN may mean that the run can no longer be read (too small to
    tell from rounding), and not that nothing happened; a prediction is then not at fault for having a number.
    """

    name: str
    words: str
    detector: Detector
    absent: str
    unit: str = "clock"
    dims: tuple[str | Axis, ...] = ()
    bluntness: float = 1.0
    level_of: str = ""
    may_be_lost: bool = False


@dataclasses.dataclass(frozen=True)
class Remark:
    """A sentence that belongs beside the results whenever `when(problem)` is true.

    `amount`: what stands for {amount} in the words; `slow`: a reason why a flow may need very many steps.
    """

    words: str
    when: Callable[[Any], bool]
    amount: Callable[[Any], float] | None = None
    slow: bool = False

    def told(self, problem: Any) -> str:
        """The sentence about this problem."""
        return self.words if self.amount is None else self.words.format(amount=self.amount(problem))
