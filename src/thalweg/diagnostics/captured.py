"""Layer states of ready-made modules, for `linear_range`: what each weighted layer is given, and the final outputs.

A layer is a module that itself owns a floating-point array of two or more dimensions (a matrix, a kernel); its input is
the state after the activation, normalisation or pooling before it, so that a plain network gives its post-activations
a_1 .. a_L. The network's own inputs, which do not depend on the parameters, are left out.
"""

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..computing.trees import split
from .dependence import depends

TRAINING = (
    "the model is in training mode: {what} draws at random, and the change of a state would be that of the draw. {cure}"
)


def objective(loss: Callable[..., Any]) -> Callable[..., Any]:
    """States with the loss value alone: `linear_range(objective(loss), params, batch, direction, method="root")`.

    Not robust in one shot: the min denominator vanishes where the loss comes back to its first value.
    """
    return lambda params, batch: [jnp.reshape(loss(params, batch), (1, 1))]


def equinox_states(model: Any, inputs: Any, call: Callable[..., Any] | None = None) -> list[Any]:
    """The states of an Equinox module on a batch: give this function itself as `states`, the module as `params`.

    `call(model, sample)` runs one sample (default: model(sample)); with one, give `functools.partial(equinox_states,
    call=...)`. The direction is minus `eqx.filter_grad(loss)(model)`. ValueError: dropout that is switched on, layers
    inside a loop of the model.
    """
    for part in jax.tree.leaves(model, is_leaf=_is_dropout):
        if _is_dropout(part) and not part.inference and part.p > 0:
            cure = "Give eqx.nn.inference_mode(model)."
            raise ValueError(TRAINING.format(what="dropout", cure=cure))
    moving, fixed = split(model)

    def run(now: Any) -> list[Any]:
        seen: list[Any] = []
        watched = jax.tree.map(
            lambda part: _Tap(part, seen) if _is_layer(part) else part, eqx.combine(now, fixed), is_leaf=_is_layer
        )

        def one(sample: Any) -> list[Any]:
            seen.clear()
            out = call(watched, sample) if call else watched(sample)
            return _distinct([*seen, *jax.tree.leaves(out)])

        return jax.vmap(one)(inputs)

    return _dependent(run, moving)


def flax_states(module: Any, call: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The function `states(params, inputs)` of a Flax module, Linen or NNX. Keep it: each new one compiles again.

    Linen: `params` are those of `module.init`; `call(module, variables, inputs)` runs a batch (default:
    module.apply(variables, inputs)), such as `lambda m, v, x: m.apply({**v, "batch_stats": stats}, x, train=False)`.
    NNX: `params` are `nnx.state(module, nnx.Param)`; `call(module, inputs)`. ValueError: dropout that is switched on.
    """
    try:
        import flax.linen as linen  # pyright: ignore[reportMissingImports]
        from flax import nnx  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("flax_states needs Flax; install it with: pip install flax") from error
    if isinstance(module, linen.Module):
        return functools.partial(_linen_states, module, call)
    if isinstance(module, nnx.Module):
        for _, part in nnx.iter_modules(module):
            if isinstance(part, nnx.Dropout) and not part.deterministic and part.rate > 0:
                raise ValueError(TRAINING.format(what="dropout", cure="Call model.eval() first."))
        graph, _, rest = nnx.split(module, nnx.Param, ...)
        return functools.partial(_nnx_states, graph, rest, call)
    raise ValueError(f"flax_states: {type(module).__name__} is no Flax module; give a linen.Module or an nnx.Module.")


def _linen_states(module: Any, call: Callable[..., Any] | None, params: Any, inputs: Any) -> list[Any]:
    import flax.errors  # pyright: ignore[reportMissingImports]
    import flax.linen as linen  # pyright: ignore[reportMissingImports]

    def run(now: Any) -> list[Any]:
        seen: list[Any] = []

        def watch(forward: Any, args: Any, kwargs: Any, context: Any) -> Any:
            own = context.module.variables.get("params", {}) if context.method_name == "__call__" else {}
            if args and any(_is_matrix(leaf) for leaf in own.values()):
                seen.append(args[0])
            return forward(*args, **kwargs)

        variables = now if "params" in now else {"params": now}
        with linen.intercept_methods(watch):
            out = call(module, variables, inputs) if call else module.apply(variables, inputs)
        return _distinct([*seen, *jax.tree.leaves(out)])

    try:
        return _dependent(run, params)
    except flax.errors.InvalidRngError as error:
        cure = "Run it with deterministic=True, by `call` if need be."
        raise ValueError(TRAINING.format(what="a layer", cure=cure)) from error


def _nnx_states(graph: Any, rest: Any, call: Callable[..., Any] | None, params: Any, inputs: Any) -> list[Any]:
    from flax import nnx  # pyright: ignore[reportMissingImports]

    def run(now: Any) -> list[Any]:
        model, seen = nnx.merge(graph, now, rest), []
        for _, part in nnx.iter_modules(model):
            if any(isinstance(leaf, nnx.Param) and _is_matrix(leaf[...]) for leaf in vars(part).values()):
                part.__class__ = _watched(type(part))
        _SEEN.append(seen)
        try:
            out = call(model, inputs) if call else model(inputs)
        finally:
            _SEEN.pop()
        return _distinct([*seen, *jax.tree.leaves(out)])

    return _dependent(run, params)


# NNX has no hooks: the layers of the copy get a class that notes what they are given, in the list on top
_SEEN: list[list[Any]] = []


@functools.cache
def _watched(kind: Any) -> Any:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        _SEEN[-1].extend(args[:1])
        return kind.__call__(self, *args, **kwargs)

    return type(kind)(kind.__name__, (kind,), {"__call__": __call__})


class _Tap:
    """A layer that notes what it is given; otherwise the layer."""

    def __init__(self, layer: Any, seen: list[Any]) -> None:
        self._layer, self._seen = layer, seen

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._seen.extend(args[:1])
        return self._layer(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)


def _is_matrix(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray) and leaf.ndim >= 2 and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _is_layer(node: Any) -> bool:
    return isinstance(node, eqx.Module) and callable(node) and any(map(_is_matrix, vars(node).values()))


def _is_dropout(node: Any) -> bool:
    return isinstance(node, eqx.nn.Dropout)


def _distinct(states: list[Any]) -> list[Any]:
    """Floating-point states, each once: what feeds several layers is one state."""
    kept = {id(s): s for s in states if jnp.issubdtype(jnp.result_type(s), jnp.inexact)}
    return list(kept.values())


def _dependent(run: Callable[..., Any], moving: Any) -> list[Any]:
    marks = depends(run, moving)
    return [state for state, moves in zip(run(moving), marks, strict=True) if moves]
