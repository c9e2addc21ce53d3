"""What the two problems of quadratic networks share: the teacher, the start, and what is read from the weights."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...words.fields import check_ranges, is_traced
from ...words.problem import Problem
from .readings import cosine, risk
from .starts import FactorLaw, GaussianStart, Orthonormal, factor_spectrum, flat_spectrum
from .teacher import Student, Teacher, as_student


def teacher_is_drawn(problem: Any) -> bool:
    """Whether its eigenvalues differ from draw to draw; their axes are those of the coordinates."""
    return problem.known_spectrum() is None


class Taught(Problem):
    """A student WW' (W of shape (dimension, width)) and a quadratic teacher, by a law or by its spectrum."""

    dimension: eqx.AbstractVar[int]
    width: eqx.AbstractVar[int]
    teacher_width: eqx.AbstractVar[int | None]
    teacher_spectrum: eqx.AbstractVar[Any]
    weight_decay: eqx.AbstractVar[float]
    start: eqx.AbstractVar[FactorLaw | None]
    teacher: eqx.AbstractVar[FactorLaw | None]

    def __check_init__(self) -> None:
        if any(is_traced(leaf) for leaf in jax.tree.leaves(self)):
            return
        check_ranges(self)
        owner = type(self).__name__
        for name, width in (("start", self.width), ("teacher", self.teacher_units())):
            law = self.start_law() if name == "start" else self.teacher_law()
            if isinstance(law, Orthonormal) and width > self.dimension:
                raise ValueError(
                    f"{owner}: {name} = Orthonormal() has no {width} orthonormal columns in dimension "
                    f"{self.dimension}; use {name} = GaussianStart(), or a width of at most the dimension."
                )
        if self.teacher_spectrum is None:
            return
        if self.teacher_width is not None or self.teacher is not None:
            raise ValueError(f"{owner}: teacher_spectrum says all of the teacher; leave out teacher_width and teacher.")
        if np.shape(self.teacher_spectrum) != (self.dimension,):
            raise ValueError(
                f"{owner}: teacher_spectrum has shape {np.shape(self.teacher_spectrum)}; give "
                f"{self.dimension} eigenvalues, one a dimension (fill up with zeros)."
            )

    def teacher_units(self) -> Any:
        """Teacher width m*, a quarter of the dimension where it is not given."""
        if self.teacher_width is not None:
            return self.teacher_width
        quarter = self.dimension / 4
        return jnp.maximum(1.0, jnp.floor(quarter)) if is_traced(quarter) else max(1, int(quarter))

    def start_law(self) -> FactorLaw:
        """Law of the start."""
        if self.start is not None:
            return self.start
        return Orthonormal() if self.width <= self.dimension else GaussianStart()

    def teacher_law(self) -> FactorLaw:
        """Law of the teacher's weights, where no spectrum is given."""
        return Orthonormal() if self.teacher is None else self.teacher

    def known_spectrum(self) -> Any:
        """Eigenvalues of every teacher (d,), largest first; None where they differ from draw to draw."""
        if self.teacher_spectrum is not None:
            sort = jnp.sort if is_traced(self.teacher_spectrum) else np.sort
            return -sort(-self.teacher_spectrum)
        law = self.teacher_law()
        return flat_spectrum(self.dimension, self.teacher_units(), law.trace) if isinstance(law, Orthonormal) else None

    def draw_teacher(self, key: Array) -> Teacher:
        """One teacher, in its own axes."""
        known = self.known_spectrum()
        if known is None:
            known = factor_spectrum(self.teacher_law().draw(key, self.dimension, self.teacher_units()))
        return Teacher(jnp.asarray(known), jnp.zeros((0, 0)))

    def draw_student(self, key: Array) -> Student:
        """One start."""
        return Student(self.start_law().draw(key, self.dimension, self.width), jnp.zeros(()))

    def beside_the_loss(self, params: Student, teacher: Teacher) -> Float[Array, ""]:
        """The penalty, and the counter of the trace integral."""
        weights = params.weights
        # worth nothing, but its slope lets the rule add up the trace gap beside the weights
        gap = jax.lax.stop_gradient(jnp.sum(weights**2) - jnp.sum(teacher.values))
        counter = params.trace_integral - jax.lax.stop_gradient(params.trace_integral)
        return 0.5 * self.weight_decay * jnp.sum(weights**2) - gap * counter

    def read_student(self, params: Student, teacher: Teacher, centred: bool) -> dict[str, Array]:
        """All curves that need no sample."""
        weights = params.weights
        spectrum = factor_spectrum(weights)[: min(weights.shape)]
        trace, square = jnp.sum(weights**2), jnp.sum((weights.T @ weights) ** 2)
        product = jnp.sum(weights * teacher.apply(weights))
        return {
            "test_loss": risk(weights @ weights.T - teacher.matrix(), centred),
            "overlap": cosine(product, square, jnp.sum(teacher.values**2)),
            "trace_gap": trace - jnp.sum(teacher.values),
            "trace_integral": params.trace_integral,
            "student_spectrum": spectrum,
            "effective_rank": trace**2 / jnp.where(square > 0, square, 1.0),
        }

    def teacher_trace(self) -> float:
        """Sum of the sizes of the teacher's eigenvalues, their mean where they are drawn; 1 for a zero teacher."""
        known = self.known_spectrum()
        if known is None:
            return float(self.teacher_law().mean_trace(self.dimension, self.teacher_units()))
        return float(np.sum(np.abs(np.asarray(known)))) or 1.0

    def typical_eigenvalue(self) -> float:
        """Mean size of the eigenvalues that are not zero; 1/d for a zero teacher."""
        known = self.known_spectrum()
        if known is None:
            units = self.teacher_units()
            return self.teacher_law().mean_trace(self.dimension, units) / min(units, self.dimension)
        sizes = np.abs(np.asarray(known))
        return float(sizes[sizes > 0].mean()) if np.any(sizes > 0) else 1.0 / self.dimension

    def as_start(self, raw: Any) -> Student:
        return as_student(raw, self.dimension, self.width)
