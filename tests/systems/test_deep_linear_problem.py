"""The deep linear problem: starts keep their promise, curves and events are what they say, bad input is refused."""

import itertools

import jax
import numpy as np
import optax
import pytest
from deep_linear_cases import Z0, det, integrated, slopes, whole

import thalweg as tw
from thalweg.faces.subject import build, options_of
from thalweg.results.serial import from_json, to_json
from thalweg.systems.deep_linear.layers import circulant, filter_of
from thalweg.words.fields import vary

KEY = jax.random.key(3)


def start_of(law, widths, scale=0.3):
    problem = tw.DeepLinear(target=det(widths[-1], widths[0], 0, 1.5), widths=widths, start=law, init_scale=scale)
    return [np.asarray(layer) for layer in problem.initial(KEY, problem.draw(KEY))]


def imbalances(layers):
    return [b.T @ b - a @ a.T for a, b in itertools.pairwise(layers)]


@pytest.mark.parametrize("rank", [None, 1])
def test_balanced_starts_are_balanced_and_of_their_rank(rank):
    layers = start_of(tw.BalancedLayers(rank=rank), (4, 5, 5, 3))
    assert max(np.abs(one).max() for one in imbalances(layers)) < 1e-14
    assert all(np.linalg.matrix_rank(layer) == (rank or 3) for layer in layers)
    assert [layer.shape for layer in layers] == [(5, 4), (5, 5), (3, 5)]


@pytest.mark.parametrize(("balance", "widths"), [(0.5, (4, 2, 3)), (-0.3, (4, 4, 3)), (0.0, (4, 6, 3))])
def test_lambda_balanced_starts(balance, widths):
    (found,) = imbalances(start_of(tw.LambdaBalancedLayers(imbalance=balance), widths))
    np.testing.assert_allclose(found, balance * np.eye(widths[1]), atol=1e-14)


def test_aligned_starts_have_their_values():
    values = np.array([[0.7, 0.6, 0.5], [0.5, 0.8, -0.3]])
    layers = start_of(tw.AlignedLayers(values), (4, 5, 3), scale=1.0)
    u, _, v = np.linalg.svd(Z0, full_matrices=False)
    np.testing.assert_allclose(np.diag(u.T @ whole(layers) @ v.T), values.prod(axis=0), atol=1e-14)
    np.testing.assert_allclose(np.linalg.svd(layers[0], compute_uv=False)[:3], values[0], atol=1e-14)
    with pytest.raises(ValueError, match=r"values have shape \(5,\)"):
        start_of(tw.AlignedLayers((1.0,) * 5), (4, 5, 3))


def test_gaussian_entries_have_the_scale():
    layers = start_of(tw.GaussianLayers(), (30, 40, 20), scale=0.2)
    # 2000 entries: known to 1.6 %
    assert np.std(np.concatenate([np.ravel(layer) for layer in layers])) == pytest.approx(0.2, rel=0.07)


WIDTHS = (4, 5, 3, 3)
LAYERS = tuple(det(WIDTHS[j + 1], WIDTHS[j], 2 * j, 0.5) for j in range(3))
INPUTS, OUTPUTS = det(4, 7, 5, 1.0).T, det(3, 7, 9, 1.0).T


