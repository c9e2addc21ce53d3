"""Seeds in batches that stay in cache: threads on a CPU, one sharded batch on accelerators."""

import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import jax
import numpy as np

Progress = Callable[[int, int], None]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while seeds were running; `finished` holds the labelled data of those that had ended."""

    def __init__(self, finished: Any) -> None:
        super().__init__("interrupted; the finished seeds are in `.finished`")
        self.finished = finished


def chunks(seeds: Sequence[int], workers: int, largest: int = 8) -> list[np.ndarray]:
    """Batches of one shape (the last one padded with its own end) so that one compilation serves all."""
    rounds = -(-len(seeds) // (workers * largest))
    size = -(-len(seeds) // (workers * rounds))
    parts = [list(seeds[i : i + size]) for i in range(0, len(seeds), size)]
    return [np.asarray(part + [part[-1]] * (size - len(part)), dtype=np.int64) for part in parts]


_COMPILED: set[Hashable] = set()


def over_seeds(
    run: Callable[[Any], Any], seeds: Sequence[int], signature: Hashable, progress: Progress | None = None
) -> tuple[list[int], Any]:
    """`run(seeds) -> pytree with a leading seed axis`, over all seeds; returns the finished seeds and their results.

    `signature` tells what `run` compiles for: the first batch of a new one runs alone, so that no two threads compile
    the same function. On Ctrl-C, the seeds finished so far come back (a shorter list than asked).
    """
    if jax.default_backend() != "cpu":
        return list(seeds), _host(run(_sharded(np.asarray(seeds, dtype=np.int64))))
    workers = max(1, min(os.cpu_count() or 1, len(seeds)))
    parts = chunks(seeds, workers)
    done: dict[int, Any] = {}

    def report() -> None:
        if progress:
            progress(min(len(seeds), len(parts[0]) * len(done)), len(seeds))

    pool = ThreadPoolExecutor(workers)
    waiting: dict[Future[Any], int] = {}
    try:
        key = (signature, len(parts[0]))
        if key not in _COMPILED:
            done[0] = _in_thread(run, parts[0])
            _COMPILED.add(key)
            report()
        waiting = {pool.submit(_in_thread, run, part): i for i, part in enumerate(parts) if i not in done}
        while waiting:
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                done[waiting.pop(future)] = future.result()
            report()
    except KeyboardInterrupt:
        pass
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return _join(parts, done, len(seeds))


def _in_thread(run: Callable[[Any], Any], part: np.ndarray) -> Any:
    # the switch to float64 belongs to a thread: each worker makes its own
    with jax.enable_x64():
        return _host(run(part))


def _host(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)


def _join(parts: list[np.ndarray], done: dict[int, Any], total: int) -> tuple[list[int], Any]:
    finished = sorted(done)
    if not finished:
        raise KeyboardInterrupt
    size = len(parts[0])
    seeds: list[int] = []
    kept: list[Any] = []
    for i in finished:
        real = min(size, total - i * size)
        seeds += [int(s) for s in parts[i][:real]]
        kept.append(jax.tree.map(lambda leaf, n=real: leaf[:n], done[i]))
    return seeds, jax.tree.map(lambda *leaves: np.concatenate(leaves), *kept)


def _sharded(seeds: np.ndarray) -> Any:
    """The seeds laid over all devices when they divide evenly; the computation follows them."""
    devices = jax.devices()
    if len(devices) == 1 or len(seeds) % len(devices):
        return seeds
    mesh = jax.make_mesh((len(devices),), ("seed",))
    return jax.device_put(seeds, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("seed")))
