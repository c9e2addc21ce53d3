"""What to do, with a reason: recommendations about a problem, each with its interval and the evidence for it."""

import abc
import dataclasses
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from .fields import Parametrised, unknown
from .html_table import html_table
from .problem import Problem
from .theory import FiniteSize, Setting

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
else:
    from equinox import AbstractClassVar


@dataclasses.dataclass(frozen=True)
class Recommendation:
    """One number to choose, or to expect: `value` within [`low`, `high`], and the sentence why.

    `name` is one of few words in the style of an observable (`stopping_time`); `unit` the clock or unit of the value;
    `level` how sure the interval is (0.9: nine times in ten; NaN where it is a bound that holds always); `evidence`
    the numbers that speak for it, by name; `source` the formula's. A value of NaN is no advice: the reason says what
    stands against it.
    """

    name: str
    value: float
    reason: str
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    level: float = math.nan
    evidence: Mapping[str, float] = dataclasses.field(default_factory=dict)
    source: str = ""

    def interval(self) -> str:
        """`low to high`, empty where there is none."""
        return "" if math.isnan(self.low) and math.isnan(self.high) else f"{self.low:.4g} to {self.high:.4g}"

    def __str__(self) -> str:
        head = f"{self.name.replace('_', ' ')}: {self.value:.4g}" if not math.isnan(self.value) else self.title()
        between = self.interval()
        sure = f", {self.level:.0%}" if between and not math.isnan(self.level) else ""
        head += f" ({between}{sure})" if between else ""
        told = [f"{k.replace('_', ' ')} = {v:.4g}" for k, v in self.evidence.items()]
        lines = [f"{head} {self.unit}".rstrip(), self.reason, *([f"Evidence: {', '.join(told)}."] if told else [])]
        lines += [f"Source: {self.source}."] if self.source else []
        return "\n".join([lines[0], *(textwrap.indent(textwrap.fill(line, 98), "  ") for line in lines[1:])])

    def title(self) -> str:
        """The heading where there is no value."""
        return f"{self.name.replace('_', ' ')}: no advice"


class Plan(NamedTuple):
    """What one gets and how: `lines` that come first, and `make`, which takes the transformer of a user's table (or
    none) and gives an estimator of scikit-learn that does as advised, not fitted."""

    lines: tuple[str, ...]
    make: Callable[[Any], Any]


@dataclasses.dataclass(frozen=True)
class Advice:
    """All recommendations about a problem: printed as text, by name as `advice["ridge"]`, as a table by `.table()`.

    `about`: lines on what the problem was made of, where it was made of a user's table. `plan`: what one gets, and how.
    """

    subject: str
    items: tuple[Recommendation, ...]
    about: tuple[str, ...] = ()
    plan: Plan | None = None
    transformer: Any = dataclasses.field(default=None, repr=False)

    def estimator(self) -> Any:
        """An estimator of scikit-learn that does as advised, to be fitted to data frames with the columns of the table
        (or to arrays, where the advice is about arrays). ValueError where the advice has none."""
        if self.plan is None:
            raise ValueError(f"there is no estimator for advice about {self.subject}; there is one for tables.")
        from sklearn.base import clone

        return self.plan.make(None if self.transformer is None else clone(self.transformer))

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, name: str) -> Recommendation:
        found = {item.name: item for item in self.items}
        if name not in found:
            raise KeyError(unknown("recommendation", name, list(found)))
        return found[name]

    def table(self) -> Any:
        """The recommendations as a pandas DataFrame: name, value, low, high, level, unit, reason, source."""
        import pandas

        columns = ("name", "value", "low", "high", "level", "unit", "reason", "source")
        return pandas.DataFrame([{c: getattr(item, c) for c in columns} for item in self.items], columns=list(columns))

    def _repr_html_(self) -> str:
        rows = []
        for item in self.items:
            value = "no advice" if math.isnan(item.value) else f"{item.value:.4g} {item.unit}".rstrip()
            sure = "" if math.isnan(item.level) or not item.interval() else f", {item.level:.0%}"
            told = ", ".join(f"{k.replace('_', ' ')} = {v:.4g}" for k, v in item.evidence.items())
            name = item.name.replace("_", " ")
            rows.append((name, value, item.interval() + sure, item.reason, told, item.source))
        lines = (*self.about, *(self.plan.lines if self.plan else ()), f"Advice for {self.subject}")
        head = "".join(f"<p>{escape(line)}</p>" for line in lines)
        return head + html_table(("", "value", "interval", "reason", "evidence", "source"), rows)

    def __str__(self) -> str:
        made = ["\n".join(lines) for lines in (self.about, self.plan.lines if self.plan else ()) if lines]
        return "\n\n".join([*made, f"Advice for {self.subject}", *(str(item) for item in self.items)])


def around(value: float, error: FiniteSize) -> tuple[float, float]:
    """Ends of what a limit leaves out at this size, for a number that is not negative."""
    reach = error.amount * (value if error.relative else 1.0)
    return max(value - reach, 0.0), value + reach


class Adviser(Parametrised):
    """Turns theory into recommendations for the problems in `of`; found by its class, as theories are."""

    of: AbstractClassVar[tuple[type[Problem], ...]]
    # what one gets and how, from what is asked and what `advise` said
    plans: ClassVar[Callable[[Setting, tuple[Recommendation, ...]], Plan] | None] = None
    # what holds for rows of new groups or of later, from what is asked, groups, order, and what `advise` said
    parts: ClassVar[Callable[[Setting, Any, Any, tuple[Recommendation, ...]], tuple[Recommendation, ...]] | None] = None

    @abc.abstractmethod
    def advise(self, setting: Setting) -> tuple[Recommendation, ...]:
        """Recommendations for `setting.problem`, from `setting.data` and `setting.start` where they are needed."""
