"""Pictures beside the curves in time that a problem asks for: declarations alone, drawn by the faces."""

import abc
import dataclasses
from typing import Any

__all__ = ["Growth", "Matrices", "Paths", "View"]


@dataclasses.dataclass(frozen=True)
class View(abc.ABC):
    """A named picture of one result; what it shows is one of the classes below."""

    name: str
    words: str

    @abc.abstractmethod
    def needs(self) -> tuple[str, ...]:
        """Names of the observables that must stand in a result for this picture to be drawn."""


@dataclasses.dataclass(frozen=True)
class Growth(View):
    """Every component of `of` in one run on a logarithmic axis, the same of each theory dashed, times of events marked.

    Straight lines are exponential growth; their slope is the rate.
    """

    of: str = ""

    def needs(self) -> tuple[str, ...]:
        return (self.of,)


@dataclasses.dataclass(frozen=True)
class Paths(View):
    """Every component of one run in the plane: logarithm of `radius` outwards, at the angle whose cosine is `cosine`.

    Angle 0 is full alignment; the half plane below mirrors every second component, so that fewer paths overlap.
    """

    radius: str = ""
    cosine: str = ""

    def needs(self) -> tuple[str, ...]:
        return self.radius, self.cosine


@dataclasses.dataclass(frozen=True)
class Matrices(View):
    """Matrix observables `of` of one run at a few times from start to end, training above, theories below."""

    of: tuple[str, ...] = ()
    snapshots: int = 5

    def needs(self) -> tuple[str, ...]:
        return self.of


def views_of(kind: Any, present: set[str]) -> list[View]:
    """The views that a problem class declares and for which all that they need is there."""
    return [view for view in getattr(kind, "views", ()) if set(view.needs()) <= present]
