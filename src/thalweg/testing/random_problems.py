"""Random legal problems inside the regime of a theory, from a seed: small enough to train in seconds."""

import dataclasses
import functools
import inspect
import itertools
import math
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..catalogue import choice, registry
from ..computing.float64 import float64
from ..rules import SGD, GradientDescent, GradientFlow, HeavyBall, Nesterov, OnePassSGD
from ..words.fields import Parameter, parameters, vary
from ..words.problem import Problem, scalars
from ..words.theory import Setting, Theory
from .declared import problems_of

# laws of motion under which a problem is tried beside its own
RULES = (
    GradientFlow(),
    GradientDescent(0.05),
    HeavyBall(0.05, 0.6),
    Nesterov(0.05, 0.6),
    SGD(0.02),
    OnePassSGD(0.3),
    OnePassSGD(0.02),
)
# how many times are looked at, and how many whole steps are made at the most
POINTS, MOST_STEPS = 41, 20_000
# sizes are doubled until a theory declares no more than this, as far as a problem holds no more numbers than that
SHARP_ENOUGH, MOST_NUMBERS = 0.04, 40_000
# a theory of the beginning of training is asked about a part of the horizon
PARTS = (1.0, 0.2, 0.04)
# problems of different shapes or rules for each theory: each costs a compilation
MOST_BASES = 6
# numbers of the integrator and of the rule that are no physics
NUMERICAL = ("tolerance", "smallest_step", "step_ceiling")
TRIES = 24


class Case(NamedTuple):
    """A problem in the regime of a theory, and the times at which both are looked at."""

    theory: Theory
    problem: Problem
    times: np.ndarray


def claims_values(kind: type[Theory]) -> bool:
    """Whether a theory claims the value of some curve or event that runs of its problems show."""
    shown = {v.name for one in problems_of(kind()) for v in (*one.observables, *one.events)}
    return any(claim.kind == "value" for name in kind.speaks_of if name in shown for claim in kind.claims_of(name))


def random_case(kind: type[Theory], seed: int) -> Case:
    """A random legal problem on which all strains of a theory are below 1; the same seed gives the same problem.

    One of `bases(kind)` in turn, every scalar and vector entry of which is changed with some chance: by a factor
    between 1/3 and 3 (log-uniform), or from 0 to something small; the end of the times by a factor between 1/2 and 2.
    Where that leaves the regime, or is not legal, another change is tried, the more timid the longer it takes. Sizes
    are those of the bases, so that compiled programs serve again. ValueError for a theory without a base.
    """
    found = bases(kind)
    if not found:
        raise ValueError(f"{kind.__name__} has no small problem inside its regime; give it an example().")
    random = np.random.default_rng([zlib.crc32(kind.__name__.encode()), seed])
    base, theory = found[seed % len(found)], kind()
    with float64():
        for tried in range(TRIES):
            boldness = 0.8 * (1 - tried / TRIES)
            stretch = base.part * math.exp(random.uniform(-1, 1) * math.log(2))
            try:
                problem = changed(base.problem, random, boldness)
                times = short_times(problem, stretch)
                if within(theory, problem, times):
                    return Case(theory, problem, times)
            except ValueError:
                continue
        return Case(theory, base.problem, short_times(base.problem, base.part))


class Base(NamedTuple):
    """A problem in the regime of a theory up to a part of its horizon."""

    problem: Problem
    part: float


@functools.cache
def bases(kind: type[Theory]) -> tuple[Base, ...]:
    """Problems inside the regime of a theory: examples of its classes, presets, then these under other rules.

    Their sizes are doubled until what the theory declares for finite sizes is sharp.
    """
    found: list[Base] = []
    theory = kind()
    with float64():
        for one in _candidates(theory):
            if len(found) < MOST_BASES and theory.applies(one) and (grown := _grown(theory, one)) is not None:
                found += [] if any(_alike(grown.problem, other.problem) for other in found) else [grown]
    return tuple(found)


def within(theory: Theory, problem: Problem, times: np.ndarray | None = None) -> bool:
    """Whether all strains are below 1."""
    if not theory.applies(problem):
        return False
    return choice.worst(choice.strains(theory, Setting(problem, given_times=times), most=1.0))[1] < 1


def short_times(problem: Problem, stretch: float = 1.0) -> np.ndarray:
    """POINTS even times to the end of the problem's horizon, times a factor; whole steps where the rule has them."""
    end = stretch * float(problem.horizon()[-1])
    unit = problem.rule.steps_per_unit(problem)
    if unit is None:
        return np.linspace(0.0, end, POINTS)
    steps = min(max(round(end * unit), POINTS - 1), MOST_STEPS)
    return np.round(np.linspace(0, steps, POINTS)) / unit


