"""Separable rows, ray and offset against brute force, exact constructions and other solvers."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.special import expit

from thalweg.mathematics.linear_separation import decompose, least_distance

small = st.integers(-2, 2)
tables = (
    st.integers(1, 3)
    .flatmap(lambda d: st.lists(st.lists(small, min_size=d, max_size=d), min_size=1, max_size=7))
    .map(lambda rows: np.array(rows, dtype=float))
)


def held_by_others(table: np.ndarray, i: int) -> bool:
    """Farkas: row i cannot be separated iff minus it is a nonnegative combination of the rows."""
    return nnls(table.T, -table[i])[1] < 1e-9


def best_margin(points: np.ndarray) -> np.ndarray:
    """The shortest u with points @ u >= 1, over all supports of at most d rows."""
    best = None
    for size in range(1, points.shape[1] + 1):
        for chosen in itertools.combinations(range(points.shape[0]), size):
            part = points[list(chosen)]
            u = np.linalg.pinv(part) @ np.ones(size)
            if np.min(points @ u) > 1 - 1e-9 and (best is None or u @ u < best @ best):
                best = u
    assert best is not None
    return best


def risk(table: np.ndarray, w: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, table @ w)))


@given(table=tables)
def test_brute_force_on_small_tables(table):
    found = decompose(table)
    others = np.array([held_by_others(table, i) for i in range(len(table))])
    np.testing.assert_array_equal(found.separable, ~others)
    # offset: in the span of the others, where their gradient vanishes
    span = np.linalg.pinv(table[others]) @ table[others] if others.any() else np.zeros((table.shape[1],) * 2)
    np.testing.assert_allclose(found.basis @ found.basis.T, span, atol=1e-10)
    np.testing.assert_allclose(span @ found.offset, found.offset, atol=1e-10)
    slope = table[others].T @ expit(table[others] @ found.offset)
    np.testing.assert_allclose(slope, 0, atol=1e-9)
    # ray: the largest margin among supports of all sizes
    if not others.all():
        across = -table[~others] @ (np.eye(table.shape[1]) - span)
        u = best_margin(across)
        assert found.margin == pytest.approx(1 / np.linalg.norm(u), rel=1e-9)
        np.testing.assert_allclose(found.ray, u / np.linalg.norm(u), atol=1e-9)
        assert np.all(found.multipliers[others] == 0)
        assert np.all(found.multipliers >= 0)
        np.testing.assert_allclose(found.multipliers[~others] @ across, u, atol=1e-9)
    else:
        assert found.margin == 0
        assert not found.ray.any()
    # infimum: reached far along the ray
    far = found.offset + 60 / (found.margin or 1.0) * found.ray
    assert risk(table, far) == pytest.approx(found.risk, abs=1e-12)
    assert 1e-3 < found.lp_margin <= 1


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("rows", "columns", "shape"), [(60, 8, 3.0), (200, 20, 8.0), (40, 60, 3.0)])
def test_a_table_that_is_separable_in_half_of_its_rows_whatever_the_scale(rows, columns, shape, turned):
    """The overlapping half lives in half of the columns, whose sizes span many orders."""
    rng = np.random.default_rng(rows)
    half, inside = rows // 2, min(columns // 2, rows // 8)
    table = rng.standard_normal((rows, columns))
    table[:half, inside:] = 0
    table[:half] *= rng.choice([-1.0, 1.0], half)[:, None]
    across = table[half:, inside:]
    table[half:] *= -np.sign(across @ rng.standard_normal(across.shape[1]))[:, None]
    plain = decompose(table)
    assert not plain.separable[:half].any()
    assert plain.separable[half:].all()
    scales = np.geomspace(10**-shape / 2, 10**shape / 2, columns) if shape < 5 else np.geomspace(1e-4, 1e4, columns)
    turn = np.linalg.qr(rng.standard_normal((columns, columns)))[0] if turned else np.eye(columns)
    other = decompose(table * scales @ turn)
    np.testing.assert_array_equal(other.separable, plain.separable)
    # turned columns share their rounding errors: the small ones are known to 1e-16 times the ratio of sizes
    assert other.risk == pytest.approx(plain.risk, rel=1e-8 if turned else 1e-12)
    # offset and ray answer in the coordinates that they were asked in
    np.testing.assert_allclose((table * scales @ turn)[:half] @ other.offset, table[:half] @ plain.offset, atol=1e-6)
    projected = table * scales @ turn @ (np.eye(columns) - other.basis @ other.basis.T)
    hull = projected.T @ other.multipliers
    tolerance = 1e-6 * np.linalg.norm(hull)
    np.testing.assert_allclose(-other.ray / other.margin, hull, atol=tolerance)


def test_all_digits_of_a_margin_with_columns_of_unlike_size():
    """Two support rows and a third one: u solves 2 x 2 equations that rational numbers give exactly."""
    points = np.array([[1.0, 1e-6], [-0.5, 1e-6], [3.0, 5e-6]])
    nearest, weights = least_distance(points)
    np.testing.assert_allclose(nearest, [0.0, 1e6], rtol=1e-12, atol=1e-6)
    np.testing.assert_allclose(weights, [1e12 / 3, 2e12 / 3, 0], rtol=1e-9)


def test_rows_kept_apart_by_a_hair_are_called_unsure():
    """Beyond 1e-7 the classes of rows are what rounding makes of them."""
    table = np.array([[1.0, 0.0], [-1.0, 1e-8], [0.0, 1.0]])
    assert decompose(table).lp_margin < 1e-6
    assert decompose(table * [1.0, 1e8]).lp_margin < 1e-6
    clear = decompose(np.array([[1.0, 0.0], [-1.0, -1e-3], [0.0, -1.0]]))
    assert clear.separable.all()
    assert clear.lp_margin > 1e-6


def test_degenerate_tables():
    nothing = decompose(np.zeros((3, 2)))
    assert not nothing.separable.any()
    assert nothing.risk == pytest.approx(np.log(2))
    assert nothing.rank == 0
    one = decompose(np.array([[3.0, 4.0]]))
    assert one.separable.all()
    assert one.margin == pytest.approx(5.0)
    np.testing.assert_allclose(one.ray, [-0.6, -0.8])
    # rows that are all dependent, and a zero row among separable ones
    same = decompose(np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 0.0]]))
    np.testing.assert_array_equal(same.separable, [True, True, False])
    assert same.risk == pytest.approx(np.log(2) / 3)
