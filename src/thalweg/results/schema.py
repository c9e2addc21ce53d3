"""The words in which the schema of results is written (docs/results.md): nodes, and their entries of each kind."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from .._version import __version__

FORMAT = "thalweg-result-2"
# read as well; `load` brings them to FORMAT
OLDER = ("thalweg-result-1",)
# parts within parts of a problem, and lists within lists, that an attribute may hold
DEEPEST = 32
REPAIR = "give one that predict, train, compare or sweep returned, or a file that save wrote"


@dataclasses.dataclass(frozen=True)
class Entry:
    """An attribute, coordinate or variable: its name, of which kind it is (ATTRIBUTE_KINDS, TYPES), and what it says.

    One that is not `needed` may be missing; where it stands, it is of that kind. `dims` are those it ends with.
    """

    name: str
    kind: str
    words: str
    needed: bool = True
    dims: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Node:
    """One data set of a result. `filled`: it has at least one variable of numbers.

    `role` says what it is to whoever draws or tells the result: theory, training, gap or budget. Of one for `each` of
    several theories there are children by their names; one that is not `needed` may be missing.
    """

    path: str
    words: str
    attributes: tuple[Entry, ...] = ()
    coordinates: tuple[Entry, ...] = ()
    variables: tuple[Entry, ...] = ()
    filled: bool = True
    role: str = ""
    each: bool = False
    needed: bool = True


def _depth_within(value: Any, limit: int) -> bool:
    """Whether lists and dictionaries lie at most `limit` deep; without recursion, for it may be very deep."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def parsed(text: Any) -> Any:
    """What a JSON text says; ValueError where it is none, or nested more than DEEPEST deep."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("no JSON text") from None
    if not _depth_within(found, DEEPEST):
        raise ValueError("nested too deeply")
    return found


def _is_module(value: Any) -> bool:
    """{"class", "module", "fields"}, parts among the fields alike; more keys may stand beside these."""
    if not isinstance(value, dict) or not all(isinstance(value.get(k), str) for k in ("class", "module")):
        return False
    fields = value.get("fields")
    return isinstance(fields, dict) and all(_is_field(one) for one in fields.values())


def _is_field(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_field(one) for one in value)
    return not isinstance(value, dict) or "class" not in value or _is_module(value)


def _all(test: Callable[[Any], bool], least: int = 0) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and len(value) >= least and all(test(one) for one in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_point(value: Any) -> bool:
    """A swept value: a number, a part by its class, a name, or several that are tied."""
    return _is_number(value) or _is_text(value) or _is_module(value) or _all(_is_point, 1)(value)


def _is_grid(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_all(_is_point, 1)(v) for v in value.values())


def _is_axis(value: Any) -> bool:
    """Fields that are swept together, and a row of their values for each point."""
    if not isinstance(value, dict) or not _all(_is_text, 1)(value.get("fields")):
        return False
    width = len(value["fields"])
    return _all(lambda row: isinstance(row, list) and len(row) == width and all(map(_is_field, row)), 1)(
        value.get("rows")
    )


def _is_strains(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_number(v) or _is_text(v) for v in value.values())


# kinds of attributes: whether they are JSON, in words, and the test
ATTRIBUTE_KINDS: dict[str, tuple[bool, str, Callable[[Any], bool]]] = {
    "text": (False, "a text", _is_text),
    "number": (False, "a number", _is_number),
    "module": (True, 'JSON: {"class", "module", "fields"}', _is_module),
    "modules": (True, 'JSON: a list of {"class", "module", "fields"}', _all(_is_module, 1)),
    "texts": (True, "JSON: a list of texts", _all(_is_text)),
    "names": (True, "JSON: a list of at least one text", _all(_is_text, 1)),
    "seeds": (True, "JSON: a list of at least one whole number", _all(_is_count, 1)),
    "grid": (True, "JSON: a list of values for each name", _is_grid),
    "axes": (True, 'JSON: a list of {"fields", "rows"}', _all(_is_axis, 1)),
    "strains": (True, "JSON: a number, or inf as text, for each name", _is_strains),
}
# kinds of coordinates and variables: NumPy's kinds of numbers
TYPES = {"float": "f", "whole": "iu", "text": "OUS", "number": "fiub", "float or whole": "fiu"}


def stamp(**attrs: Any) -> dict[str, Any]:
    """Attributes that every result carries; anything but text and numbers is written as JSON."""
    import jax

    base = {"format": FORMAT, "thalweg": __version__, "jax": jax.__version__, "precision": "float64"}
    plain = {k: v if isinstance(v, str | int | float) else json.dumps(v) for k, v in attrs.items() if v is not None}
    return {**base, **plain}
