"""A user's own table: honest splits, leave-one-out against refitting, ridge against its closed form, advice."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import brentq, minimize_scalar
from sklearn.linear_model import Ridge

import thalweg as tw
from thalweg.data import columns
from thalweg.data import example_tables as tables
from thalweg.systems.own_data.held_out_ridge import STRENGTHS, best_strength
from thalweg.words.problem import seed_keys

POINTS = 12


def table(points: int, features: int, noise: float = 1.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    inputs = 3.0 + rng.standard_normal((points, features)) * np.linspace(0.5, 4.0, features)
    return inputs, 7.0 + inputs @ np.linspace(1.0, 0.1, features) + noise * rng.standard_normal(points)


def drawn(problem, seed: int = 0):
    with jax.enable_x64():
        return jax.tree.map(np.asarray, problem.draw(seed_keys(np.int64(seed))[0]))


def problem_of(features: int, **more):
    inputs, targets = table(40, features)
    return tw.DatasetRegression(inputs=inputs, targets=targets, samples=POINTS, **more)


def test_training_and_test_part_share_nothing():
    inputs, targets = table(40, 4)
    data = drawn(tw.DatasetRegression(inputs=inputs, targets=targets, samples=POINTS))
    x, y = data.inputs, data.targets
    assert (len(y), len(data.test_targets)) == (12, 28)
    # from the training part alone: mean 0, deviation 1; targets keep their unit
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(x.std(axis=0), 1, rtol=1e-12)
    assert abs(data.test_inputs.mean(axis=0)).max() > 1e-3
    both = np.concatenate([y, data.test_targets])
    np.testing.assert_allclose(np.sort(both - both.mean()), np.sort(targets - targets.mean()), atol=1e-12)


def test_units_of_columns_do_not_matter_unless_asked_for():
    inputs, targets = table(40, 4)
    scales = np.array([1.0, 1e-4, 1e4, 1.0])
    plain = drawn(tw.DatasetRegression(inputs=inputs, targets=targets, samples=POINTS))
    wild = tw.DatasetRegression(inputs=inputs * scales, targets=targets, samples=POINTS)
    np.testing.assert_allclose(drawn(wild).test_inputs, plain.test_inputs, rtol=1e-9)
    assert any("span more than a factor 1000" in r for r in tw.predict(wild, [0.0, 1.0]).remarks.split("\n"))
    assert tw.advise(wild)["column_span"].value == pytest.approx(columns.span(inputs * scales))
    kept = drawn(tw.DatasetRegression(inputs=inputs, targets=targets, samples=POINTS, deviation_floor=1e12))
    deviations = kept.inputs.std(axis=0)
    raw = inputs[:, 3].std() / inputs[:, 0].std()
    assert deviations[3] / deviations[0] == pytest.approx(raw, rel=0.5)
    assert np.mean(deviations**2) == pytest.approx(1)


def test_constant_and_copied_columns_are_legal_and_said():
    inputs, targets = table(40, 3)
    odd = np.column_stack([inputs[:, :2], np.full(40, 5.0), 2 - 3 * inputs[:, 1]])
    problem = tw.DatasetRegression(inputs=odd, targets=targets, samples=POINTS)
    assert np.all(drawn(problem).inputs[:, 2] == 0)
    assert columns.copied(odd) == [(1, 3)]
    assert list(columns.constant(odd)) == [2]
    advice = tw.advise(problem)
    assert "Columns 2 (from 0) never change" in advice["constant_columns"].reason
    assert "Columns 3 of 1 (from 0) are copies" in advice["copied_columns"].reason
    said = tw.train(problem, [0.0, 1.0]).remarks
    assert "Some columns are constant" in said
    assert "copies of others" in said


def refitted(x, y, rule, times, decay):
    """Held-out outputs (times, n) by running each rule step by step, centred anew without the point."""
    found = np.zeros((len(times), len(y)))
    for i in range(len(y)):
        keep = np.arange(len(y)) != i
        a, b = x[keep] - x[keep].mean(axis=0), y[keep] - y[keep].mean()
        row = x[i] - x[keep].mean(axis=0)

        def slope(w, a=a, b=b):
            return a.T @ (a @ w - b) / len(b) + decay * w

        now = before = np.zeros(x.shape[1])
        for k in range(int(times[-1]) + 1):
            if k in times:
                found[list(times).index(k), i] = row @ now
            rate, beta = rule.learning_rate, getattr(rule, "momentum", 0.0)
            ahead = now + beta * (now - before)
            step = rate * slope(ahead if isinstance(rule, tw.Nesterov) else now)
            now, before = ahead - step, now
    return found


RULES = [tw.GradientDescent(learning_rate=0.3), tw.HeavyBall(learning_rate=0.2), tw.Nesterov(learning_rate=0.2)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_leave_one_out_is_refitting_step_by_step(rule):
    times = np.array([0, 1, 7, 40])
    problem = problem_of(4, rule=rule, weight_decay=0.05)
    data = drawn(problem)
    told = tw.predict(problem, times, theory=tw.LeaveOneOut(), data=data)
    x, y = data.inputs, data.targets
    held = POINTS / (POINTS - 1) * y
    expected = 0.5 * np.mean((held - refitted(x, y, rule, times, 0.05)) ** 2, axis=1)
    np.testing.assert_allclose(told.test_loss, expected, rtol=1e-10)


@pytest.mark.parametrize("features", [4, 15])
def test_leave_one_out_of_the_flow_and_its_end_the_ridge(features):
    """The flow by eigenvectors of each fold; with decay and for ever, scikit-learn's refits and the closed form."""
    strength = 0.3
    problem = problem_of(features, weight_decay=strength)
    data = drawn(problem)
    x, y, times = data.inputs, data.targets, np.array([0.0, 0.5, 4.0, 100.0])
    told = tw.predict(problem, times, theory=tw.LeaveOneOut(), data=data)
    flow, ridge = np.zeros((4, POINTS)), np.zeros(POINTS)
    for i in range(POINTS):
        keep = np.arange(POINTS) != i
        a, b = x[keep] - x[keep].mean(axis=0), y[keep] - y[keep].mean()
        values, vectors = np.linalg.eigh(a.T @ a / len(b))
        u = np.maximum(values, 0) + strength
        drive = vectors.T @ (a.T @ b / len(b))
        flow[:, i] = (
            y[i]
            - y[keep].mean()
            - (-np.expm1(-times[:, None] * u) / u * drive) @ vectors.T @ (x[i] - x[keep].mean(axis=0))
        )
        ridge[i] = y[i] - Ridge(alpha=(POINTS - 1) * strength).fit(x[keep], y[keep]).predict(x[i : i + 1])[0]
    np.testing.assert_allclose(told.test_loss, 0.5 * np.mean(flow**2, axis=1), rtol=1e-10)
    # e_i / (1 - H_ii), the intercept in H
    hat = x @ np.linalg.solve(x.T @ x + (POINTS - 1) * strength * np.eye(features), x.T) + 1 / POINTS
    closed = 0.5 * np.mean(((y - hat @ y) / (1 - np.diag(hat))) ** 2)
    assert 0.5 * np.mean(ridge**2) == pytest.approx(closed, rel=1e-10)
    assert float(told.test_loss[-1]) == pytest.approx(closed, rel=1e-10)
    path = tw.predict(problem, [0.0], theory=tw.HeldOutRidge(), data=data)
    at = np.argmin(np.abs(path.ridge.values - strength))
    hat = x @ np.linalg.solve(x.T @ x + (POINTS - 1) * float(path.ridge[at]) * np.eye(features), x.T) + 1 / POINTS
    closed = 0.5 * np.mean(((y - hat @ y) / (1 - np.diag(hat))) ** 2)
    assert float(path.ridge_loss[at]) == pytest.approx(closed, rel=1e-10)
    assert float(path.best_ridge_loss) == pytest.approx(float(path.ridge_loss.min()), rel=1e-3)


