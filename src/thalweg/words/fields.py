"""Typed parameters: words, symbol, unit, range and default, written once and read by every face."""

import dataclasses
import functools
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np

from ..computing.modules import Module, replaced
from .converters import arrays_of as arrays_of
from .converters import as_number, as_whole
from .converters import as_switch as as_switch
from .converters import coded as coded
from .converters import floats as floats
from .converters import is_traced as is_traced
from .phrases import unknown as unknown

REQUIRED = dataclasses.MISSING
# whole numbers above are no floats
LARGEST = 2**53


@dataclasses.dataclass(frozen=True)
class Parameter:
    """What a field says about itself: kind, words, symbol, unit, allowed range, log axis or not."""

    kind: str
    words: str
    symbol: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    log: bool = False

    def allowed(self) -> str:
        """The range in words, for errors and help texts."""
        noun = "a whole number" if self.kind == "size" else "a finite number"
        bounds = [f">= {self.low:g}"] if self.low is not None else []
        bounds += [f"> {self.above:g}"] if self.above is not None else []
        bounds += [f"<= {self.high:g}"] if self.high is not None else []
        bounds += [f"< {self.below:g}"] if self.below is not None else []
        return f"{noun} {' and '.join(bounds)}".strip()

    def admits(self, value: float) -> bool:
        """Whether a concrete number is finite and inside the range."""
        return (
            math.isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )


def _field(parameter: Parameter, default: Any, convert: Any) -> Any:
    metadata = {"parameter": parameter}
    if default is REQUIRED:
        return eqx.field(converter=convert, metadata=metadata)
    return eqx.field(converter=convert, metadata=metadata, default=default)


def size(words: str, *, symbol: str = "", default: Any = REQUIRED, low: int = 1, high: int | None = None) -> Any:
    """A whole number that counts something; it fixes shapes, so training compiles once per value.

    With low=0 and high=1 it is a switch, which False and True set as well.
    """
    convert = as_switch if (low, high) == (0, 1) else as_whole
    return _field(Parameter("size", words, symbol, "", low, high), default, convert)


def scalar(
    words: str,
    *,
    symbol: str = "",
    unit: str = "",
    default: Any = REQUIRED,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    log: bool = False,
) -> Any:
    """A real parameter; `low`/`high` are included in the range, `above`/`below` are not."""
    return _field(Parameter("scalar", words, symbol, unit, low, high, above, below, log), default, as_number)


def vector(words: str, *, symbol: str = "", unit: str = "", default: Any = REQUIRED) -> Any:
    """A short list of numbers, saved in full in the problem's JSON."""
    return _field(Parameter("vector", words, symbol, unit), default, floats)


def array(words: str, *, symbol: str = "", unit: str = "", default: Any = REQUIRED) -> Any:
    """A table of numbers (a user's data), saved among the inputs of a result file."""
    return _field(Parameter("array", words, symbol, unit), default, floats)


def function(words: str, *, symbol: str = "", default: Any = REQUIRED) -> Any:
    """A user's function of JAX; part of the compiled program, kept in files by its name where it can be imported."""
    given = {} if default is REQUIRED else {"default": default}
    metadata = {"parameter": Parameter("function", words, symbol)}
    # a converter, so that what is given is checked here, with a sentence
    return eqx.field(static=True, converter=lambda value: value, metadata=metadata, **given)


def tree(words: str, *, symbol: str = "", unit: str = "", default: Any = REQUIRED) -> Any:
    """Arrays in nested tuples, lists and dictionaries (a user's data), saved among the inputs of a result file."""
    return _field(Parameter("tree", words, symbol, unit), default, arrays_of)


@functools.cache
def parameters(kind: type) -> dict[str, Parameter]:
    """The declared parameters of a class, in order."""
    return {f.name: f.metadata["parameter"] for f in dataclasses.fields(kind) if "parameter" in f.metadata}  # pyright: ignore


