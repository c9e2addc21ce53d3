"""The only training loop: draws, starts and the rule's own motion, seed by seed. No closed form enters here."""

from collections.abc import Hashable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from .parallel import Batch, Progress, map_seeds, over_seeds
from .problem import Macrostate, Problem, Trajectory, draw_events, seed_keys


class Skeleton:
    """The static half of a pytree: its structure and its whole numbers, which fix shapes. Hashable for jit."""

    def __init__(self, structure: Any, fixed: tuple[Any, ...]) -> None:
        self.structure, self.fixed = structure, fixed
        # 2 and 2.0 are equal but not the same constant, hence the types
        self._key = (structure, fixed, tuple(type(leaf) for leaf in fixed))
        self._hash = hash(self._key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skeleton) and self._key == other._key

    def join(self, loose: list[Any]) -> Any:
        """The tree again, from its static half and the rest."""
        leaves = [b if a is None else a for a, b in zip(self.fixed, loose, strict=True)]
        return jax.tree.unflatten(self.structure, leaves)


def split(tree: Any, loosened: frozenset[str] = frozenset()) -> tuple[Skeleton, list[Any]]:
    """Static and traced halves of a pytree: whole numbers are static, all else may vary without a new compilation.

    Whole numbers in fields named in `loosened` are traced too, as floats: sizes that fix no shape.
    """
    leaves, structure = jax.tree.flatten(tree)
    free = _positions(structure, loosened) if loosened else frozenset()
    kept = [isinstance(leaf, int | str) and i not in free for i, leaf in enumerate(leaves)]
    fixed = tuple(leaf if keep else None for leaf, keep in zip(leaves, kept, strict=True))
    loose = [None if k else float(a) if isinstance(a, int) else a for a, k in zip(leaves, kept, strict=True)]
    return Skeleton(structure, fixed), loose


@lru_cache(maxsize=256)
def _positions(structure: Any, names: frozenset[str]) -> frozenset[int]:
    """Where the fields with these names stand among the leaves."""
    tree = jax.tree.unflatten(structure, range(structure.num_leaves))
    paths, _ = jax.tree_util.tree_flatten_with_path(tree)
    return frozenset(leaf for path, leaf in paths if getattr(path[-1], "name", None) in names)


class Case(NamedTuple):
    """Data set, start and path key of a seed; None in place of what the user gave for all seeds."""

    data: Any
    start: Any
    path: Array


@partial(jax.jit, static_argnums=0)
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
    """Draws and starts of some seeds, compiled once whatever the rule: neither may depend on it."""
    skeleton, loose = split(eqx.tree_at(lambda p: p.rule, problem, None))
    return _cases(skeleton, loose, given, batch)


def completed(drawn: Case, given: Any) -> tuple[Any, Any]:
    """Data set and start of one seed: drawn, or given as they are; a given macrostate was realised for each seed."""
    return (
        drawn.data if drawn.data is not None else given[0],
        drawn.start if drawn.start is not None else given[1],
    )


@partial(jax.jit, static_argnums=0)
def _train(skeleton: Skeleton, loose: list[Any], ticks: Array, given: Any, drawn: Case, count: Any) -> Trajectory:
    problem = skeleton.join(loose)

    def one(drawn: Case) -> Trajectory:
        data, start = completed(drawn, given)
        return problem.rule.trajectory(problem, data, start, ticks, drawn.path)

    return map_seeds(one, drawn, count)


@partial(jax.jit, static_argnums=0)
def _draw_events(skeleton: Skeleton, loose: list[Any], given: Any, drawn: Case, count: Any) -> dict[str, Array]:
    problem = skeleton.join(loose)
    return map_seeds(lambda one: draw_events(problem, completed(one, given)[0]), drawn, count)


def signature(*arrays: Any) -> Hashable:
    """Structure, shapes and types of arrays: what a compiled function depends on beside the skeleton."""
    leaves, structure = jax.tree.flatten(arrays)
    return structure, tuple((np.shape(leaf), np.asarray(leaf).dtype.str) for leaf in leaves)


def run(
    problem: Problem,
    ticks: np.ndarray,
    seeds: Sequence[int],
    data: Any = None,
    start: Any = None,
    progress: Progress | None = None,
    keep_final: bool = False,
) -> tuple[list[int], Trajectory]:
    """Train every seed; the trajectories carry a leading seed axis. Final parameters only where asked for."""
    skeleton, loose = split(problem)

    def batch(part: Batch) -> Trajectory:
        drawn = cases(problem, (data, start), part)
        done = _train(skeleton, loose, ticks, (data, start), drawn, part.count)
        events = {**done.events, **_draw_events(skeleton, loose, (data, start), drawn, part.count)}
        return done._replace(events=events, final=done.final if keep_final else None)

    done, runs = over_seeds(batch, seeds, ("train", skeleton, signature(ticks, data, start)), progress)
    return done, runs
