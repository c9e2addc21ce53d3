"""Which rows of a table can be put on one side for good, and the bounded optimum of the others.

Rows z_i (n, d); a direction w separates row i where z_i.w < 0 while no row has z_j.w > 0. One linear programme finds
all separable rows at once, in coordinates in which the columns are orthonormal and every row has length one: neither
the scale of a column nor dependent columns matter to it. With S the span of the other rows,

    offset   the minimiser in S of sum over the others of log(1 + exp(z_i.v))      (strictly convex, attained)
    ray      the unit vector u orthogonal to S with the largest margin = min over separable rows of -(z_i.u)

Source: Ji and Telgarsky 2019, arXiv 1803.07300 (decomposition); Lawson and Hanson 1974, chapter 23 (least distance).
"""

from typing import Any, NamedTuple

import numpy as np

from .far_margin import centring, far_margin, is_far
from .least_distance import least_distance

# scipy is imported where it is used: its optimisers take longer to load than most of thalweg

# columns whose independent part is smaller than this share of the largest count as dependent
_DEPENDENT = 1e-10
# tolerance for the span of the rows that are not separable
_SPAN = 1e-8
# seconds for the linear programme; a table of 2000 x 50 takes half a second
_PATIENCE = 600.0
_ROUNDING = 1e-12
_NEWTON = 200


class Decomposition(NamedTuple):
    """separable (n,), ray (d,), offset (d,), margin, risk = mean of log(1 + exp) at its infimum, lp_margin in (0, 1].

    basis (d, r): orthonormal, of S. multipliers (n,): a_i >= 0 with ray / margin = -sum a_i P z_i, P the projection
    that removes S; positive on the support rows alone. rank: of the table. Where nothing is separable ray and margin
    are 0.
    """

    separable: np.ndarray
    ray: np.ndarray
    offset: np.ndarray
    margin: float
    risk: float
    lp_margin: float
    basis: np.ndarray
    multipliers: np.ndarray
    rank: int


class _Frame(NamedTuple):
    """z = rows @ turn @ axes.T; rows (n, r) have orthonormal columns, so have axes (d, r); turn (r, r) is regular."""

    rows: np.ndarray
    turn: np.ndarray
    axes: np.ndarray


def decompose(table: np.ndarray) -> Decomposition:
    """All of it for the rows z_i of a table (n, d) of finite numbers."""
    from scipy.linalg import solve_triangular

    frame = _frame(table)
    lengths = np.linalg.norm(frame.rows, axis=1)
    # a row of rounding errors alone is the zero row
    solid = lengths > 1e-14 * max(float(np.max(lengths, initial=0.0)), 1e-300)
    unit = np.where(solid[:, None], frame.rows / np.where(solid, lengths, 1.0)[:, None], 0.0)
    separable, lp_margin = separable_rows(unit)
    inside, outside, dropped = _spans(unit[~separable])
    # rows that are dependent to the tolerance alone: another tolerance, another answer
    lp_margin = min(lp_margin, dropped) if dropped > _ROUNDING else lp_margin
    if np.any(separable) and outside.shape[1] == 0:
        # the programme and the span of its rows contradict each other: nothing is sure
        separable, lp_margin = np.zeros_like(separable), 0.0
    rows = frame.rows[~separable]
    spread, upper = np.linalg.qr(frame.turn.T @ inside)
    least, unbalanced = logistic_minimum(rows @ inside)
    # no minimum: the programme took separable rows for others
    lp_margin = min(lp_margin, 1e-7) if unbalanced > 1e-8 else lp_margin
    offset = frame.axes @ (spread @ solve_triangular(upper.T, least, lower=True))
    risk = float(np.sum(np.logaddexp(0.0, rows @ inside @ least))) / max(table.shape[0], 1)
    ray, margin, multipliers = np.zeros(table.shape[1]), 0.0, np.zeros(table.shape[0])
    if np.any(separable):
        across, lower = np.linalg.qr(np.linalg.solve(frame.turn, outside))
        points = -solve_triangular(lower.T, (frame.rows[separable] @ outside).T, lower=True).T
        nearest, weights = least_distance(points)
        ray = frame.axes @ (across @ nearest)
        ray = ray / np.linalg.norm(ray)
        margin = float(np.min(points @ nearest)) / float(np.linalg.norm(nearest))
        multipliers[separable] = weights
        pivot, shifts = centring(table)
        if np.all(separable) and pivot is not None and is_far(table, pivot, shifts):
            ray, margin, multipliers = far_margin(table, pivot, shifts)
        if not margin > 0:
            # no digit of the margin is left: nothing is sure
            separable, lp_margin = np.zeros_like(separable), 0.0
            ray, margin, multipliers = np.zeros_like(ray), 0.0, np.zeros_like(multipliers)
    basis = frame.axes @ spread
    return Decomposition(separable, ray, offset, margin, risk, lp_margin, basis, multipliers, frame.rows.shape[1])


