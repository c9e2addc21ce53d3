"""Logistic regression on any data: what separation says, and where real descent goes."""

import warnings

import jax
import numpy as np
import optax
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import thalweg as tw
from thalweg.systems.logistic.late_times import distance, reach

# seven points, the last four of which a plane separates (card, section 5), and the same with labels that none does
ROWS = np.array([(1, 0, 0), (-0.6, 0, 0), (0.8, 0, 0), (0.5, 1, 0.3), (-0.7, 1.2, -0.4), (0.2, 0.9, 0.8), (1, 2, -1)])
CARD = {"inputs": ROWS, "labels": np.array([1.0, 1, -1, 1, 1, 1, 1])}
OVERLAPPING = {"inputs": ROWS, "labels": np.array([1.0, 1, -1, 1, -1, -1, 1])}
NAMED = tw.DatasetLogistic(**CARD, rule=tw.GradientDescent(learning_rate=1.0))


# separation


def test_reference_values_of_the_card():
    found = tw.separation(**CARD)
    np.testing.assert_array_equal(found.separable, [False] * 3 + [True] * 4)
    np.testing.assert_allclose(found.offset, [-0.40417649729603, 0, 0], atol=1e-14)
    np.testing.assert_allclose(found.ray, [0, 0.9615239476408, 0.2747211278974], atol=1e-13)
    assert found.margin == pytest.approx(1.0439402860100, abs=1e-13)
    assert found.risk_infimum == pytest.approx(0.2913191326395, abs=1e-13)
    np.testing.assert_allclose(found.multipliers, [0, 0, 0, 0.90028, 0.01731, 0, 0], atol=5e-6)


def test_breast_cancer_is_perfectly_separable_and_says_what_scaling_does():
    inputs, labels = load_breast_cancer(return_X_y=True)
    found = tw.separation(inputs, labels)
    assert found.separable.all()
    assert found.risk_infimum == 0
    assert not found.offset.any()
    signs = np.where(labels == 1, 1.0, -1.0)
    margins = signs * (inputs @ found.ray)
    assert np.min(margins) == pytest.approx(found.margin, rel=1e-6)
    # duality: no unit vector has a larger margin than |sum a_i y_i x_i| / sum a_i
    weights = found.multipliers / found.multipliers.sum()
    assert np.linalg.norm(weights * signs @ inputs) == pytest.approx(found.margin, rel=1e-6)
    shown = str(found)
    assert "569 of 569" in shown
    assert "factor 1.4e+05" in shown
    assert "standard deviation" in shown
    scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    assert not tw.separation(scaled, labels).separable.any()
    with_ones = tw.separation(scaled, labels, intercept=True)
    assert with_ones.separable.all()
    assert with_ones.ray.shape == (31,)


def test_columns_spanning_1e8_change_the_ray_and_not_the_rows():
    inputs, labels = load_breast_cancer(return_X_y=True)
    found = tw.separation(inputs * np.geomspace(1e-4, 1e4, 30), labels)
    assert found.separable.all()
    assert found.lp_margin == pytest.approx(tw.separation(inputs, labels).lp_margin)
    assert any("the columns differ in size" in note for note in found.notes)


def test_finite_fits_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    inputs = rng.standard_normal((80, 4))
    labels = np.where(inputs @ [1.0, -1, 0.5, 0] + 2 * rng.standard_normal(80) > 0, "yes", "no")
    for intercept in (False, True):
        found = tw.separation(inputs, labels, intercept=intercept)
        assert found.classes == ("no", "yes")
        assert not found.separable.any()
        model = LogisticRegression(
            C=np.inf, fit_intercept=intercept, tol=1e-10, max_iter=1000, solver="newton-cholesky"
        )
        model.fit(inputs, labels)
        fitted = np.concatenate([model.coef_[0], model.intercept_ if intercept else []])
        np.testing.assert_allclose(found.offset, fitted, atol=1e-8)


