"""Weights that have exactly the overlaps asked for, on a random frame; and checks of overlaps that a user gives."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ...data.two_layer import TwoLayer
from ...words.fields import floats
from ...words.problem import Macrostate
from .order_parameters import State, Target


class Overlaps(Macrostate):
    """A start by its order parameters, student and teacher together.

    `student` Q (K, K), `teacher` R (K, M), `target` T (M, M), `output` v (K,), `target_output` v* (M,). Training makes
    weights with exactly these overlaps on a random frame for each seed, which needs dimension >= K + M.
    """

    student: Float[Any, "k k"] = eqx.field(converter=floats)
    teacher: Float[Any, "k m"] = eqx.field(converter=floats)
    target: Float[Any, "m m"] = eqx.field(converter=floats)
    output: Float[Any, " k"] = eqx.field(converter=floats)
    target_output: Float[Any, " m"] = eqx.field(converter=floats)

    def realise(self, problem: Any, key: Array) -> tuple[TwoLayer, TwoLayer]:
        first, teacher = weights_with_overlaps(key, self.student, self.teacher, self.target, problem.dimension)
        return TwoLayer(teacher, jnp.asarray(self.target_output)), TwoLayer(first, jnp.asarray(self.output))

    def split(self) -> tuple[State, Target]:
        """What moves, and what stays."""
        parts = [jnp.asarray(part) for part in (self.student, self.teacher, self.output, self.target)]
        return State(*parts[:3]), Target(parts[3], jnp.asarray(self.target_output))


NAMES = ("student", "teacher", "target", "output", "target_output")


def as_overlaps(raw: Any, units: int, teachers: int, dimension: int) -> Overlaps | None:
    """A user's start as overlaps, checked against the problem; None where it is of another kind.

    ValueError for shapes that do not fit, tables that no weights can have, or a dimension below units + teachers.
    """
    if isinstance(raw, Overlaps):
        parts = {name: getattr(raw, name) for name in NAMES}
    elif isinstance(raw, Mapping) and set(raw) == set(NAMES):
        parts = dict(raw)
    else:
        return None
    found = {name: np.asarray(parts[name], dtype=np.float64) for name in NAMES}
    check_overlaps(found["student"], found["teacher"], found["target"])
    sizes = (found["student"].shape[0], found["target"].shape[0])
    if sizes != (units, teachers):
        raise ValueError(
            f"the overlaps are those of {sizes[0]} student and {sizes[1]} teacher units; the problem has {units} and "
            f"{teachers}. Change student_units and teacher_units, or the overlaps."
        )
    for name, count in (("output", units), ("target_output", teachers)):
        if found[name].shape != (count,) or not np.all(np.isfinite(found[name])):
            raise ValueError(f"{name} has shape {found[name].shape}; {count} finite numbers are wanted, one a unit.")
    if dimension < units + teachers:
        raise ValueError(
            f"dimension = {dimension} has no room for {units} + {teachers} units with overlaps of their own; give at "
            f"least {units + teachers}."
        )
    return Overlaps(**found)


def weights_with_overlaps(
    key: Array,
    student: Float[Array, "k k"],
    teacher: Float[Array, "k m"],
    target: Float[Array, "m m"],
    dimension: int,
) -> tuple[Float[Array, "k d"], Float[Array, "m d"]]:
    """First layers w (K, N), w* (M, N) with w w'/N = Q, w w*'/N = R, w* w*'/N = T up to rounding.

    [w; w*] = sqrt(N) S F with S the symmetric root of [[Q, R], [R', T]] and F (K + M, N) orthonormal rows spanning a
    uniformly random subspace (QR of a Gaussian matrix): N >= K + M. Singular overlaps (equal units) are legal.
    """
    units, fields = student.shape[0], student.shape[0] + target.shape[0]
    joint = jnp.concatenate([jnp.concatenate([student, teacher], axis=1), jnp.concatenate([teacher.T, target], axis=1)])
    values, vectors = jnp.linalg.eigh(joint)
    root = vectors * jnp.sqrt(jnp.maximum(values, 0.0))[None, :] @ vectors.T
    frame, _ = jnp.linalg.qr(jax.random.normal(key, (dimension, fields), dtype=joint.dtype))
    weights = jnp.sqrt(1.0 * dimension) * root @ frame.T
    return weights[:units], weights[units:]


def measured_overlaps(
    first: Float[Array, "k d"],
    output: Float[Array, " k"],
    target_first: Float[Array, "m d"],
    target_output: Float[Array, " m"],
) -> tuple[State, Target]:
    """Order parameters of given weights."""
    dimension = first.shape[1]
    now = State(first @ first.T / dimension, first @ target_first.T / dimension, output)
    return now, Target(target_first @ target_first.T / dimension, target_output)


def _matrix(name: str, raw: np.ndarray, rows: int, columns: int) -> None:
    if raw.shape != (rows, columns):
        raise ValueError(
            f"{name} has shape {raw.shape}; ({rows}, {columns}) is wanted, one row a unit. Give a table of that shape."
        )
    if not np.all(np.isfinite(raw)):
        raise ValueError(f"{name} has a missing or infinite entry; give finite numbers.")


def _symmetric(name: str, raw: np.ndarray) -> None:
    gap = np.abs(raw - raw.T)
    if np.max(gap) > 1e-12 * max(1.0, float(np.max(np.abs(raw)))):
        i, j = np.unravel_index(np.argmax(gap), gap.shape)
        raise ValueError(
            f"{name} is not symmetric: entry ({i}, {j}) is {raw[i, j]:g} but ({j}, {i}) is {raw[j, i]:g}; "
            "give the same number to both."
        )


def check_overlaps(student: np.ndarray, teacher: np.ndarray, target: np.ndarray) -> None:
    """ValueError, with the repair, unless [[Q, R], [R', T]] can be the overlaps of weights.

    Q (K, K) and T (M, M) must be symmetric, R (K, M) of their shape, the whole positive semidefinite.
    """
    if student.ndim != 2 or target.ndim != 2:
        raise ValueError("student and target overlaps are square tables; give lists of rows such as [[1, 0], [0, 1]].")
    units, teachers = student.shape[0], target.shape[0]
    _matrix("student", student, units, units)
    _matrix("target", target, teachers, teachers)
    _matrix("teacher", teacher, units, teachers)
    _symmetric("student", student)
    _symmetric("target", target)
    least = float(np.linalg.eigvalsh(np.block([[student, teacher], [teacher.T, target]]))[0])
    if least < -1e-12 * max(1.0, float(np.trace(student) + np.trace(target))):
        raise ValueError(
            f"no weights have these overlaps: [[student, teacher], [teacher', target]] has the eigenvalue {least:.3g}, "
            "and none may be negative. Make the teacher overlaps smaller, or the diagonals larger."
        )
    if np.any(np.diag(student) <= 0) or np.any(np.diag(target) <= 0):
        raise ValueError("a unit of zero length has no direction; make the diagonals of student and target positive.")


def check_distinct(student: np.ndarray) -> None:
    """ValueError where students are linearly dependent: their Fisher matrix has no inverse."""
    values = np.linalg.eigvalsh(student)
    if values[0] <= 1e-12 * values[-1]:
        raise ValueError(
            "students are linearly dependent at the start: the Fisher matrix has no inverse, and natural gradient no "
            "direction. Give units of their own directions; for nearly equal ones use damping, such as "
            "rule=tw.OnePassNaturalGradient(learning_rate=0.1, damping=0.05), or use tw.OnePassSGD."
        )
