"""Laws of a factor W (dimension, width): the student's start, or the teacher's weights."""

import abc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.fields import Parametrised, vary
from ...words.problem import scalar


class FactorLaw(Parametrised):
    """A rotation-invariant law of W; the trace of WW' is the scale of the network's output."""

    @abc.abstractmethod
    def draw(self, key: Array, dimension: int, width: int) -> Float[Array, "d m"]:
        """One factor (dimension, width)."""

    @abc.abstractmethod
    def mean_trace(self, dimension: Any, width: Any) -> Any:
        """Expected trace of WW'."""


class Orthonormal(FactorLaw):
    """W = sqrt(trace/width) U with U'U = I (Haar): WW' is `trace`/width times a random projector of rank width.

    Needs width <= dimension. Source: Martin, Bach & Biroli 2023, their orthonormal families (trace = 1).
    """

    trace: float = scalar("trace of WW'", symbol="tr Z", default=1.0, above=0.0)

    def draw(self, key: Array, dimension: int, width: int) -> Float[Array, "d m"]:
        upper, lower = jnp.linalg.qr(jax.random.normal(key, (dimension, width), dtype=jnp.float64))
        # the signs that make the law of U the Haar measure, whatever the convention of the factorisation
        return jnp.sqrt(self.trace / width) * upper * jnp.sign(jnp.diagonal(lower))[None, :]

    def mean_trace(self, dimension: Any, width: Any) -> Any:
        return self.trace


class GaussianStart(FactorLaw):
    """W with independent centred normal entries of standard deviation `init_scale`.

    The default, 1/sqrt(dimension width), makes the expected trace of WW' one ("normalised"); init_scale =
    1/sqrt(width) gives the "unnormalised" family, whose traces are of order dimension and whose clock is that many
    times faster. Source: Martin, Bach & Biroli 2023.
    """

    init_scale: float | None = scalar("standard deviation of an entry of W", symbol="sigma", default=None, above=0.0)

    def draw(self, key: Array, dimension: int, width: int) -> Float[Array, "d m"]:
        return jnp.sqrt(self.variance(dimension, width)) * jax.random.normal(key, (dimension, width), dtype=jnp.float64)

    def variance(self, dimension: Any, width: Any) -> Any:
        """Variance of an entry."""
        return 1.0 / (dimension * width) if self.init_scale is None else self.init_scale**2

    def mean_trace(self, dimension: Any, width: Any) -> Any:
        return dimension * width * self.variance(dimension, width)


def from_one_column(problem: Any) -> Any:
    """The same problem from a start of rank one, of no law that a theory knows."""
    from .examples import one_column

    return vary(problem, {"start": one_column()})


def factor_spectrum(factor: Float[Array, "d m"]) -> Float[Array, " d"]:
    """Eigenvalues of WW' from the smaller of its two Gram matrices, largest first, zeros where the rank ends."""
    d, m = factor.shape
    gram = factor.T @ factor if m < d else factor @ factor.T
    values = jnp.maximum(jnp.linalg.eigvalsh(gram)[::-1], 0.0)
    return jnp.concatenate([values, jnp.zeros(d - values.shape[0])])


def flat_spectrum(dimension: int, width: int, trace: float) -> np.ndarray | Array:
    """trace/width, `width` times, then zeros: the spectrum of an orthonormal family."""
    kept = np.arange(dimension) < width
    return kept * (trace / width)
