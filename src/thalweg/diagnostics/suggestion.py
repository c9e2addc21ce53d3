"""A learning rate from a few minibatches, before training."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float

from .as_loss import descent
from .expansion import expand
from .linear_ranges import Curve, Denominator, check_options, measured_start


class SuggestedRate(eqx.Module):
    """`step`: the learning rate suggested. `values`: the linear range of each minibatch, in order; `steps`: where each
    was measured; `step` is the `quantile` (0: the minimum) of the last `last` of `values`."""

    step: float
    values: Float[np.ndarray, " batches"]
    steps: Float[np.ndarray, " batches"]
    last: int
    quantile: float


def suggest_learning_rate(
    loss: Callable[..., Any],
    params: Any,
    batches: Iterable[Any],
    states: Callable[..., Any],
    threshold: float = 1.0,
    denominator: Denominator = "min",
    start_step: float = 1.0,
    last: int = 30,
    quantile: float = 0.0,
    before: int = 10,
    after: int = 10,
    direction: Callable[..., Any] | None = None,
) -> SuggestedRate:
    """A constant learning rate for plain SGD: the smallest linear range over the last minibatches, parameters frozen.

    `loss(params, batch)` is the mean loss of a minibatch (inputs, targets); `states(params, inputs)` the layer states.
    On each of before + last + after minibatches the one-shot range along `direction(params, batch)` (default: minus
    the gradient of the loss on that minibatch) is taken from the step of the one before; once before + last are known,
    from the `quantile` of the last `last`, which is also the result. quantile=0 is the minimum, as published; a larger
    one is less afraid of single minibatches. Rate: units of parameters^2 / loss; the range scales as 1 / loss.

    It says nothing on momentum or adaptive rules unless `direction` is their update. threshold=1 needs the min
    denominator: the tangent one saturates at 1. ValueError as in `linear_range`, and where `batches` ends too early.
    Source: Ni & Talnikar 2019 (arXiv 1905.04561), the final version of their code; they average 10 repetitions.
    """
    check_options(float(threshold), denominator, "one-shot", start_step)

    def curve(batch: Any) -> Curve:
        way = direction(params, batch) if direction else descent(loss, params, batch)
        return expand(states, params, inputs_of(batch), way)

    return follow(map(curve, batches), threshold, denominator, start_step, last, quantile, before, after)


def inputs_of(batch: Any) -> Any:
    """The inputs of a minibatch (inputs, targets)."""
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise ValueError(f"a batch is a pair (inputs, targets); {type(batch).__name__} was given.")
    return batch[0]


def follow(
    curves: Iterable[Curve],
    threshold: float,
    denominator: Denominator,
    start_step: float,
    last: int,
    quantile: float,
    before: int,
    after: int,
) -> SuggestedRate:
    """The procedure on any curves, one a minibatch: shared by the JAX functions and the PyTorch door."""
    counts = (last, before, after)
    if last < 1 or min(counts) < 0 or not 0 <= quantile <= 1:
        raise ValueError(f"{last=}, {before=}, {after=}, {quantile=}: counts are >= 0, last >= 1, quantile in [0, 1].")
    needed, values, steps = sum(counts), [], []
    step = float(start_step)
    for curve in itertools.islice(curves, needed):
        seen = measured_start(curve, step, denominator)
        steps.append(step)
        values.append(step * threshold / seen if seen > 0 else np.inf)
        settled = len(values) >= before + last
        proposal = float(np.quantile(values[-last:], quantile, method="lower")) if settled else values[-1]
        # a minibatch on which nothing bends says nothing about where to look next
        step = proposal if np.isfinite(proposal) else step
    if len(values) < needed:
        raise ValueError(
            f"`batches` gave {len(values)} minibatches; the procedure needs before + last + after = {needed}. Give "
            "more, an endless iterator such as itertools.cycle(batches), or smaller counts."
        )
    found = float(np.quantile(values[-last:], quantile, method="lower"))
    return SuggestedRate(step=found, values=np.asarray(values), steps=np.asarray(steps), last=last, quantile=quantile)
