"""How far runs may still be from a limit, as its claim declares."""

from collections.abc import Callable
from functools import cache

import numpy as np

from ..running.request import Request
from ..words.assumptions import asks_the_case
from ..words.theory import Claim


def approach_of(request: Request, exact: bool, good: np.ndarray) -> Callable[[Claim], float]:
    """The approach that a claim declares; 0 where it declares none.

    One that looks at the draw or the start is measured on every seed that ended well (`good`): the mean over them where
    a mean is judged, the largest where every single run is.
    """

    @cache
    def over_seeds(approach: Callable) -> float:
        varies = not request.macrostate and request.random & {"draw", "start"}
        if not varies or not asks_the_case(approach, request.setting):
            return float(approach(request.setting))
        found = [float(approach(one)) for one, kept in zip(request.settings(), good, strict=True) if kept]
        return float(np.max(found) if exact else np.mean(found))

    return lambda claim: 0.0 if claim.approach is None else over_seeds(claim.approach)
