"""Rows that hang together: whole groups held out, or later rows foretold from earlier ones, for ridge and flow.

For each set of rows held out the scatter of the others is that of all less a block (and what their means change), whose
eigenvalues give ridge of every strength and gradient flow at every time, exactly: sets are few, times many.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...words.recommendations import Recommendation
from ...words.words_of_numbers import higher
from ..shared.least_squares import TrainingPart
from .held_out_ridge import STRENGTHS

# forward chaining: the ordered rows are cut into this many blocks, each foretold from all before it
BLOCKS = 6


class Apart(NamedTuple):
    """Mean losses on rows held out in sets: of ridge at STRENGTHS, and of the flow at the times asked for."""

    ridge: np.ndarray
    flow: np.ndarray


def group_sets(groups: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit to and rows held out, one group after the other."""
    for one in np.unique(groups):
        yield np.flatnonzero(groups != one), np.flatnonzero(groups == one)


def order_sets(order: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Earlier rows to fit to, and the block that follows."""
    blocks = np.array_split(np.argsort(order, kind="stable"), BLOCKS)
    for i in range(1, BLOCKS):
        yield np.concatenate(blocks[:i]), blocks[i]


def held_apart(part: TrainingPart, sets: Iterator[tuple[np.ndarray, np.ndarray]], times: np.ndarray) -> Apart:
    """Half the mean squared error over all rows held out; each fit takes the means of its own rows away."""
    x, y = np.asarray(part.inputs), np.asarray(part.targets)
    y = y.reshape(len(y), -1)
    whole, cross = x.T @ x, x.T @ y
    narrow = x.shape[1] <= len(x)
    ridge, flow, count = np.zeros(len(STRENGTHS)), np.zeros(len(times)), 0
    for kept, out in sets:
        gone = np.setdiff1d(np.arange(len(x)), kept)
        centre, middle, n = x[kept].mean(axis=0), y[kept].mean(axis=0), len(kept)
        if narrow:
            values, vectors = np.linalg.eigh(whole - x[gone].T @ x[gone] - n * np.outer(centre, centre))
            drive = vectors.T @ (cross - x[gone].T @ y[gone] - n * np.outer(centre, middle))
        else:
            left, sizes, right = np.linalg.svd(x[kept] - centre, full_matrices=False)
            values, vectors = sizes**2, right.T
            drive = sizes[:, None] * (left.T @ (y[kept] - middle))
        values = np.maximum(values, 0.0) / n
        rows, wanted = (x[out] - centre) @ vectors, y[out] - middle
        alive = values > 1e-12 * max(float(values.max()), 1e-300)
        safe = np.where(alive, values, 1.0)
        drive = np.where(alive[:, None], drive / n, 0.0)
        for gains, told in (
            (1 / (safe[None, :] + STRENGTHS[:, None]), ridge),
            (-np.expm1(-times[:, None] * safe[None, :]) / safe[None, :], flow),
        ):
            for i, gain in enumerate(gains):
                told[i] += 0.5 * np.sum((wanted - rows @ (gain[:, None] * drive)) ** 2)
        count += len(out)
    return Apart(ridge / count, flow / count)


def apart(part: TrainingPart, groups: Any, order: Any, single: float, times: np.ndarray) -> tuple[Recommendation, ...]:
    """Losses and choices for new groups, and for later rows; `single`: the loss of single rows held out."""
    told: list[Recommendation] = []
    kinds = (
        ("new_groups", groups, group_sets, "Every group held out as a whole, and predicted from the other groups"),
        ("later_rows", order, order_sets, "Each of five later blocks predicted from all rows before it"),
    )
    for name, given, sets, how in kinds:
        if given is None:
            continue
        found = held_apart(part, sets(np.asarray(given)), times)
        at, stop = int(np.argmin(found.ridge)), int(np.argmin(found.flow))
        least = float(min(found.ridge[at], found.flow[stop]))
        why = (
            f"{how}: the loss to expect on {name.replace('_', ' ')}, {higher(least, single)} that of single rows held "
            "out, which leave their like behind."
        )
        told.append(Recommendation(f"test_loss_of_{name}", least, why, evidence={"of single rows": single}))
        strength = float(STRENGTHS[at]) if at < len(STRENGTHS) - 1 else float("nan")
        why = "The weight_decay that is best so, its loss and that without any beside it."
        evidence = {"held-out loss": float(found.ridge[at]), "without ridge": float(found.ridge[0])}
        told.append(Recommendation(f"ridge_for_{name}", strength, why, evidence=evidence))
        time = float(times[stop]) if 0 < stop < len(times) - 1 else float("nan")
        evidence = {"held-out loss there": float(found.flow[stop]), "at the end": float(found.flow[-1])}
        why = "Flow time at which the loss is least so." + ("" if time == time else " It is at an end of the path.")
        told.append(Recommendation(f"stopping_time_for_{name}", time, why, evidence=evidence))
    return tuple(told)
