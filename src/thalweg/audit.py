"""Which theories speak about a problem, how far it is from their limits, and which one to trust first."""

import math
import warnings
from typing import Any

import numpy as np

from . import registry
from .adviser import Advice, Adviser
from .fields import unknown
from .problem import Problem
from .theory import Setting, Theory, TheoryWarning


def strains(theory: Theory | type[Theory], setting: Setting) -> dict[str, float]:
    """Every assumption's strain on this case: 0 exact, 1 the edge, above 1 broken, inf impossible.

    After one that is impossible the others cannot be measured: they are NaN.
    """
    found: dict[str, float] = {}
    for assumption in theory.assumptions:
        impossible = any(math.isinf(strain) for strain in found.values())
        found[assumption.name] = math.nan if impossible else float(assumption.strain(setting))
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


def check(theory: Theory, problem: Problem, setting: Setting) -> dict[str, float]:
    """Strains of a theory that the user asked for: raises where it cannot speak, warns outside its regime."""
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
    if strain > 1:
        warnings.warn(
            f"{type(theory).__name__} is outside its regime: strain of {name!r} is {strain:.3g} (1 is the edge). "
            f"{words_of(theory, name)}",
            TheoryWarning,
            stacklevel=4,
        )
    return found


def menu(problem: Problem, setting: Setting | None = None) -> list[tuple[Theory, dict[str, float]]]:
    """All theories of a problem with their strains: those that apply first, then least conditions, then most said."""
    setting = setting or Setting(problem)
    rows = [(kind(), strains(kind, setting)) for kind in registry.theories_of(problem)]

    def rank(row: tuple[Theory, dict[str, float]]) -> tuple[Any, ...]:
        theory, found = row
        strain = worst(found)[1]
        values = all(theory.claim(name).kind == "value" for name in theory.speaks_of)
        # a theory that speaks of numbers of its own alone answers no question about the run
        silent = not any(o.name in theory.speaks_of for o in problem.observables)
        return (
            strain > 1,
            math.isinf(strain),
            silent,
            not values,
            len(theory.conditions_on),
            -len(theory.speaks_of),
            strain,
        )

    return sorted(rows, key=rank)


def choose(problem: Problem, setting: Setting | None = None) -> Theory:
    """The applicable theory that claims values, conditions on least and says most; ValueError if there is none."""
    rows = menu(problem, setting)
    if not rows:
        raise ValueError(f"no theory speaks about {type(problem).__name__}; train(problem) needs none.")
    theory, found = rows[0]
    name, strain = worst(found)
    if strain > 1:
        if math.isinf(strain):
            raise ValueError(f"no theory applies to this {type(problem).__name__}. {_why_none(rows)}")
        raise ValueError(
            f"no theory applies to this {type(problem).__name__}; the nearest is {type(theory).__name__}, whose "
            f"assumption {name!r} is strained to {strain:.3g} (1 is the edge). {words_of(theory, name)} "
            "Name it (theory=...) to see its answer all the same."
        )
    return theory


def _why_none(rows: list[tuple[Theory, dict[str, float]]], most: int = 3) -> str:
    """What each of the first theories lacks, where none can speak at all."""
    said = []
    for theory, found in rows[:most]:
        name, _ = worst(found)
        said.append(f"{type(theory).__name__}: {name} fails. {words_of(theory, name)}")
    return " ".join([*said, "theories(problem) lists them all; train(problem) needs none."])


def theories(problem: Problem) -> Any:
    """The theories that speak about a problem, the most trustworthy first: a data frame that prints as a page.

    Columns: theory, applies, strain (of the worst assumption; 1 is the edge), assumption, why (what 1 means),
    conditions_on, claims, speaks_of, source.
    """
    import jax

    from .menu import Menu

    if not isinstance(problem, Problem):
        known = sorted(registry.problems())
        raise ValueError(
            f"theories() takes a problem such as {', '.join(known)}; it was given {type(problem).__name__}."
        )
    with jax.enable_x64():
        rows = menu(problem)
    table = []
    for theory, found in rows:
        name, strain = worst(found)
        kinds = {theory.claim(v).kind for v in theory.speaks_of}
        table.append(
            {
                "theory": type(theory).__name__,
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


def advise(problem: Problem, *, data: Any = None, start: Any = None) -> Advice:
    """What theory recommends for a problem: values with intervals, each with its evidence and the sentence why.

    `print(advice)` tells all; `advice["stopping_time"].value` is one number. What theory cannot say is told with the
    reason, not left out. `data` and `start` are read as by `predict`; where an adviser needs a draw and none is given
    it takes that of seed 0. Raises ValueError for a problem about which no adviser speaks.
    """
    import jax

    advisers = [kind() for kind in registry.everything(Adviser).values() if isinstance(problem, kind.of)]
    if not advisers:
        known = sorted({of.__name__ for kind in registry.everything(Adviser).values() for of in kind.of})
        raise ValueError(
            f"there is no advice about {type(problem).__name__}; there is about {', '.join(known) or 'none yet'}. "
            "theories(problem) lists what is known about yours."
        )
    with jax.enable_x64():
        given = (None if data is None else problem.as_data(data), None if start is None else problem.as_start(start))
        setting = Setting(problem, *given)
        return Advice(type(problem).__name__, tuple(item for one in advisers for item in one.advise(setting)))


def as_theory(theory: Any) -> Theory:
    """A theory given as an instance, a class or a name."""
    if isinstance(theory, str):
        kind = registry.find(theory)
        if not issubclass(kind, Theory):
            names = sorted(k for k, c in registry.everything(Theory).items())
            raise ValueError(unknown("theory", theory, names))
        return kind()
    if isinstance(theory, type) and issubclass(theory, Theory):
        return theory()
    if not isinstance(theory, Theory):
        raise ValueError(f"theory = {theory!r} is not a theory; give one such as tw.MarchenkoPastur().")
    return theory


def strain_table(found: dict[str, float]) -> dict[str, float | str]:
    """Strains as JSON can hold them."""
    return {k: v if np.isfinite(v) else str(v) for k, v in found.items()}
