"""A user's data and starts, any pytree: as named arrays and back, and compared with what is wanted, path by path.

A path is the way to a leaf, joined by dots: `start.layers.0.weights` is `start["layers"][0].weights`. Keys of
dictionaries that are no text stand in brackets (`[3]`); what a path cannot hold in a key (".", "/", "%", a number as
text) is written as percent and two hexadecimal digits. A part without leaves (None, an empty tuple or dictionary) has
a path of its own that ends in `[none]`, `[tuple]` or `[dict]`.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from jax.tree_util import DictKey, FlattenedIndexKey, GetAttrKey, SequenceKey

__all__ = ["fitting", "flatten", "leaves", "unflatten"]

EMPTY: dict[str, Any] = {"[none]": None, "[tuple]": (), "[dict]": {}}


def _escaped(key: str) -> str:
    if re.fullmatch(r"[0-9]+|\[.*|", key):
        key = f"%{ord(key[0]):02x}{key[1:]}" if key else "%"
        head, key = key[:3], key[3:]
    else:
        head = ""
    return head + re.sub(r"[./%\x00-\x1f]", lambda found: f"%{ord(found[0]):02x}", key)


def _plain(word: str) -> str:
    return "" if word == "%" else re.sub(r"%([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), word)


def _word(key: Any, path: str) -> str:
    """One step of a path."""
    if isinstance(key, SequenceKey):
        return str(key.idx)
    if isinstance(key, GetAttrKey):
        return _escaped(key.name)
    inner = key.key if isinstance(key, DictKey | FlattenedIndexKey) else key
    if isinstance(key, FlattenedIndexKey):
        return str(inner)
    if isinstance(inner, str):
        return _escaped(inner)
    if isinstance(inner, int) and not isinstance(inner, bool):
        return f"[{inner}]"
    raise ValueError(f"{path} has the key {inner!r}; keys of {path.partition('.')[0]} must be text or whole numbers.")


def _stops(value: Any) -> bool:
    """Parts that JAX would drop or not open: None, empty containers, dataclasses that are not registered as pytrees."""
    return value is None or (isinstance(value, tuple | list | dict) and not value)


def leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Path and value of every leaf, and of every part without leaves; `path` is the name of the whole.

    Functions are left out: they carry no numbers (an Equinox module holds its activation so). ValueError for a key
    that is neither text nor a whole number.
    """
    for keys, value in jax.tree_util.tree_flatten_with_path(tree, is_leaf=_stops)[0]:
        here = path
        for key in keys:
            here = f"{here}.{_word(key, here)}"
        if _stops(value):
            empty = {type(None): "[none]", dict: "[dict]"}.get(type(value), "[tuple]")
            yield f"{here}.{empty}", value
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            for field in dataclasses.fields(value):
                yield from leaves(getattr(value, field.name), f"{here}.{_escaped(field.name)}")
        elif not callable(value):
            yield here, value


def _array(path: str, value: Any) -> np.ndarray:
    """A leaf as numbers; ValueError names the one that is none."""
    try:
        found = np.asarray(value)
    except (TypeError, ValueError):
        found = np.asarray(None)
    if found.dtype.kind == "V" and jax.numpy.issubdtype(found.dtype, jax.numpy.floating):
        found = found.astype(np.float32)  # bfloat16 and shorter, of which no file knows
    # a row of numbers and arrays as one leaf, text, keys of JAX: no array of numbers
    if found.dtype.kind not in "fiub":
        raise ValueError(f"{path} is a {type(value).__name__}, not an array of real numbers; give numbers or arrays.")
    return found


def flatten(given: Any, prefix: str) -> dict[str, np.ndarray]:
    """A user's data set or start as named arrays; nothing for None. ValueError names a leaf that is no array."""
    if given is None:
        return {}
    mark = np.zeros((), np.int8)
    return {p: mark if p.endswith(tuple(EMPTY)) else _array(p, value) for p, value in leaves(given, prefix)}


