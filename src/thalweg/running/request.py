"""What a verb was asked: problem, times, seeds, data and start, checked once at the border and carried as one thing."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..computing.parallel import Batch, parts_of
from ..words.draws import Case, cases, completed, first_case
from ..words.problem import Macrostate, Problem, random_parts
from ..words.theory import Setting

Seeds = int | Sequence[int]
# draws that one request keeps, so that training and theories of the draw make each of them once
KEPT_BYTES = 256 * 2**20
# what steps in float64 can meet
LEAST_TOLERANCE = 1e-13
MOST_SEEDS = 1_000_000


def seed_list(seeds: Any) -> list[int]:
    """0..n-1 for an integer n, or the given whole numbers below 2^63; ValueError otherwise."""
    counted = isinstance(seeds, int | np.integer) and not isinstance(seeds, bool)
    if counted and seeds > MOST_SEEDS:
        raise ValueError(f"seeds = {seeds} is not allowed; give at most {MOST_SEEDS}, and others in another call.")
    wanted: Any = range(int(seeds)) if counted else seeds
    try:
        found = [int(s) for s in wanted]
        whole = all(int(s) == s and 0 <= s < 2**63 for s in wanted)
    except (TypeError, ValueError):
        found, whole = [], False
    if not found or not whole or len(set(found)) < len(found):
        said = f"seeds = {seeds!r} is not allowed; give a number >= 1, or different whole numbers from 0 to 2^63 - 1"
        raise ValueError(f'{said} ("enough" is for compare).' if isinstance(seeds, str) else f"{said}.")
    return found


def time_axis(problem: Problem, times: Any) -> np.ndarray:
    """Times as the rule's clock counts them; the problem's own horizon where none are given.

    Raises ValueError where they decrease, repeat, are negative, not finite, or no whole steps (within 1e-9).
    """
    axis = np.asarray(problem.horizon() if times is None else times)
    if axis.dtype.kind not in "fiu" or axis.ndim > 1 or axis.size == 0:
        raise ValueError(f"times must be a list of numbers; they were {axis!r:.60}.")
    axis = np.atleast_1d(axis).astype(np.float64)
    if not np.all(np.isfinite(axis)) or axis[0] < 0 or np.any(np.diff(axis) <= 0):
        bad = next((i for i in range(axis.size) if not axis[i] >= 0 or (i and not axis[i] > axis[i - 1])), 0)
        raise ValueError(
            f"times must be finite, >= 0 and increasing; entry {bad} is {axis[bad]:g}. Sort them and drop repeats."
        )
    unit = problem.rule.steps_per_unit(problem)
    if unit is not None:
        steps = axis * unit
        off = np.abs(steps - np.round(steps)) > 1e-9 * np.maximum(1.0, np.abs(steps))
        if np.any(off):
            first = axis[np.argmax(off)]
            raise ValueError(
                f"time {first:g} is no whole step of {type(problem.rule).__name__} (clock: {problem.rule.clock}); "
                f"the nearest is {round(first * unit) / unit:g}."
            )
        axis = np.round(steps) / unit
    return axis


def what_ended(done: Sequence[int] | None, wanted: Sequence[int], verb: str) -> str:
    """Which seeds had ended when Ctrl-C came, and how to go on."""
    if done is None or len(done) == len(wanted):
        return f"the whole of {verb} is in `.finished`"
    if not done:
        return f"no seed of {verb} had ended; call it again"
    rest = [s for s in wanted if s not in set(done)]
    return (
        f"{len(done)} of {len(wanted)} seeds are in `.finished`; {verb}(..., seeds={_short(rest)}) does the others "
        "(xarray.concat joins them along seed)"
    )


def _short(seeds: Sequence[int]) -> str:
    whole = list(range(seeds[0], seeds[-1] + 1))
    return f"range({seeds[0]}, {seeds[-1] + 1})" if list(seeds) == whole else str(list(seeds))


def ticks_of(problem: Problem, axis: np.ndarray) -> np.ndarray:
    """Flow times, or whole steps."""
    unit = problem.rule.steps_per_unit(problem)
    return axis if unit is None else np.round(axis * unit).astype(np.int64)


def given(problem: Any, data: Any, start: Any) -> tuple[Any, Any]:
    """A user's data and start in the problem's form; a macrostate stands for both."""
    if isinstance(problem, type) and issubclass(problem, Problem):
        raise ValueError(f"{problem.__name__} is the class of a problem; call it: {problem.__name__}(...).")
    if not isinstance(problem, Problem):
        raise ValueError(
            f"a problem is wanted, such as tw.LinearClassifier(...); it was given {type(problem).__name__}."
        )
    begin = None if start is None else problem.as_start(start)
    if isinstance(begin, Macrostate):
        if data is not None and data is not start:
            raise ValueError(
                f"start = {type(begin).__name__}(...) fixes what matters of the draw, too; leave data out."
            )
        return begin, begin
    return None if data is None else problem.as_data(data), begin


def tightened(tolerance: float, factor: float) -> float:
    """A tolerance so many times tighter; where steps in float64 cannot meet that, a looser one, which shows more."""
    tight = tolerance / factor
    return tight if factor <= 10 or tight >= LEAST_TOLERANCE else tolerance * factor / 10


class _Kept:
    """Draws made so far, up to KEPT_BYTES in all; read and written by several threads."""

    def __init__(self) -> None:
        self.lock, self.found, self.size = threading.Lock(), dict[Any, Case](), 0

    def keep(self, key: Any, drawn: Case) -> None:
        size = sum(leaf.nbytes for leaf in jax.tree.leaves((drawn.data, drawn.start)))
        with self.lock:
            if key not in self.found and self.size + size <= KEPT_BYTES:
                self.found[key] = drawn
                self.size += size


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """A problem, the times to look at (on its rule's clock), the seeds, and a user's data and start (None: drawn).

    Draws are made when first asked for, once for each batch of seeds, and kept. Made and used under float64.
    """

    problem: Problem
    axis: np.ndarray
    seeds: tuple[int, ...] = (0,)
    data: Any = None
    start: Any = None
    _kept: _Kept = dataclasses.field(default_factory=_Kept, repr=False)

    @classmethod
    def of(cls, problem: Any, times: Any = None, seeds: Seeds = 1, data: Any = None, start: Any = None) -> "Request":
        """The request, checked: ValueError for bad times, seeds, or misfitting data."""
        data, start = given(problem, data, start)
        return cls(problem, time_axis(problem, times), tuple(seed_list(seeds)), data, start)

    @property
    def given(self) -> tuple[Any, Any]:
        """Data and start of the user."""
        return self.data, self.start

    @property
    def macrostate(self) -> bool:
        """Whether the start is told by the few numbers that a theory follows."""
        return isinstance(self.start, Macrostate)

    @property
    def named(self) -> list[str]:
        """Which of the two the user gave; a macrostate is a start."""
        return [n for n, v in (("data", self.data), ("start", self.start)) if v is not None]

    @cached_property
    def ticks(self) -> np.ndarray:
        """Flow times, or whole steps."""
        return ticks_of(self.problem, self.axis)

    @cached_property
    def setting(self) -> Setting:
        """The case on which assumptions are measured."""
        return Setting(self.problem, self.data, self.start, self.axis)

    @cached_property
    def random(self) -> frozenset[str]:
        """What differs from seed to seed: "draw" and "start", unless given or declared the same, the rule's "path".

        A macrostate fixes what matters; the weights that have it are random all the same.
        """
        fixed = {n for n in self.named if not self.macrostate}
        parts = {"draw", "start"} if self.macrostate else {p for p, d in random_parts(self.problem).items() if d}
        fixed = {{"data": "draw"}.get(n, n) for n in fixed}
        return frozenset((parts - fixed) | ({"path"} if self.problem.rule.random else set()))

    @cached_property
    def common_draw(self) -> Any:
        """The user's data, or the draw of a problem that has only one; None where draws differ."""
        if self.data is not None or "draw" in self.random:
            return self.data
        return first_case(self.problem, self.given)[0]

    def cases(self, part: Batch) -> Case:
        """Draws and starts of a batch of seeds."""
        key = (part.count, np.asarray(part.seeds).tobytes())
        if key not in self._kept.found:
            self._kept.keep(key, drawn := cases(self.problem, self.given, part))
            return drawn
        return self._kept.found[key]

    def settings(self) -> Iterator[Setting]:
        """The case of each seed in turn, as assumptions are measured on it; draws are those that are kept."""
        for part in parts_of(self.seeds):
            drawn = self.cases(part)
            data, start = jax.tree.map(np.asarray, (drawn.data, drawn.start))
            for i in range(part.count):
                pick = partial(jax.tree.map, lambda leaf, i=i: jnp.asarray(leaf[i]))
                own = Case(pick(data), pick(start), drawn.path)
                yield Setting(self.problem, *completed(own, self.given), self.axis)

    def only(self, seeds: Sequence[int]) -> "Request":
        """The same for some of the seeds."""
        return dataclasses.replace(self, seeds=tuple(seeds))

    def about(self, problem: Problem, axis: np.ndarray) -> "Request":
        """The same asked of another problem of the same kind, whose draws are its own."""
        return Request(problem, axis, self.seeds, self.data, self.start)

    def alike(self, problem: Problem, times: Any) -> "Request":
        """The same asked of another problem, for which the times are read anew where its rule counts otherwise."""
        rule, own = problem.rule, self.problem
        same = rule is own.rule and (rule.continuous or rule.steps_per_unit(problem) == rule.steps_per_unit(own))
        return self.about(problem, self.axis if same else time_axis(problem, times))

    def tightened(self, factor: float) -> "Request | None":
        """The same with a rule whose tolerance is `factor` times smaller; None for a rule that has none."""
        tolerance = getattr(self.problem.rule, "tolerance", None)
        if tolerance is None:
            return None
        # draws may not depend on the rule: the kept ones serve
        tight = eqx.tree_at(lambda p: p.rule.tolerance, self.problem, tightened(tolerance, factor))
        return dataclasses.replace(self, problem=tight)