def test_a_contour_with_too_few_nodes_is_noticed():
    told = tw.predict(problem_of(4), [0.0, 1000.0], theory=tw.LeaveOneOut(nodes=8))
    assert np.all(np.isnan(told.test_loss))


def best_loss_of(spectrum, weights, noise, rows):
    """Card of linear regression, 2.4: least expected loss over ridge, by the known law."""

    def risk(log_strength):
        strength = np.exp(log_strength)
        k = brentq(lambda k: k - strength - k * np.sum(spectrum / (spectrum + k)) / rows, strength, 1e4)
        squared = np.sum(spectrum**2 / (spectrum + k) ** 2) / rows
        bias = k**2 * np.sum(spectrum * weights**2 / (spectrum + k) ** 2)
        return 0.5 * (noise**2 + (bias + noise**2 * squared) / (1 - squared))

    return minimize_scalar(risk, bounds=(-8, 4), method="bounded").fun


def gaussian(points, noise, features=40):
    rng = np.random.default_rng(8)
    spectrum = np.linspace(0.2, 1.8, features)
    weights = rng.standard_normal(features) / np.sqrt(features)
    inputs = rng.standard_normal((points, features)) * np.sqrt(spectrum)
    return spectrum, weights, inputs, inputs @ weights + noise * rng.standard_normal(points)


