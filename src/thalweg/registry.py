"""Everything that is known by name: problems, theories, rules and presets, those of a notebook included."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from .fields import Parametrised, unknown
from .problem import Problem, Rule
from .theory import Theory

T = TypeVar("T", bound=type)


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


def _load() -> None:
    import thalweg

    for name in dir(thalweg):
        getattr(thalweg, name)


def everything(kind: type) -> dict[str, Any]:
    """All concrete classes of a kind, by name."""
    _load()
    # a class written again in a notebook replaces its former self
    return {c.__name__: c for c in _subclasses(kind) if not inspect.isabstract(c) and not c.__name__.startswith("_")}


def problems() -> dict[str, type[Problem]]:
    """All problem classes by name."""
    return everything(Problem)


def rules() -> dict[str, type[Rule]]:
    """All rules by name."""
    return everything(Rule)


def theories_of(problem: Problem) -> list[type[Theory]]:
    """Theory classes that speak about this problem."""
    return [kind for kind in everything(Theory).values() if isinstance(problem, kind.of)]


def presets() -> dict[str, Preset]:
    """All presets by name."""
    _load()
    return dict(_PRESETS)


def find(name: str) -> type[Parametrised]:
    """A problem, rule, theory, or part of one (a schedule), by name; ValueError with the nearest name otherwise."""
    known = everything(Parametrised)
    if name not in known:
        raise ValueError(unknown("class", name, sorted(known)) + " A class of your own must be imported first.")
    return known[name]
