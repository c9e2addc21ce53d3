"""Laws of the inputs on which quadratic forms are measured, and a fixed sample of them."""

import abc
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.fields import Parametrised
from .teacher import Teacher, as_teacher


class FormSample(eqx.Module):
    """`inputs` (n, d), or symmetric matrices (n, d, d), noisy `labels` (n,), and the teacher that made them.

    The teacher is kept by its eigenvalues `values` (d,) and axes `vectors` ((0, 0): the coordinate axes).
    """

    inputs: Float[Any, "n *shape"]
    labels: Float[Any, " n"]
    values: Float[Any, " d"]
    vectors: Float[Any, "k k"]

    @property
    def teacher(self) -> Teacher:
        """The teacher Z*."""
        return Teacher(self.values, self.vectors)


class InputLaw(Parametrised):
    """Law of X_k in f_k = tr(X_k Z), with Var f_k = 2 |Z|^2."""

    @abc.abstractmethod
    def draw(self, key: Array, samples: int, dimension: int) -> Array:
        """Independent inputs, samples first."""

    @abc.abstractmethod
    def shape(self, samples: int, dimension: int) -> tuple[int, ...]:
        """Shape of the inputs."""

    @abc.abstractmethod
    def answers(self, inputs: Array, factor: Array) -> Float[Array, " n"]:
        """tr(X_k WW')."""

    @abc.abstractmethod
    def labels(self, inputs: Array, teacher: Teacher) -> Float[Array, " n"]:
        """tr(X_k Z*)."""

    @abc.abstractmethod
    def has_trace(self) -> bool:
        """Whether the population loss has the trace term (1/2)(tr D)^2."""


class VectorInputs(InputLaw):
    """x_k standard normal: f = x'Zx - tr Z if `centred`, else x'Zx, whose population loss has the trace term."""

    centred: bool = True

    def __check_init__(self) -> None:
        if not isinstance(self.centred, bool):
            raise ValueError(f"VectorInputs: centred = {self.centred!r} is not allowed; give True or False.")

    def draw(self, key: Array, samples: int, dimension: int) -> Array:
        return jax.random.normal(key, (samples, dimension), dtype=jnp.float64)

    def shape(self, samples: int, dimension: int) -> tuple[int, ...]:
        return samples, dimension

    def answers(self, inputs: Array, factor: Array) -> Float[Array, " n"]:
        return jnp.sum((inputs @ factor) ** 2, axis=1) - (jnp.sum(factor**2) if self.centred else 0.0)

    def labels(self, inputs: Array, teacher: Teacher) -> Float[Array, " n"]:
        seen = teacher.seen_from(inputs.T)
        return jnp.asarray(teacher.values) @ seen**2 - (jnp.sum(teacher.values) if self.centred else 0.0)

    def has_trace(self) -> bool:
        return not self.centred


class MatrixInputs(InputLaw):
    """X_k symmetric Gaussian matrices, entries of variance 1 off the diagonal and 2 on it: sqrt(d) times GOE(d).

    Memory is samples dimension^2 numbers. Source: the data of arXiv 2601.10483.
    """

    def draw(self, key: Array, samples: int, dimension: int) -> Array:
        raw = jax.random.normal(key, (samples, dimension, dimension), dtype=jnp.float64)
        return (raw + jnp.swapaxes(raw, 1, 2)) / np.sqrt(2.0)

    def shape(self, samples: int, dimension: int) -> tuple[int, ...]:
        return samples, dimension, dimension

    def answers(self, inputs: Array, factor: Array) -> Float[Array, " n"]:
        return jnp.reshape(inputs, (inputs.shape[0], -1)) @ jnp.ravel(factor @ factor.T)

    def labels(self, inputs: Array, teacher: Teacher) -> Float[Array, " n"]:
        return jnp.reshape(inputs, (inputs.shape[0], -1)) @ jnp.ravel(teacher.matrix())

    def has_trace(self) -> bool:
        return False


def as_sample(raw: Any, problem: Any) -> FormSample:
    """A user's data set, checked: a FormSample, a mapping with its names, or a tuple (inputs, labels, Z*)."""
    parts: Mapping[str, Any]
    if isinstance(raw, FormSample):
        parts = {"inputs": raw.inputs, "labels": raw.labels, "teacher": raw.teacher}
    elif isinstance(raw, Mapping) and "values" in raw:
        parts = {**raw, "teacher": {"values": raw["values"], "vectors": raw["vectors"]}}
    elif isinstance(raw, tuple | list) and len(raw) == 3:
        parts = dict(zip(("inputs", "labels", "teacher"), raw, strict=True))
    else:
        raise ValueError("data must be a tuple (inputs, labels, teacher), the teacher as Z* (dimension, dimension).")
    n, d = problem.samples, problem.dimension
    arrays = {}
    for name, shape in (("inputs", problem.input_law().shape(n, d)), ("labels", (n,))):
        arrays[name] = np.asarray(parts[name], dtype=np.float64)
        if arrays[name].shape != shape or not np.all(np.isfinite(arrays[name])):
            raise ValueError(
                f"data.{name} has shape {arrays[name].shape}; {shape} finite numbers are wanted for this problem."
            )
    matrices = arrays["inputs"]
    if matrices.ndim == 3 and np.abs(matrices - np.swapaxes(matrices, 1, 2)).max() > 1e-9:
        raise ValueError("data.inputs are not symmetric matrices; give (X + X')/2.")
    rank = min(problem.teacher_units(), d)
    teacher = as_teacher(parts["teacher"], d, problem.known_spectrum(), rank)
    return FormSample(**arrays, values=teacher.values, vectors=teacher.vectors)
