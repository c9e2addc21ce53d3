"""Everything that is known by name: problems, theories, rules and presets, those of a notebook included."""

import functools
import importlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from ..words.fields import Parametrised, unknown
from ..words.problem import Problem, Rule
from ..words.theory import Theory
from . import outsiders
from .class_entries import entry_of, identity_of, is_concrete, preset_entry
from .entries import Entry, PresetEntry
from .stored import stored

T = TypeVar("T")


class Preset:
    """A setting with a name: called, it builds the problem; `times` and `seeds` are those of its source
    (None: as many as a verb takes by itself).

    `recalled` marks parameters that were remembered, not read in the source. `theories` are those to compare with; the
    one that `predict` would take where none is named.
    """

    def __init__(
        self,
        build: Callable[..., Problem],
        *,
        words: str,
        source: str | None = None,
        times: Callable[[Any], np.ndarray] | None = None,
        seeds: int | None = None,
        recalled: bool = False,
        theories: tuple[str, ...] = (),
    ) -> None:
        self.build, self.words, self.source = build, words, source
        self.seeds, self.recalled, self.theories = seeds, recalled, theories
        self._times = times
        self.__doc__ = build.__doc__
        self.__wrapped__ = build

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.build(*args, **kwargs)

    def times(self, problem: Problem) -> np.ndarray:
        """The times of the source, on the problem's clock."""
        return self._times(problem) if self._times is not None else problem.horizon()


_PRESETS: dict[str, Preset] = {}


def preset(
    words: str,
    *,
    source: str | None = None,
    times: Callable[[Any], np.ndarray] | None = None,
    seeds: int | None = None,
    recalled: bool = False,
    theories: tuple[str, ...] = (),
) -> Callable[[Callable[..., Problem]], Preset]:
    """Decorator that makes a function a preset, named after the function or after its class and itself."""

    def wrap(build: Callable[..., Problem]) -> Preset:
        made = Preset(build, words=words, source=source, times=times, seeds=seeds, recalled=recalled, theories=theories)
        _PRESETS[build.__qualname__.split("<locals>.")[-1]] = made
        return made

    return wrap