def test_where_rows_are_separable_scikit_learn_finds_no_end():
    """With half of the rows separable its weights grow with the tolerance; the loss nears the infimum."""
    inputs = np.concatenate([CARD["inputs"], -CARD["inputs"]])
    labels = np.concatenate([CARD["labels"], -CARD["labels"]])
    found = tw.separation(inputs, labels)
    assert 0 < found.separable.sum() < labels.size
    norms = []
    for tolerance in (1e-3, 1e-6):
        model = LogisticRegression(C=np.inf, fit_intercept=False, tol=tolerance, max_iter=10_000).fit(inputs, labels)
        norms.append(np.linalg.norm(model.coef_))
    loss = np.mean(np.logaddexp(0, -labels * (inputs @ model.coef_[0])))
    assert norms[1] > norms[0] + 2
    assert 0 < loss - found.risk_infimum < 1e-4
    # and it warns where a table is unscaled and separable
    with pytest.warns(ConvergenceWarning):
        LogisticRegression(C=np.inf, max_iter=100).fit(*load_breast_cancer(return_X_y=True))


def test_labels_of_any_kind_and_all_alike():
    inputs = CARD["inputs"]
    kinds = ([0, 0, 1, 0, 0, 1, 1], [False, False, True, False, False, True, True], list("mmnmmnn"))
    first = tw.separation(inputs, kinds[0])
    for kind in kinds[1:]:
        np.testing.assert_array_equal(tw.separation(inputs, kind).separable, first.separable)
    ones, zeros = tw.separation(inputs, np.ones(7)), tw.separation(inputs, np.zeros(7))
    np.testing.assert_array_equal(ones.separable, zeros.separable)
    np.testing.assert_allclose(ones.ray, -zeros.ray, atol=1e-12)
    assert "alike" in str(ones)


def test_constant_duplicated_and_dependent_columns():
    inputs, labels = CARD["inputs"], CARD["labels"]
    twice = tw.separation(inputs[:, [0, 1, 2, 1]], labels)
    np.testing.assert_array_equal(twice.separable, tw.separation(inputs, labels).separable)
    assert twice.ray[1] == pytest.approx(twice.ray[3], rel=1e-9)
    assert "rank 3 of 4" in str(twice)
    held = tw.separation(np.column_stack([inputs, np.full(7, 5.0)]), labels)
    assert "column 3 is constant" in str(held)
    np.testing.assert_array_equal(held.separable, tw.separation(inputs, labels, intercept=True).separable)
    categories = np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]
    hidden = tw.separation(categories, labels)
    assert "acts as an intercept" in str(hidden)


@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        ([["a", "b"]], [1], "text columns"),
        ([[1.0, np.nan], [0.0, 1.0]], [0, 1], "missing or infinite entry at"),
        ([[1.0], [2.0], [3.0]], [1, 2, 3], "3 different values"),
        ([[1.0], [2.0]], [1, 2, 1], "one label a row"),
        ([1.0, 2.0], [1, 2], "give a table"),
        ([[1.0], [2.0]], ["a", None], "labels have a missing entry at 1"),
        ([[1.0], [2.0]], [0.0, np.nan], "labels have a missing entry at 1"),
        (np.zeros((0, 2)), [], "give a table"),
    ],
)
def test_bad_tables_are_refused_with_the_repair(inputs, labels, words):
    with pytest.raises(ValueError, match=words):
        tw.separation(inputs, labels)


def test_an_intercept_is_not_given_twice():
    inputs = np.column_stack([CARD["inputs"], np.ones(7)])
    with pytest.raises(ValueError, match="column 3 of inputs is constant"):
        tw.separation(inputs, CARD["labels"], intercept=True)
    with pytest.raises(ValueError, match="an intercept already"):
        tw.DatasetLogistic(inputs=inputs, labels=CARD["labels"], intercept=1)


@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        ([["a"]], [1.0], "inputs holds entries that are not numbers"),
        ([[1.0], [2.0]], np.array(["m", None], dtype=object), "labels holds entries that are not numbers"),
        ([[1.0], [2.0]], ["m", "m"], "'m' in every row"),
        ([[1.0], [np.nan]], [0, 1], "missing or infinite"),
        ([[1.0], [2.0], [3.0]], [0, 1, 2], "two classes"),
        ([1.0, 2.0], [0, 1], "one label a point"),
    ],
)
def test_bad_problems_are_refused(inputs, labels, words):
    with pytest.raises(ValueError, match=words):
        tw.DatasetLogistic(inputs=inputs, labels=labels)


