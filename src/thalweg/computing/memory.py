"""How much memory is free, and whether what is asked for fits: refused before anything is allocated."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

# what the programs need beside the arrays that are counted
SHARE = 0.8
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


class TooLarge(ValueError):
    """More is asked for than fits into the memory of this machine."""


def free() -> float:
    """Bytes that can be had now: of the device where it tells, else of this machine and its container."""
    device = jax.devices()[0]
    told = (device.memory_stats() or {}) if device.platform != "cpu" else {}
    if "bytes_limit" in told:
        return float(told["bytes_limit"] - told.get("bytes_in_use", 0))
    return min(_machine(), _container())


def _machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return float("inf")


def _container() -> float:
    try:
        limit, used = (Path(f"/sys/fs/cgroup/memory.{n}").read_text().strip() for n in ("max", "current"))
        return float(limit) - float(used) if limit != "max" else float("inf")
    except (OSError, ValueError):
        return float("inf")


def bytes_of(shapes: Any) -> float:
    """Bytes of a tree of shapes or arrays; a key counts four."""
    leaves = jax.tree.leaves(shapes)
    return float(sum(np.prod(leaf.shape, dtype=float) * getattr(leaf.dtype, "itemsize", 4) for leaf in leaves))


def fits(needed: float) -> bool:
    """Whether so many bytes can be had; a little always can, without asking the machine."""
    return needed < 64 * 2**20 or needed <= SHARE * free()


def told(amount: float) -> str:
    """A number of bytes in words: `3.2 GB`."""
    power = min(int(np.log10(max(amount, 1.0)) // 3), len(UNITS) - 1)
    return f"{amount / 1000.0**power:.3g} {UNITS[power]}"