def test_one_run_read_in_full():
    """Depth three on samples, with decay: curves and events against the layers of an independent integration."""
    problem = tw.DeepLinear(
        inputs=INPUTS, outputs=OUTPUTS, widths=WIDTHS, weight_decay=(0.02, 0.0, 0.05), rule=tw.GradientFlow(1e-11)
    )
    times = np.linspace(0, 20, 2001)
    seen = tw.train(problem, times[::20], start=LAYERS).isel(seed=0)
    covariance, correlation = INPUTS.T @ INPUTS / 7, OUTPUTS.T @ INPUTS / 7
    decays = np.array([0.02, 0.0, 0.05])
    run = integrated(LAYERS, covariance, correlation, times, decays)
    maps = np.array([whole(layers) for layers in run])
    missed = OUTPUTS[None] - np.einsum("nd,tod->tno", INPUTS, maps)
    loss = 0.5 * np.sum(missed**2, axis=(1, 2)) / 7
    np.testing.assert_allclose(seen.train_loss, loss[::20], atol=1e-9)
    values = np.linalg.svd(maps, compute_uv=False)
    np.testing.assert_allclose(seen.singular_values, values[::20], atol=1e-8)
    norms = [[np.linalg.norm(layer) for layer in layers] for layers in run[::20]]
    np.testing.assert_allclose(seen.layer_norms, norms, atol=1e-8)
    solution = (np.linalg.pinv(INPUTS) @ OUTPUTS).T
    np.testing.assert_allclose(seen.distance_to_min_norm, [np.linalg.norm(w - solution) for w in maps[::20]], rtol=1e-7)
    pairs = [[np.linalg.norm(one) for one in imbalances(layers)] for layers in run[::20]]
    np.testing.assert_allclose(seen.imbalance, pairs, atol=1e-8)
    products = [[(b.T @ b) @ (a @ a.T) for a, b in itertools.pairwise(w)] for w in run[::20]]
    defects = [max(np.linalg.norm(one - one.T) for one in each) for each in products]
    np.testing.assert_allclose(seen.alignment_defect, defects, atol=1e-8)
    gradients = np.array([total_slope(layers, covariance, correlation, decays) for layers in run])
    np.testing.assert_allclose(seen.gradient_norm, gradients[::20], atol=1e-8)
    # events
    strengths = np.linalg.svd(solution, compute_uv=False)
    for k in range(3):
        risen = values[:, k] >= 0.5 * strengths[k]
        first = times[np.argmax(risen)] if risen.any() else np.nan
        np.testing.assert_allclose(seen.half_time[k], first, atol=0.011)
    floor = 0.5 * np.sum((OUTPUTS - INPUTS @ solution.T) ** 2) / 7
    left = (loss - floor) / (loss[0] - floor)
    assert float(seen.escape_time) == pytest.approx(np.interp(-0.9, -left, times), abs=1e-3)
    rate = -np.log(gradients[-1] / gradients[-3]) / (times[-1] - times[-3])
    assert float(seen.late_rate) == pytest.approx(rate, rel=1e-3)
    drift = [np.linalg.norm(b - a) for a, b in zip(imbalances(run[0]), imbalances(run[-1]), strict=True)]
    np.testing.assert_allclose(seen.imbalance_drift, drift, rtol=1e-6)


def total_slope(layers, covariance, correlation, decays):
    parts = slopes(layers, whole(layers) @ covariance - correlation)
    return np.sqrt(sum(np.sum((g + d * w) ** 2) for g, d, w in zip(parts, decays, layers, strict=True)))


def test_descent_changes_the_imbalance_by_exactly_its_square_of_steps():
    """The card's loss sums over seven samples: its step 0.01 is 0.07 here."""
    problem = tw.DeepLinear(inputs=INPUTS, outputs=OUTPUTS, widths=WIDTHS, rule=tw.GradientDescent(0.07))
    seen = tw.train(problem, [100], start=LAYERS).isel(seed=0)
    np.testing.assert_allclose(seen.imbalance_drift, (4.662404975520e-3, 6.153562783209e-3), rtol=1e-11)
    told = tw.predict(problem, [100], theory=tw.ImbalanceConservation(), start=LAYERS)
    assert np.all(seen.imbalance_drift <= told.imbalance_drift)
    data = problem.as_data((INPUTS, OUTPUTS))
    layers, drift = [np.array(layer) for layer in LAYERS], [0.0, 0.0]
    one = jax.jit(lambda now: tw.step_drift(problem, now, data))
    for step in range(3):
        drift = [a + 0.07**2 * np.asarray(b) for a, b in zip(drift, one(tuple(layers)), strict=True)]
        parts = slopes(layers, (whole(layers) @ INPUTS.T - OUTPUTS.T) @ INPUTS / 7)
        layers = [w - 0.07 * g for w, g in zip(layers, parts, strict=True)]
        if step == 0:
            sizes = [np.linalg.norm(d) for d in drift]
            np.testing.assert_allclose(sizes, (1.86374644942e-4, 1.91422974400e-4), rtol=1e-10)
    for found, a, b in zip(drift, imbalances(LAYERS), imbalances(layers), strict=True):
        np.testing.assert_allclose(found, b - a, atol=1e-15)


def test_filters_descend_as_projected_matrices():
    """Circulant layers: the gradient of the filters, embedded, is d times the projection of the full gradient."""
    filters = tuple(det(3, 5, 1, 0.6))
    target = det(5, 5, 2, 1.0)
    problem = tw.DeepLinear(target=target, widths=(5,) * 4, circulant=True)
    found = jax.grad(problem.objective)(filters, problem.as_data(target))
    matrices = [np.asarray(circulant(one)) for one in filters]
    parts = slopes(matrices, whole(matrices) - target)
    for mine, full in zip(found, parts, strict=True):
        np.testing.assert_allclose(circulant(mine), 5 * circulant(filter_of(full)), atol=1e-13)
    i, j = np.arange(5)[:, None], np.arange(5)[None, :]
    np.testing.assert_array_equal(matrices[0], filters[0][(i - j) % 5])


