"""Which theories speak about a problem, how far it is from their limits, and which one to trust first."""

import functools
import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..computing.float64 import float64
from ..words.phrases import unknown
from ..words.problem import Problem
from ..words.theory import Setting, Theory, TheoryWarning
from . import registry


def strains(theory: Theory | type[Theory], setting: Setting, most: float = math.inf) -> dict[str, float]:
    """Every assumption's strain on this case: 0 exact, 1 the edge, above 1 broken, inf impossible.

    After one that is impossible the others cannot be measured, after one above `most` they are not: they are NaN.
    """
    found: dict[str, float] = {}
    ended = False
    for assumption in theory.assumptions:
        strain = math.nan if ended else float(assumption.strain(setting))
        found[assumption.name] = strain
        ended = ended or strain > most or math.isinf(strain)
    return found


def worst(found: dict[str, float]) -> tuple[str, float]:
    """The assumption under the greatest strain (NaN counts as broken)."""
    if not found:
        return "none", 0.0
    name = max(found, key=lambda n: math.inf if math.isnan(found[n]) else found[n])
    return name, math.inf if math.isnan(found[name]) else found[name]


def words_of(theory: Theory | type[Theory], name: str) -> str:
    """What an assumption's strain of 1 means."""
    return next((a.words for a in theory.assumptions if a.name == name), "")


def check(theory: Theory, problem: Problem, setting: Setting, quiet: bool = False) -> dict[str, float]:
    """Strains of a theory that the user asked for: raises where it cannot speak, warns outside its regime.

    `quiet`: without the warning, for a verdict that tells the strain itself.
    """
    if not isinstance(problem, theory.of):
        speaking = sorted(k.__name__ for k in registry.theories_of(problem)) or ["none"]
        raise ValueError(
            f"{type(theory).__name__} says nothing about {type(problem).__name__}; "
            f"theories that do: {', '.join(speaking)}."
        )
    found = strains(theory, setting)
    name, strain = worst(found)
    if math.isinf(strain):
        raise ValueError(
            f"{type(theory).__name__} cannot speak here: {name} fails. {words_of(theory, name)} "
            "See theories(problem) for those that can."
        )
    if strain > 1 and not quiet:
        warnings.warn(
            f"{type(theory).__name__} is outside its regime: strain of {name!r} is {strain:.3g} (1 is the edge). "
            f"{words_of(theory, name)}",
            TheoryWarning,
            stacklevel=5,
        )
    return found


class Chosen(NamedTuple):
    """A theory with its strains on the case at hand."""

    theory: Theory
    strains: dict[str, float]


@functools.lru_cache(maxsize=1024)
def _as_it_is(kind: type[Theory]) -> Theory:
    """A theory with its own defaults: frozen, so that one will do for all."""
    return kind()


@functools.lru_cache(maxsize=1024)
def _rank(theory: type[Theory], problem: type[Problem]) -> tuple[Any, ...]:
    """Who answers first, as far as it is known without measuring a strain."""
    values = all(claim.kind == "value" for name in theory.claims for claim in theory.claims_of(name))
    # a theory that speaks of numbers of its own alone answers no question about the run
    silent = not {o.name for o in problem.observables} & set(theory.speaks_of)
    return silent, not values, len(theory.conditions_on), theory.declared_error, -len(theory.speaks_of)


def menu(problem: Problem, setting: Setting | None = None) -> list[Chosen]:
    """All theories of a problem with their strains: those that apply first, then in the order of `choose`."""
    setting = setting or Setting(problem)
    rows = [Chosen(kind(), strains(kind, setting)) for kind in registry.theories_of(problem)]

    def rank(row: Chosen) -> tuple[Any, ...]:
        strain = worst(row.strains)[1]
        return strain > 1, math.isinf(strain), *_rank(type(row.theory), type(problem)), strain

    return sorted(rows, key=rank)


def levels(problem: Problem) -> list[list[type[Theory]]]:
    """Theories of a problem in the order in which they are asked, equals together: the same for all of its kind."""
    ranks = [(kind, _rank(kind, type(problem))) for kind in registry.theories_of(problem)]
    ranks.sort(key=lambda row: row[1])
    return [[kind for kind, _ in level] for _, level in itertools.groupby(ranks, key=lambda row: row[1])]


