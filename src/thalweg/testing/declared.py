"""The part of the contract that is read off declarations: names, axes, claims, sources."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..catalogue import registry
from ..catalogue.bibliography import bibliography, places_of
from ..results.labels import axes
from ..words.events import CurveDetector
from ..words.fields import parameters, vary
from ..words.problem import Problem
from ..words.theory import Theory
from .tried_values import wrong_values


def demand(truth: Any, owner: object, sentence: str) -> None:
    """AssertionError that names the class, unless true."""
    if not truth:
        raise AssertionError(f"{owner.__name__ if isinstance(owner, type) else type(owner).__name__}: {sentence}")


def check_fields(problem: Problem) -> None:
    """Each wrong value raises a ValueError that names its field."""
    for prefix, owner in (("", problem), ("rule.", problem.rule)):
        for name, parameter in parameters(type(owner)).items():
            value = getattr(owner, name)
            for wrong in wrong_values(parameter, value) if value is not None else ():
                said = _refusal(problem, prefix + name, wrong)
                demand(name in said, owner, f"{name} = {wrong!r:.40} gives {said!r}, which names no {name}.")


def _refusal(problem: Problem, path: str, wrong: Any) -> str:
    try:
        vary(problem, {path: wrong})
    except ValueError as refused:
        return str(refused)
    raise AssertionError(f"{type(problem).__name__}: {path} = {wrong!r:.40} is accepted; it must be refused.")


def check_axes(problem: Problem) -> None:
    """Axes of one name are the same, coordinates are finite and different; events watch curves of one time."""
    for axis in _axes(problem, (*problem.observables, *problem.events)).values():
        demand(not isinstance(axis.coordinate, str), problem, f"no theory is there to return the coordinate of {axis}.")
        known = axis.given(problem)
        sound = known is None or (known.ndim == 1 and len(set(known.tolist())) == known.size)
        demand(sound, problem, f"the coordinate of {axis.name} must be a list of different values, not {known}.")
        finite = known is None or known.dtype.kind not in "fc" or np.all(np.isfinite(known))
        demand(finite, problem, f"the coordinate of {axis.name} is not finite: {known}.")
    paired = {o.name for o in problem.observables if o.pair is not None}
    for event in problem.events:
        watched = event.detector.reads if isinstance(event.detector, CurveDetector) else ()
        lost = sorted(paired & {one for one in watched if isinstance(one, str)})
        demand(not lost, problem, f"the event {event.name} watches {lost}, a curve of two times; use a Reading.")


def _axes(owner: Any, declared: tuple[Any, ...]) -> Mapping[str, Any]:
    try:
        return axes(declared)
    except ValueError as refused:
        raise AssertionError(f"{type(owner).__name__}: {refused}") from refused


def problems_of(theory: Theory) -> list[type[Problem]]:
    """The problems that it is about: those it names, and for an abstract one all that are made of it."""
    return [c for kind in theory.of for c in (registry.classes(kind).values() if inspect.isabstract(kind) else [kind])]


def check_declarations(theory: Theory, references: Path | None = None) -> None:
    """Problems, variables, axes, claims, shapes and sources that a theory names exist.

    Sources stand in a references.bib of the package, in the one beside the theory's file, or in `references`.
    """
    demand(theory.of and theory.speaks_of and theory.source, theory, "`of`, `speaks_of` or `source` is empty.")
    demand(set(theory.conditions_on) <= {"start", "draw"}, theory, "it may condition on 'start' and 'draw'.")
    declared = {v.name for kind in problems_of(theory) for v in (*kind.observables, *kind.events)}
    lost = sorted(set(theory.speaks_of) - declared - {v.name for v in theory.own})
    demand(not lost, theory, f"it speaks of {lost}, which none of its problems declares.")
    for kind in problems_of(theory):
        _axes(theory, (*kind.observables, *kind.events, *theory.own))
    check_claims(theory)
    sizes = {n for kind in problems_of(theory) for n, p in parameters(kind).items() if p.kind == "size"}
    lost = sorted(set(theory.shapes) - sizes)
    demand(not lost, theory, f"its shapes {lost} are no sizes of any of its problems.")
    keys = bibliography([*places_of(type(theory).__module__), *([references] if references else [])])
    lost = [source.key for source in theory.source if source.key not in keys]
    demand(not lost, theory, f"its sources {lost} are in no references.bib; add them to the one beside it.")


def check_claims(theory: Theory) -> None:
    """Claims are about what a theory speaks of, one of each kind, and without time only where there is time."""
    demand(set(theory.claims) <= set(theory.speaks_of), theory, "it claims what it does not speak of.")
    curves = {o.name for kind in problems_of(theory) for o in kind.observables}
    for name in theory.claims:
        kinds = [claim.kind for claim in theory.claims_of(name)]
        demand(kinds and len(set(kinds)) == len(kinds), theory, f"its claims about {name} are {kinds}; give each once.")
        timeless = any(not claim.time for claim in theory.claims_of(name))
        demand(name in curves or not timeless, theory, f"time=False is for curves, and {name} has no time anyway.")


def check_kind(theory: Theory, problem: Problem) -> None:
    """What its kind promises holds at this problem, and what a limit leaves out is about what the theory speaks of."""
    for sentence in theory.broken_promises(problem):
        demand(False, theory, sentence)
    lost = sorted(set(theory.finite_size(problem)) - set(theory.speaks_of))
    demand(not lost, theory, f"its finite_size is about {lost}, of which it does not speak.")


def spread(values: Mapping[str, Any]) -> dict[str, Any]:
    """Arrays by name; those of several claims by name and kind (`train_loss: lower`)."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        several = {f"{name}: {kind}": side for kind, side in value.items()} if isinstance(value, Mapping) else {}
        found |= several or {name: value}
    return found
