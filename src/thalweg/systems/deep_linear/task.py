"""What a deep linear network learns: a white target map, or samples; and a user's own, checked."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# singular values of the inputs, or of a target, below this share of the largest count as zero
RANK_TOLERANCE = 1e-10


class WhiteTask(eqx.Module):
    """White inputs: only the `target` Z (o, d) counts; `strengths` (k,) are its singular values, largest first."""

    target: Float[Any, "o d"]
    strengths: Float[Any, " k"]

    @property
    def solution(self) -> Any:
        """The map of least loss."""
        return self.target

    @property
    def floor(self) -> Any:
        """The least loss that any map has."""
        return jnp.zeros(())

    def loss(self, whole: Float[Any, "o d"]) -> Float[Array, ""]:
        """(1/2) |W - Z|_F^2."""
        return 0.5 * jnp.sum((whole - self.target) ** 2)

    def covariance(self) -> Float[Array, "d d"]:
        """Second moment of the inputs, E x x'."""
        return jnp.eye(self.target.shape[1])

    def correlation(self) -> Float[Array, "o d"]:
        """E y x'."""
        return jnp.asarray(self.target)

    def principal(self) -> tuple[Any, Any]:
        """Variances of the inputs (k,) and their axes (d, k)."""
        inputs = self.target.shape[1]
        return np.ones(inputs), np.eye(inputs)


class SampleTask(eqx.Module):
    """Samples as rows: `inputs` (n, d), `outputs` (n, o), with the least-squares `solution` of least norm (o, d), its
    singular values `strengths` (k,), and the loss that it leaves, `floor`."""

    inputs: Float[Any, "n d"]
    outputs: Float[Any, "n o"]
    solution: Float[Any, "o d"]
    strengths: Float[Any, " k"]
    floor: Float[Any, ""]

    def loss(self, whole: Float[Any, "o d"]) -> Float[Array, ""]:
        """(1/2n) sum |y - W x|^2."""
        return 0.5 * jnp.sum((self.outputs - self.inputs @ whole.T) ** 2) / self.inputs.shape[0]

    def covariance(self) -> Float[Array, "d d"]:
        """Second moment of the inputs, X'X/n."""
        return jnp.asarray(self.inputs.T @ self.inputs / self.inputs.shape[0])

    def correlation(self) -> Float[Array, "o d"]:
        """Y'X/n."""
        return jnp.asarray(self.outputs.T @ self.inputs / self.inputs.shape[0])

    def principal(self) -> tuple[Any, Any]:
        """Variances of the inputs (k,), largest first, 0 below the rank tolerance, and their axes (d, k)."""
        library = _library(self.inputs)
        _, values, axes = library.linalg.svd(self.inputs, full_matrices=False)
        kept = values > RANK_TOLERANCE * values[0]
        return library.where(kept, values**2 / self.inputs.shape[0], 0.0), axes.T


Task = WhiteTask | SampleTask


def white_task(target: Any) -> WhiteTask:
    """The task of a target map."""
    return WhiteTask(target, _library(target).linalg.svd(target, compute_uv=False))


def sample_task(inputs: Any, outputs: Any) -> SampleTask:
    """The task of samples, with its least-squares solution of least norm pinv(X) Y."""
    library = _library(inputs)
    solution = (library.linalg.pinv(inputs, rtol=RANK_TOLERANCE) @ outputs).T
    missed = outputs - inputs @ solution.T
    floor = library.asarray(0.5 * library.sum(missed**2) / inputs.shape[0])
    return SampleTask(inputs, outputs, solution, library.linalg.svd(solution, compute_uv=False), floor)


def _library(value: Any) -> Any:
    return np if isinstance(value, np.ndarray) else jnp


def as_white_task(raw: Any, shape: tuple[int, int]) -> WhiteTask:
    """A user's target map, checked."""
    if isinstance(raw, Mapping):
        raw = raw.get("target")
    target = np.asarray(raw.target if isinstance(raw, WhiteTask) else raw, dtype=np.float64)
    if target.shape != shape or not np.all(np.isfinite(target)):
        raise ValueError(
            f"data has shape {target.shape}; a target map of shape {shape} (outputs, inputs), all finite, is wanted."
        )
    return white_task(target)


def as_sample_task(raw: Any, shape: tuple[int, int]) -> SampleTask:
    """A user's samples (inputs, outputs) as rows, checked; `shape` is (outputs, inputs) of the network."""
    parts: Any = None
    if isinstance(raw, Mapping):
        parts = raw.get("inputs"), raw.get("outputs")
    elif isinstance(raw, SampleTask):
        parts = raw.inputs, raw.outputs
    elif isinstance(raw, tuple | list) and len(raw) == 2:
        parts = raw
    if parts is None or any(part is None for part in parts):
        raise ValueError("data must be a pair (inputs, outputs), one row a sample, or a mapping with these names.")
    inputs, outputs = (np.asarray(part, dtype=np.float64) for part in parts)
    check_samples("data", inputs, outputs, shape)
    return sample_task(inputs, outputs)


def check_samples(owner: str, inputs: Any, outputs: Any, shape: tuple[int, int]) -> None:
    """ValueError unless inputs (n, d) and outputs (n, o) are finite, and o and d are those of the network."""
    fits = np.ndim(inputs) == 2 and np.ndim(outputs) == 2 and np.shape(inputs)[0] == np.shape(outputs)[0] > 0
    if not fits or (np.shape(outputs)[1], np.shape(inputs)[1]) != shape:
        raise ValueError(
            f"{owner}: inputs have shape {np.shape(inputs)} and outputs {np.shape(outputs)}; give (n, {shape[1]}) and "
            f"(n, {shape[0]}), one row a sample, as the first and the last of `widths` say."
        )
    for name, values in (("inputs", inputs), ("outputs", outputs)):
        bad = ~np.isfinite(np.asarray(values))
        if np.any(bad):
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(f"{owner}: {name} have a missing or infinite entry at {where}; remove or fill such rows.")