class Parametrised(Module):
    """Base of all that carries parameters; construction checks each against its declared range."""

    def __check_init__(self) -> None:
        check_ranges(self)
        check_parts(self)

    @classmethod
    def brought_on(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields as an older file tells them, in JSON, in the words of today."""
        return fields


def held_family(annotation: Any, base: type) -> type | None:
    """The class of the parts that a field holds, where its annotation is an heir of `base` (or one or None)."""
    parts = typing.get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    held = [p for p in parts if p is not type(None)]
    known = len(held) == 1 and isinstance(held[0], type) and issubclass(held[0], base)
    return held[0] if known else None


@functools.cache
def families(kind: type) -> dict[str, type]:
    """The base class of the part that each such field of a class holds."""
    found = {f.name: held_family(f.type, Parametrised) for f in dataclasses.fields(kind)}  # pyright: ignore
    return {name: family for name, family in found.items() if family is not None}


def check_parts(module: eqx.Module) -> None:
    """ValueError for the first field that holds no part of the kind that it asks for; None stands for none yet."""
    for name, family in families(type(module)).items():
        value = getattr(module, name)
        if value is None or isinstance(value, family):
            continue
        noun = family.__name__
        raise ValueError(f"{type(module).__name__}: {name} = {value!r:.40} is no {noun}; {_part_for(value, family)}.")


def _part_for(value: Any, family: type) -> str:
    """What to give in place of a value that is no part of this family: its class called, or the one of its name."""
    if isinstance(value, type) and issubclass(value, family):
        return f"call it: {value.__name__}()"
    heirs = {k.__name__: k for k in heirs_of(family) if not inspect.isabstract(k)}
    named = heirs.get(value.strip().removesuffix("()")) if isinstance(value, str) else None
    if named is not None:
        public = named.__name__ in getattr(sys.modules.get("thalweg"), "__all__", ())
        return f"give the thing itself, not its name: {'tw.' if public else ''}{named.__name__}()"
    return f"give one of those that `thalweg list {family.__name__}` shows"


def heirs_of(kind: type) -> Iterator[type]:
    """A class and all heirs of it that are imported by now."""
    yield kind
    for child in kind.__subclasses__():
        yield from heirs_of(child)


def check_ranges(module: eqx.Module) -> None:
    """ValueError for the first field outside its declared range; a class that checks more calls this first."""
    for name, parameter in parameters(type(module)).items():
        value = object.__getattribute__(module, name)
        # most fields are floats within their ranges
        if type(value) is not float or parameter.kind != "scalar" or not parameter.admits(value):
            _check(type(module).__name__, name, parameter, value)


def _check(owner: str, name: str, parameter: Parameter, value: Any) -> None:
    if is_traced(value) or value is None:
        return
    if parameter.kind in CHECKS:
        CHECKS[parameter.kind](owner, name, value)
        return
    numbers = np.ravel(value) if isinstance(value, np.ndarray | jax.Array) else [value]
    for number in numbers:
        if isinstance(number, str | bool) or not isinstance(number, int | float | np.number):
            raise ValueError(f"{owner}: {name} = {value!r} is not a number; give {parameter.allowed()}.")
        broken = parameter.kind == "size" and float(number) != int(number) if math.isfinite(number) else True
        if parameter.kind == "size" and not broken and number > LARGEST:
            raise ValueError(f"{owner}: {name} = {number} is not allowed; give {parameter.allowed()} below 2^53.")
        if broken or not parameter.admits(float(number)):
            raise ValueError(f"{owner}: {name} = {value} is not allowed; give {parameter.allowed()}.")


def _check_array(owner: str, name: str, value: Any) -> None:
    if isinstance(value, jax.Array):
        return
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        found = next((v for v in np.ravel(np.asarray(value, dtype=object)) if not _is_number(v)), None)
        shown = "" if found is None else f" ({found!r:.30})"
        raise ValueError(f"{owner}: {name} holds entries that are not numbers{shown}; convert text columns first.")
    if value.size == 0:
        raise ValueError(f"{owner}: {name} is empty; give at least one number.")
    if not np.all(np.isfinite(value)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])
        raise ValueError(f"{owner}: {name} has a missing or infinite entry at {where}; remove or fill such rows.")


def _check_function(owner: str, name: str, value: Any) -> None:
    if not callable(value):
        raise ValueError(f"{owner}: {name} = {value!r:.40} is not allowed; give a function written in JAX.")
    try:
        hash(value)
    except TypeError:
        raise ValueError(
            f"{owner}: {name} is a {type(value).__name__} that holds arrays, which would be constants of the program; "
            "give a function, and let its arrays come from the parameters or the data."
        ) from None


def _check_tree(owner: str, name: str, value: Any) -> None:
    for path, leaf in jax.tree_util.tree_flatten_with_path(value)[0]:
        place = f"{name}{jax.tree_util.keystr(path)}"
        if is_traced(leaf):
            continue
        if np.asarray(leaf).dtype.kind not in "fiubc":
            raise ValueError(f"{owner}: {place} holds entries that are not numbers ({leaf!r:.30}); give arrays.")
        if np.size(leaf) and not np.all(np.isfinite(leaf)):
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(leaf))[0])
            raise ValueError(f"{owner}: {place} has a missing or infinite entry at {where}; remove or fill such rows.")


CHECKS: dict[str, Callable[[str, str, Any], None]] = {
    "vector": _check_array,
    "array": _check_array,
    "function": _check_function,
    "tree": _check_tree,
}


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def vary(module: Any, changes: Mapping[str, Any]) -> Any:
    """A new module with some fields changed; a dotted name reaches inside (`rule.learning_rate`)."""
    direct: dict[str, Any] = {k: v for k, v in changes.items() if "." not in k}
    nested: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        if "." in key:
            head, tail = key.split(".", 1)
            nested.setdefault(head, {})[tail] = value
    known = [f.name for f in dataclasses.fields(module)]
    for name in [*direct, *nested]:
        if name not in known:
            raise ValueError(unknown("field", name, known, f" of {type(module).__name__}"))
    for head, inner in nested.items():
        held = direct.get(head, getattr(module, head))
        if not dataclasses.is_dataclass(held):
            raise ValueError(
                f"{type(module).__name__}: {head} is {held!r:.40}, so {head}.{next(iter(inner))} is no field; give "
                f"{head} first, if it is a part with fields of its own."
            )
        direct[head] = vary(held, inner)
    return replaced(module, direct)


def varied(**changes: Any) -> Callable[[Any], Any]:
    """A function that makes of a module the same one with these fields changed."""
    return lambda module: vary(module, changes)
