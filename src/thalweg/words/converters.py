"""What a field makes of the value that it is given: numbers, whole numbers, arrays, trees of arrays."""

from typing import Any

import jax
import numpy as np
from jax.core import Tracer


def is_traced(value: Any) -> bool:
    """Whether a value is a stand-in inside a transformation, which no range check can read."""
    return isinstance(value, Tracer)


def as_number(value: Any) -> Any:
    """A Python float when the value is concrete; arrays of a sweep and tracers pass."""
    if is_traced(value) or isinstance(value, bool | str) or np.ndim(value) > 0:
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def as_whole(value: Any) -> Any:
    """A Python int when the value is a concrete whole number; tracers and misfits pass (checked later)."""
    number = as_number(value)
    return int(number) if isinstance(number, float) and number.is_integer() else number


def as_switch(value: Any) -> Any:
    """0 for False, 1 for True; else as `as_whole`."""
    return int(value) if isinstance(value, bool | np.bool_) else as_whole(value)


def floats(value: Any) -> Any:
    """A float64 NumPy array when the value is concrete and numeric; None (not given) stays."""
    if value is None or is_traced(value) or isinstance(value, jax.Array):
        return value
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return value


def coded(labels: Any) -> Any:
    """Labels as floats; text as the numbers 0, 1, ... of its different values in alphabetical order."""
    given = floats(labels)
    if given is None or is_traced(given) or isinstance(given, jax.Array) or np.asarray(given).dtype.kind == "f":
        return given
    names = np.asarray(labels)
    if names.dtype.kind == "O" and all(isinstance(one, str) for one in names.ravel()):
        names = names.astype(str)
    # one name alone says nothing: it is left for the check to refuse
    if names.dtype.kind != "U" or names.ndim != 1 or np.unique(names).size < 2:
        return labels
    return np.unique(names, return_inverse=True)[1].astype(np.float64)


def arrays_of(value: Any) -> Any:
    """The same tree with NumPy arrays for leaves, in the precision that they have, and tuples for lists.

    A list of numbers is one array.
    """
    if isinstance(value, list) and all(isinstance(leaf, int | float) for leaf in jax.tree.leaves(value)):
        try:
            return np.asarray(value)
        except ValueError:  # rows of unlike lengths: told when the field is checked
            return value
    if isinstance(value, dict):
        return {key: arrays_of(part) for key, part in value.items()}
    if type(value) in (tuple, list):
        return tuple(arrays_of(part) for part in value)
    return value if value is None or is_traced(value) or isinstance(value, str) else jax.tree.map(np.asarray, value)
