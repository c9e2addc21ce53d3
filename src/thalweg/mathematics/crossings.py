"""Where a positive function of a positive number first reaches given levels, when it need not be monotone."""

import math
from collections.abc import Callable, Sequence

FINE, COARSE = 2.0**0.125, 2.0
FINE_STEPS, COARSE_STEPS = 104, 40


def first_crossings(
    evaluate: Callable[[float], float], levels: Sequence[float], begin: float, least: float, digits: float = 1e-12
) -> list[float]:
    """For each level the first x > 0 with evaluate(x) = level; inf where none is met up to 1e15 times `begin`.

    `begin` should lie below every crossing: it is lowered by 16, down to `least`, while the function there is above
    half of the lowest level; a level that is passed there already is answered by the begin. The search walks upwards
    by 2^(1/8) over four decades, then by 2, and halves each bracket in the logarithm until its width is `digits`; two
    crossings within one stride are not seen. A value that is not finite counts as above every level.
    """

    def height(x: float) -> float:
        value = evaluate(x)
        return value if math.isfinite(value) else math.inf

    begin = max(begin, least)
    while height(begin) >= 0.5 * min(levels) and begin > least:
        begin = max(begin / 16, least)
    low, value = begin, height(begin)
    found = [begin if value >= level else math.inf for level in levels]
    strides = [FINE] * FINE_STEPS + [COARSE] * COARSE_STEPS
    for stride in strides:
        if all(map(math.isfinite, found)):
            break
        high = low * stride
        above = height(high)
        for i, level in enumerate(levels):
            if math.isinf(found[i]) and value < level <= above:
                found[i] = _halve(height, level, low, high, digits)
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
