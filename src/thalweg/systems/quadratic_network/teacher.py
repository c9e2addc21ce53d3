"""A quadratic teacher in its eigenvectors, the student's moving parameters, and a user's own matrices, checked."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class Teacher(eqx.Module):
    """Z* = vectors diag(values) vectors', values (d,) descending; `vectors` (0, 0) stand for the coordinate axes."""

    values: Float[Any, " d"]
    vectors: Float[Any, "k k"]

    def apply(self, factor: Float[Any, "d m"]) -> Float[Array, "d m"]:
        """Z* W."""
        if self.vectors.shape[0] == 0:
            return self.values[:, None] * factor
        return self.vectors @ (self.values[:, None] * (self.vectors.T @ factor))

    def matrix(self) -> Float[Array, "d d"]:
        """Z* as a full matrix."""
        if self.vectors.shape[0] == 0:
            return jnp.diag(self.values)
        return (self.vectors * self.values[None, :]) @ self.vectors.T

    def seen_from(self, factor: Float[Any, "d m"]) -> Float[Array, "d m"]:
        """W in the teacher's eigenvectors, largest eigenvalue first."""
        return jnp.asarray(factor) if self.vectors.shape[0] == 0 else jnp.asarray(self.vectors.T @ factor)


class Student(eqx.Module):
    """What moves: `weights` W (d, m), and the integral of the trace gap so far, which nothing feels."""

    weights: Float[Any, "d m"]
    trace_integral: Float[Any, ""]


def full_matrix(raw: Any) -> Any:
    """Z* as a user or a result file gives it: a matrix, a Teacher, or its two parts by name."""
    if isinstance(raw, Teacher):
        raw = vars(raw)
    if isinstance(raw, Mapping):
        # in NumPy: outside a verb JAX would round to float32
        values, vectors = (np.asarray(raw[name], dtype=np.float64) for name in ("values", "vectors"))
        return (vectors * values) @ vectors.T if vectors.size else np.diag(values)
    return raw


def as_student(raw: Any, dimension: int, width: int) -> Student:
    """A user's W, checked."""
    if isinstance(raw, Mapping):
        raw = raw["weights"]
    weights = np.asarray(raw.weights if isinstance(raw, Student) else raw, dtype=np.float64)
    wanted = (dimension, width)
    if weights.shape != wanted or not np.all(np.isfinite(weights)):
        raise ValueError(
            f"start has shape {weights.shape}; W of shape {wanted} (dimension, width), all finite, is wanted."
        )
    return Student(weights, np.zeros(()))


def as_teacher(raw: Any, d: int, known: Any, rank: int) -> Teacher:
    """A user's Z* (d, d), checked: symmetric, of the `known` spectrum (None: positive, of at most this rank)."""
    matrix = np.asarray(full_matrix(raw), dtype=np.float64)
    if matrix.shape != (d, d) or not np.all(np.isfinite(matrix)):
        raise ValueError(f"data has shape {matrix.shape}; the teacher Z* of shape {(d, d)}, all finite, is wanted.")
    size_of = max(float(np.abs(matrix).max()), 1e-300)
    if np.abs(matrix - matrix.T).max() > 1e-10 * size_of:
        raise ValueError("data is not symmetric; give the teacher as Z* = (Z* + Z*')/2.")
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    if known is None:
        known = np.where(np.arange(d) < rank, np.maximum(values, 0.0), 0.0)
    off = float(np.abs(values - np.asarray(known)).max())
    if off > 1e-9 * size_of:
        raise ValueError(
            f"the spectrum of data differs from that of the problem by {off:.3g}; its largest eigenvalues are "
            f"{np.round(values[:4], 6).tolist()}, the problem says {np.round(np.asarray(known)[:4], 6).tolist()}. "
            "Set teacher_spectrum=np.linalg.eigvalsh(Z)."
        )
    # exactly equal eigenvalues stay exactly equal
    return Teacher(np.asarray(known), np.ascontiguousarray(vectors))
