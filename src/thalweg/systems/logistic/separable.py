"""What logistic regression does on a table: separable rows, the ray of the weights, their finite part."""

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np

from ...mathematics.linear_separation import decompose

# columns that differ in size by more are worth a word
UNEVEN = 1e3
# the linear programme's own tolerance is 1e-7
UNSURE = 1e-6


def signs(labels: Any, owner: str = "separation") -> tuple[np.ndarray, tuple[Hashable, ...]]:
    """Labels as -1 and +1 (n,), and the classes in that order; the smaller becomes -1.

    Numbers, text and truth values are legal. Of labels all alike, 0, -1 and False count as -1, all others as +1.
    ValueError for missing labels, more than two classes, or another shape than (n,).
    """
    given = np.asarray(labels)
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1 or given.size == 0:
        raise ValueError(f"{owner}: labels have shape {given.shape}; give one label a row.")
    missing = [i for i, one in enumerate(given.tolist()) if one is None or one != one or str(one) in ("NaT", "<NA>")]
    if missing:
        raise ValueError(f"{owner}: labels have a missing entry at {missing[0]}; remove or fill such rows.")
    if given.dtype.kind == "O":
        given = np.asarray([str(one) if not isinstance(one, bool | int | float) else one for one in given.tolist()])
    classes, counts = np.unique(given, return_counts=True)
    if classes.size > 2:
        shown = ", ".join(f"{c} ({n})" for c, n in list(zip(classes.tolist(), counts, strict=True))[:6])
        raise ValueError(
            f"{owner}: labels hold {classes.size} different values ({shown}{', ...' if classes.size > 6 else ''}); "
            "give two classes, such as labels == value for one against the rest."
        )
    if classes.size == 1:
        low = given.dtype.kind in "biuf" and classes[0] in (0, -1)
        return np.full(given.size, -1.0 if low else 1.0), tuple(classes.tolist())
    return np.where(given == classes[1], 1.0, -1.0), tuple(classes.tolist())


def table(inputs: Any, owner: str = "separation") -> np.ndarray:
    """Inputs as finite numbers (n, d); ValueError that says where they are not."""
    try:
        rows = np.asarray(inputs, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{owner}: inputs hold entries that are not numbers; convert text columns first (one column a category)."
        ) from None
    if rows.ndim != 2 or rows.size == 0:
        raise ValueError(f"{owner}: inputs have shape {rows.shape}; give a table (rows, columns), at least 1 x 1.")
    if not np.all(np.isfinite(rows)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(rows))[0])
        raise ValueError(
            f"{owner}: inputs have a missing or infinite entry at {where}, {int(np.sum(~np.isfinite(rows)))} in all; "
            "remove or fill such rows."
        )
    return rows


def with_intercept(rows: np.ndarray, intercept: bool | int, owner: str = "separation") -> np.ndarray:
    """The rows, with a last column of ones if asked; ValueError where a column of them is one already."""
    if not intercept:
        return rows
    constant = constant_columns(rows)
    if constant.size:
        raise ValueError(
            f"{owner}: column {constant[0]} of inputs is constant, so it is an intercept already; drop it, or leave "
            "intercept out."
        )
    return np.concatenate([rows, np.ones((rows.shape[0], 1))], axis=1)


def constant_columns(rows: np.ndarray) -> np.ndarray:
    """Columns that hold one value other than 0; none in a single row."""
    return np.flatnonzero(np.all(rows == rows[:1], axis=0) & (rows[0] != 0)) if rows.shape[0] > 1 else np.zeros(0, int)


