"""How the benchmarks time: alternating runs in one process, medians, and the ratio."""

import statistics
import time
from collections.abc import Callable


def paired(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Median seconds of both and the median ratio second/first, run in turn so that a drifting machine cancels."""
    first(), second()
    rows = []
    for _ in range(repeats):
        begin = time.perf_counter()
        first()
        middle = time.perf_counter()
        second()
        rows.append((middle - begin, time.perf_counter() - middle))
    return (
        statistics.median(a for a, _ in rows),
        statistics.median(b for _, b in rows),
        statistics.median(b / a for a, b in rows),
    )


def show(name: str, ours: float, other: float, ratio: float) -> None:
    print(f"{name}: {ours * 1e3:.3f} ms against {other * 1e3:.3f} ms, ratio {ratio:.2f}", flush=True)
