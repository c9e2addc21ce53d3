"""Theories that are wrong on purpose: asked about another problem, by a clock that is off, or with answers changed."""

import dataclasses
import functools
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.testing.random_problems import NUMERICAL
from thalweg.words.fields import parameters, vary
from thalweg.words.problem import scalars


class Change(NamedTuple):
    """What is off: a `kind` (clock, scalar, size, event, curves) of this `name`, by a factor."""

    kind: str
    name: str
    factor: float

    def __str__(self) -> str:
        return f"{self.name} x {self.factor:g}"


def small_changes(problem: tw.Problem, theory: tw.Theory, spoken: list[str]) -> list[Change]:
    """Clock, scalars and sizes off by 5 and 10 %, one event (the first that is spoken of) by 10 %."""
    off = (0.95, 1.05, 0.9, 1.1)
    found = [Change("clock", "clock", factor) for factor in off]
    found += [Change("scalar", name, factor) for name in numbers_of(problem) for factor in off]
    found += [Change("size", name, factor) for name in sizes_of(problem) for factor in off]
    events = [e.name for e in problem.events if e.name in spoken]
    return found + [Change("event", name, factor) for name in events[:1] for factor in (0.9, 1.1)]


def gross_changes(problem: tw.Problem, theory: tw.Theory, spoken: list[str]) -> list[Change]:
    """Clock, scalars and sizes off by a factor 2; all curves doubled, or of the wrong sign."""
    off = (0.5, 2.0)
    found = [Change("clock", "clock", factor) for factor in off]
    found += [Change("scalar", name, factor) for name in numbers_of(problem) for factor in off]
    found += [Change("size", name, factor) for name in sizes_of(problem) for factor in off]
    return found + [Change("curves", "curves", factor) for factor in (2.0, -1.0)]


def numbers_of(problem: tw.Problem) -> list[str]:
    """Scalars that are not 0, and vectors, whose entries change together."""
    found = [n for n, (_, v) in scalars(problem).items() if v != 0 and n.rpartition(".")[2] not in NUMERICAL]
    vectors = [n for n, p in parameters(type(problem)).items() if p.kind == "vector"]
    return found + [n for n in vectors if getattr(problem, n) is not None and np.any(getattr(problem, n))]


def sizes_of(problem: tw.Problem) -> list[str]:
    """Whole numbers that can be off by a few percent."""
    declared = parameters(type(problem))
    return [n for n, p in declared.items() if p.kind == "size" and isinstance(v := getattr(problem, n), int) and v > 4]


def wrong_problem(problem: tw.Problem, change: Change) -> tw.Problem:
    """The problem that the mutant believes to be asked about; ValueError where it is not legal, or is the same."""
    if change.kind not in ("scalar", "size"):
        return problem
    value: Any = functools.reduce(getattr, change.name.split("."), problem)
    other: Any = value * change.factor
    if change.kind == "size":
        # by one at the least: a whole number cannot be off by less
        other = max(round(other), 1)
        other = other if other != value else value + (1 if change.factor > 1 else -1)
    return vary(problem, {change.name: other})


def mutant(theory: tw.Theory, problem: tw.Problem, change: Change) -> tw.Theory:
    """A theory that answers about `problem` with one number off."""
    clock = change.factor if change.kind == "clock" else 1.0
    return _kind(type(theory))(theory, wrong_problem(problem, change), clock, *_answers(problem, theory, change))


def _answers(problem: tw.Problem, theory: tw.Theory, change: Change) -> tuple[tuple[str, ...], float]:
    """Names of what is multiplied in the answer, and by what."""
    if change.kind == "event":
        return (change.name,), change.factor
    if change.kind == "curves":
        return tuple(o.name for o in problem.observables if o.name in theory.speaks_of), change.factor
    if change.kind == "clock":
        # what is told as a time is late where the clock is slow
        return tuple(e.name for e in problem.events if e.unit == "clock"), 1 / change.factor
    return (), 1.0


@functools.cache
def _kind(base: type[tw.Theory]) -> Any:
    """Mutants of one theory: all that is declared is declared as before."""

    class _Mutant(tw.Theory[tw.Problem]):
        inner: Any = None
        wrong: Any = None
        clock: Any = 1.0
        named: tuple[str, ...] = eqx.field(static=True, default=())
        factor: Any = 1.0
        axis: Any = None

        standing: ClassVar = base.standing
        of: ClassVar = base.of
        source: ClassVar = base.source
        assumptions: ClassVar = base.assumptions
        conditions_on: ClassVar = base.conditions_on
        speaks_of: ClassVar = base.speaks_of
        claims: ClassVar = base.claims
        shapes: ClassVar = base.shapes
        estimates: ClassVar = base.estimates
        declared_error: ClassVar = base.declared_error
        own: ClassVar = base.own

        def prepare(self, problem, times):
            axis = stretched(problem, times, float(self.clock))
            return dataclasses.replace(self, inner=self.inner.prepare(self.wrong, axis), axis=axis)

        def predict(self, problem, data, start, times):
            axis = jnp.asarray(self.axis)
            told = self.inner.predict(self.wrong, data, start, axis)
            unit = problem.rule.steps_per_unit(problem)
            if unit is not None and self.axis.size != times.size:
                told = {name: self._between(problem, name, value, times * self.clock) for name, value in told.items()}
            return {n: _scaled(v, self.factor) if n in self.named else v for n, v in told.items()}

        def _between(self, problem, name, value, wanted):
            """Steps lie where they lie: what is between them is read off a straight line."""
            if isinstance(value, dict):
                return {side: self._between(problem, name, one, wanted) for side, one in value.items()}
            curve = next((o for o in problem.observables if o.name == name), None)
            timed = curve is not None and all(claim.time for claim in base.claims_of(name))
            timed = timed or any(v.name == name and "time" in v.dims for v in base.own)
            axis = jnp.asarray(self.axis)
            for place in range((2 if curve is not None and curve.pair is not None else 1) if timed else 0):
                index = jnp.clip(jnp.searchsorted(axis, wanted, side="right") - 1, 0, axis.size - 2)
                share = (wanted - axis[index]) / (axis[index + 1] - axis[index])
                share = share.reshape((-1,) + (1,) * (jnp.ndim(value) - place - 1))
                share = jnp.expand_dims(share, tuple(range(place)))
                value = jnp.take(value, index, place) * (1 - share) + jnp.take(value, index + 1, place) * share
            return value

        def finite_size(self, problem):
            return self.inner.finite_size(problem)

        if hasattr(base(), "tolerance"):

            @property
            def tolerance(self):
                return self.inner.tolerance

    _Mutant.__name__ = f"_{base.__name__}Mutant"
    return _Mutant


def stretched(problem: tw.Problem, times: np.ndarray, clock: float) -> np.ndarray:
    """The times as a clock shows them that is off; the whole steps on both sides of each where the rule has steps."""
    unit = problem.rule.steps_per_unit(problem)
    if unit is None or clock == 1:
        return np.asarray(times) * clock
    steps = np.asarray(times) * unit * clock
    return np.unique(np.concatenate([np.floor(steps + 1e-9), np.floor(steps + 1e-9) + 1])) / unit


def _scaled(value: Any, factor: Any) -> Any:
    return {side: one * factor for side, one in value.items()} if isinstance(value, dict) else value * factor
