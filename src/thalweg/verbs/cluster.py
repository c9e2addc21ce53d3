"""A sweep on the workers of a cluster: what all points share is sent once, each point is written by its worker."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from ..computing.interrupts import pressed
from ..computing.parallel import Progress
from ..words.problem import Problem
from .points import KINDS, Folder, Point

# seconds between looks at Ctrl-C while workers are at work
POLL = 0.2


class OnCluster(NamedTuple):
    """What came of each piece of work, as for a sweep on one machine."""

    found: dict[str, list[Point | None]]
    ended: int
    total: int


def run_on(
    client: Any,
    one_point: Callable[..., list[Point]],
    problem: Problem,
    points: list[dict[str, Any]],
    asked: Any,
    folder: Folder,
    progress: Progress | None,
) -> OnCluster:
    """`one_point` for every point, each on some worker; on Ctrl-C those that had ended."""
    try:
        from dask.distributed import wait
    except ImportError:
        raise ImportError("a sweep on a cluster needs dask: pip install 'thalweg[dask]'") from None
    kinds = [k for k, there in zip(KINDS, (asked.theories is not None, asked.trains), strict=True) if there]
    request = asked.requests[0]
    # a user's table travels to each worker once, not with every point
    shared = client.scatter(problem, broadcast=True)
    wanted = (request.axis, asked.theory, list(request.seeds) if asked.trains else None)
    place: Path | None = folder.place
    futures = [client.submit(one_point, shared, changes, wanted, place, pure=False) for changes in points]
    found: dict[str, list[Point | None]] = {kind: [None] * len(points) for kind in kinds}
    waiting = dict(zip(futures, range(len(points)), strict=True))
    while waiting and not pressed():
        try:
            ended: Any = wait(list(waiting), timeout=POLL, return_when="FIRST_COMPLETED")
        except TimeoutError:
            continue
        for future in ended.done:
            i = waiting.pop(future)
            try:
                results = future.result()
            except Exception as trouble:  # a worker that was lost loses its own point
                results = [f"{type(trouble).__name__}: {trouble}"] * len(kinds)
            for kind, result in zip(kinds, results, strict=True):
                found[kind][i] = result
        if progress:
            progress(len(points) - len(waiting), len(points))
    client.cancel(list(waiting))
    count = sum(one is not None for column in found.values() for one in column)
    return OnCluster(found, count, len(points) * len(kinds))
