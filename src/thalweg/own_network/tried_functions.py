"""A user's functions, tried before anything runs: what they return, and whether it fits together."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..computing.float64 import float64, root_key
from ..computing.trees import count_rows, doubled, split
from ..words.problem import seed_keys


class Shapes(NamedTuple):
    """Structure, shapes and types of a tree: hashable."""

    structure: Any
    leaves: tuple[Any, ...]

    @classmethod
    def of(cls, data: Any) -> "Shapes":
        """Those of a tree of arrays."""
        leaves, structure = jax.tree.flatten(data)
        return cls(structure, tuple((np.shape(leaf), np.dtype(leaf.dtype)) for leaf in leaves))

    def build(self) -> Any:
        """The tree with shapes in place of arrays."""
        return jax.tree.unflatten(self.structure, [jax.ShapeDtypeStruct(*leaf) for leaf in self.leaves])


class Tried(NamedTuple):
    """Shapes of the parameters, the outputs and the loss, found without computing any of them."""

    params: Any
    outputs: Any
    loss: Any


@functools.lru_cache(maxsize=64)
def tried(apply: Any, init: Any, loss: Any, shapes: Shapes) -> Tried:
    """ValueError where what the functions return does not fit together."""
    with float64():
        return jax.eval_shape(lambda key, data: _run(apply, init, loss, key, data), root_key(0), shapes.build())


def _run(apply: Any, init: Any, loss: Any, key: Any, data: Any) -> Tried:
    """The start, its outputs and its loss."""
    data, params = doubled(data), doubled(split(init(key))[0])
    outputs = apply(whole(params, settings_of(init)), data[0])
    samples = count_rows(data)
    for path, leaf in jax.tree_util.tree_flatten_with_path(outputs)[0]:
        if np.shape(leaf)[:1] != (samples,):
            raise ValueError(
                f"NetworkProblem: apply(params, inputs){jax.tree_util.keystr(path)} has the shape {np.shape(leaf)} for "
                f"{samples} samples; return one row of outputs for each (jax.vmap a network of single samples)."
            )
    value = loss(outputs, data[1])
    if np.shape(value) != ():
        raise ValueError(
            f"NetworkProblem: loss(outputs, targets) has the shape {np.shape(value)}; return one number, the mean over "
            "the samples."
        )
    return Tried(params, outputs, value)


@functools.lru_cache(maxsize=64)
def uses_key(init: Any) -> bool:
    """Whether two keys give different starts."""
    with float64():
        pair = [jax.tree.leaves(split(init(seed_keys(np.int64(seed))[1]))[0]) for seed in (0, 1)]
    return not all(map(np.array_equal, *pair))


@functools.lru_cache(maxsize=64)
def settings_of(init: Any) -> Any:
    """What `init` returns beside floating-point arrays: functions and Python numbers of a module."""
    with float64():
        whole = eqx.filter_eval_shape(init, root_key(0))
    found = split(jax.tree.map(lambda leaf: jnp.zeros((), leaf.dtype) if _is_shape(leaf) else leaf, whole))[1]
    for path, leaf in jax.tree_util.tree_flatten_with_path(found)[0]:
        if eqx.is_array(leaf):
            raise ValueError(
                f"NetworkProblem: init(key){jax.tree_util.keystr(path)} is an array of type {leaf.dtype}, which no "
                "step moves; keep it out of the parameters (inputs may be integers)."
            )
    return found


def _is_shape(leaf: Any) -> bool:
    return isinstance(leaf, jax.ShapeDtypeStruct)


def whole(params: Any, settings: Any) -> Any:
    """The parameters with the settings in their places."""
    return eqx.combine(params, settings) if jax.tree.leaves(settings) else params


class Same:
    """Functions and arrays that are the very same objects: hashable."""

    def __init__(self, *parts: Any) -> None:
        self.parts = jax.tree.leaves(parts)

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.parts)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and list(map(id, self.parts)) == list(map(id, other.parts))


@functools.lru_cache(maxsize=1)
def check_first_loss(apply: Any, init: Any, loss: Any, data: Same, structure: Any) -> None:
    """ValueError for a first loss that is not finite; a sweep, whose points share their data, asks once."""
    with float64():
        value = _first_loss(apply, init, loss, seed_keys(np.int64(0))[1], jax.tree.unflatten(structure, data.parts))
    if not np.isfinite(value):
        raise ValueError(
            f"NetworkProblem: the loss at the start of seed 0 is {value}; start from parameters with a finite loss, or "
            "look for a logarithm or quotient of zero."
        )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _first_loss(apply: Any, init: Any, loss: Any, key: Any, data: Any) -> Any:
    return _run(apply, init, loss, key, data).loss


def check_rows(name: str, data: Any) -> int:
    """The number of rows; ValueError unless data are a pair whose arrays all have it."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(
            f"NetworkProblem: {name} = {type(data).__name__} is not allowed; give {name}=(inputs, targets), samples "
            "first (targets may be ())."
        )
    leaves = jax.tree_util.tree_flatten_with_path(tuple(data))[0]
    counts = {f"{name}{jax.tree_util.keystr(path)}": np.shape(leaf)[:1] for path, leaf in leaves}
    if not jax.tree.leaves(data[0]) or (0,) in counts.values():
        raise ValueError(f"NetworkProblem: {name} holds no samples; give arrays of inputs, samples first.")
    if () in counts.values():
        single = next(path for path, rows in counts.items() if rows == ())
        raise ValueError(f"NetworkProblem: {single} is a single number; give arrays, samples first.")
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{path} {rows[0]}" for path, rows in counts.items())
        raise ValueError(f"NetworkProblem: {name} must have one row a sample in every array; the rows are {told}.")
    return count_rows(data)
