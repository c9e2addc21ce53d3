"""Seeds in batches that stay in cache: threads on a CPU, one sharded batch on accelerators."""

import os
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import cache
from typing import Any, NamedTuple

import jax
import numpy as np
import threadpoolctl

from .float64 import float64, root_key
from .interrupts import pressed

Progress = Callable[[int, int], None]


class Batch(NamedTuple):
    """Seeds of one batch, padded to one shape, and how many of them are real: one compilation serves any number."""

    seeds: Any
    count: int


BATCH = 8
# seconds between looks at Ctrl-C while seeds run
POLL = 0.1


def batches(seeds: Sequence[int], workers: int) -> list[Batch]:
    """Batches of nearly equal count, at most BATCH, so that all workers end together."""
    rounds = -(-len(seeds) // (workers * BATCH))
    parts = np.array_split(np.asarray(seeds, dtype=np.int64), min(len(seeds), workers * rounds))
    return [Batch(np.concatenate([part, np.zeros(BATCH - len(part), np.int64)]), len(part)) for part in parts]


def parts_of(seeds: Sequence[int]) -> list[Batch]:
    """The batches in which a CPU runs these seeds, one for each worker at a time."""
    return batches(seeds, max(1, min(os.cpu_count() or 1, len(seeds))))


def map_seeds(one: Callable[[Any], Any], over: Any, count: Any) -> Any:
    """`one` over the first `count` rows of a batch: in turn on a CPU, where each stays in cache, else all at once.

    The count is traced: the loop runs only as often as there are seeds, in buffers of one shape.
    """
    if jax.default_backend() != "cpu":
        return jax.vmap(one)(over)

    # traced once, not for the shapes and again for the loop
    one = jax.jit(one, inline=True)

    def row(i: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf[i], over)

    size = jax.tree.leaves(over)[0].shape[0]
    shapes = jax.eval_shape(one, row(0))
    empty = jax.tree.map(lambda leaf: _empty(size, leaf), shapes)
    return jax.lax.fori_loop(
        0, count, lambda i, kept: jax.tree.map(lambda all_, now: all_.at[i].set(now), kept, one(row(i))), empty
    )


def _empty(size: int, leaf: Any) -> Any:
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.split(root_key(0), (size, *leaf.shape))
    return jax.numpy.zeros((size, *leaf.shape), leaf.dtype)


_COMPILED: set[Hashable] = set()


def over_seeds(
    run: Callable[[Batch], Any], seeds: Sequence[int], signature: Hashable, progress: Progress | None = None
) -> tuple[list[int], Any] | None:
    """`run(batch) -> pytree with a leading seed axis`, over all seeds; returns the finished seeds and their results.

    `signature` tells what `run` compiles for: the first batch of a new one runs alone, so that no two threads compile
    the same function. On Ctrl-C (noted by `interrupts.patient`) the seeds finished so far come back, None if none are.
    """
    if jax.default_backend() != "cpu":
        return list(seeds), _host(run(Batch(_sharded(np.asarray(seeds, dtype=np.int64)), len(seeds))))
    workers = max(1, min(os.cpu_count() or 1, len(seeds)))
    parts = parts_of(seeds)
    done: dict[int, Any] = {}

    def report() -> None:
        if progress:
            progress(sum(parts[i].count for i in done), len(seeds))

    def gather(parts_now: Sequence[int]) -> None:
        waiting = {pool.submit(_in_thread, run, parts[i]): i for i in parts_now}
        while waiting and not pressed():
            ended, _ = wait(waiting, timeout=POLL, return_when=FIRST_COMPLETED)
            for future in ended:
                done[waiting.pop(future)] = future.result()
            if ended:
                report()

    pool = ThreadPoolExecutor(workers)
    alone = _blas().limit(limits=1, user_api="blas")
    try:
        if signature not in _COMPILED:
            gather([0])
            if 0 in done:
                _COMPILED.add(signature)
        gather([i for i in range(len(parts)) if i not in done])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        alone.restore_original_limits()
    return _join(parts, done) if done else None


@cache
def _blas() -> threadpoolctl.ThreadpoolController:
    # every core has its own seed: eigendecompositions that call for threads of their own made each other 3 times slower
    import scipy.linalg  # noqa: F401  # what jax takes its LAPACK from must be loaded to be found

    return threadpoolctl.ThreadpoolController()


def _in_thread(run: Callable[[Batch], Any], part: Batch) -> Any:
    # the switch to float64 belongs to a thread: each worker makes its own
    with float64():
        return _host(run(part))


def _host(tree: Any) -> Any:
    return jax.tree.map(np.asarray, tree)


def _join(parts: list[Batch], done: dict[int, Any]) -> tuple[list[int], Any]:
    order = sorted(done)
    kept = [jax.tree.map(lambda leaf, n=parts[i].count: leaf[:n], done[i]) for i in order]
    seeds = [int(s) for i in order for s in parts[i].seeds[: parts[i].count]]
    return seeds, jax.tree.map(lambda *leaves: np.concatenate(leaves), *kept)


def _sharded(seeds: np.ndarray) -> Any:
    """The seeds laid over all devices when they divide evenly; the computation follows them."""
    devices = jax.devices()
    if len(devices) == 1 or len(seeds) % len(devices):
        return seeds
    # automatic: what does not depend on the seed stays on every device without being named
    mesh = jax.make_mesh((len(devices),), ("seed",), axis_types=(jax.sharding.AxisType.Auto,))
    return jax.device_put(seeds, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("seed")))
