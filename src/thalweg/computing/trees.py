"""A user's parameters, directions to move them in, and rows of data, as pytrees: taken apart, checked, moved."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np


def split(params: Any) -> tuple[Any, Any]:
    """The floating-point arrays of `params`, and the rest (None where there is none).

    In a module, or a tree that holds functions, integers and Python numbers are settings. In a plain tree every leaf
    must be a floating-point number; ValueError otherwise, and where nothing is left to move.
    """
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    module = any(isinstance(x, eqx.Module) for x in jax.tree.leaves(params, is_leaf=_is_module))
    if not module and not any(callable(leaf) for _, leaf in leaves):
        for path, leaf in leaves:
            kind = jnp.result_type(leaf) if eqx.is_array_like(leaf) else type(leaf)
            if not (eqx.is_array_like(leaf) and jnp.issubdtype(kind, jnp.inexact)):
                raise ValueError(
                    f"the parameter {name(path)} is of type {kind}; a step moves floating-point arrays only. Convert "
                    "it, or keep it out of `params` (inputs may be integers)."
                )
        params = jax.tree.map(jnp.asarray, params)
    moving, fixed = eqx.partition(params, eqx.is_inexact_array)
    if not jax.tree.leaves(moving):
        raise ValueError("`params` holds no floating-point array; give the parameters that a step moves.")
    return moving, fixed


def _is_module(node: Any) -> bool:
    return isinstance(node, eqx.Module)


def name(path: Any) -> str:
    """The name of a leaf, as in Python."""
    return f"params{jax.tree_util.keystr(path)}"


def matching(direction: Any, moving: Any) -> Any:
    """A direction with the structure, shapes and precision of the parameters; ValueError if it has another."""
    # Python numbers are parameters of a plain tree, settings of a module
    given = [eqx.filter(direction, keep) for keep in (eqx.is_inexact_array_like, eqx.is_inexact_array)]
    direction = next((d for d in given if jax.tree.structure(d) == jax.tree.structure(moving)), given[0])
    have, want = jax.tree.structure(direction), jax.tree.structure(moving)
    if have != want:
        raise ValueError(
            f"the direction has the structure {have}, the parameters have {want}. Give one array for each parameter, "
            "such as minus the gradient: jax.tree.map(jnp.negative, jax.grad(loss)(params))."
        )
    for (path, leaf), step in zip(
        jax.tree_util.tree_flatten_with_path(moving)[0], jax.tree.leaves(direction), strict=True
    ):
        if np.shape(step) != np.shape(leaf):
            raise ValueError(
                f"the direction of {name(path)} has the shape {np.shape(step)}, the parameter {np.shape(leaf)}; "
                "they must be equal."
            )
    return jax.tree.map(lambda step, leaf: jnp.asarray(step, leaf.dtype), direction, moving)


def check_finite(tree: Any, what: str) -> None:
    """ValueError, with the name of the leaf, if an entry is NaN or infinite."""
    paths = [path for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]
    for path, good in zip(paths, np.asarray(_finite(tree)), strict=True):
        if not good:
            raise ValueError(
                f"{what} {name(path)} has entries that are NaN or infinite; a step from there says nothing. Go back "
                "to finite parameters and data."
            )


@eqx.filter_jit
def _finite(tree: Any) -> Any:
    return jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(tree)])


def moved(moving: Any, direction: Any, step: Any) -> Any:
    """params + step direction, each array in its own precision."""
    return jax.tree.map(lambda leaf, way: leaf + jnp.asarray(step, leaf.dtype) * way, moving, direction)


def count_rows(data: Any) -> int:
    """How many rows stored arrays have: the length of the leading axis."""
    return jax.tree.leaves(data)[0].shape[0]


def rows_at(data: Any, indices: Any) -> Any:
    """Some rows of every array."""
    return jax.tree.map(lambda leaf: leaf[indices], data)


def doubled(tree: Any) -> Any:
    """Floating-point arrays in double precision; whole numbers (tokens, labels) and truth values as they are."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, doubled_type(leaf)), tree)


def doubled_type(leaf: Any) -> Any:
    """float64 or complex128 for an array of floating-point numbers, else its own type."""
    kind = jnp.result_type(leaf)
    if not jnp.issubdtype(kind, jnp.inexact):
        return np.asarray(leaf).dtype if isinstance(leaf, np.ndarray) else kind
    return np.dtype(np.complex128 if jnp.issubdtype(kind, jnp.complexfloating) else np.float64)
