"""The selected interpolator: reference values, independent solvers, the flow itself, bad input."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

import thalweg as tw


def waves(n: int, m: int, k: int) -> np.ndarray:
    """sin(1 + k + 3i + 5j + 0.7 i j)."""
    i, j = np.arange(n)[:, None], np.arange(m)[None, :]
    return np.sin(1 + k + 3 * i + 5 * j + 0.7 * i * j)


X1, Y1 = waves(3, 6, 1), np.array([1.0, -0.5, 0.8])
MIN_L1 = np.array([0.74014325521, 0, 0, -0.11485897177, 0, 0.22644287538])
MIN_L2 = np.array([0.41925443730, 0.34984764170, -0.00119301312, -0.16888106451, 0.02541128147, 0.23646638608])
REFERENCE = {
    (2, 0.5): (0.42670804480, 0.34425721393, -0.00681879456, -0.16401557912, 0.02552962826, 0.23495585142),
    (2, 0.3): (0.44975662066, 0.32467588480, -0.01931372274, -0.15095090001, 0.02306383956, 0.23259354217),
    (3, 0.3): (0.55731888988, 0.21032573560, -0.02621445121, -0.12390793942, 0.00722139150, 0.23204614762),
}
SHAPE = np.array([1, 0.8, 1.2, 1, 0.9, 1.1])
SHAPED = (0.7093671694825, 0.0479283785572, -0.0327540163514, -0.0960054195976, 0.0003772232811, 0.2233588284085)
START = np.array([1, 1.3, 0.8, 1, 1.5, 0.6])
MODES = {
    (2, 1.0): (-0.059568929196, 0.121591321601, -0.148703110586, -0.022001600373, -0.114436430520, 0.063420082895),
    (3, 0.3): (-0.018541356671, 0.078941805221, -0.206355674523, -0.005502094433, -0.163602754509, 0.007881575097),
}
FOUR = (0.576317658595, 0.190056604739, -0.027025024963, -0.120734729757, 0.006961506801, 0.230639273446)


@pytest.mark.parametrize("case", REFERENCE)
def test_powers(case):
    depth, scale = case
    found = tw.interpolator(X1, Y1, depth=depth, init_scale=scale)
    np.testing.assert_allclose(found.weights, REFERENCE[case], atol=6e-12)


def test_distances_to_the_least_l1_norm():
    two, three = (tw.interpolator(X1, Y1, depth=depth, init_scale=0.3) for depth in (2, 3))
    assert two.distance_to_min_l1 == pytest.approx(0.438160069, abs=6e-10)
    assert three.distance_to_min_l1 == pytest.approx(0.280204015, abs=6e-10)


def test_shape_counts_from_depth_three_on():
    found = tw.interpolator(X1, Y1, depth=3, init_scale=0.25, shape=SHAPE)
    np.testing.assert_allclose(found.weights, SHAPED, atol=6e-14)


@pytest.mark.parametrize("case", MODES)
def test_products_under_a_transform(case):
    depth, scale = case
    turn = waves(6, 6, 4) + 2 * np.eye(6)
    found = tw.interpolator(X1, Y1, depth, scale, START, turn)
    np.testing.assert_allclose(found.modes, MODES[case], atol=6e-13)
    np.testing.assert_allclose(X1 @ found.weights, Y1, atol=1e-12)


def test_four_factors():
    found = tw.interpolator(X1, Y1, 4, 0.6, transform=np.eye(6))
    np.testing.assert_allclose(found.weights, FOUR, atol=6e-13)


@pytest.mark.parametrize(
    ("depth", "scale", "wanted", "digits"),
    [
        (2, 0.5, (0.1418438759, 0.4290780621), 6e-11),
        (2, 1.0, (0.1894804066, 0.4052597967), 6e-11),
        (3, 0.01, (1.950386e-6, 0.4999990248), 6e-11),
        (3, 1.0, (0.1808733652, 0.4095633174), 6e-11),
    ],
)
def test_one_point(depth, scale, wanted, digits):
    found = tw.interpolator([[1.0, 2.0]], [1.0], depth, scale, transform=np.eye(2))
    np.testing.assert_allclose(found.weights, wanted, atol=digits)


def test_both_ends_of_the_scale():
    small, large = (tw.interpolator(X1, Y1, init_scale=scale) for scale in (0, np.inf))
    np.testing.assert_allclose(small.weights, MIN_L1, atol=6e-12)
    np.testing.assert_allclose(large.weights, MIN_L2, atol=6e-12)
    assert small.norm == "least l1 norm of the weights"
    assert large.norm == "least l2 norm of the weights"
    assert max(small.distance_to_min_l1, large.distance_to_min_l2) < 1e-11


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_ends_are_those_of_independent_solvers(depth):
    """Weighted l1 by HiGHS at vanishing scale; weighted least squares at a growing one."""
    rng = np.random.default_rng(depth)
    rows, targets, shape = rng.normal(size=(4, 9)), rng.normal(size=4), rng.uniform(0.6, 1.6, 9)
    weights = shape ** (2.0 - depth)
    program = scipy.optimize.linprog(np.r_[weights, weights], A_eq=np.c_[rows, -rows], b_eq=targets, method="highs")
    sparse = program.x[:9] - program.x[9:]
    exact = tw.interpolator(rows, targets, depth, 0, shape)
    np.testing.assert_allclose(exact.weights, sparse, atol=1e-9)
    tiny = tw.interpolator(rows, targets, depth, 1e-200 if depth == 2 else 1e-90, shape)
    np.testing.assert_allclose(tiny.weights, sparse, atol=1e-9)
    scale = shape ** (depth - 1)
    flat = scale * (np.linalg.pinv(rows * scale) @ targets)
    np.testing.assert_allclose(tw.interpolator(rows, targets, depth, np.inf, shape).weights, flat, atol=1e-10)
    np.testing.assert_allclose(tw.interpolator(rows, targets, depth, 30.0, shape).weights, flat, atol=3e-3)


def test_a_frozen_mode_stays_zero_and_signs_do_not_count():
    start = np.array([1.0, 0.0, -0.8, 1.0, 1.2, 0.7])
    found = tw.interpolator(X1, Y1, 3, 0.4, start, np.eye(6))
    assert found.weights[1] == 0
    np.testing.assert_allclose(
        tw.interpolator(X1, Y1, 3, 0.4, abs(start), np.eye(6)).weights, found.weights, atol=1e-14
    )


@pytest.mark.parametrize(("depth", "scale", "seed"), [(2, 0.2, 0), (3, 0.3, 1), (4, 0.5, 2)])
def test_it_is_where_the_flow_of_a_diagonal_network_ends(depth, scale, seed):
    """SciPy's LSODA on w_+ and w_-, to a time at which nothing moves."""
    random = np.random.default_rng(seed)
    rows, targets, shape = random.normal(size=(3, 7)), random.normal(size=3), random.uniform(0.7, 1.4, 7)

    def output(w):
        return w[:7] ** depth - w[7:] ** depth

    def velocity(_, w):
        slope = rows.T @ (rows @ output(w) - targets) / 3
        return -depth * np.r_[slope * w[:7] ** (depth - 1), -slope * w[7:] ** (depth - 1)]

    start = scale * np.r_[shape, shape]
    run = scipy.integrate.solve_ivp(velocity, (0, 2000), start, "LSODA", rtol=1e-11, atol=1e-13)
    found = tw.interpolator(rows, targets, depth, scale, shape)
    np.testing.assert_allclose(found.weights, output(run.y[:, -1]), atol=2e-8)


