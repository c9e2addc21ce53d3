"""Values that the contract tries: times, scalars nearby, and values that a field must refuse."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..words.fields import Parameter
from ..words.problem import Problem


def short_axis(problem: Problem) -> np.ndarray:
    """Five times: 0 and four out of the problem's own horizon."""
    times = problem.horizon()
    return np.concatenate([[0.0], times[np.linspace(0, len(times) - 1, 5).round().astype(int)[1:]]])


def inside(parameter: Parameter, value: float) -> float:
    """Another value near the given one, with room on both sides within the declared range."""
    step = 0.01 * max(1.0, abs(value))
    near = (value + 3 * step, value - 3 * step)
    return next((v for v in near if all(map(parameter.admits, (v - step, v, v + step)))), value)


def wrong_values(parameter: Parameter, value: Any) -> Iterator[Any]:
    """Values that a field must refuse."""
    if parameter.kind in ("vector", "array"):
        spoiled = np.array(value, dtype=float)
        spoiled.flat[-1] = math.nan
        yield from (spoiled, np.full(np.shape(value), "text"))
        return
    yield from ("text", math.nan, math.inf)
    # of truth values a switch alone takes any
    if (parameter.kind, parameter.low, parameter.high) != ("size", 0, 1):
        yield True
    beyond = ((parameter.low, -1.0), (parameter.high, 1.0), (parameter.above, 0.0), (parameter.below, 0.0))
    yield from (bound + step for bound, step in beyond if bound is not None)
    if parameter.kind == "size":
        yield (parameter.low or 0) + 0.5