def test_learning_curve_noise_and_signal_of_a_known_law():
    """Mean over 24 splits of 100 points, against the deterministic equivalent of the true law."""
    spectrum, weights, inputs, targets = gaussian(4000, 0.7)
    # the columns' own sizes are kept: the law is known in them
    problem = tw.DatasetRegression(inputs=inputs, targets=targets, samples=100, deviation_floor=1e9)
    told = tw.predict(problem, [0.0], theory=tw.HeldOutRidge(), seeds=24)
    for size, value in zip(told.learning_samples.values, told.learning_loss.mean("seed").values, strict=True):
        # 2400 squared errors: their mean is known to 3 %; a mean fitted from m points adds 1/m
        assert value == pytest.approx(best_loss_of(spectrum, weights, 0.7, size - 1) * (1 + 1 / size), rel=0.07), size
    signal = np.sqrt(np.sum(spectrum * weights**2))
    for name, truth in (("noise", 0.7), ("signal", signal)):
        mean, error = float(told[name].mean()), float(told[name].std()) / np.sqrt(24)
        assert mean == pytest.approx(truth, abs=4 * error + 0.02 * truth)


def test_noise_where_columns_outnumber_points():
    """The likelihood's estimate, of a signal in no special direction."""
    _, _, inputs, targets = gaussian(4000, 0.7, features=60)
    problem = tw.DatasetRegression(inputs=inputs, targets=targets, samples=50)
    told = tw.predict(problem, [0.0], theory=tw.HeldOutRidge(), seeds=24)
    assert float(told.noise.mean()) == pytest.approx(0.7, abs=4 * float(told.noise.std()) / np.sqrt(24))


def test_a_column_that_moves_in_one_row_does_not_talk_the_ridge_away():
    """Of two minima of the held-out loss that are even, the stronger is taken; a single one stays as it is."""
    grid = np.log(STRENGTHS)
    weak = grid < np.log(1e-4)
    mean = 1 + np.where(weak, 0.1 * (grid - grid[0]) ** 2 - 0.01, 0.1 * (grid - np.log(0.3)) ** 2)
    noise = np.random.default_rng(0).standard_normal(50)
    for size, expected in ((1.0, 0.3), (0.001, 0.0)):
        # 0.01 lower towards no ridge, with a standard error of 0.14 and of 0.00014
        each = mean[:, None] + size * np.where(weak, 1.0, 0.0)[:, None] * (noise - noise.mean())
        with jax.enable_x64():
            assert float(best_strength(jnp.asarray(each)).strength) == pytest.approx(expected, rel=1e-6)


def test_the_diabetes_table_is_confirmed():
    result = tw.compare(tw.DiabetesRegression(), theory=tw.LeaveOneOut(), seeds=50)
    assert result.attrs["verdict"] == "confirmed", result.attrs["sentence"]


def test_advice_says_what_the_theories_say():
    problem = tw.DiabetesRegression()
    advice = tw.advise(problem)
    told = tw.predict(problem, theory=tw.LeaveOneOut())
    ridge = tw.predict(problem, [0.0], theory=tw.HeldOutRidge())
    assert advice["stopping_time"].value == pytest.approx(float(told.best_time_loss[0]), rel=0.02)
    assert advice["ridge"].value == pytest.approx(float(ridge.best_ridge[0]))
    assert advice["noise"].value == pytest.approx(float(ridge.noise[0]))
    x = drawn(problem).inputs
    assert advice["largest_stable_rate"].value == pytest.approx(2 / np.linalg.eigvalsh(x.T @ x / 100)[-1])
    for name in ("stopping_time", "ridge", "test_loss", "test_loss_with_twice_the_points", "noise"):
        one = advice[name]
        assert one.low <= one.value <= one.high, name
        assert one.reason, name
    assert advice["test_loss_with_twice_the_points"].value < advice["test_loss"].value


def test_advice_about_classes():
    advice = tw.advise(tw.WineClassifier())
    assert advice["test_accuracy"].low < advice["test_accuracy"].value <= 1
    assert advice["test_loss"].value < 0.2