def test_labels_may_be_text():
    assert tw.DatasetLogistic(inputs=[[1.0], [2.0]], labels=["m", "f"]).labels.tolist() == [1.0, 0.0]


# descent


def test_descent_reproduces_the_card():
    """Step 1, at t = 100 and 10^4, all digits of the card."""
    seen = tw.train(NAMED, [0, 100, 10_000]).isel(seed=0)
    given = {
        "offset_error": (0.0265543273948, 1.76357391446e-4),
        "direction_error": (0.150197474086, 0.0624808014015),
        "norm": (3.758408190137, 8.058120929274),
        "excess_loss": (0.008838052779, 8.88620079e-5),
    }
    for name, values in given.items():
        np.testing.assert_allclose(seen[name].values[1:], values, rtol=1e-8, err_msg=name)
    assert float(seen.separation_time) == 0
    assert 100 < float(seen.direction_time) < 10_000
    # at the start: the direction of the first gradient
    leaving = CARD["labels"] @ CARD["inputs"]
    off = leaving / np.linalg.norm(leaving) - tw.separation(**CARD).ray
    assert float(seen.direction_error[0]) == pytest.approx(np.linalg.norm(off), rel=1e-12)


def test_the_limits_are_consistent_and_other_rules_are_not_followed(tmp_path):
    result = tw.compare(NAMED, seeds=2)
    assert result.attrs["verdict"] == "consistent", result.attrs["sentence"]
    # limits without time axis beside an event at time 0, on logarithmic times: no warning, and the file is enough
    tw.report(tw.load(tw.save(result, tmp_path / "run.nc")), tmp_path / "report.html")
    assert tw.rerun(tmp_path / "run.nc").attrs["sentence"] == result.attrs["sentence"]
    assert "derived" not in result.attrs["problem"]
    told = result["theory"].to_dataset()
    # card: a direction error of 4.988 / ln t, settling like t^-.0090
    assert float(told.direction_constant) == pytest.approx(4.988, abs=5e-4)
    assert float(told.settling_exponent) == pytest.approx(0.0090, abs=5e-5)
    assert float(told.loss_constant) == pytest.approx(0.9176, abs=5e-5)
    finite = tw.compare(tw.DatasetLogistic(**OVERLAPPING, rule=tw.GradientDescent(1.0)), seeds=2)
    assert finite.attrs["verdict"] == "consistent", finite.attrs["sentence"]
    adam = tw.DatasetLogistic(**CARD, rule=tw.Optax(optax.adam, learning_rate=0.1))
    with pytest.raises(ValueError, match="stable descent"):
        tw.predict(adam, theory=tw.RayPlusOffset())


def test_the_published_picture():
    problem = tw.JiTelgarsky2019.plane()
    found = tw.separation(problem.inputs, problem.labels)
    np.testing.assert_array_equal(found.separable, np.asarray(problem.inputs)[:, 1] > 0)
    # the others lie on the first axis
    np.testing.assert_allclose(found.ray, [0.0, 1.0], atol=1e-12)
    result = tw.compare(problem, seeds=2)
    assert result.attrs["verdict"] == "consistent", result.attrs["sentence"]


def test_each_theory_refuses_the_data_of_the_other_and_names_it():
    with pytest.raises(ValueError, match="RayPlusOffset"):
        tw.predict(NAMED, theory=tw.FiniteOptimum())
    with pytest.raises(ValueError, match="FiniteOptimum"):
        tw.predict(tw.DatasetLogistic(**OVERLAPPING), theory=tw.RayPlusOffset())


FAST = {"inputs": [[1.0, 0], [-0.6, 0], [0.8, 0], [0.5, 1.3]], "labels": [1.0, 1, -1, 1]}


