"""A PyTorch module read into a problem: the layers that are known here, with their weights as the start."""
# pyright: reportMissingImports=false

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from torch import Tensor, nn

from ..own_network.problem import NetworkProblem, half_square
from ..rules import GradientDescent
from ..words.problem import Rule

ACTIVATIONS: dict[type, Callable[[Any], Any]] = {
    nn.Tanh: jnp.tanh,
    nn.ReLU: jax.nn.relu,
    nn.Sigmoid: jax.nn.sigmoid,
    nn.Identity: lambda x: x,
}


def network_problem(
    module: nn.Module,
    data: Any,
    loss: Callable[..., Any] = half_square,
    rule: Rule | None = None,
    test_data: Any = None,
    weight_decay: float = 0.0,
) -> NetworkProblem:
    """A `tw.NetworkProblem` of the same network as a module, which starts from the module's weights.

    The module is read, not run: PyTorch's own operations cannot be followed by JAX. It is a Linear, or a Sequential
    (of Sequentials) of Linear, Tanh, ReLU, Sigmoid and Identity. Parameters are named as in module.named_parameters()
    ("0.weight", (outputs, inputs)), so that `tw.replay(problem, ...)` can be loaded back. Data are tensors or arrays;
    `loss(outputs, targets)` is one of JAX, half the mean square unless given (half of MSELoss times the number of
    outputs). Every seed has the same start.
    ValueError: any other layer, a layer that is used twice, a parameter that is frozen, a criterion of PyTorch.
    """
    if isinstance(loss, nn.Module):
        raise ValueError(
            f"loss = {type(loss).__name__} is PyTorch's; give a function loss(outputs, targets) of JAX, such as "
            "lambda outputs, targets: jnp.mean((outputs - targets) ** 2)."
        )
    layers = tuple(_layers(module, ""))
    _check_parameters(module, layers)
    start = {name: leaf.detach().cpu().numpy().copy() for name, leaf in module.named_parameters()}
    return NetworkProblem(
        apply=Layers(layers),
        init=lambda key: start,
        loss=loss,
        data=_arrays(data),
        rule=GradientDescent() if rule is None else rule,
        test_data=_arrays(test_data),
        weight_decay=weight_decay,
    )


@dataclasses.dataclass(frozen=True)
class Layers:
    """apply(params, inputs) of layers in a row: the name of a Linear and whether it has a bias, or an activation."""

    layers: tuple[tuple[str, bool] | type, ...]

    def __call__(self, params: Any, inputs: Any) -> Any:
        now = inputs
        for layer in self.layers:
            if isinstance(layer, type):
                now = ACTIVATIONS[layer](now)
                continue
            name, bias = layer
            now = now @ params[f"{name}weight"].T
            now = now + params[f"{name}bias"][None, :] if bias else now
        return now


def _layers(module: nn.Module, name: str) -> Iterator[tuple[str, bool] | type]:
    # a heir of Linear may do anything: the very classes alone are known
    kind = type(module)
    if kind is nn.Sequential:
        for inner, part in module._modules.items():  # named_children leaves out what stands twice
            if part is not None:
                yield from _layers(part, f"{name}{inner}.")
    elif kind is nn.Linear:
        yield name, module.bias is not None
    elif kind in ACTIVATIONS:
        yield kind
    else:
        known = ", ".join(one.__name__ for one in (nn.Sequential, nn.Linear, *ACTIVATIONS))
        raise ValueError(
            f"{name.removesuffix('.') or 'the module'} is a {kind.__name__}, which is not read into JAX; known are "
            f"{known}. Write the network in JAX for tw.NetworkProblem, or measure the module itself (thalweg.torch)."
        )


def _check_parameters(module: nn.Module, layers: tuple[Any, ...]) -> None:
    named = dict(module.named_parameters())
    frozen = next((name for name, leaf in named.items() if not leaf.requires_grad), None)
    if frozen is not None:
        raise ValueError(
            f"{frozen} is frozen, and a step moves every parameter of a network; call requires_grad_(True) first."
        )
    wanted = [
        f"{layer[0]}{part}"
        for layer in layers
        if isinstance(layer, tuple)
        for part in ("weight", "bias")[: 1 + layer[1]]
    ]
    # PyTorch names what is shared once
    shared = next((name for name in wanted if name not in named), None)
    if shared is not None:
        raise ValueError(
            f"{shared} is that of another layer, too; shared weights are not read: write the network in JAX."
        )


def _arrays(data: Any) -> Any:
    """Tensors as arrays, in the tuples and dictionaries that they stand in."""
    return jax.tree.map(lambda leaf: leaf.detach().cpu().numpy() if isinstance(leaf, Tensor) else leaf, data)
