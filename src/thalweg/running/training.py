"""The only training loop: draws, starts and the rule's own motion, seed by seed. No closed form enters here."""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from ..computing import memory
from ..computing.compiling import light
from ..computing.parallel import Batch, Progress, map_seeds, over_seeds
from ..computing.skeleton import Skeleton, signature, split
from ..words.draws import Case, completed, first_case
from ..words.problem import Trajectory, draw_events, paired
from .request import Request


@partial(jax.jit, static_argnums=0)
def _train(skeleton: Skeleton, loose: list[Any], ticks: Array, given: Any, drawn: Case, count: Any) -> Trajectory:
    problem = skeleton.join(loose)

    def one(drawn: Case) -> Trajectory:
        data, start = completed(drawn, given)
        done = problem.rule.trajectory(problem, data, start, ticks, drawn.path)
        return done._replace(curves=paired(problem, done.curves))

    return map_seeds(one, drawn, count)


@light(static_argnums=0)
def _draw_events(skeleton: Skeleton, loose: list[Any], given: Any, drawn: Case, count: Any) -> dict[str, Array]:
    problem = skeleton.join(loose)
    return map_seeds(lambda one: draw_events(problem, completed(one, given)[0]), drawn, count)


class Finished(NamedTuple):
    """The seeds whose runs ended, and their trajectories with a leading seed axis."""

    seeds: list[int]
    runs: Trajectory

    def and_then(self, more: "Finished | None") -> "Finished":
        """With the runs of other seeds after these."""
        if more is None:
            return self
        runs = jax.tree.map(lambda *parts: np.concatenate([np.asarray(one) for one in parts]), self.runs, more.runs)
        return Finished(self.seeds + more.seeds, runs)


def _check_room(request: Request) -> None:
    """TooLarge, a ValueError, where the curves of all seeds do not fit into memory."""
    problem, count = request.problem, len(request.ticks)
    # numbers at each time, a small guess for problems that are not looked at: a hundred
    if memory.fits(800.0 * len(request.seeds) * count * (count if any(o.pair for o in problem.observables) else 1)):
        return
    data, start = first_case(problem, request.given)
    seen = jax.eval_shape(problem.observe, start, data)
    needed = 8.0 * len(request.seeds) * sum(_entries(problem, name, leaf, count) for name, leaf in seen.items())
    if not memory.fits(needed):
        raise memory.TooLarge(
            f"the curves of {len(request.seeds)} seeds at {count} times take {memory.told(needed)}, and "
            f"{memory.told(memory.free())} are free; give fewer times or seeds."
        )


def _entries(problem: Any, name: str, leaf: Any, times: int) -> float:
    paired_ = any(o.name == name and o.pair is not None for o in problem.observables)
    return float(times) ** 2 if paired_ else float(times) * float(np.prod(leaf.shape))


def run(request: Request, progress: Progress | None = None, keep_final: bool = False) -> Finished | None:
    """Train every seed. Final parameters only where asked for.

    On Ctrl-C, the seeds that had ended; None if none had.
    """
    problem, given = request.problem, request.given
    skeleton, loose = split(problem)
    _check_room(request)

    def batch(part: Batch) -> Trajectory:
        drawn = request.cases(part)
        done = _train(skeleton, loose, request.ticks, given, drawn, part.count)
        events = {**done.events, **_draw_events(skeleton, loose, given, drawn, part.count)}
        return done._replace(events=events, final=done.final if keep_final else None)

    found = over_seeds(batch, request.seeds, ("train", skeleton, signature(request.ticks, *given)), progress)
    return None if found is None else Finished(*found)