def _subclasses(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _import(wanted: Callable[[Entry], bool]) -> None:
    """Import the modules of these classes of the package, and all that other packages announce."""
    for module in {e.module for e in stored()[0] if wanted(e)}:
        importlib.import_module(module)
    outsiders.imported()


def all_heirs(kind: type) -> list[type]:
    """All heirs of a class that are imported by now, in an order that does not depend on when they were.

    One that was written again in a notebook replaces its former self.
    """
    found = {identity_of(c): c for c in _subclasses(kind)}
    return [found[key] for key in sorted(found)]


def classes(kind: type) -> dict[str, Any]:
    """All concrete classes of a kind by `module:qualname`."""
    name = identity_of(kind)
    _import(lambda e: kind is Parametrised or name in (e.identity, *e.ancestors))
    return {identity_of(c): c for c in all_heirs(kind) if is_concrete(c)}


def everything(kind: type) -> dict[str, Any]:
    """All concrete classes of a kind by name; those that share a name with another by `module:qualname`."""
    found = classes(kind)
    count = Counter(c.__name__ for c in found.values())
    return {c.__name__ if count[c.__name__] == 1 else key: c for key, c in found.items()}


def problems() -> dict[str, type[Problem]]:
    """All problem classes by name."""
    return everything(Problem)


def example(kind: type[Problem], wanted: Callable[[Any], bool]) -> Problem:
    """The first example of a problem of this kind, of whatever family, that is wanted; classes go by their names.

    ValueError where no class has such a one.
    """
    for _, one in sorted(classes(kind).items()):
        for found in one.examples():
            if wanted(found):
                return found
    raise ValueError(f"no {kind.__name__} has such an example; add one to the examples() of a class.")


def rules() -> dict[str, type[Rule]]:
    """All rules by name."""
    return everything(Rule)


def about(problem: Problem, kind: type[T]) -> list[type[T]]:
    """The classes of a kind (theories, advisers) that speak about this problem; no others are imported."""
    _import_about(type(problem), kind)
    return [c for c in all_heirs(kind) if is_concrete(c) and isinstance(problem, getattr(c, "of", ()))]


@functools.cache
def _import_about(problem: type, kind: type) -> None:
    name, line = identity_of(kind), {identity_of(c) for c in problem.__mro__}
    _import(lambda e: name in e.ancestors and bool(line & set(e.of)))


def theories_of(problem: Problem) -> list[type[Theory]]:
    """Theory classes that speak about this problem."""
    return about(problem, Theory)


def presets() -> dict[str, Preset]:
    """All presets by name."""
    for module in {p.module for p in stored()[1]}:
        importlib.import_module(module)
    outsiders.imported()
    return dict(_PRESETS)


def presets_known() -> dict[str, Preset]:
    """The presets whose modules are imported by now."""
    return dict(_PRESETS)


def find_preset(name: str) -> Preset | None:
    """A preset by its name; None where there is none."""
    for entry in stored()[1]:
        if entry.name == name:
            importlib.import_module(entry.module)
    return _PRESETS.get(name) or presets().get(name)


def foreign() -> tuple[list[Entry], list[PresetEntry]]:
    """Classes and presets that other packages, and the user's own files, bring."""
    names = tuple(m.__name__ for m in [*outsiders.imported().values(), *outsiders.given().values()])

    def brought(module: str) -> bool:
        return any(module == name or module.startswith(f"{name}.") for name in names)

    found = [c for c in all_heirs(Parametrised) if brought(c.__module__) and not c.__name__.startswith("_")]
    settings = [preset_entry(n, p) for n, p in _PRESETS.items() if brought(p.build.__module__)]
    return [entry_of(c) for c in found], settings


NOUNS: dict[type, str] = {Problem: "problem", Theory: "theory", Rule: "rule"}


def find(name: str, kind: type[T] = Parametrised) -> type[T]:
    """A problem, rule, theory, or part of one (a schedule), by its name or its `module:qualname`.

    ValueError for an unknown name, with the nearest; for one that several classes have, with all of them.
    """
    _import(lambda e: name in (e.name, e.identity))
    found = {identity_of(c): c for c in all_heirs(kind) if is_concrete(c)}
    if name in found:
        return found[name]
    same = {key: c for key, c in found.items() if c.__name__ == name}
    if len(same) == 1:
        return next(iter(same.values()))
    if same:
        raise ValueError(f"{len(same)} classes are called {name}: {' and '.join(sorted(same))}; give one of these.")
    noun = next((word for base, word in NOUNS.items() if issubclass(kind, base)), "class")
    known = sorted({c.__name__ for c in classes(kind).values()})
    raise ValueError(unknown(noun, name, known) + " A class of your own must be imported first.")


def revived(name: str, module: str, qualname: str) -> type[Parametrised]:
    """The class that a file names; ValueError where it is not there. Only modules of the package are imported for it.

    A class of thalweg is found wherever in the package it stands by now; a class of the user's own only as what it is:
    another one of the same name never takes its place.
    """
    wanted = f"{module}:{qualname}"
    # a notebook or script has no name of its own: the file that the user gives stands for it
    beside = [f"{name}:{qualname}" for name in outsiders.given()] if module == "__main__" else []
    _import(lambda e: name == e.name or wanted == e.identity)
    found = {identity_of(c): c for c in all_heirs(Parametrised) if is_concrete(c)}
    mine = [found[key] for key in (wanted, *beside) if key in found]
    if len(mine) == 1 or wanted in found:
        return mine[0]
    own = [c for key, c in found.items() if c.__name__ == name and key.startswith("thalweg.")]
    if module.partition(".")[0] == "thalweg" and len(own) == 1:
        return own[0]
    others = sorted(key for key, c in found.items() if c.__name__ == name)
    same = f" {' and '.join(others)}, of the same name, is another class." if others else ""
    raise ValueError(f"this was made with the class {wanted}, which is not imported; import it first.{same}")
