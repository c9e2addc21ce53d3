"""Two-layer networks without output bias: their parameters, and small starts."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class TwoLayer(eqx.Module):
    """Parameters of h(x) = sum_j output_j relu(hidden_j . x): `hidden` (m, d), one row a unit, and `output` (m,)."""

    hidden: Float[Any, "m d"]
    output: Float[Any, " m"]


def as_two_layer(raw: Any, units: int, inputs: int) -> TwoLayer:
    """A user's start, checked: a TwoLayer, a mapping with its names, or a tuple (hidden, output).

    ValueError where the shapes are not (units, inputs) and (units,), or an entry is not finite.
    """
    names = ("hidden", "output")
    parts: dict[str, Any] = {}
    if isinstance(raw, TwoLayer):
        parts = {name: getattr(raw, name) for name in names}
    elif isinstance(raw, Mapping):
        parts = {str(name): value for name, value in raw.items()}
    elif isinstance(raw, tuple | list) and len(raw) == 2:
        parts = dict(zip(names, raw, strict=True))
    if set(parts) != set(names):
        raise ValueError(f"start must be tw.TwoLayer(hidden=({units}, {inputs}), output=({units},)).")
    for name, shape in (("hidden", (units, inputs)), ("output", (units,))):
        value = np.asarray(parts[name], dtype=np.float64)
        if value.shape != shape:
            raise ValueError(
                f"start.{name} has shape {value.shape}; {shape} is wanted: {units} units, {inputs} input directions. "
                "Give such a start, or change the width of the problem."
            )
        if not np.all(np.isfinite(value)):
            raise ValueError(f"start.{name} has entries that are not finite; give finite numbers.")
        parts[name] = value
    return TwoLayer(**parts)


def small_start(key: Array, units: int, inputs: int, scale: Any, ratio: Any) -> TwoLayer:
    """Hidden entries N(0, scale^2); outputs of fair sign and size ratio times the norm of their hidden row."""
    entries, signs = jax.random.split(key)
    hidden = scale * jax.random.normal(entries, (units, inputs), dtype=jnp.float64)
    # scaled before squaring: at a scale of 1e-200 the squares alone would vanish
    size = jnp.max(jnp.abs(hidden))
    norms = size * jnp.linalg.norm(hidden / jnp.where(size > 0, size, 1.0), axis=1)
    return TwoLayer(hidden, ratio * norms * jax.random.rademacher(signs, (units,), dtype=jnp.float64))