def unflatten(arrays: Mapping[str, np.ndarray], prefix: str) -> Any:
    """What `flatten` stored under `prefix`, or None where nothing is: arrays, tuples, dictionaries within each other.

    A list comes back as a tuple, a module or dataclass as a dictionary of its fields: the problem converts them.
    """
    if prefix in arrays:
        return arrays[prefix]
    inner = {k[len(prefix) + 1 :]: v for k, v in arrays.items() if k.startswith(f"{prefix}.")}
    return _tree(inner) if inner else None


def _tree(inner: Mapping[str, np.ndarray]) -> Any:
    for mark, value in EMPTY.items():
        if set(inner) == {mark}:
            return value
    groups: dict[str, dict[str, np.ndarray]] = {}
    for path, value in inner.items():
        word, _, rest = path.partition(".")
        groups.setdefault(word, {})[rest] = value
    parts = {word: part[""] if set(part) == {""} else _tree(part) for word, part in groups.items()}
    if all(word.isdigit() for word in parts):
        # a function between arrays left its place empty
        return tuple(parts.get(str(i)) for i in range(max(map(int, parts)) + 1))
    return {int(w[1:-1]) if re.fullmatch(r"\[-?\d+\]", w) else _plain(w): part for w, part in parts.items()}


def fitting(raw: Any, like: Any, what: str) -> Any:
    """`raw` in the form of the pytree `like`, its numbers as NumPy arrays in the types of `like`.

    `like` may hold arrays, shapes (`jax.ShapeDtypeStruct`) and functions; functions stay as they are. Whether a part is
    a tuple, a dictionary by name or a module does not matter, so that what `unflatten` gave fits. `what` is the name of
    the whole ("start"). Raises ValueError with the path of the first misfit: a leaf that is missing, one too many, one
    of another shape, or one that is not finite.
    """
    given = {_loose(path): value for path, value in leaves(raw, what) if not path.endswith(tuple(EMPTY))}
    wanted = {_loose(path): value for path, value in leaves(like, what) if not path.endswith(tuple(EMPTY))}
    for path, value in wanted.items():
        if path not in given:
            raise ValueError(f"{path} is missing; an array of shape {_shape(value)} is wanted there.")
        given[path] = _fitted(path, given[path], value)
    extra = next((path for path in given if path not in wanted), None)
    if extra is not None:
        raise ValueError(f"{extra} is not wanted; leave it out. {what} consists of {_listed(list(wanted))}.")

    def put(keys: Any, value: Any) -> Any:
        here = what
        for key in keys:
            here = f"{here}.{_word(key, here)}"
        return given.get(_loose(here), value)

    return jax.tree_util.tree_map_with_path(put, like)


def _loose(path: str) -> str:
    """A path in which a whole number counts the same as a place, as text and as a key."""
    return re.sub(r"\[(\d+)\]", r"\1", re.sub(r"%3([0-9])", r"\1", path))


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape) if hasattr(value, "shape") else np.shape(value)


def _fitted(path: str, given: Any, wanted: Any) -> np.ndarray:
    found, kind = _array(path, given), np.dtype(getattr(wanted, "dtype", np.asarray(wanted).dtype))
    if found.shape != _shape(wanted):
        raise ValueError(f"{path} has shape {found.shape}; {_shape(wanted)} is wanted.")
    with np.errstate(all="ignore"):
        fitted = found.astype(kind)
    if not np.all(np.isfinite(np.asarray(found, dtype=np.float64))) or not np.all(np.isfinite(fitted.astype(float))):
        raise ValueError(f"{path} is not finite throughout in {kind}; give finite numbers.")
    if kind.kind in "iub" and not np.array_equal(fitted, found):
        raise ValueError(f"{path} must hold whole numbers ({kind}).")
    return fitted


def _listed(paths: list[str]) -> str:
    return ", ".join(paths[:6]) + (f" and {len(paths) - 6} more" if len(paths) > 6 else "")
