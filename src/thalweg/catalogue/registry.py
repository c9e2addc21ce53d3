"""Everything that is known by name: problems, theories, rules and presets, those of a notebook included."""

import functools
import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from ..words.fields import Parametrised, unknown
from ..words.problem import Problem, Rule
from ..words.theory import Theory

T = TypeVar("T")


class Preset:
    """A setting with a name: called, it builds the problem; `times` and `seeds` are those of its source.

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
        seeds: int = 24,
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
    seeds: int = 24,
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


@functools.cache
def _load() -> None:
    """Import all problems, theories, rules and presets, once: classes are known when their files are."""
    # verbs and faces are left alone: they take longer to import than all systems, and hold nothing that is registered
    importlib.import_module("thalweg.rules")
    importlib.import_module("thalweg.own_network.problem")
    systems = importlib.import_module("thalweg.systems")
    for module in pkgutil.walk_packages(systems.__path__, "thalweg.systems."):
        importlib.import_module(module.name)


def identity_of(kind: type) -> str:
    """`module:qualname` of a class: its one name that nothing else has."""
    return f"{kind.__module__}:{kind.__qualname__}"


def classes(kind: type) -> dict[str, Any]:
    """All concrete classes of a kind by `module:qualname`; one written again in a notebook replaces its former self."""
    _load()
    return {identity_of(c): c for c in _subclasses(kind) if _is_concrete(c)}


def _is_concrete(kind: type) -> bool:
    return not inspect.isabstract(kind) and not kind.__name__.startswith("_")


def everything(kind: type) -> dict[str, Any]:
    """All concrete classes of a kind by name; those that share a name with another by `module:qualname`."""
    found = classes(kind)
    count = Counter(c.__name__ for c in found.values())
    return {c.__name__ if count[c.__name__] == 1 else key: c for key, c in found.items()}


def problems() -> dict[str, type[Problem]]:
    """All problem classes by name."""
    return everything(Problem)


def rules() -> dict[str, type[Rule]]:
    """All rules by name."""
    return everything(Rule)


def theories_of(problem: Problem) -> list[type[Theory]]:
    """Theory classes that speak about this problem."""
    _load()
    speaking = (kind for kind in _subclasses(Theory) if isinstance(problem, getattr(kind, "of", ())))
    found = {identity_of(kind): kind for kind in speaking if _is_concrete(kind)}
    return list(found.values())


def presets() -> dict[str, Preset]:
    """All presets by name."""
    _load()
    return dict(_PRESETS)


NOUNS: dict[type, str] = {Problem: "problem", Theory: "theory", Rule: "rule"}


def find(name: str, kind: type[T] = Parametrised) -> type[T]:
    """A problem, rule, theory, or part of one (a schedule), by its name or its `module:qualname`.

    ValueError for an unknown name, with the nearest; for one that several classes have, with all of them.
    """
    found = classes(kind)
    if name in found:
        return found[name]
    same = {key: c for key, c in found.items() if c.__name__ == name}
    if len(same) == 1:
        return next(iter(same.values()))
    if same:
        raise ValueError(f"{len(same)} classes are called {name}: {' and '.join(sorted(same))}; give one of these.")
    noun = next((word for base, word in NOUNS.items() if issubclass(kind, base)), "class")
    known = sorted({c.__name__ for c in found.values()})
    raise ValueError(unknown(noun, name, known) + " A class of your own must be imported first.")


def revived(name: str, module: str, qualname: str) -> type[Parametrised]:
    """The class that a file names. Nothing is imported for it; ValueError where it is not there.

    A class of thalweg is found wherever in the package it stands by now; a class of the user's own only as what it is:
    another one of the same name never takes its place.
    """
    found = classes(Parametrised)
    wanted = f"{module}:{qualname}"
    if wanted in found:
        return found[wanted]
    own = [c for key, c in found.items() if c.__name__ == name and key.startswith("thalweg.")]
    if module.partition(".")[0] == "thalweg" and len(own) == 1:
        return own[0]
    others = sorted(key for key, c in found.items() if c.__name__ == name)
    beside = f" {' and '.join(others)}, of the same name, is another class." if others else ""
    raise ValueError(f"this was made with the class {wanted}, which is not imported; import it first.{beside}")
