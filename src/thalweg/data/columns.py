"""What a table's columns look like before anything is learned: constant, copied, of very different size."""

from typing import Any

import numpy as np


def constant(inputs: Any) -> np.ndarray:
    """Positions of columns that never change (to 1e-12 of their size)."""
    table = np.asarray(inputs)
    return np.flatnonzero(np.ptp(table, axis=0) <= 1e-12 * np.max(np.abs(table), axis=0))


def copied(inputs: Any) -> list[tuple[int, int]]:
    """Pairs (first, later) of columns that are equal up to shift and scale (correlation +-1 within 1e-12)."""
    table = np.asarray(inputs)
    alive = np.setdiff1d(np.arange(table.shape[1]), constant(table))
    centred = table[:, alive] - table[:, alive].mean(axis=0)
    scaled = centred / np.linalg.norm(centred, axis=0)
    # copies have the same projection on any direction: only neighbours in its order need be looked at
    ray = np.random.default_rng(0).standard_normal(table.shape[0])
    place = np.abs(ray @ scaled)
    order = np.argsort(place, kind="stable")
    breaks = np.flatnonzero(np.diff(place[order]) > 1e-9) + 1
    found = []
    for group in np.split(order, breaks):
        first, *later = np.sort(group).tolist()
        found += [(first, j) for j in later if abs(scaled[:, first] @ scaled[:, j]) > 1 - 1e-12]
    return sorted(((int(alive[i]), int(alive[j])) for i, j in found), key=lambda pair: pair[1])


def span(inputs: Any) -> float:
    """Largest standard deviation of a column over the smallest, constant columns aside (1 if there is no other)."""
    table = np.asarray(inputs)
    deviations = np.delete(table.std(axis=0), constant(table))
    return float(deviations.max() / deviations.min()) if deviations.size else 1.0


def named_like_classes(targets: Any) -> bool:
    """Whether targets are 3 to 10 different whole numbers, each on several rows: names of classes, perhaps."""
    values, counts = np.unique(np.asarray(targets), return_counts=True)
    return 3 <= values.size <= 10 and bool(np.all(values == np.round(values))) and int(counts.min()) >= 5
