"""What is known without training: theories, the assumptions they rest on, and how hard a problem presses on them."""

import abc
import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from jaxtyping import Array

from .assumptions import Assumption as Assumption
from .assumptions import Setting as Setting
from .assumptions import structural as structural
from .fields import Parametrised
from .problem import Axis, Problem

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar

P = TypeVar("P", bound=Problem)
ClaimKind = Literal["value", "upper", "lower", "rate", "limit"]


class TheoryWarning(UserWarning):
    """A theory was asked outside its declared regime; its answer is given all the same."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a formula comes from: a key of references.bib and the place in it."""

    key: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.key}, {self.place}" if self.place else self.key


@dataclasses.dataclass(frozen=True)
class Claim:
    """How a variable is meant: a value, a one-sided bound, a rate over `window`, or a limit reached within `approach`.

    `window(problem, times)` gives the start and end of the times over which a `rate` is read (slope on the
    observable's scale), out of those that are looked at. `approach(setting)` is the distance from a `limit` that the
    theory declares for this case (`Setting`: problem, times, and the seed's data and start). `time=False`: a curve is
    told as one number without time axis, which is compared with the end of the run and drawn at all times.
    """

    kind: ClaimKind = "value"
    window: Callable[[Any, np.ndarray], tuple[float, float]] | None = None
    approach: Callable[[Setting], float] | None = None
    time: bool = True


VALUE = Claim()


@dataclasses.dataclass(frozen=True)
class Variable:
    """What only theories speak of, such as the jump times of a limit. `dims`: its axes, as `Axis` or by name alone.

    A variable over the times of the run names the dim "time" itself (and "time2", if it is about two times).
    """

    name: str
    words: str
    unit: str = ""
    dims: tuple[str | Axis, ...] = ()


@dataclasses.dataclass(frozen=True)
class FiniteSize:
    """What a limit leaves out for one variable: `amount` at this size, falling like size**(-order).

    `amount` is for the mean over seeds, in the units of the variable (relative where `relative`). Where the error
    depends on the very start or draw, the theory predicts its measure as an own variable, and `per` names it: then the
    amount is multiplied by that variable's largest value in the prediction, `most` at the most (the edge of the
    regime: beyond it no error is declared), and `floor` is added.
    """

    amount: float
    order: float
    relative: bool = False
    per: str | None = None
    most: float = math.inf
    floor: float = 0.0

    def within(self, told: Any) -> float:
        """The amount for a prediction: arrays by name, labelled or not."""
        factor = 1.0 if self.per is None else float(np.max(np.abs(np.asarray(told[self.per]))))
        return self.amount * min(factor, self.most) + self.floor


class Theory(Parametrised, Generic[P]):
    """A solver that never trains. Names its problems, source, assumptions, and what it conditions on.

    Shipped theories inherit one of its kinds, which say what a reader may expect: Exact, Limit, Estimate, Certificate,
    Asymptote. A theory that inherits this class alone declares all of it, term by term.
    """

    # its kind, in the words of whoever chooses a theory from a list
    standing: ClassVar[str] = "as declared"

    of: AbstractClassVar[tuple[type[Problem], ...]]
    source: AbstractClassVar[tuple[Source, ...]]
    assumptions: AbstractClassVar[tuple[Assumption, ...]]
    conditions_on: AbstractClassVar[tuple[str, ...]]
    speaks_of: AbstractClassVar[tuple[str, ...]]
    claims: ClassVar[Mapping[str, Claim | tuple[Claim, ...]]] = {}
    shapes: ClassVar[tuple[str, ...]] = ()
    # whether the answer for a draw is an estimate from it, right in the mean over draws and not for each
    estimates: ClassVar[bool] = False
    # share by which values may be off beyond finite_size, as measured: of two that apply the smaller answers first
    declared_error: ClassVar[float] = 0.0
    own: ClassVar[tuple[Variable, ...]] = ()
    # events of which NaN means that nothing is said, not that they do not happen; and when that is
    unsaid: ClassVar[Mapping[str, str]] = {}

    def prepare(self, problem: P, times: np.ndarray) -> "Theory[P]":
        """A copy with all counts fixed (quadrature nodes) that this problem and these times ask for; often `self`."""
        return self

    @abc.abstractmethod
    def predict(self, problem: P, data: Any, start: Any, times: Array) -> dict[str, Any]:
        """The curves (time first) and events (no time) that it speaks about, for the observables it chooses.

        A name with claims of several kinds has a dictionary of arrays by kind: {"lower": ..., "upper": ...}.
        """

    @abc.abstractmethod
    def finite_size(self, problem: P) -> Mapping[str, FiniteSize]:
        """Size and order of what the limit leaves out, by variable; empty for an exact theory."""

    @classmethod
    def example(cls) -> Problem:
        """A small problem on which it speaks, for the contract: the first example of its first class, unless said."""
        return cls.of[0].examples()[0]

    def applies(self, problem: Any) -> bool:
        """Whether it can speak about this problem at all, as far as a cheap look tells; strains say how well."""
        return isinstance(problem, self.of) and all(a.holds is None or a.holds(problem) for a in self.assumptions)

    @classmethod
    def claims_of(cls, name: str) -> tuple[Claim, ...]:
        """How a variable is meant, one claim of each kind; a plain value unless declared."""
        found = cls.claims.get(name, VALUE)
        return found if isinstance(found, tuple) else (found,)

    def broken_promises(self, problem: P) -> list[str]:
        """Sentences about what this theory declares although its kind rules it out; none as a rule."""
        return []

    def _judged(self, problem: P, kind: ClaimKind) -> list[str]:
        """The curves and events of a problem about which it makes a claim of this kind."""
        names = [v.name for v in (*problem.observables, *problem.events) if v.name in self.speaks_of]
        return [name for name in names if any(claim.kind == kind for claim in self.claims_of(name))]