def column_spread(rows: np.ndarray) -> float:
    """Largest entry of the largest column over that of the smallest that is not 0; no intercept is taken away."""
    sizes = np.max(np.abs(rows), axis=0)
    return float(np.max(sizes) / np.min(sizes[sizes > 0])) if np.any(sizes > 0) else 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Separation:
    """What `separation` found; columns include the intercept, last, where one was asked for.

    separable (n,): rows that some direction puts on their own side while it moves no other row to the wrong one.
    ray (d,): unit vector along which the weights grow, the largest margin on these rows (0 where there is none).
    offset (d,): the finite part, the minimiser for all other rows, in their span. margin: that of the ray.
    risk_infimum: the infimum of mean log(1 + exp(-y w.x)). lp_margin, in (0, 1]: how sure the list of separable rows
    is; at 1e-6 and below it hangs on rounding. multipliers (n,): of the support rows, ray / margin = sum a_i y_i P x_i,
    P removing the span of the other rows. basis (d, r): orthonormal, of that span. classes: the one that counts as -1,
    the one that counts as +1. notes: what is worth knowing about the table, one sentence each.
    """

    separable: np.ndarray
    ray: np.ndarray
    offset: np.ndarray
    margin: float
    risk_infimum: float
    lp_margin: float
    multipliers: np.ndarray
    basis: np.ndarray
    classes: tuple[Hashable, ...]
    intercept: bool
    notes: tuple[str, ...]

    def __str__(self) -> str:
        rows, columns, many = self.separable.size, self.ray.size, int(self.separable.sum())
        classes = " against ".join(str(c) for c in self.classes)
        parts = f"{columns} columns{', intercept last' if self.intercept else ', no intercept'}"
        lines = [
            f"Logistic regression on {rows} rows, {parts}; classes {classes}",
            f"  separable rows  {many} of {rows}: {self._meaning(many, rows)}",
            f"  ray             {_largest_entries(self.ray) if many else 'none'}",
            f"  margin          {self.margin:.6g}{'' if many else ' (nothing is separable)'}",
            f"  offset          {_largest_entries(self.offset)}, norm {np.linalg.norm(self.offset):.6g}",
            f"  risk infimum    {self.risk_infimum:.10g}{' (attained)' if not many else ' (approached like 1/time)'}",
            f"  lp_margin       {self.lp_margin:.3g} ({'sure' if self.lp_margin > UNSURE else 'NOT sure: rounding'})",
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def _meaning(self, many: int, rows: int) -> str:
        if many == 0:
            return "the fit is finite, and it is the offset"
        end = f"weights grow like ray ln(time) / {self.margin:.3g}"
        return f"perfect separation, {end}" if many == rows else f"quasi-separation, {end}, beside the offset"


def _largest_entries(vector: np.ndarray, most: int = 4) -> str:
    order = np.argsort(-np.abs(vector), kind="stable")[:most]
    real = np.abs(vector) > 1e-12 * np.max(np.abs(vector))
    shown = [f"[{i}] {vector[i]:+.4g}" for i in order if real[i]]
    rest = int(np.sum(real)) - len(shown)
    return (" ".join(shown) or "0") + (f" and {rest} smaller" if rest > 0 else "")


def separation(inputs: Any, labels: Any, *, intercept: bool = False) -> Separation:
    """Which rows logistic regression can separate for good, the ray of its weights, and the bounded rest.

    R(w) = (1/n) sum log(1 + exp(-y_i w.x_i)) on inputs (n, d) and labels (n,) of two classes of any kind (or all of
    one). One linear programme finds the separable rows: maximise sum s_i with y_i w.x_i >= s_i, 0 <= s_i <= 1; the
    optimal s_i are 0 or 1. The others span S; gradient descent from 0 follows
        w(t) = offset + (ray / margin) ln t + O(1),   offset in S the minimiser for the others, ray orthogonal to S.
    No intercept is added unless `intercept=True`, which appends a column of ones; its weight counts in the norm.
    Which rows are separable and the infimum of R do not depend on the scale of a column; ray, offset and margin do.
    ValueError: text, missing entries, more than two classes, an intercept asked for beside a constant column.
    Source: Ji & Telgarsky 2019.
    """
    given = table(inputs)
    signed, classes = signs(labels)
    if signed.size != given.shape[0]:
        raise ValueError(f"separation: {given.shape[0]} rows of inputs and {signed.size} labels; give one label a row.")
    rows = with_intercept(given, intercept)
    found = decompose(-signed[:, None] * rows)
    return Separation(
        separable=found.separable,
        ray=found.ray,
        offset=found.offset,
        margin=found.margin,
        risk_infimum=found.risk,
        lp_margin=found.lp_margin,
        multipliers=found.multipliers,
        basis=found.basis,
        classes=classes,
        intercept=bool(intercept),
        notes=tuple(_notes(given, rows, found.rank, classes)),
    )


def _notes(given: np.ndarray, rows: np.ndarray, rank: int, classes: tuple[Hashable, ...]) -> list[str]:
    notes, spread = [], column_spread(given)
    if spread > UNEVEN:
        notes.append(
            f"the columns differ in size by a factor {spread:.2g}. The separable rows and the risk infimum do not "
            "depend on it; ray, offset and margin do, and descent moves along a column at a rate that goes with its "
            "square, so that small ones wait. Divide each column by its standard deviation."
        )
    if len(classes) == 1:
        notes.append("the labels are all alike.")
    constant = constant_columns(given)
    if constant.size:
        notes.append(f"column {constant[0]} is constant and acts as an intercept.")
    elif rows.shape[1] == given.shape[1] and given.shape[0] > 1 and _holds_ones(given):
        notes.append("a combination of columns is constant and acts as an intercept (one column a category?).")
    if rank < min(rows.shape):
        notes.append(
            f"the columns have rank {rank} of {rows.shape[1]} (duplicated, zero or dependent ones): the weights are "
            "those of least norm."
        )
    return notes


def _holds_ones(rows: np.ndarray) -> bool:
    """Whether the constant column is a combination of a table's columns, with rows to spare."""
    if rows.shape[1] >= rows.shape[0]:
        return False
    scaled = rows / np.where(np.any(rows != 0, axis=0), np.max(np.abs(rows), axis=0), 1.0)
    ones = np.ones(rows.shape[0])
    left = ones - scaled @ np.linalg.lstsq(scaled, ones, rcond=1e-12)[0]
    return bool(np.linalg.norm(left) < 1e-10 * np.sqrt(rows.shape[0]))
