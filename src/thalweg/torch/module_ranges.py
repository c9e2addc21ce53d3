"""Linear range of a PyTorch module, and the learning rate that it suggests."""
# pyright: reportMissingImports=false

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..diagnostics.expansion import FLOOR, Measured
from ..diagnostics.linear_ranges import Denominator, LinearRange, Method, check_options, find_range
from ..diagnostics.suggestion import SuggestedRate, follow, inputs_of
from .states import Params, check_mode, dependent, descent, layer_states, matching, parameters, push

States = Callable[[nn.Module, Params, Any], list[Tensor]]


def linear_range(
    model: nn.Module,
    inputs: Any,
    direction: Any,
    threshold: float | Sequence[float] = 1.0,
    denominator: Denominator = "min",
    method: Method = "one-shot",
    start_step: float = 1.0,
    states: States = layer_states,
) -> LinearRange:
    """The first step along `direction` at which the states of a module leave their linearisation.

    As `thalweg.diagnostics.linear_range`, with the module in the place of `states` and `params`. `direction`: tensors
    by parameter name, or in the order of model.parameters(); for descent `descent(model, criterion, batch)`. States are
    captured by forward hooks: the input of every module that owns a matrix of weights, apart from the network's own
    inputs, and the outputs. `states(model, params, inputs)` lists others. Nothing of the module is changed.

    ValueError as there, and for dropout or batch normalisation in training mode (call model.eval()).
    """
    levels = check_options(threshold, denominator, method, start_step)
    return find_range(Expansion(model, inputs, direction, states), levels, denominator, method, start_step)


def suggest_learning_rate(
    model: nn.Module,
    criterion: Callable[..., Tensor],
    batches: Iterable[Any],
    threshold: float = 1.0,
    denominator: Denominator = "min",
    start_step: float = 1.0,
    last: int = 30,
    quantile: float = 0.0,
    before: int = 10,
    after: int = 10,
    direction: Callable[..., Any] | None = None,
    states: States = layer_states,
) -> SuggestedRate:
    """A constant learning rate for plain SGD from the linear ranges of minibatches (inputs, targets), as of a loader.

    As `thalweg.diagnostics.suggest_learning_rate`; `direction(model, batch)` gives another step than descent.
    """
    check_options(float(threshold), denominator, "one-shot", start_step)

    def curve(batch: Any) -> Expansion:
        way = direction(model, batch) if direction else descent(model, criterion, batch)
        return Expansion(model, inputs_of(batch), way, states)

    return follow(map(curve, batches), threshold, denominator, start_step, last, quantile, before, after)


class Expansion:
    """States of a module along a direction; the counterpart of `thalweg.diagnostics.expansion.Expansion`."""

    def __init__(self, model: nn.Module, inputs: Any, direction: Any, states: States) -> None:
        check_mode(model)
        self._params = parameters(model)
        self._direction = matching(direction, self._params)

        def run(params: Params) -> list[Tensor]:
            return states(model, params, inputs)

        marks = dependent(run, self._params)
        if not any(marks):
            raise ValueError("no state depends on the parameters that move; give states that do.")

        def rows(params: Params) -> tuple[Tensor, ...]:
            return tuple(_rows(state) for state, moves in zip(run(params), marks, strict=True) if moves)

        self._run = rows
        with torch.no_grad():
            self.base, self.tangent = push(rows, self._params, self._direction)
        if not all(bool(torch.isfinite(leaf).all()) for leaf in (*self.base, *self.tangent)):
            raise ValueError("a state, or its derivative along the direction, is NaN or infinite at these parameters.")

    def _at(self, step: Any) -> tuple[Tensor, ...]:
        return self._run({name: leaf + step * self._direction[name] for name, leaf in self._params.items()})

    @torch.no_grad()
    def measure(self, step: float, denominator: str) -> Measured:
        """Nonlinearity at one step, by one forward pass."""
        layers, rounding, floored = [], [], []
        for base, there, way in zip(self.base, self._at(step), self.tangent, strict=True):
            linear, actual = step * way, there - base
            gap, long, real = _norm(actual - linear), _norm(linear), _norm(actual)
            below = torch.minimum(real, long) if denominator == "min" else long
            unit = torch.finfo(base.dtype).eps * (_norm(base) + _norm(there))
            layers.append(float(torch.mean(gap / (below + FLOOR))))
            rounding.append(float(torch.mean(unit / (below + FLOOR))))
            floored.append(int(torch.sum((below <= FLOOR) & (gap > FLOOR))))
        return Measured(np.asarray(layers), np.asarray(rounding), np.asarray(floored))

    @torch.no_grad()
    def bend(self) -> float:
        """c of eps = c step + O(step^2)."""
        zero = torch.zeros((), dtype=self.base[0].dtype, device=self.base[0].device)
        one = torch.ones_like(zero)
        twice = push(lambda step: push(self._at, step, one)[1], zero, one)[1]
        shares = [
            torch.mean(torch.where(_norm(way) > 0, 0.5 * _norm(two) / _norm(way), 0.0))
            for two, way in zip(twice, self.tangent, strict=True)
        ]
        return float(torch.mean(torch.stack(shares)))

    def reach(self) -> float:
        """The smallest step at which some sample's tangent change is as long as its state; inf without any."""
        least = np.inf
        for base, way in zip(self.base, self.tangent, strict=True):
            here, moves = _norm(base), _norm(way)
            both = (here > 0) & (moves > 0)
            if bool(both.any()):
                least = min(least, float(torch.min(here[both] / moves[both])))
        return least

    def moves(self) -> bool:
        """Whether any state changes, to first order."""
        return any(bool(torch.any(way != 0)) for way in self.tangent)

    def dead_units(self) -> np.ndarray:
        """By layer, the number of units whose tangent is zero on every sample."""
        return np.asarray([int(torch.sum(torch.all(way == 0, dim=0))) for way in self.tangent])

    def precision(self) -> str:
        """The name of the precision that the states are computed in."""
        return str(self.base[0].dtype).removeprefix("torch.")


def _rows(state: Tensor) -> Tensor:
    if state.ndim == 0 or state.numel() == 0:
        raise ValueError(
            f"a state has the shape {tuple(state.shape)}: give some samples; states have the samples first."
        )
    return state.reshape(state.shape[0], -1)


def _norm(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1)
