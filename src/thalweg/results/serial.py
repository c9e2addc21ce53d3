"""Problems, rules and theories as JSON with their arrays beside, and back. Data only: nothing is unpickled."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from ..catalogue import registry
from ..computing.tree_paths import flatten, unflatten
from ..words.fields import Parametrised, parameters
from .callables import function_of, function_words

# the version of what `identity` says
IDENTITY = 1


def _plain(value: Any, path: str, arrays: dict[str, np.ndarray], kind: str) -> Any:
    if isinstance(value, Parametrised):
        return describe(value, arrays, f"{path}.")
    if kind == "array" and value is not None:
        arrays[path] = np.asarray(value)
        return {"array": path}
    if kind == "tree" and value is not None:
        arrays |= flatten(value, path)
        return {"tree": path}
    if kind == "function":
        return function_words(value)
    if isinstance(value, np.ndarray | jax.Array | np.generic):
        return np.asarray(value).tolist()
    if isinstance(value, tuple | list):
        return [_plain(v, f"{path}.{i}", arrays, "") for i, v in enumerate(value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{path} = {value!r} cannot be written to a result file; use numbers, arrays or modules.")


def describe(module: Parametrised, arrays: dict[str, np.ndarray], prefix: str = "") -> dict[str, Any]:
    """Class and fields as plain JSON values; arrays go to `arrays` under their dotted path."""
    known = parameters(type(module))
    fields = {}
    for field in dataclasses.fields(module):  # pyright: ignore[reportArgumentType]
        if field.metadata.get("derived"):
            continue  # it follows from the others, and is made again with them
        kind = known[field.name].kind if field.name in known else ""
        fields[field.name] = _plain(getattr(module, field.name), prefix + field.name, arrays, kind)
    kind = type(module)
    nested = {} if kind.__qualname__ == kind.__name__ else {"qualname": kind.__qualname__}
    return {"class": kind.__name__, "module": kind.__module__, **nested, "fields": fields}


def retold(said: dict[str, Any], module: Parametrised, names: Iterable[str]) -> dict[str, Any]:
    """What `describe` says of a module that differs from the one `said` describes in these dotted scalars alone."""
    fields = dict(said["fields"])
    for name in names:
        head, _, rest = name.partition(".")
        held = getattr(module, head)
        fields[head] = retold(fields[head], held, [rest]) if rest else _plain(held, head, {}, "")
    return {**said, "fields": fields}


def to_json(module: Parametrised) -> tuple[str, dict[str, np.ndarray]]:
    """JSON text and the arrays that it points to."""
    arrays: dict[str, np.ndarray] = {}
    return json.dumps(describe(module, arrays)), arrays


def identity(module: Parametrised) -> str:
    """What makes it this very problem, rule or theory: class by module and name, all fields, digests of its arrays."""
    arrays: dict[str, np.ndarray] = {}
    said = describe(module, arrays)
    return json.dumps([IDENTITY, said, {name: digest(values) for name, values in arrays.items()}], sort_keys=True)


def digest(*parts: Any) -> str:
    """One name for texts, numbers and arrays (type, shape and bytes)."""
    key = hashlib.sha256()
    for part in parts:
        told = part.encode() if isinstance(part, str) else None
        if told is None:
            values = np.ascontiguousarray(part)
            told = f"{values.dtype.str}{values.shape}".encode() + values.tobytes()
        key.update(len(told).to_bytes(8, "little") + told)
    return key.hexdigest()


def _revive(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, dict) and "class" in value:
        kind = registry.revived(value["class"], value.get("module", ""), value.get("qualname", value["class"]))
        fields = kind.brought_on(value["fields"])
        lost = sorted(fields.keys() - {f.name for f in dataclasses.fields(kind)})  # pyright: ignore[reportArgumentType]
        if lost:
            raise ValueError(
                f"this was made with another version of {kind.__name__}, which had the fields {', '.join(lost)}; build "
                "it anew from those that it has now."
            )
        return kind(**{k: _revive(v, arrays) for k, v in fields.items()})
    if isinstance(value, dict) and ("array" in value or "tree" in value):
        path = value.get("array") or value["tree"]
        found = unflatten(arrays, path)
        if found is None:
            raise ValueError(
                f"this result holds no copy of the array {path!r} (only compare keeps a user's data); "
                "build the problem again from your data."
            )
        return found
    if isinstance(value, dict) and "function" in value:
        return function_of(value)
    if isinstance(value, list):
        return tuple(_revive(v, arrays) for v in value)
    return value


def from_json(text: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """The module that `to_json` described. Its class must be part of thalweg or already imported."""
    return _revive(json.loads(text), arrays)