def test_between_both_ends_the_l1_norm_falls_with_the_scale():
    norms = [tw.interpolator(X1, Y1, depth=2, init_scale=scale).l1_norm for scale in (1.0, 0.1, 1e-4)]
    assert norms[0] > norms[1] > norms[2] >= tw.interpolator(X1, Y1, init_scale=0).l1_norm - 1e-12


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"X": [[1.0, 2.0], [2.0, 4.0]], "y": [1.0, 2.0]}, "rank 1"),
        ({"X": [[1.0, 0.0]], "y": [1.0, 2.0]}, "one target a row"),
        ({"X": [[1.0, np.nan]], "y": [1.0]}, "missing or infinite entry at"),
        ({"X": [[1.0, 2.0]], "y": [1.0], "depth": 1}, "whole number >= 2"),
        ({"X": [[1.0, 2.0]], "y": [1.0], "depth": 2.5}, "whole number >= 2"),
        ({"X": [[1.0, 2.0]], "y": [1.0], "init_scale": -1.0}, ">= 0, or inf"),
        ({"X": [[1.0, 2.0]], "y": [1.0], "shape": [1.0, 0.0]}, r"shape\[1\] = 0"),
        ({"X": [[1.0, 2.0]], "y": [1.0], "transform": np.eye(3)}, "finite real numbers"),
    ],
)
def test_bad_input_is_one_sentence(given, said):
    with pytest.raises(ValueError, match=said):
        tw.interpolator(**given)