@pytest.mark.parametrize(
    "rule", [tw.GradientDescent(1.0), tw.GradientDescent(0.25), tw.HeavyBall(0.5, 0.8), tw.Nesterov(0.5, 0.8)]
)
def test_the_next_order_where_it_settles_fast(rule):
    """One separable direction: settling_exponent 1, so that corrections fall like 1/T; momentum included."""
    problem = tw.DatasetLogistic(**FAST, rule=rule)
    times = np.array([0, 10_000, 100_000])
    seen, told = tw.train(problem, times).isel(seed=0), tw.predict(problem, times, theory=tw.RayPlusOffset())
    assert float(told.settling_exponent) == pytest.approx(1.0, rel=1e-9)
    flow = seen.flow_time.values / (1 - getattr(rule, "momentum", 0.0))
    off = np.abs((seen.norm - told.second_order_norm).values[1:]) * flow[1:]
    # nothing but 1/T: the same product at both times, up to its logarithm
    assert np.all(off < 100), off
    assert 0.5 < off[1] / off[0] < 2, off
    for name, constant in (("offset_error", "offset_constant"), ("excess_loss", "loss_constant")):
        last = float(seen[name][-1]) * flow[-1]
        assert last == pytest.approx(float(told[constant]), rel=20 * np.log(flow[-1]) / flow[-1] + 1e-3)


def test_the_next_order_along_the_path_on_random_tables():
    """Direction errors by the settling law: within a tenth in the median, and all within what is declared."""
    ratios = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        inputs = rng.standard_normal((12, 2)) + 0.5
        labels = np.where(inputs @ rng.standard_normal(2) > 0, 1.0, -1.0)
        problem = tw.DatasetLogistic(inputs=inputs, labels=labels, rule=tw.GradientDescent(1.0))
        end = problem.horizon()[-1:]
        seen = tw.train(problem, end).isel(seed=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tw.TheoryWarning)
            told = tw.predict(problem, end, theory=tw.RayPlusOffset())
        left = reach(problem, problem.as_data((inputs, labels)), None, float(end[0]))
        assert float(seen.excess_loss[0]) <= left.train_loss
        if left.direction_error < 1:
            assert float(seen.direction_error[0]) < left.direction_error
            assert abs(float(seen.margin[0] - told.margin)) < left.margin
            ratios.append(float(seen.direction_error[0] / told.second_order_direction_error[0]))
    assert len(ratios) >= 6, ratios
    assert abs(np.median(ratios) - 1) < 0.1, ratios


def test_columns_out_of_scale_strain_the_limits_and_are_remarked():
    scaled = CARD["inputs"] * [1e4, 1.0, 1e-4]
    problem = tw.DatasetLogistic(inputs=scaled, labels=CARD["labels"])
    table = tw.theories(problem).set_index("theory")
    assert not table.loc["RayPlusOffset", "applies"]
    assert table.loc["RayPlusOffset", "assumption"] == "long run"
    np.testing.assert_array_equal(problem.derived.separable, tw.separation(**CARD).separable)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tw.TheoryWarning)
        told = tw.predict(problem, [0.0, 1.0], theory=tw.RayPlusOffset())
    assert any("factor 1000 (here 1.0e+08)" in one for one in np.atleast_1d(told.attrs["remarks"]).tolist())


def test_a_flow_over_uneven_columns_that_needs_too_many_steps_says_why():
    wild = tw.DatasetLogistic(
        inputs=CARD["inputs"] * [1e4, 1.0, 1e-4], labels=CARD["labels"], rule=tw.GradientFlow(step_ceiling=50)
    )
    with pytest.raises(FloatingPointError, match=r"step ceiling.*differ in size by .* \(here .*changes the path"):
        tw.train(wild, [0.0, 1.0])
    even = tw.DatasetLogistic(**CARD, rule=tw.GradientFlow(step_ceiling=5))
    with pytest.raises(FloatingPointError, match="Raise the step ceiling"):
        tw.train(even, [0.0, 1000.0])


