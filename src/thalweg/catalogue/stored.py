"""The catalogue of the package as stored in catalogue.json: what exists, without importing any of it."""

import dataclasses
import functools
import json
from collections.abc import Iterable
from importlib import resources
from typing import Any

from .entries import Entry, Field, PresetEntry

FILE = "catalogue.json"


@functools.cache
def stored() -> tuple[tuple[Entry, ...], tuple[PresetEntry, ...]]:
    """Classes and presets of the package."""
    text = resources.files("thalweg.catalogue").joinpath(FILE).read_text(encoding="utf-8")
    found = json.loads(text)
    return tuple(_back(Entry, e) for e in found["classes"]), tuple(_back(PresetEntry, p) for p in found["presets"])


def written(classes: Iterable[Entry], presets: Iterable[PresetEntry]) -> str:
    """The text of catalogue.json."""
    told = {
        "classes": [_brief(e) for e in sorted(classes, key=lambda e: e.identity)],
        "presets": [_brief(p) for p in sorted(presets, key=lambda p: (p.module, p.name))],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _brief(entry: Any) -> dict[str, Any]:
    """All fields of an entry that are not as usual."""
    told = {}
    for field in dataclasses.fields(entry):
        value = getattr(entry, field.name)
        if field.name == "fields":
            told["fields"] = [_brief(f) for f in value]
        elif value != field.default:
            told[field.name] = value
    return told


def _back(kind: type, told: dict[str, Any]) -> Any:
    values = {k: _tuples(v) for k, v in told.items() if k != "fields"}
    if "fields" in told:
        values["fields"] = tuple(Field(**{k: _tuples(v) for k, v in f.items()}) for f in told["fields"])
    return kind(**values)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
