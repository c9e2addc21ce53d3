"""Where the slopes of a rule's steps come from: the whole objective, some of the stored samples, or fresh ones."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from ..words.problem import Problem, SampledProblem, StreamingProblem

Slope = Callable[[Any], Any]


class Source(abc.ABC):
    """What is descended at a step. Chance comes in blocks of `block` steps, from the number of the block alone."""

    random: ClassVar[bool] = False
    fresh: ClassVar[bool] = False
    clock: ClassVar[str] = "steps"
    block: int

    def steps_per_unit(self, problem: Problem) -> float:
        """Steps in one unit of the clock; ValueError for a problem that does not have what is descended."""
        return 1.0

    def begin(self, problem: Problem, data: Any) -> Any:
        """What is remembered from step to step, before the first; nothing as a rule."""
        return ()

    def draw_block(self, problem: Problem, data: Any, key: Array) -> Any:
        """What chance gives to the steps of one block: samples, indices, keys; (block, ...), None without chance."""
        return None

    @abc.abstractmethod
    def slope(self, problem: Problem, data: Any, memory: Any, count: Any, fresh: Any) -> tuple[Slope, Any]:
        """The slope at any parameters, and what is remembered; `count` steps lie behind, `fresh` is of this step."""


@dataclasses.dataclass(frozen=True)
class Whole(Source):
    """The problem's objective."""

    block: ClassVar[int] = 1

    def slope(self, problem: Problem, data: Any, memory: Any, count: Any, fresh: Any) -> tuple[Slope, Any]:
        return lambda params: jax.grad(problem.objective)(params, data), memory


@dataclasses.dataclass(frozen=True)
class _Stored(Source):
    """`batch` of the samples that a problem stores; `owner` is who asks for them."""

    owner: str
    batch: int
    block: int

    def sampled(self, problem: Problem) -> SampledProblem:
        """The problem as one of stored samples; ValueError for one that has none to choose from."""
        if not isinstance(problem, SampledProblem):
            raise ValueError(
                f"{self.owner} draws from a stored set of samples, but {type(problem).__name__} does not say what its "
                "objective is on a part of them; choose GradientDescent, OnePassSGD where every sample is fresh, or "
                "give the problem sample_count and batch_objective (tw.SampledProblem)."
            )
        return problem

    def steps_per_unit(self, problem: Problem) -> float:
        self.sampled(problem)
        return 1.0

    def of(self, problem: Problem, data: Any, chosen: Int[Array, " batch"]) -> Slope:
        """The slope of the objective on these samples."""
        whole = self.sampled(problem)
        return lambda params: jax.grad(whole.batch_objective)(params, data, chosen)


class Drawn(_Stored):
    """Samples drawn anew at every step, independently and with replacement."""

    random: ClassVar[bool] = True

    def draw_block(self, problem: Problem, data: Any, key: Array) -> Any:
        return jax.random.randint(key, (self.block, self.batch), 0, self.sampled(problem).sample_count(data))

    def slope(self, problem: Problem, data: Any, memory: Any, count: Any, fresh: Any) -> tuple[Slope, Any]:
        return self.of(problem, data, fresh), memory


class InTurn(_Stored):
    """Samples in the order in which they are stored, again and again from the first."""

    def slope(self, problem: Problem, data: Any, memory: Any, count: Any, fresh: Any) -> tuple[Slope, Any]:
        several = self.sampled(problem).sample_count(data)
        chosen = (jnp.asarray(count) * self.batch + jnp.arange(self.batch)) % several
        return self.of(problem, data, chosen), memory


class Shuffled(_Stored):
    """Epochs: each goes once through all samples, in an order drawn anew; ValueError where no epoch fits."""

    random: ClassVar[bool] = True

    def begin(self, problem: Problem, data: Any) -> Any:
        """The epoch's order of the samples."""
        count = self.sampled(problem).sample_count(data)
        self.steps_an_epoch(count)
        return jnp.arange(count)

    def draw_block(self, problem: Problem, data: Any, key: Array) -> Any:
        return jax.random.split(key, self.block)

    def slope(self, problem: Problem, data: Any, memory: Any, count: Any, fresh: Any) -> tuple[Slope, Any]:
        place = jnp.asarray(count) % self.steps_an_epoch(memory.shape[0])
        # the order is drawn at the epoch's first step, from that step's own key
        order = jax.lax.cond(
            place == 0, lambda: jax.random.permutation(fresh, memory.shape[0], independent=False), lambda: memory
        )
        return self.of(problem, data, jax.lax.dynamic_slice_in_dim(order, place * self.batch, self.batch)), order

    def steps_an_epoch(self, count: int) -> int:
        """Steps in which each of `count` samples is seen once; ValueError where no number of them does it."""
        if count % self.batch:
            fitting = [b for b in range(1, count + 1) if count % b == 0]
            near = sorted(sorted(fitting, key=lambda b: abs(b - self.batch))[:2])
            raise ValueError(
                f"{self.owner}: batch = {self.batch} does not divide the {count} samples, so that no epoch sees each "
                f"of them once; give batch = {' or '.join(map(str, near))}, another number of samples, or batches "
                "drawn with replacement."
            )
        return count // self.batch


@dataclasses.dataclass(frozen=True)
class Fresh(Source):
    """One fresh sample at every step, never stored; the clock counts steps / dimension."""

    owner: str
    random: ClassVar[bool] = True
    fresh: ClassVar[bool] = True
    clock: ClassVar[str] = "steps / dimension"
    # long enough that drawing in one go pays, short enough that looking in between costs little
    block: ClassVar[int] = 32

    def streaming(self, problem: Problem) -> StreamingProblem:
        """The problem as one of fresh samples; ValueError for one whose samples are a fixed set."""
        if not isinstance(problem, StreamingProblem):
            raise ValueError(
                f"{self.owner} needs a fresh sample at every step, but {type(problem).__name__} is about a fixed set "
                "of samples; choose GradientFlow or GradientDescent, or a problem with a law of fresh samples."
            )
        return problem

    def steps_per_unit(self, problem: Problem) -> float:
        return float(self.streaming(problem).dimension)

    def draw_block(self, problem: Problem, data: Any, key: Array) -> Any:
        return self.streaming(problem).fresh(key, data, self.block)

    def slope(self, problem: Problem, data: Any, memory: Any, count: Any, fresh: Any) -> tuple[Slope, Any]:
        stream = self.streaming(problem)
        return lambda params: jax.grad(stream.sample_objective)(params, data, fresh), memory
