"""A module as a function of its parameters: states by forward hooks, checks, gradients."""
# pyright: reportMissingImports=false

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp

Params = dict[str, Tensor]
RANDOM = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)


def parameters(model: nn.Module) -> Params:
    """The parameters that a step moves (requires_grad), by name, detached; ValueError where none can be moved."""
    found = {}
    for name, leaf in model.named_parameters():
        if not leaf.is_floating_point():
            raise ValueError(
                f"the parameter {name} is of type {leaf.dtype}; a step moves floating-point parameters only."
            )
        if leaf.requires_grad:
            found[name] = leaf.detach()
    if not found:
        raise ValueError("the model has no parameter with requires_grad=True; there is nothing to move.")
    check_finite(found, "the parameter")
    return found


def check_finite(leaves: Mapping[str, Tensor], what: str) -> None:
    """ValueError, with the name of the parameter, if an entry is NaN or infinite."""
    for name, leaf in leaves.items():
        if not bool(torch.isfinite(leaf).all()):
            raise ValueError(
                f"{what} {name} has entries that are NaN or infinite; go back to finite parameters and data."
            )


def check_mode(model: nn.Module) -> None:
    """ValueError if a layer draws at random or looks at the whole batch: its change would be no change of the step."""
    for name, part in model.named_modules():
        if part.training and isinstance(part, RANDOM) and getattr(part, "p", 1.0) > 0:
            raise ValueError(
                f"the model is in training mode: {name or 'it'} ({type(part).__name__}) draws at random or looks at "
                "the whole batch, and the change of a state would be that of the draw. Call model.eval() first."
            )


def matching(direction: Any, params: Params) -> Params:
    """A direction by name, from a mapping or a sequence in the order of model.parameters(); ValueError if unfit."""
    if isinstance(direction, Tensor) or not isinstance(direction, Mapping | Sequence):
        raise ValueError(
            f"the direction is a {type(direction).__name__}; give one tensor for each parameter, by name or in the "
            "order of model.parameters(), such as thalweg.torch.descent(model, criterion, batch)."
        )
    if not isinstance(direction, Mapping):
        direction = dict(zip(params, direction, strict=True)) if len(direction) == len(params) else {}
    if set(direction) != set(params):
        raise ValueError(
            f"the direction names {sorted(direction)}, the parameters that move are {sorted(params)}; give one tensor "
            "for each."
        )
    for name, leaf in params.items():
        if direction[name].shape != leaf.shape:
            raise ValueError(
                f"the direction of {name} has the shape {tuple(direction[name].shape)}, the parameter "
                f"{tuple(leaf.shape)}; they must be equal."
            )
    check_finite(direction, "the direction of")
    return {name: direction[name].detach().to(leaf) for name, leaf in params.items()}


def outputs(model: nn.Module, params: Params, inputs: Any) -> Any:
    """The outputs of the model with other parameters; `inputs` is a tensor, or a tuple of arguments."""
    return functional_call(model, params, inputs if isinstance(inputs, tuple) else (inputs,))


def push(function: Callable[..., Any], point: Any, way: Any) -> tuple[Any, Any]:
    """Value and forward derivative; what PyTorch itself warns of when it loads forward mode is not the caller's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        told = jvp(function, (point,), (way,))
    return told[0], told[1]


def layer_states(model: nn.Module, params: Params, inputs: Any) -> list[Tensor]:
    """What each module with a matrix of weights is given, and the final outputs, samples first; hooks are removed."""
    seen: list[Tensor] = []

    def note(module: nn.Module, args: Any) -> None:
        seen.extend(part for part in args[:1] if isinstance(part, Tensor))

    layers = [part for part in model.modules() if any(p.ndim >= 2 for p in part.parameters(recurse=False))]
    hooks = [part.register_forward_pre_hook(note) for part in layers]
    try:
        out = outputs(model, params, inputs)
    finally:
        for hook in hooks:
            hook.remove()
    seen.extend([out] if isinstance(out, Tensor) else [part for part in out if isinstance(part, Tensor)])
    # what feeds several layers is one state
    return list({id(state): state for state in seen if state.is_floating_point()}.values())


def dependent(states: Callable[[Params], list[Tensor]], params: Params) -> list[bool]:
    """Which of the states can change with the parameters."""
    with torch.enable_grad():
        told = states({name: leaf.clone().requires_grad_() for name, leaf in params.items()})
    return [state.requires_grad for state in told]


def descent(model: nn.Module, criterion: Callable[..., Tensor], batch: Any) -> Params:
    """Minus the gradient of criterion(model(inputs), targets), by parameter name; the batch is (inputs, targets)."""
    return {name: -leaf for name, leaf in gradient(model, criterion, batch, parameters(model))[1].items()}


def gradient(
    model: nn.Module, criterion: Callable[..., Tensor], batch: Any, params: Params, graph: bool = False
) -> tuple[Params, Params]:
    """Leaves that require a gradient, and the gradient of the loss there; with its own graph where asked for."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(f"a batch is a pair (inputs, targets); {type(batch).__name__} was given.")
    with torch.enable_grad():
        leaves = {name: leaf.clone().requires_grad_() for name, leaf in params.items()}
        loss = criterion(outputs(model, leaves, batch[0]), batch[1])
        if loss.ndim:
            raise ValueError(f"the loss has the shape {tuple(loss.shape)}; return one number, the mean over the batch.")
        if not bool(torch.isfinite(loss)):
            raise ValueError(f"the loss is {float(loss.detach())} here; look for an overflow in it.")
        slopes = torch.autograd.grad(
            loss, tuple(leaves.values()), create_graph=graph, allow_unused=True, materialize_grads=True
        )
    return leaves, dict(zip(leaves, slopes, strict=True))