def changed(problem: Problem, random: np.random.Generator, boldness: float) -> Problem:
    """The same with other numbers, each changed with chance `boldness`; ValueError where that is not legal."""
    changes: dict[str, Any] = {}
    for name, (parameter, value) in scalars(problem).items():
        if name.rpartition(".")[2] not in NUMERICAL and random.random() < boldness:
            changes[name] = _another(parameter, float(value), random)
    for name, parameter in parameters(type(problem)).items():
        value = getattr(problem, name)
        if parameter.kind == "vector" and value is not None and random.random() < boldness:
            changes[name] = _entries(np.asarray(value, dtype=float), random)
    return vary(problem, changes)


def _another(parameter: Parameter, value: float, random: np.random.Generator) -> float:
    """A value a factor of up to 3 away, or a small one in place of 0; within the declared range."""
    if value != 0:
        other = value * 3 ** random.uniform(-1, 1)
        other = other if parameter.admits(other) else value + (_end(parameter) - value) * random.uniform(0, 0.9)
    else:
        other = math.exp(random.uniform(math.log(0.01), math.log(0.5)))
        other = -other if parameter.admits(-other) and random.random() < 0.5 else other
    return other if parameter.admits(other) else value


def _end(parameter: Parameter) -> float:
    """The upper end of the range of a parameter, which it has where a factor leads out of it."""
    return next((end for end in (parameter.high, parameter.below) if end is not None), 1.0)


def _entries(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each entry a factor of up to 2 away, or all by the same factor; one small value in place of nothing but 0."""
    if not np.any(values):
        return np.full_like(values, math.exp(random.uniform(math.log(0.01), math.log(0.3))))
    count = values.size if random.random() < 0.7 else 1
    return values * 2 ** random.uniform(-1, 1, count)


def _candidates(theory: Theory) -> Iterator[Problem]:
    """Small problems of the theory's classes, then under the other rules that these take."""
    kinds = problems_of(theory)
    own = [theory.example(), *(one for kind in kinds for one in kind.examples())]
    own += [one for one in _published() if isinstance(one, tuple(kinds))]
    yield from own
    for one, rule in itertools.product(own, RULES):
        try:
            other = vary(one, {"rule": rule})
            other.horizon()
        except ValueError:
            continue  # a problem may be one of certain rules only, a rule one of certain problems
        yield other


@functools.cache
def _published() -> tuple[Problem, ...]:
    """The presets that need no file of the user's."""
    told = (preset.build for preset in registry.presets().values())
    return tuple(
        build()
        for build in told
        if all(p.default is not inspect.Parameter.empty for p in inspect.signature(build).parameters.values())
    )


def _grown(theory: Theory, problem: Problem) -> Base | None:
    """The problem, its sizes doubled until the theory is in its regime and sharp (as large as may be, if it is never);
    None where it is never in its regime."""
    found, now = None, problem
    while now is not None and _numbers(now) <= MOST_NUMBERS:
        part = next((part for part in PARTS if within(theory, now, short_times(now, part))), None)
        if part is not None:
            found = Base(now, part)
            if _declared(theory, now) <= SHARP_ENOUGH:
                break
        now = _doubled(now)
    return found


def _declared(theory: Theory, problem: Problem) -> float:
    """The largest term that is declared for finite sizes, apart from those that depend on the very start; of events as
    a share of what is asked of them."""
    blunt = {event.name: event.bluntness for event in problem.events}
    sizes = theory.finite_size(problem)
    return max((size.amount / blunt.get(name, 1.0) for name, size in sizes.items() if size.per is None), default=0.0)


def _sizes(problem: Problem) -> dict[str, int]:
    """Sizes that can be doubled: not the few units, outputs or classes that make a problem what it is."""
    declared = parameters(type(problem))
    return {
        n: v for n, p in declared.items() if p.kind == "size" and isinstance(v := getattr(problem, n), int) and v > 3
    }


def _numbers(problem: Problem) -> int:
    largest = sorted(_sizes(problem).values())[-2:]
    return math.prod(largest) if len(largest) > 1 else sum(largest) ** 2


def _doubled(problem: Problem) -> Problem | None:
    """Twice as large, vectors along a doubled size repeated; None where that is not legal."""
    sizes = _sizes(problem)
    changes: dict[str, Any] = {name: 2 * value for name, value in sizes.items()}
    for name, parameter in parameters(type(problem)).items():
        value = getattr(problem, name)
        if parameter.kind == "vector" and value is not None and np.size(value) in sizes.values():
            changes[name] = np.repeat(value, 2)
    try:
        return vary(problem, changes) if changes else None
    except ValueError:
        return None


def _alike(one: Problem, other: Problem) -> bool:
    """Whether two problems are the same in all but their numbers, so that they would be varied alike."""
    if type(one) is not type(other) or type(one.rule) is not type(other.rule):
        return False
    fields = (f.name for f in dataclasses.fields(one))  # pyright: ignore[reportArgumentType]
    return all(_form(getattr(one, name)) == _form(getattr(other, name)) for name in fields if name != "derived")


def _form(value: Any) -> Any:
    """What does not change from one random problem to the next: kinds, sizes, shapes."""
    if isinstance(value, float):
        return float
    return (
        np.shape(value) if isinstance(value, np.ndarray) else type(value) if dataclasses.is_dataclass(value) else value
    )
