"""Entries of the catalogue, read from the classes themselves."""

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import numpy as np

from ..words.fields import Parametrised, held_family, parameters
from .entries import Entry, Field, PresetEntry

KINDS = ("Problem", "Theory", "Adviser")


def identity_of(kind: type) -> str:
    """`module:qualname` of a class: its one name that nothing else has."""
    return f"{kind.__module__}:{kind.__qualname__}"


def is_concrete(kind: type) -> bool:
    """Whether one can be made, and is meant to be."""
    return not inspect.isabstract(kind) and not kind.__name__.startswith("_")


def entry_of(kind: type) -> Entry:
    """What the catalogue says of a class."""
    line = [k for k in reversed(kind.__mro__[1:]) if issubclass(k, Parametrised) and k is not Parametrised]
    names = [k.__name__ for k in line]
    told: Any = kind
    return Entry(
        name=kind.__name__,
        kind=next((n for n in names if n in KINDS), (names or [kind.__name__])[0]),
        doc=(inspect.getdoc(kind) or "") if vars(kind).get("__doc__") else "",
        module=kind.__module__,
        qualname=kind.__qualname__,
        fields=tuple(_field(f) for f in dataclasses.fields(told) if not f.metadata.get("derived")),
        of=tuple(identity_of(k) for k in _declared(kind, "of")),
        source=tuple(str(s) for s in _declared(kind, "source")),
        conditions_on=tuple(_declared(kind, "conditions_on")),
        standing=getattr(kind, "standing", ""),
        ancestors=tuple(identity_of(k) for k in line),
        concrete=is_concrete(kind),
    )


def _declared(kind: type, name: str) -> tuple[Any, ...]:
    found = getattr(kind, name, ())
    return found if isinstance(found, tuple) else ()


def _field(field: Any) -> Field:
    parameter = field.metadata.get("parameter")
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = None if required else _text_of(field.default)
    annotation = annotation_text(field.type)
    if parameter is not None:
        told = {n: getattr(parameter, n) for n in ("words", "symbol", "unit", "low", "high", "above", "below", "log")}
        return Field(field.name, parameter.kind, annotation, required, default, **told)
    family = held_family(field.type, Parametrised)
    if family is not None:
        return Field(field.name, "module", annotation, required, default, family=identity_of(family))
    return Field(field.name, "plain", annotation, required, default)


def annotation_text(annotation: Any) -> str:
    """An annotation as it is written."""
    if annotation in (type(None), ...):
        return {type(None): "None"}.get(annotation, "...")
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, types.UnionType):
        return " | ".join(annotation_text(a) for a in typing.get_args(annotation))
    if typing.get_origin(annotation) is not None:
        inner = ", ".join(annotation_text(a) for a in typing.get_args(annotation))
        return f"{annotation_text(typing.get_origin(annotation))}[{inner}]"
    return getattr(annotation, "__name__", str(annotation))


def _text_of(value: Any) -> Any:
    """A default as JSON can hold it; a part as the call that makes it, a function by its name."""
    if isinstance(value, Parametrised):
        usual = {f.name: f.default for f in dataclasses.fields(value)}
        changed = {n: getattr(value, n) for n in usual if not same(getattr(value, n), usual[n])}
        return f"{type(value).__name__}({', '.join(f'{n}={_text_of(v)!r}' for n, v in changed.items())})"
    if isinstance(value, np.ndarray):
        return _text_of(tuple(value.tolist()))
    if isinstance(value, tuple | list):
        return tuple(_text_of(v) for v in value)
    return value.__name__ if callable(value) else value


def same(value: Any, default: Any) -> bool:
    """Whether a field holds its default."""
    return value is default or (default is not dataclasses.MISSING and bool(np.array_equal(value, default)))


def preset_entry(name: str, preset: Any) -> PresetEntry:
    """What the catalogue says of a preset; a parameter that bears the name of a field of its problem means the same."""
    build: Callable[..., Any] = preset.build
    problem = typing.get_type_hints(build).get("return")
    known = {f: p for f, p in parameters(problem).items()} if problem else {}
    fields = tuple(_preset_field(p, known) for p in inspect.signature(build).parameters.values())
    return PresetEntry(
        name=name,
        words=preset.words,
        doc=inspect.getdoc(build) or "",
        module=build.__module__,
        fields=fields,
        returns=identity_of(problem) if problem else "",
        source=preset.source,
        seeds=preset.seeds,
        recalled=preset.recalled,
        theories=tuple(preset.theories),
    )


def _preset_field(taken: inspect.Parameter, known: dict[str, Any]) -> Field:
    annotation = "" if taken.annotation is inspect.Parameter.empty else annotation_text(taken.annotation)
    required = taken.default is inspect.Parameter.empty
    default = None if required else _text_of(taken.default)
    parameter = known.get(taken.name)
    if parameter is None:
        array = "Array" in annotation or "ndarray" in annotation
        family = held_family(taken.annotation, Parametrised)
        kind = "array" if array else "module" if family else "plain"
        return Field(taken.name, kind, annotation, required, default, family=identity_of(family) if family else "")
    told = {n: getattr(parameter, n) for n in ("words", "symbol", "unit", "low", "high", "above", "below", "log")}
    return Field(taken.name, parameter.kind, annotation, required, default, **told)