class _Termless(Theory[P], Generic[P]):
    """No finite-size term unless an heir declares one, as a bound or an estimate in a limit does."""

    def finite_size(self, problem: P) -> Mapping[str, FiniteSize]:
        return {}


class Exact(_Termless[P], Generic[P]):
    """Right at every size: the run itself where draw and start are given, else its mean over what is not.

    `compare` grants no finite-size term: only the tolerance of the integrators, a declared margin of the problem, and,
    where a mean is claimed, the error of the mean over seeds.
    """

    standing: ClassVar[str] = "exact"

    def broken_promises(self, problem: P) -> list[str]:
        left = sorted(self.finite_size(problem))
        said = [f"it is Exact, but declares a finite-size term for {left}; inherit Limit."] if left else []
        return said + (["it is Exact, but answers by an estimate; inherit Estimate."] if self.estimates else [])


class Limit(Theory[P], Generic[P]):
    """Right in a limit (many inputs, a wide network, small steps), with a declared term for what a case leaves of it.

    `compare` adds `finite_size` to the allowance of each functional, so that a case far from the limit is hard to
    confirm, but a disagreement beyond the term contradicts the theory. Without a term a variable is told for the eyes
    or holds at every size.
    """

    standing: ClassVar[str] = "limit, error declared"

    @abc.abstractmethod
    def finite_size(self, problem: P) -> Mapping[str, FiniteSize]:
        """Size and order of what the limit leaves out, by variable: derived or measured by an order test."""


class Estimate(_Termless[P], Generic[P]):
    """An estimate from one draw: right in the mean over draws, and not for each.

    `compare` judges the mean over seeds with its statistical error even where draw and start are given;
    `declared_error` is the share by which values were measured to be off beyond that.
    """

    standing: ClassVar[str] = "estimate from the data"
    estimates: ClassVar[bool] = True

    def broken_promises(self, problem: P) -> list[str]:
        sound = self.estimates and "draw" in self.conditions_on
        return [] if sound else ["it is an Estimate, but not `estimates` from the draw that it conditions on."]


class Certificate(_Termless[P], Generic[P]):
    """A guarantee about every run, not its curve: upper and lower bounds, which may be far from what happens.

    `compare` judges one side only: a run within a bound confirms nothing but the bound. It claims no curve or event of
    a problem as a value; where no theory is named, those that do are asked before it.
    """

    standing: ClassVar[str] = "guaranteed bound"

    def broken_promises(self, problem: P) -> list[str]:
        values = self._judged(problem, "value")
        bounds = self._judged(problem, "upper") or self._judged(problem, "lower")
        said = [f"it is a Certificate, but claims the values of {values}; claim bounds."] if values else []
        return said if bounds else [*said, "it is a Certificate, but bounds nothing that its problem shows."]


class Asymptote(_Termless[P], Generic[P]):
    """Where runs end, or how fast they get there: limits and rates, reached late or at small scale.

    `compare` reads a limit at the end of the run, within the `approach` that the claim declares ("consistent" while the
    run is on its way), and a rate over the claim's window. It claims no curve or event of a problem as a value.
    """

    standing: ClassVar[str] = "asymptotic law"

    def broken_promises(self, problem: P) -> list[str]:
        values = self._judged(problem, "value")
        return [f"it is an Asymptote, but claims the values of {values}; claim limits or rates."] if values else []
