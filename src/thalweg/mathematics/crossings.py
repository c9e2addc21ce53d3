"""Where a positive function of a positive number first reaches given levels, when it need not be monotone."""

import math
from collections.abc import Callable, Sequence

FINE, COARSE = 2.0**0.125, 2.0
FINE_STEPS, COARSE_STEPS = 104, 40


def first_crossings(
    evaluate: Callable[[float], float], levels: Sequence[float], begin: float, digits: float = 1e-12
) -> list[float]:
    """For each level the first x > 0 with evaluate(x) = level; inf where none is met up to 1e15 times `begin`.

    `begin` must lie below every crossing (it is lowered while the function there is above half of the lowest level,
    at most twelve times by 16). The search walks upwards by 2^(1/8) over four decades, then by 2, and halves each
    bracket in the logarithm until its width is `digits`; two crossings within one stride are not seen.
    A value that is not finite counts as above every level.
    """

    def height(x: float) -> float:
        value = evaluate(x)
        return value if math.isfinite(value) else math.inf

    for _ in range(12):
        if height(begin) < 0.5 * min(levels):
            break
        begin /= 16
    found = [math.inf] * len(levels)
    low, value = begin, height(begin)
    strides = [FINE] * FINE_STEPS + [COARSE] * COARSE_STEPS
    for stride in strides:
        high = low * stride
        above = height(high)
        for i, level in enumerate(levels):
            if math.isinf(found[i]) and value < level <= above:
                found[i] = _halve(height, level, low, high, digits)
        if all(map(math.isfinite, found)) or not math.isfinite(high):
            break
        low, value = high, above
    return found


def _halve(height: Callable[[float], float], level: float, low: float, high: float, digits: float) -> float:
    """The crossing between two points on either side of the level."""
    while high > low * (1 + digits):
        middle = math.sqrt(low * high)
        if not low < middle < high:
            break
        low, high = (low, middle) if height(middle) >= level else (middle, high)
    return math.sqrt(low * high)
