"""Draws and starts of seeds, by one compiled program whatever the rule."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..computing import memory
from ..computing.compiling import light
from ..computing.modules import replaced
from ..computing.parallel import BATCH, Batch, map_seeds
from ..computing.skeleton import Skeleton, split
from .fields import parameters
from .problem import Macrostate, Problem, seed_keys


class Case(NamedTuple):
    """Data set, start and path key of a seed; None in place of what the user gave for all seeds."""

    data: Any
    start: Any
    path: Array


@light(static_argnums=0)
def _cases(skeleton: Skeleton, loose: list[Any], given: Any, batch: Batch) -> Case:
    problem = skeleton.join(loose)

    def one(seed: Array) -> Case:
        draw, begin, path = seed_keys(seed)
        if isinstance(given[1], Macrostate):
            data, start = given[1].realise(problem, draw)
            return Case(data, start, path)
        data = problem.draw(draw) if given[0] is None else given[0]
        start = problem.initial(begin, data) if given[1] is None else None
        return Case(data if given[0] is None else None, start, path)

    return map_seeds(one, jnp.asarray(batch.seeds), batch.count)


def cases(problem: Problem, given: Any, batch: Batch) -> Case:
    """Draws and starts of some seeds, compiled once whatever the rule: neither may depend on it.

    TooLarge, a ValueError, where they do not fit into memory.
    """
    parts = split(eqx.tree_at(lambda p: p.rule, problem, None))
    needed = _bytes(parts, given, batch)
    if not memory.fits(needed):
        raise memory.TooLarge(_too_large(problem, given, batch, needed))
    return _cases(*parts, given, batch)


def _bytes(parts: tuple[Skeleton, list[Any]], given: Any, batch: Batch) -> float:
    """What the draws and starts of a batch take; infinite where tracing them alone takes more than there is."""
    try:
        return memory.bytes_of(_cases.program().eval_shape(*parts, given, batch))
    except (MemoryError, OverflowError):
        return math.inf


def _too_large(problem: Problem, given: Any, batch: Batch, needed: float) -> str:
    """What was asked for and what would fit: the largest of sizes divided by 2, 4, 8, ..., all alike."""
    sizes = {n: getattr(problem, n) for n, p in parameters(type(problem)).items() if p.kind == "size"}
    sizes = {n: v for n, v in sizes.items() if isinstance(v, int) and v > 1}
    listed = " and ".join(f"{n} = {v}" for n, v in sizes.items())
    asked = f"{memory.told(needed)} are asked for" if math.isfinite(needed) else "more than there is, is asked for"
    said = f"{len(batch.seeds)} draws of {type(problem).__name__} do not fit into memory: {asked}"
    said += f" by {listed}" if listed else ""
    said += f", {memory.told(memory.free())} are free"
    for power in range(1, 60 if sizes else 0):
        smaller = {n: max(1, v >> power) for n, v in sizes.items()}
        try:
            parts = split(eqx.tree_at(lambda p: p.rule, replaced(problem, smaller), None))
            fits = memory.fits(_bytes(parts, given, batch))
        except ValueError:
            continue
        if fits:
            return f"{said}; {' and '.join(f'{n} = {v}' for n, v in smaller.items())} would fit."
    return f"{said}; lower the sizes."


def completed(drawn: Case, given: Any) -> tuple[Any, Any]:
    """Data set and start of one seed: drawn, or given as they are; a given macrostate was realised for each seed."""
    return (
        drawn.data if drawn.data is not None else given[0],
        drawn.start if drawn.start is not None else given[1],
    )


def first_case(problem: Problem, given: Any) -> tuple[Any, Any]:
    """Data set and start of seed 0, or what was given, by the program that training uses."""
    drawn = cases(problem, given, Batch(np.zeros(BATCH, np.int64), 1))
    # taken out on the host: a slice of each shape would be a program of its own
    data, start = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[0]), (drawn.data, drawn.start))
    return completed(Case(data, start, drawn.path), given)