@pytest.mark.nightly
def test_any_rule_of_optax():
    problem = tw.DeepLinear(target=[1.0, 0.5], widths=(2, 3, 2), init_scale=0.3, rule=tw.Optax(optax.adam, 0.05))
    seen = tw.train(problem, [0, 300])
    assert float(seen.train_loss[0, -1]) < 1e-2 * float(seen.train_loss[0, 0])


def test_a_problem_with_its_own_layers_comes_back_from_json():
    problem = tw.DeepLinear(target=Z0, widths=WIDTHS, start=LAYERS, weight_decay=(0.1, 0.0, 0.2))
    again = from_json(*to_json(problem))
    assert again.widths == WIDTHS
    for one, other in zip(again.initial(KEY, problem.draw(KEY)), LAYERS, strict=True):
        np.testing.assert_array_equal(one, other)
    diagonal = tw.DeepLinear(target=[2.0, 1.0], widths=(3, 2, 2))
    np.testing.assert_array_equal(diagonal.draw(KEY).target, [[2, 0, 0], [0, 1, 0]])


NAN = np.where(np.arange(12).reshape(3, 4) == 5, np.nan, 1.0)
BAD = {
    "one width": ({"widths": (3,)}, "widths = \\(3,\\)"),
    "no whole width": ({"widths": (3, 2.5, 1)}, "widths"),
    "zero width": ({"widths": (3, 0, 1)}, "widths"),
    "target of another shape": ({"target": Z0, "widths": (3, 5, 4)}, "want \\(4, 3\\)"),
    "target with a hole": ({"target": NAN, "widths": (4, 5, 3)}, "missing or infinite entry at \\(1, 1\\)"),
    "inputs alone": ({"inputs": Z0, "widths": (4, 3)}, "come together"),
    "rows that differ": ({"inputs": np.ones((5, 4)), "outputs": np.ones((4, 3)), "widths": (4, 3)}, "one row a sample"),
    "samples with a hole": ({"inputs": NAN, "outputs": np.ones((3, 3)), "widths": (4, 3)}, "entry at \\(1, 1\\)"),
    "both kinds": ({"target": Z0, "inputs": Z0, "outputs": Z0, "widths": (4, 4)}, "not both"),
    "negative decay": ({"widths": (4, 5, 3), "weight_decay": (0.1, -0.1)}, "number >= 0, or 2"),
    "decays of another number": ({"widths": (4, 5, 3), "weight_decay": (0.1, 0.1, 0.1)}, "or 2, one a layer"),
    "layers that do not chain": ({"widths": WIDTHS, "start": LAYERS[:2]}, "want layers"),
    "layers with a hole": ({"widths": (4, 3), "start": (NAN,)}, "layer 1 has entries that are not finite"),
    "no law": ({"widths": (4, 3), "start": 3.0}, "is no start"),
    "rank too high": ({"widths": (4, 2, 3), "start": tw.BalancedLayers(rank=3)}, "at most 2"),
    "lambda at depth three": ({"widths": WIDTHS, "start": tw.LambdaBalancedLayers()}, "give two layers"),
    "lambda too wide": ({"widths": (4, 5, 3), "start": tw.LambdaBalancedLayers(0.5)}, "hidden width of at most 3"),
    "circulant of two widths": ({"widths": (4, 5, 4), "circulant": True}, "one width throughout"),
    "circulant and balanced": ({"widths": (4, 4, 4), "circulant": True, "start": tw.BalancedLayers()}, "filters"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_a_repair(name):
    given, said = BAD[name]
    with pytest.raises(ValueError, match=said):
        tw.DeepLinear(**given)


def test_bad_data_and_starts_of_the_verbs():
    problem = tw.DeepLinear(target=Z0, widths=(4, 5, 3))
    with pytest.raises(ValueError, match="shapes"):
        tw.predict(problem, [0, 1], start=(Z0, Z0))
    with pytest.raises(ValueError, match="the layers"):
        tw.predict(problem, [0, 1], start=3.0)
    with pytest.raises(ValueError, match=r"a target map of shape \(3, 4\)"):
        tw.predict(problem, [0, 1], data=Z0.T)
    with pytest.raises(ValueError, match="a pair"):
        tw.predict(vary(problem, {"samples": 5}), [0, 1], data=Z0)
    with pytest.raises(ValueError, match="two layers fails"):
        tw.predict(tw.DeepLinear(widths=WIDTHS), [0, 1], theory=tw.TwoLayerRiccati())


def test_the_command_line_has_one_target():
    """A field of that name stands in the place of the column of a table."""
    options = [option.name for part in options_of("DeepLinear") for option in part]
    assert len(options) == len(set(options))
    made = build("DeepLinear", {"target": (2.0, 1.0), "widths": (3, 2, 2)})
    np.testing.assert_array_equal(made.target, (2.0, 1.0))