def test_distance_bounds_what_self_concordance_allows():
    """Against the loss itself, in one dimension: log(1 + e^v) + log(1 + e^-2v) about its minimum."""
    grid = np.linspace(-3, 3, 60_001)
    loss = 0.5 * (np.logaddexp(0, grid) + np.logaddexp(0, -2 * grid))
    best = int(np.argmin(loss))
    bend = np.gradient(np.gradient(loss, grid), grid)[best]
    for excess in (1e-4, 1e-2, 0.1):
        inside = np.abs(grid[loss - loss[best] <= excess] - grid[best])
        assert inside.max() <= distance(excess, bend, 2.0) * (1 + 1e-4)
    assert distance(1e-8, bend, 2.0) == pytest.approx(np.sqrt(2e-8 / bend), rel=1e-3)


def test_own_data_and_start():
    other = (CARD["inputs"][::-1].copy(), CARD["labels"][::-1].copy())
    first, second = tw.train(NAMED, [0, 50]), tw.train(NAMED, [0, 50], data=other)
    np.testing.assert_allclose(first.direction_error, second.direction_error, rtol=1e-12)
    begun = tw.train(NAMED, [0, 50], start=[1.0, 2.0, 3.0])
    assert float(begun.norm[0, 0]) == pytest.approx(np.sqrt(14))
    with pytest.raises(ValueError, match="3 finite numbers"):
        tw.train(NAMED, [0, 50], start=[1.0, 2.0])
    with pytest.raises(ValueError, match="Another number of points"):
        tw.train(NAMED, [0, 50], data=(other[0][:5], other[1][:5]))


def test_excess_loss_keeps_its_digits_beside_the_optimum():
    problem = tw.DatasetLogistic(**OVERLAPPING)
    data = problem.draw(jax.random.key(0))
    for size in (1e-7, 1e-3, 1.0, 50.0):
        step = size * np.array([0.6, 0.0, 0.8])
        found = float(problem.observe(jax.numpy.asarray(data.offset + step), data)["excess_loss"])
        if size < 1e-2:
            z = -np.asarray(data.labels)[:, None] * np.asarray(data.inputs)
            chance = 1 / (1 + np.exp(-z @ data.offset))
            assert found == pytest.approx(0.5 * np.mean(chance * (1 - chance) * (z @ step) ** 2), rel=2 * size + 1e-8)
        else:
            whole = float(problem.objective(jax.numpy.asarray(data.offset + step), data)) - problem.derived.risk
            assert found == pytest.approx(whole, rel=1e-10)


# advice


@pytest.mark.parametrize(("table", "count"), [(CARD, 4), (OVERLAPPING, 0)])
def test_advice_says_what_is_separable_and_holds_its_bound(table, count):
    problem = tw.DatasetLogistic(**table)
    advice = tw.advise(problem)
    assert advice["separable_rows"].value == count
    assert ("never end" in advice["separable_rows"].reason) == (count > 0)
    assert np.isnan(advice["test_loss"].value)
    assert "DatasetClassifier" in advice["test_loss"].reason
    told = advice["training_time"]
    assert told.unit == "flow time"
    loss = float(tw.train(problem, [told.value], seeds=1).train_loss.squeeze())
    infimum = tw.separation(**table).risk_infimum
    assert infimum - 1e-12 <= loss <= told.evidence["loss_then"]
    # a bound is no use if it is a thousand times too long
    early = float(tw.train(problem, [told.value / 1000], seeds=1).train_loss.squeeze())
    assert early > told.evidence["loss_then"]


def test_advice_in_steps_and_where_there_is_none():
    def advised(rule):
        return tw.advise(tw.DatasetLogistic(**CARD, rule=rule))

    edge = advised(tw.GradientDescent(learning_rate=1.0))["largest_stable_rate"].value
    assert edge == pytest.approx(8 / np.linalg.eigvalsh(ROWS.T @ ROWS / 7)[-1])
    steps = advised(tw.GradientDescent(learning_rate=0.4 * edge))["training_time"]
    flow = advised(tw.GradientFlow())["training_time"]
    assert steps.unit == "steps"
    assert steps.value == np.ceil(flow.value / (0.4 * edge))
    for rule in (tw.GradientDescent(learning_rate=0.9 * edge), tw.HeavyBall(), tw.Optax(optax.adam, learning_rate=0.1)):
        assert np.isnan(advised(rule)["training_time"].value)
    assert np.isnan(advised(rule)["largest_stable_rate"].value)
