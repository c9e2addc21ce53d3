"""The states of a network along a direction: one tangent pass, then one forward pass for each step."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..computing.trees import check_finite, matching, moved, split
from .dependence import depends

FLOOR = 1e-12


class Measured(NamedTuple):
    """What one step shows, layer by layer: nonlinearity, share of it that rounding makes, denominators at the floor."""

    layers: np.ndarray
    rounding: np.ndarray
    floored: np.ndarray

    @property
    def mean(self) -> float:
        """The nonlinearity of the step: the mean over layers."""
        return float(np.mean(self.layers))


class Expansion(eqx.Module):
    """States `base` and their change `tangent` per unit step along a direction, layer by layer, samples first.

    `measure(step, denominator)`, `bend()`, `reach()`, `moves()` and `dead_units()` are all that a search for the range
    needs.
    """

    states: Callable[..., Any]
    moving: Any
    fixed: Any
    inputs: Any
    direction: Any
    base: tuple[Array, ...]
    tangent: tuple[Array, ...]

    def measure(self, step: float, denominator: str) -> Measured:
        """Nonlinearity at one step, by one forward pass."""
        # a Python number would be a constant of the program: one compilation a step
        found = _measure(self, jnp.asarray(step, self.tangent[0].real.dtype), denominator)
        return Measured(*(np.asarray(part, float) for part in found))

    def bend(self) -> float:
        """c of eps = c step + O(step^2): the mean of |second derivative of the state| / (2 |tangent|)."""
        return float(_bend(self))

    def reach(self) -> float:
        """The smallest step at which some sample's tangent change is as long as its state; inf without any."""
        return float(_reach(self))

    def moves(self) -> bool:
        """Whether any state changes, to first order."""
        return any(bool(jnp.any(way != 0)) for way in self.tangent)

    def dead_units(self) -> np.ndarray:
        """By layer, the number of units whose tangent is zero on every sample: the step does not reach them."""
        return np.asarray([int(jnp.sum(jnp.all(way == 0, axis=0))) for way in self.tangent])

    def precision(self) -> str:
        """The name of the precision that the states are computed in."""
        return str(jnp.result_type(*self.base))


def expand(states: Callable[..., Any], params: Any, inputs: Any, direction: Any) -> Expansion:
    """The linearisation of `states(params, inputs)` along `direction`; ValueError where there is none to speak of."""
    moving, fixed = split(params)
    direction = matching(direction, moving)
    check_finite(moving, "the parameter")
    check_finite(direction, "the direction of")
    try:
        base, tangent = _linearise(states, moving, fixed, inputs, direction)
    except jax.errors.UnexpectedTracerError as error:
        raise ValueError(
            "a state was kept from inside a loop or a map of the network, where a layer runs many times. Write "
            "states(params, inputs) yourself and return such states from the loop."
        ) from error
    if not np.all(_finite_states(base, tangent)):
        raise ValueError(
            "a state, or its derivative along the direction, is NaN or infinite at the given parameters; look for an "
            "overflow in the network or for inputs that are not finite."
        )
    return Expansion(states, moving, fixed, inputs, direction, base, tangent)


@eqx.filter_jit
def _finite_states(base: tuple[Array, ...], tangent: tuple[Array, ...]) -> Array:
    return jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in (*base, *tangent)])


def _rows(states: Callable[..., Any], moving: Any, fixed: Any, inputs: Any) -> tuple[Array, ...]:
    """The states as matrices, samples first; ValueError where they are not what a range can be made of."""
    told = jax.tree.leaves(states(eqx.combine(moving, fixed), inputs))
    if not told:
        raise ValueError("states(params, inputs) returned no array; return the list of layer states.")
    rows = []
    for i, state in enumerate(told):
        if not jnp.issubdtype(jnp.result_type(state), jnp.inexact):
            raise ValueError(f"state {i} is of type {jnp.result_type(state)}; return the floating-point states only.")
        if jnp.ndim(state) == 0:
            raise ValueError(f"state {i} is a single number; states have the samples first: shape (samples, ...).")
        if jnp.shape(state)[0] == 0 or jnp.size(state) == 0:
            raise ValueError(f"state {i} has the shape {jnp.shape(state)}: the batch is empty; give some samples.")
        rows.append(jnp.reshape(state, (jnp.shape(state)[0], -1)))
    counts = [row.shape[0] for row in rows]
    if len(set(counts)) > 1:
        raise ValueError(f"the states have {counts} rows; every state must have the samples first, the same number.")
    return tuple(rows)


@eqx.filter_jit
def _linearise(states: Any, moving: Any, fixed: Any, inputs: Any, direction: Any) -> Any:
    def run(now: Any) -> tuple[Array, ...]:
        return _rows(states, now, fixed, inputs)

    base, push = jax.linearize(run, moving)
    still = [i for i, moves in enumerate(depends(run, moving)) if not moves]
    if still:
        raise ValueError(
            f"the states {still} of {len(base)} do not depend on the parameters (the inputs themselves?); leave them "
            "out of the list, since they would lower the nonlinearity of every step."
        )
    return base, push(direction)


@eqx.filter_jit
def _measure(at: Expansion, step: Any, denominator: str) -> tuple[Array, Array, Array]:
    there = _rows(at.states, moved(at.moving, at.direction, step), at.fixed, at.inputs)
    parts = [_layer(a, b, way, step, denominator) for a, b, way in zip(at.base, there, at.tangent, strict=True)]
    layers, rounding, floored = (jnp.stack(part) for part in zip(*parts, strict=True))
    return layers, rounding, floored


def _layer(base: Array, there: Array, way: Array, step: Any, denominator: str) -> tuple[Array, Array, Array]:
    linear, actual = step.astype(way.dtype) * way, there - base
    gap, long, real = _norm(actual - linear), _norm(linear), _norm(actual)
    below = jnp.minimum(real, long) if denominator == "min" else long
    unit = jnp.finfo(base.dtype).eps * (_norm(base) + _norm(there))
    floored = (below <= FLOOR) & (gap > FLOOR)
    return jnp.mean(gap / (below + FLOOR)), jnp.mean(unit / (below + FLOOR)), jnp.sum(floored)


def _norm(rows: Array) -> Array:
    return jnp.sqrt(jnp.sum(jnp.abs(rows) ** 2, axis=1))


@eqx.filter_jit
def _bend(at: Expansion) -> Array:
    def run(step: Any) -> tuple[Array, ...]:
        return _rows(at.states, moved(at.moving, at.direction, step), at.fixed, at.inputs)

    def slope(step: Any) -> tuple[Array, ...]:
        return jax.jvp(run, (step,), (jnp.ones_like(step),))[1]

    zero = jnp.zeros((), at.base[0].real.dtype)
    twice = jax.jvp(slope, (zero,), (jnp.ones_like(zero),))[1]
    shares = [_quotient(0.5 * _norm(two), _norm(way)) for two, way in zip(twice, at.tangent, strict=True)]
    return jnp.mean(jnp.stack(shares))


@eqx.filter_jit
def _reach(at: Expansion) -> Array:
    pairs = zip(at.base, at.tangent, strict=True)
    lengths = [jnp.min(jnp.where(_norm(a) > 0, _quotient(_norm(a), _norm(way), jnp.inf), jnp.inf)) for a, way in pairs]
    return jnp.min(jnp.stack(lengths))


def _quotient(top: Array, bottom: Array, otherwise: float = 0.0) -> Array:
    return jnp.where(bottom > 0, top / jnp.where(bottom > 0, bottom, 1.0), otherwise)