def choose(
    problem: Problem, setting: Setting | None = None, asked: Sequence[Sequence[type[Theory]]] | None = None
) -> Chosen:
    """The applicable theory that claims values, conditions on least, is off by least and says most.

    Theories are tried in this order (`asked`: `levels` of such a problem, where it is known), and strains are measured
    until one applies, of each until one is broken; ValueError if none does.
    """
    setting = setting or Setting(problem)
    for level in levels(problem) if asked is None else asked:
        able = [theory for kind in level if (theory := _as_it_is(kind)).applies(problem)]
        # equals are told apart by the strain
        rows = sorted((Chosen(t, strains(t, setting, most=1.0)) for t in able), key=lambda row: worst(row.strains)[1])
        if rows and worst(rows[0].strains)[1] <= 1:
            return rows[0]
    _refuse(problem, menu(problem, setting))
    raise AssertionError("unreachable")


def _refuse(problem: Problem, rows: list[Chosen]) -> None:
    """ValueError for a problem to which no theory applies, with the nearest one."""
    if not rows:
        raise ValueError(f"no theory speaks about {type(problem).__name__}; train(problem) needs none.")
    theory, found = rows[0]
    name, strain = worst(found)
    if math.isinf(strain):
        raise ValueError(f"no theory applies to this {type(problem).__name__}. {_why_none(rows)}")
    raise ValueError(
        f"no theory applies to this {type(problem).__name__}; the nearest is {type(theory).__name__}, whose "
        f"assumption {name!r} is strained to {strain:.3g} (1 is the edge). {words_of(theory, name)} "
        "Name it (theory=...) to see its answer all the same."
    )


def chosen(setting: Setting, theory: Any) -> Chosen:
    """The theory that was named, with its strains (a warning outside its regime), or the one to be taken."""
    if theory is None:
        return choose(setting.problem, setting)
    named = as_theory(theory, setting.problem)
    return Chosen(named, check(named, setting.problem, setting))


def _why_none(rows: list[Chosen], most: int = 3) -> str:
    """What each of the first theories lacks, where none can speak at all."""
    said = []
    for theory, found in rows[:most]:
        name, _ = worst(found)
        said.append(f"{type(theory).__name__}: {name} fails. {words_of(theory, name)}")
    return " ".join([*said, "theories(problem) lists them all; train(problem) needs none."])


def theories(problem: Problem) -> Any:
    """The theories that speak about a problem, the most trustworthy first: a data frame that prints as a page.

    Columns: theory, kind (exact, a limit with a declared error, ...), applies, strain (of the worst assumption; 1 is
    the edge), assumption, why (what 1 means), conditions_on, claims, speaks_of, source.
    """

    from .theory_table import Menu

    if not isinstance(problem, Problem):
        known = sorted(registry.problems())
        raise ValueError(
            f"theories() takes a problem such as {', '.join(known)}; it was given {type(problem).__name__}."
        )
    with float64():
        rows = menu(problem)
    table = []
    for theory, found in rows:
        name, strain = worst(found)
        kinds = {claim.kind for v in theory.speaks_of for claim in theory.claims_of(v)}
        table.append(
            {
                "theory": type(theory).__name__,
                "kind": theory.standing,
                "applies": strain <= 1,
                "strain": strain,
                "assumption": name,
                "why": words_of(theory, name),
                "conditions_on": " and ".join(theory.conditions_on) or "nothing",
                "claims": ", ".join(sorted(kinds)),
                "speaks_of": ", ".join(theory.speaks_of),
                "source": "; ".join(str(s) for s in theory.source),
            }
        )
    return Menu(table)


def as_theory(theory: Any, problem: Problem) -> Theory:
    """A theory given as an instance, a class or a name; ValueError names those that speak about this problem."""
    if isinstance(theory, str):
        return _named(theory, problem)
    if isinstance(theory, type) and issubclass(theory, Theory):
        return theory()
    if not isinstance(theory, Theory):
        speaking = sorted(k.__name__ for k in registry.theories_of(problem)) or ["none"]
        raise ValueError(
            f"theory = {theory!r:.60} is not a theory; give one of those that speak about {type(problem).__name__}: "
            f"{', '.join(speaking)}."
        )
    return theory


def _named(name: str, problem: Problem) -> Theory:
    """A theory by its name, with its own defaults."""
    kinds = registry.theories_of(problem)
    mine = [k for k in kinds if name in (k.__name__, registry.identity_of(k))]
    if len(mine) != 1:
        try:
            mine = [registry.find(name, Theory)]
        except ValueError as trouble:
            if len(mine) > 1:
                raise
            known = sorted(k.__name__ for k in kinds)
            own = " A class of your own must be imported first."
            place = f" about {type(problem).__name__}"
            raise ValueError(unknown("theory", name, known, place) + own) from trouble
    kind: Any = mine[0]
    return kind()


def strain_table(found: dict[str, float]) -> dict[str, float | str]:
    """Strains as JSON can hold them."""
    return {k: v if np.isfinite(v) else str(v) for k, v in found.items()}
