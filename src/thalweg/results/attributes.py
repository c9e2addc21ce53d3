"""Attributes that netCDF cannot hold, such as None, True, lists, dictionaries and dates, as one text, and back."""

import datetime
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .schema import DEEPEST, parsed

# the one attribute that holds all that netCDF cannot, by name
KEPT = "attributes_json"
# names that netCDF, xarray or HDF5 take for themselves
TAKEN = (
    "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "DIMENSION_LABELS", "add_offset", "calendar", "coordinates",
    "dtype", "grid_mapping", "missing_value", "scale_factor",
)  # fmt: skip
# units that xarray reads as dates or spans of time
SPANS = ("days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds")


def packed(attrs: Mapping[Any, Any], where: str) -> dict[str, str | int | float]:
    """Attributes as texts and numbers; the others under KEPT. ValueError names one that cannot be kept."""
    plain: dict[str, str | int | float] = {}
    rest: dict[str, Any] = {}
    for name, value in attrs.items():
        if not isinstance(name, str):
            raise ValueError(f"attribute {name!r} of {where} cannot be saved; its name must be text.")
        if _holds(name, value):
            plain[name] = value
        else:
            rest[name] = _encoded(value, f"attribute {name!r} of {where}", 0)
    return plain | ({KEPT: json.dumps(rest)} if rest else {})


def unpacked(attrs: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """What `packed` was given; ValueError where the text is damaged."""
    found = dict(attrs)
    if KEPT in found:
        try:
            rest = parsed(found.pop(KEPT))
            return found | {name: _decoded(value) for name, value in rest.items()}
        except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
            raise ValueError(f"attribute {KEPT!r} of {where} is not what save wrote; make the file again.") from None
    return found


def _holds(name: str, value: Any) -> bool:
    """Whether netCDF holds this name and value as they are, and reads nothing into them."""
    usual = name.isidentifier() and not name.startswith("_") and name not in (*TAKEN, KEPT)
    if name == "units" and isinstance(value, str) and (" since " in value or value in SPANS):
        return False
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, int | np.integer):
        return usual and -(2**63) <= int(value) < 2**63
    if isinstance(value, float | np.floating):
        return usual
    return usual and isinstance(value, str) and "\0" not in value and value.isprintable() and value != ""


def _encoded(value: Any, where: str, depth: int) -> Any:
    """JSON in which all but numbers, texts, None, booleans and lists is a dictionary of one key, the type."""
    deeper = depth + 2
    if depth > DEEPEST - 4:
        raise ValueError(f"{where} is nested too deeply to be saved; make it flat, or leave it out.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "fiub":
        return value.item()
    if isinstance(value, list):
        return [_encoded(one, where, deeper) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [_encoded(one, where, deeper) for one in value]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _encoded(one, where, deeper) for key, one in value.items()}}
    if isinstance(value, complex | np.complexfloating):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return {type(value).__name__: value.isoformat()}
    if isinstance(value, np.datetime64 | np.timedelta64):
        return {"numpy": [str(value.dtype), str(value.astype(np.int64))]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        return {"array": [str(value.dtype), list(value.shape), value.ravel().tolist()]}
    raise ValueError(
        f"{where} is a {type(value).__name__}, which no file keeps; use text, numbers, lists, dictionaries or dates."
    )


def _array(parts: Any) -> np.ndarray:
    dtype, shape, values = parts
    if math.prod(shape) != len(values):
        raise ValueError("an array whose shape does not fit")
    return np.asarray(values, dtype=dtype).reshape(shape)


DECODERS: dict[str, Any] = {
    "tuple": lambda parts: tuple(_decoded(one) for one in parts),
    "dict": lambda parts: {key: _decoded(one) for key, one in parts.items()},
    "complex": lambda parts: complex(*parts),
    "date": datetime.date.fromisoformat,
    "datetime": datetime.datetime.fromisoformat,
    "time": datetime.time.fromisoformat,
    "numpy": lambda parts: np.int64(parts[1]).view(parts[0]),
    "array": _array,
}


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    return DECODERS[kind](inner)


def unwritable(name: Any, taken: Iterable[Any] = ()) -> str:
    """Why netCDF cannot hold a variable of this name; empty where it can."""
    if not isinstance(name, str) or not name:
        return "its name must be text"
    if name in taken or name in (".", "..") or name != name.strip() or any(c in name for c in "/\0"):
        return "its name must have no slash, and no space at its ends"
    return "" if name.isprintable() else "its name must be printable"