def test_advice_without_a_path_and_without_a_signal():
    adam = tw.advise(problem_of(4, rule=tw.Optax(optax.adam)))
    assert np.isnan(adam["stopping_time"].value)
    assert "Optax cannot be followed by modes" in adam["stopping_time"].reason
    assert np.isfinite(adam["ridge"].value)
    inputs, _ = table(40, 4)
    noise = np.random.default_rng(6).standard_normal(40)
    silent = tw.advise(tw.DatasetRegression(inputs=inputs, targets=noise, samples=POINTS))
    assert "the mean" in silent["ridge"].reason
    assert silent["test_loss"].low > 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": [["a", "b"]] * 40}, "entries that are not numbers"),
        ({"inputs": np.where(np.eye(40, 4), np.nan, 1.0)}, r"missing or infinite entry at \(0, 0\)"),
        ({"samples": 37}, r"40 points cannot give samples = 37 .* lower samples to 36"),
        ({"targets": np.ones(40)}, "all targets are 1; there is nothing to learn"),
        ({"targets": np.ones(39)}, "one target a point"),
        ({"inputs": np.ones((40, 4))}, "all columns of inputs are constant"),
    ],
)
def test_bad_tables_are_refused_with_the_repair(change, sentence):
    inputs, targets = table(40, 4)
    with pytest.raises(ValueError, match=sentence):
        tw.DatasetRegression(**{"inputs": inputs, "targets": targets, "samples": POINTS, **change})


def test_bad_data_are_refused():
    problem, data = problem_of(4), drawn(problem_of(4))
    with pytest.raises(ValueError, match="must have mean 0"):
        tw.predict(problem, theory="LeaveOneOut", data=tw.TableSample(data.inputs + 1, *list(vars(data).values())[1:]))
    with pytest.raises(ValueError, match=r"tw\.TableSample"):
        tw.predict(problem, theory="LeaveOneOut", data=data.inputs)
    with pytest.raises(ValueError, match="finite"):
        tw.predict(problem, data=tw.TableSample(data.inputs * np.nan, *list(vars(data).values())[1:]))


def test_generated_tables_are_what_they_say():
    inputs, _ = tables.correlated(4000, 5, 0.8)
    assert np.corrcoef(inputs.T)[0, 2] == pytest.approx(0.64, abs=0.04)
    inputs, _ = tables.heavy_tailed(4000, 5)
    assert np.max(np.abs(inputs)) > 8 * inputs.std()
    with pytest.raises(ValueError, match="cultivar"):
        tw.WineClassifier(cultivar=3)


def test_advice_about_the_mixture_is_that_of_its_limit():
    """Card of the linear classifier: best stopping of the test loss; ridge by its own reference, at its optimum."""
    advice = tw.advise(tw.LinearClassifier(init_variance=0.1))
    assert advice["stopping_time"].value == pytest.approx(0.92276769, abs=1e-4)
    # ridge by averages over a real spectrum: 2 realisations of dimension 1500 at c = 1/2
    losses, strengths = [], np.geomspace(0.2, 3.0, 25)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        y = rng.choice([-1.0, 1.0], 3000)
        mean = np.full(1500, 1 / np.sqrt(1500))
        x = y[:, None] * mean + rng.standard_normal((3000, 1500))
        values, vectors = np.linalg.eigh(x.T @ x / 3000)
        weights = (vectors.T @ (x.T @ y / 3000) / (values + strengths[:, None])) @ vectors.T
        losses.append(0.5 * ((1 - weights @ mean) ** 2 + np.sum(weights**2, axis=1)))
    losses = np.mean(losses, axis=0)
    assert min(advice["test_loss"].value, advice["ridge"].evidence["test loss"]) == pytest.approx(
        losses.min(), rel=0.01
    )
    # a flat optimum: the loss at the advised strength is what counts
    assert np.interp(advice["ridge"].value, strengths, losses) == pytest.approx(losses.min(), rel=0.002)
    assert advice["test_loss_with_twice_the_points"].value < advice["test_loss"].value
    strong = tw.advise(tw.LinearClassifier(rule=tw.HeavyBall(learning_rate=0.1, momentum=0.8), init_variance=0.0))
    assert strong["stopping_time"].evidence["test loss there"] <= strong["stopping_time"].evidence["at the end"]
    assert np.isnan(tw.advise(tw.LinearClassifier(correlation=0.3))["ridge"].value)
