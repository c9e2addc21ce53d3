"""A pytree in two halves: what fixes shapes, and what may vary without a new compilation."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any

import jax
import numpy as np


class Skeleton:
    """The static half of a pytree: its structure and its whole numbers, which fix shapes. Hashable for jit."""

    def __init__(self, structure: Any, fixed: tuple[Any, ...]) -> None:
        self.structure, self.fixed = structure, fixed
        # 2 and 2.0 are equal but not the same constant, hence the types
        self._key = (structure, fixed, tuple(type(leaf) for leaf in fixed))
        self._hash = hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skeleton) and self._key == other._key

    def join(self, loose: list[Any]) -> Any:
        """The tree again, from its static half and the rest."""
        leaves = [b if a is None else a for a, b in zip(self.fixed, loose, strict=True)]
        return jax.tree.unflatten(self.structure, leaves)


def split(tree: Any, loosened: frozenset[str] = frozenset()) -> tuple[Skeleton, list[Any]]:
    """Static and traced halves of a pytree: whole numbers are static, all else may vary without a new compilation.

    Whole numbers in fields named in `loosened` are traced too, as floats: sizes that fix no shape.
    """
    leaves, structure = jax.tree.flatten(tree)
    free = _positions(structure, loosened) if loosened else frozenset()
    fixed: list[Any] = [None] * len(leaves)
    loose = leaves
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, (int, str)):  # a union would be built anew at each leaf
            continue
        if i in free:
            loose[i] = float(leaf)
        else:
            fixed[i], loose[i] = leaf, None
    return Skeleton(structure, tuple(fixed)), loose


@lru_cache(maxsize=256)
def _positions(structure: Any, names: frozenset[str]) -> frozenset[int]:
    """Where the fields with these names stand among the leaves."""
    tree = jax.tree.unflatten(structure, range(structure.num_leaves))
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return frozenset(leaf for path, leaf in paths if getattr(path[-1], "name", None) in names)


def signature(*arrays: Any) -> Hashable:
    """Structure, shapes and types of arrays: what a compiled function depends on beside the skeleton."""
    leaves, structure = jax.tree.flatten(arrays)
    return structure, tuple((np.shape(leaf), np.asarray(leaf).dtype.str) for leaf in leaves)