def _frame(table: np.ndarray) -> _Frame:
    """Orthonormal columns by a singular value decomposition after each column was centred, where there is an intercept,
    and divided by its largest entry; both are undone in the axes."""
    pivot, shifts = centring(table)
    centred = table - (table[:, pivot, None] * shifts[None, :] if pivot is not None else 0.0)
    largest = np.max(np.abs(centred), axis=0, initial=0.0)
    scale = np.where(largest > 0, largest, 1.0)
    left, values, right = np.linalg.svd(centred / scale, full_matrices=False)
    kept = values > _DEPENDENT * np.max(values, initial=1e-300)
    directions = scale[:, None] * right[kept].T
    if pivot is not None:
        # what is taken from the columns is a multiple of the pivot, whose weight gains it
        directions = directions + shifts[:, None] * directions[pivot][None, :]
    axes, upper = np.linalg.qr(directions)
    return _Frame(left[:, kept], values[kept, None] * upper.T, axes)


def _spans(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Orthonormal bases, as columns, of the span of some rows and of what is orthogonal; the largest value dropped."""
    if rows.shape[0] == 0 or rows.shape[1] == 0:
        return np.zeros((rows.shape[1], 0)), np.eye(rows.shape[1]), 0.0
    # the rows count, not their number: a triangle of their own width has the same span
    triangle = np.linalg.qr(rows, mode="r")
    _, values, right = np.linalg.svd(triangle, full_matrices=True)
    rank = int(np.sum(values > _SPAN * max(values[0], 1e-300)))
    share = values / max(values[0], 1e-300)
    return right[:rank].T, right[rank:].T, float(np.max(share[rank:], initial=0.0))


def separable_rows(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Which rows (n, r), of length one or zero, are separable, by one linear programme, and how sure that is.

    The programme, maximise sum s_i with z_i.w <= -s_i and 0 <= s_i <= 1, is solved in its dual form, which has
    r constraints instead of n: l_i >= 0 with sum l_i z_i = 0, maximise sum min(l_i, 1). Each row that is not separable
    gets l_i >= 1, each other l_i = 0, and the multipliers of the constraints are the w that separates.
    Sureness is min(1/|w|, 1/max l): the least cosine by which w separates, and the least share of a row in the
    combination that holds the others together. Near the tolerance of the programme (1e-7) nothing is sure.
    """
    from scipy.optimize import linprog

    solid = np.any(rows != 0, axis=1)
    table = rows[solid]
    count, width = table.shape
    found = np.zeros(rows.shape[0], dtype=bool)
    if count == 0:
        return found, 1.0
    answer: Any = None
    # the simplex method seldom stumbles; then it does with or without its presolver, not both
    for presolve in (False, True):
        answer = linprog(
            np.concatenate([-np.ones(count), np.zeros(count)]),
            A_eq=np.hstack([table.T, table.T]),
            b_eq=np.zeros(width),
            bounds=[(0, 1)] * count + [(0, None)] * count,
            method="highs",
            options={"presolve": presolve, "time_limit": _PATIENCE},
        )
        if answer.status == 0:
            break
    else:
        raise ArithmeticError(f"the linear programme for separable rows ended with: {answer.message}")
    held = answer.x[:count]
    found[solid] = held < 0.5
    apart = 1 / max(1.0, float(np.linalg.norm(answer.eqlin.marginals)))
    together = 1 / max(1.0, float(np.max(held + answer.x[count:])))
    sharp = float(np.min(np.abs(2 * held - 1)))
    return found, min(sharp, apart, together)


def logistic_minimum(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """The c that minimises sum log(1 + exp(rows @ c)), strictly convex with a minimum: Newton, halving long steps.

    Beside it what is left of the gradient, as a share of the sum of its terms' lengths.
    """
    from scipy.special import expit

    point = np.zeros(rows.shape[1])
    if rows.shape[0] == 0 or rows.shape[1] == 0:
        return point, 0.0
    value, lengths = float(np.sum(np.logaddexp(0.0, rows @ point))), np.linalg.norm(rows, axis=1)
    left = 1.0
    for _ in range(_NEWTON):
        chance = expit(rows @ point)
        slope = rows.T @ chance
        left = float(np.linalg.norm(slope)) / max(float(chance @ lengths), 1e-300)
        curved = rows * np.sqrt(chance * (1 - chance))[:, None]
        step = np.linalg.lstsq(curved.T @ curved, slope, rcond=1e-15)[0]
        promised = float(slope @ step)
        length, trial, told = 1.0, point - step, np.inf
        while length > 1e-8:
            trial = point - length * step
            told = float(np.sum(np.logaddexp(0.0, rows @ trial)))
            if told <= value - 0.1 * length * promised + 1e-15 * value:
                break
            length /= 2
        if length <= 1e-8 or promised <= 1e-30 * value:
            break
        point, value = trial, told
    return point, left
