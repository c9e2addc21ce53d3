"""What is observed before the first step, of many more starts than are trained."""

from typing import Any

import numpy as np
from jaxtyping import Array

from ..computing.compiling import light
from ..computing.parallel import Batch, map_seeds, over_seeds
from ..computing.skeleton import Skeleton, signature, split
from ..words.draws import Case, cases, completed
from .request import Request


@light(static_argnums=0)
def _observed(skeleton: Skeleton, loose: list[Any], given: Any, drawn: Case, count: Any) -> dict[str, Array]:
    problem = skeleton.join(loose)

    def one(drawn: Case) -> dict[str, Array]:
        data, start = completed(drawn, given)
        return problem.observe(start, data)

    return map_seeds(one, drawn, count)


def starts(request: Request, count: int) -> dict[str, np.ndarray] | None:
    """Curves by name, (starts, ...), of the seeds of a request and of others, `count` in all; None after Ctrl-C.

    A start takes no training: its mean can be known far better than that of what comes of it.
    """
    problem, given = request.problem, request.given
    skeleton, loose = split(problem)
    used = set(request.seeds)
    others = (seed for seed in range(count + len(used)) if seed not in used)
    seeds = [*request.seeds, *(next(others) for _ in range(count - len(used)))]

    def batch(part: Batch) -> dict[str, Array]:
        # draws are not kept: they are looked at once
        return _observed(skeleton, loose, given, cases(problem, given, part), part.count)

    found = over_seeds(batch, seeds, ("starts", skeleton, signature(*given)))
    return found[1] if found is not None and len(found[0]) == len(seeds) else None
