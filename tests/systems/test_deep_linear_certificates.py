"""Certificates, alignment, the law in the width: the card's values, thousands of random cases, tight cases, descent."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from deep_linear_cases import det, distances, integrated, slopes, whole

import thalweg as tw
from thalweg.systems.deep_linear.arora import certified_share, largest_imbalance, largest_rate
from thalweg.systems.deep_linear.imbalance_rate import rate_of
from thalweg.systems.deep_linear.task import sample_task
from thalweg.systems.deep_linear.width_law import mean_root

nightly = pytest.mark.nightly
NEAR = np.diag([1.0, 0.9]) + 0.1 * det(2, 2, 3, 1.0)


def near(depth):
    left, values, right = np.linalg.svd(NEAR)
    each = values ** (1 / depth)
    return (each[:, None] * right, *(np.diag(each) for _ in range(depth - 2)), left * each)


@pytest.mark.parametrize(
    ("depth", "imbalance", "rate", "exponent", "ratio"),
    [
        (2, 2.269805976e-4, 3.071415832e-6, 3.163289784, 0.974722),
        (3, 6.092121115e-5, 6.905550605e-7, 4.387898439, 0.990884),
    ],
)
def test_arora_values_of_the_card(depth, imbalance, rate, exponent, ratio):
    c, norm = 0.790822446, np.sqrt(1.81)
    assert 0.9 - np.linalg.norm(NEAR - np.diag([1.0, 0.9])) == pytest.approx(c, abs=5e-10)
    assert largest_imbalance(c, depth, norm) == pytest.approx(imbalance, rel=1e-8)
    assert largest_rate(c, depth, norm) == pytest.approx(rate, rel=1e-8)
    problem = tw.DeepLinear(target=(1.0, 0.9), widths=(2,) * (depth + 1), start=near(depth))
    told = tw.predict(problem, [0.0, 1.0, 2.0], theory=tw.AroraCertificate()).isel(seed=0)
    assert float(told.exponent) == pytest.approx(exponent, rel=1e-8)
    assert float(told.train_loss[0]) == pytest.approx(0.005959869153, rel=1e-9)
    # beside a certified rate of 1e-6 stands the usable one, 2/(N s_1^(2-2/N))
    assert float(told.certified_learning_rate) == pytest.approx(rate, rel=1e-8)
    assert float(told.usable_learning_rate) == pytest.approx(2 / depth)
    layers = [np.array(layer) for layer in near(depth)]
    for _ in range(3000):
        parts = slopes(layers, whole(layers) - np.diag([1.0, 0.9]))
        layers = [w - rate * g for w, g in zip(layers, parts, strict=True)]
    loss = 0.5 * np.sum((whole(layers) - np.diag([1.0, 0.9])) ** 2)
    bound = 0.005959869153 * (1 - rate * c ** (2 - 2 / depth)) ** 3000
    assert loss / bound == pytest.approx(ratio, abs=1e-6)


def products(layers):
    done = layers[0]
    for layer in layers[1:]:
        done = layer @ done
    return done


def batch_slopes(layers, missed):
    """Gradients of the layers (cases, d_j, d_{j-1}), all cases at once."""
    found = []
    for j in range(len(layers)):
        part = missed
        for after in layers[:j:-1]:
            part = np.swapaxes(after, 1, 2) @ part
        for before in layers[:j]:
            part = part @ np.swapaxes(before, 1, 2)
        found.append(part)
    return found


def descended(layers, rates, target):
    """One step of every case, each with its own learning rate."""
    parts = batch_slopes(layers, products(layers) - target)
    return [w - rates[:, None, None] * g for w, g in zip(layers, parts, strict=True)]


def test_batched_gradients():
    rng = np.random.default_rng(1)
    layers = [rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 2, 5))]
    missed = rng.normal(size=(2, 2, 3))
    for case in range(2):
        for mine, other in zip(
            batch_slopes(layers, missed), slopes([w[case] for w in layers], missed[case]), strict=True
        ):
            np.testing.assert_allclose(mine[case], other, atol=1e-12)


SHAPES = [(2, 3, 2), (1, 4, 3), (3, 5, 1), (2, 2, 2, 2), (3, 4, 4, 2), (1, 2, 2, 2, 3), (4, 5, 4), (2, 3, 3, 4)]


@pytest.mark.parametrize("widths", SHAPES, ids=str)
def test_arora_is_never_violated(widths):
    """300 targets and starts a shape, balanced, margins from nothing to all: the flow and certified steps."""
    rng, count, depth = np.random.default_rng(sum(widths)), 300, len(widths) - 1
    inputs, outputs = widths[0], widths[-1]
    target = rng.normal(size=(count, outputs, inputs)) * rng.uniform(0.3, 2, size=(count, 1, 1))
    least = np.linalg.svd(target, compute_uv=False)[:, -1]
    push = rng.normal(size=target.shape)
    push *= (rng.uniform(0.02, 0.95, count) * least / np.linalg.norm(push, axis=(1, 2)))[:, None, None]
    left, values, right = np.linalg.svd(target + push, full_matrices=False)
    rank, each = values.shape[1], values ** (1 / depth)
    frames = [np.linalg.qr(rng.normal(size=(count, d, d)))[0][:, :, :rank] for d in widths[1:-1]]
    frames = [np.swapaxes(right, 1, 2), *frames, left]
    layers = [(frames[j + 1] * each[:, None, :]) @ np.swapaxes(frames[j], 1, 2) for j in range(depth)]
    c, norm = least - np.linalg.norm(push, axis=(1, 2)), np.linalg.norm(target, axis=(1, 2))
    power = c ** (2 - 2 / depth)
    loss = 0.5 * np.sum(push**2, axis=(1, 2))
    # at once: -d log(loss)/dt of the flow is at least its exponent
    parts = batch_slopes(layers, products(layers) - target)
    rate = sum(np.sum(g**2, axis=(1, 2)) for g in parts) / loss
    exponent = 2 * power * (depth if inputs == outputs else 1)
    assert np.all(rate >= exponent * (1 - 1e-12))
    # along the flow, and in certified steps
    moved, step = [w.copy() for w in layers], 0.02 / (depth * norm ** (2 - 2 / depth))
    certified = largest_rate(c, depth, norm)
    stepped = [w.copy() for w in layers]
    for k in range(1, 120):
        moved, stepped = (descended(w, rate, target) for w, rate in ((moved, step), (stepped, certified)))
        now = 0.5 * np.sum((products(moved) - target) ** 2, axis=(1, 2))
        # Euler's steps of the flow: the discrete form of the bound is (1 - eta exponent/2 ...), hence a percent
        assert np.all(now <= 1.01 * loss * np.exp(-exponent * step * k) + 1e-28)
        small = 0.5 * np.sum((products(stepped) - target) ** 2, axis=(1, 2))
        assert np.all(small <= loss * (1 - certified * power) ** k * (1 + 1e-14 * norm / np.sqrt(loss)))


def test_arora_is_tight_at_a_multiple_of_the_identity():
    """Z = s I and W(0) -> Z: the flow decays at N times the exponent, and no faster."""
    target, push = 1.3 * np.eye(3), 1e-7 * np.eye(3)
    left, values, right = np.linalg.svd(target + push)
    each = values ** (1 / 3)
    layers = [each[:, None] * right, np.diag(each), left * each]
    parts = slopes(layers, push)
    rate = sum(np.sum(g**2) for g in parts) / (0.5 * np.sum(push**2))
    c = 1.3 - np.linalg.norm(push)
    assert rate / (2 * 3 * c ** (4 / 3)) == pytest.approx(1.0, abs=1e-6)


def test_the_share_of_certified_starts_is_that_of_random_directions():
    rng = np.random.default_rng(0)
    for dimension, size in ((1, 0.5), (3, 0.4), (6, 1.5), (2, 2.5)):
        z = np.eye(1, dimension)
        w = rng.normal(size=(40_000, dimension))
        w *= size / np.linalg.norm(w, axis=1, keepdims=True)
        share = np.mean(np.linalg.norm(w - z, axis=1) < 1)
        told = float(certified_share(jnp.asarray(w[:1]), jnp.asarray(z)))
        # 40000 draws: four standard errors are 1 %
        assert told == pytest.approx(share, abs=0.01)


X, Y = np.eye(4, 6) + 0.3 * det(4, 6, 1, 1.0), det(4, 2, 4, 1.0)
# the card's loss sums over its four samples, that of the library is a mean
SCALED = sample_task(2 * X, 2 * Y)


def test_min_values_of_the_card():
    first, second = det(6, 7, 2, 0.5).T, det(2, 7, 5, 0.5)
    found = rate_of(SCALED, first, second, np)
    assert found.variance == pytest.approx(0.6910438048, abs=6e-11)
    assert found.constant == pytest.approx(0.0307082396, abs=6e-11)
    assert 2 * found.variance * found.constant == pytest.approx(0.0424414775, abs=6e-11)
    assert found.margin < 0
    assert SCALED.loss(second @ first) == pytest.approx(2.664206792596, abs=6e-13)
    spread = np.diag([1.2, 1.0, 0.9, 0.8])
    solution = det(4, 4, 7, 1.0) + 2.5 * np.eye(4)
    left, values, right = np.linalg.svd(solution + 0.15 * det(4, 4, 2, 1.0))
    task = sample_task(2 * np.hstack([spread, np.zeros((4, 2))]), 2 * spread @ solution)
    for q, alone, both in ((1.0, 0.0, 3.1388171102), (2.0, 7.9163826370, 8.3289711300)):
        u = np.vstack([q * left * np.sqrt(values), np.zeros((2, 4))])
        found = rate_of(task, u.T, right.T * np.sqrt(values) / q, np)
        assert found.margin == pytest.approx(1.2261004337, abs=6e-11)
        assert 2 * found.variance * found.imbalance_alone == pytest.approx(alone, abs=6e-10)
        assert 2 * found.variance * found.constant == pytest.approx(both, abs=6e-10)


def test_min_values_of_the_card_along_the_run():
    start = det(6, 7, 2, 0.5).T, det(2, 7, 5, 0.5)
    problem = tw.DeepLinear(inputs=2 * X, outputs=2 * Y, widths=(6, 7, 2), start=start)
    told = tw.predict(problem, [0.0, 0.2, 0.5, 1.0, 2.0, 5.0], theory=tw.ImbalanceRate()).isel(seed=0)
    losses = np.array((2.664206792596, 1.453706268794, 0.666767321295, 0.196675648177, 0.036614681928, 0.001815102965))
    assert np.all(losses <= told.train_loss * (1 + 1e-12))
    run = integrated(start, X.T @ X, Y.T @ X, told.time.values)
    seen = [0.5 * np.sum((Y - X @ whole(layers).T) ** 2) for layers in run]
    np.testing.assert_allclose(seen, losses, atol=1e-11)


@pytest.mark.parametrize("widths", [(4, 5, 1), (2, 3, 3), (3, 1, 2)])
def test_inputs_that_are_all_zero_have_no_rate(widths):
    outputs = np.arange(1.0, 1 + 5 * widths[-1]).reshape(5, -1)
    problem = tw.DeepLinear(widths=widths, inputs=np.zeros((5, widths[0])), outputs=outputs)
    with pytest.warns(tw.TheoryWarning, match="positive rate"):
        told = tw.predict(problem, [0.0, 0.5, 3.0], theory=tw.ImbalanceRate()).isel(seed=0)
    run = tw.train(problem, [0.0, 0.5, 3.0]).isel(seed=0)
    np.testing.assert_allclose(told.train_loss, run.train_loss, rtol=1e-14)
    assert float(told.exponent) == float(told.exponent_imbalance) == float(told.margin) == 0.0


def random_case(rng, samples, inputs, hidden, outputs):
    """Data of any rank with a start, half of them near their solution, unbalanced by a random factor."""
    x = rng.normal(size=(samples, inputs)) * np.exp(rng.normal(size=inputs) * 0.3)
    if rng.random() < 0.3 and min(samples, inputs) > 1:
        x[:, -1] = x[:, 0]
    y = rng.normal(size=(samples, outputs))
    task = sample_task(x, y)
    first, second = rng.normal(size=(hidden, inputs)), rng.normal(size=(outputs, hidden))
    if rng.random() < 0.5 and hidden >= min(inputs, outputs):
        left, values, right = np.linalg.svd(task.solution, full_matrices=False)
        frame = np.linalg.qr(rng.normal(size=(hidden, hidden)))[0][:, : len(values)]
        q = np.exp(rng.normal())
        noise = 10 ** rng.uniform(-6, -1)
        first = q * (frame * np.sqrt(values)) @ right + noise * first
        second = (left * np.sqrt(values)) @ frame.T / q + noise * second
    return task, first * np.exp(0.3 * rng.normal()) if rng.random() < 0.3 else first, second


def test_min_is_never_violated():
    """2400 random shapes and starts, r < m, r = m, r > m: at once, and along the flow (a fixed-step order 4)."""
    rng, closest, kinds = np.random.default_rng(5), np.inf, set()
    for _ in range(2400):
        samples, inputs, hidden, outputs = rng.integers(1, 6, 4)
        task, first, second = random_case(rng, samples, inputs, hidden, outputs)
        found = rate_of(task, first, second, np)
        rank = int(np.sum(task.principal()[0] > 0))
        kinds.add((np.sign(rank - outputs), bool(found.margin > 0), bool(found.imbalance_alone > 0)))
        exponent = 2 * found.variance * found.constant
        covariance, correlation = x_moments(task)
        missed = (second @ first) @ covariance - correlation
        excess = excess_of(task, second @ first)
        slope = np.sum((second.T @ missed) ** 2) + np.sum((missed @ first.T) ** 2)
        if excess > 1e-16 * np.max(task.strengths) ** 2:
            assert slope / excess >= exponent * (1 - 1e-6)
            closest = min(closest, slope / excess / exponent) if exponent > 0 else closest
        assert bound_holds(task, first, second, exponent, covariance, correlation)
    assert len(kinds) >= 9
    assert closest < 1.01


def x_moments(task):
    n = len(task.inputs)
    return task.inputs.T @ task.inputs / n, task.outputs.T @ task.inputs / n


def excess_of(task, product):
    """train_loss above the least one, without a difference."""
    return 0.5 * np.sum((task.inputs @ (product - task.solution).T) ** 2) / len(task.inputs)


def bound_holds(task, first, second, exponent, covariance, correlation, steps=10):
    def field(a, b):
        missed = correlation - (b @ a) @ covariance
        return b.T @ missed, missed @ a.T

    top = np.linalg.norm(covariance, 2) * (np.sum(first**2) + np.sum(second**2) + 4 * np.max(task.strengths))
    h, begin = 0.1 / top, excess_of(task, second @ first)
    for k in range(1, steps + 1):
        p1 = field(first, second)
        p2 = field(first + 0.5 * h * p1[0], second + 0.5 * h * p1[1])
        p3 = field(first + 0.5 * h * p2[0], second + 0.5 * h * p2[1])
        p4 = field(first + h * p3[0], second + h * p3[1])
        first = first + h / 6 * (p1[0] + 2 * p2[0] + 2 * p3[0] + p4[0])
        second = second + h / 6 * (p1[1] + 2 * p2[1] + 2 * p3[1] + p4[1])
        left = excess_of(task, second @ first)
        if left > begin * np.exp(-exponent * h * k) * (1 + 1e-4) + 1e-20 * np.max(task.strengths) ** 2:
            return False
    return True


ALIGNED = np.array([[0.7, 0.6, 0.5], [0.5, 0.8, 0.3], [0.9, 0.4, 0.6]])


def test_aligned_descent_values_of_the_card():
    variance, drive = np.array([2.0, 1.5, 1.0]), np.array([1.0, 1.2, 0.4])
    inputs = np.diag(np.sqrt(3 * variance))
    problem = tw.DeepLinear(
        inputs=inputs, outputs=inputs @ np.diag(drive / variance), widths=(3,) * 4,
        start=[np.diag(layer) for layer in ALIGNED], rule=tw.GradientDescent(0.05),
    )  # fmt: skip
    told = tw.predict(problem, [10, 400], theory=tw.AlignmentInvariance()).isel(seed=0)
    values, products_ = ALIGNED.copy(), {}
    for k in range(1, 401):
        others = np.array([np.delete(values, j, axis=0).prod(axis=0) for j in range(3)])
        values = values + 0.05 * others * (drive - variance * values.prod(axis=0))
        products_[k] = values.prod(axis=0)
    for i, k in enumerate((10, 400)):
        np.testing.assert_allclose(told.singular_values[i], np.sort(products_[k])[::-1], atol=1e-14)
    np.testing.assert_allclose(products_[10], (0.4267803462938, 0.4334894137135, 0.1146823113733), atol=6e-14)
    np.testing.assert_allclose(products_[400], (0.5, 0.8, 0.39999997400), atol=6e-12)
    edge = 2 / np.max(variance * sum(np.delete(values, j, axis=0).prod(axis=0) ** 2 for j in range(3)))
    assert float(told.largest_stable_rate) == pytest.approx(edge, rel=1e-12)
    seen = tw.train(problem, [10, 400]).isel(seed=0)
    for name in ("train_loss", "singular_values", "layer_norms", "imbalance", "gradient_norm"):
        np.testing.assert_allclose(told[name], seen[name], atol=1e-13, err_msg=name)


def test_circulant_descent_is_predicted_exactly():
    problem = tw.DeepLinear(
        target=det(5, 5, 2, 1.0), widths=(5,) * 4, circulant=True, init_scale=0.5, weight_decay=(0.1, 0.0, 0.05),
        rule=tw.GradientDescent(0.02),
    )  # fmt: skip
    told = tw.predict(problem, [0, 50, 200], theory=tw.AlignmentInvariance())
    seen = tw.train(problem, [0, 50, 200])
    for name in ("train_loss", "singular_values", "layer_norms", "imbalance", "gradient_norm", "distance_to_min_norm"):
        np.testing.assert_allclose(told[name], seen[name], atol=1e-12, err_msg=name)


@pytest.mark.parametrize(("share", "stable"), [(0.98, True), (1.02, False)])
def test_the_stability_edge_of_an_aligned_mode(share, stable):
    values, mu, lam = np.array([1.2, 0.9, 0.8]), 1.3, 1.5
    for _ in range(4000):
        others = np.array([np.delete(values, j).prod() for j in range(3)])
        values = values + 0.02 * others * (mu - lam * values.prod())
    rate = share * 2 / (lam * sum(np.delete(values, j).prod() ** 2 for j in range(3)))
    moved = values + 1e-6
    for _ in range(300):
        others = np.array([np.delete(moved, j).prod() for j in range(3)])
        moved = moved + rate * others * (mu - lam * moved.prod())
    assert (abs(lam * moved.prod() - mu) < 1e-6) == stable


def test_the_mean_of_a_root_of_chi_squares():
    rng = np.random.default_rng(2)
    weights = np.array([1.0, 0.3, 0.05])
    draws = np.sqrt((weights * rng.chisquare(2, size=(400_000, 3))).sum(axis=1))
    told = float(jax.jit(mean_root)(jnp.asarray(weights), 2.0))
    assert told == pytest.approx(draws.mean(), abs=5 * draws.std() / np.sqrt(400_000))
    assert float(mean_root(jnp.asarray([4.0]), 1.0)) == pytest.approx(2 * np.sqrt(2 / np.pi), rel=1e-9)
    assert float(mean_root(jnp.asarray([4.0]), 0.0)) == 0.0


def test_the_distance_to_minimum_norm_falls_with_the_width():
    """Wide networks from Gaussian starts: the mean distance, a slope of -1/2, the band; other start scales too."""
    solution = (np.linalg.pinv(X) @ Y).T
    for width, kappa in ((32, 1.0), (256, 1.0), (256, 2.0)):
        problem = tw.DeepLinear(inputs=2 * X, outputs=2 * Y, widths=(6, width, 2), init_scale=kappa / width**0.5)
        told = tw.predict(problem, [0.0, 10.0], theory=tw.MinimumNormWidth())
        seen = distances(X, Y, solution, width, kappa, 200)
        error = 4 * seen.std() / np.sqrt(200)
        mean, band = float(told.distance_to_min_norm[0]), float(told.distance_deviation[0])
        size = tw.MinimumNormWidth().finite_size(problem)["distance_to_min_norm"].amount
        assert seen.mean() == pytest.approx(mean, abs=error + size * mean)
        assert seen.std() == pytest.approx(band, rel=0.25)


def test_a_full_rank_of_the_inputs_leaves_no_distance():
    problem = tw.DeepLinear(widths=(3, 50, 2), samples=20, init_scale=0.1)
    told = tw.predict(problem, [0.0, 1.0], theory=tw.MinimumNormWidth())
    assert float(told.distance_to_min_norm[0]) == 0.0


def test_the_certificate_of_the_first_lines():
    problem = tw.DeepLinear(target=[[2.0, 0.3], [0.1, 0.7]], widths=(2, 8, 2), init_scale=1e-2)
    with pytest.warns(tw.TheoryWarning, match="certified balance"):
        told = tw.predict(problem, theory=tw.AroraCertificate(), seeds=4)
    # no margin: the refusal comes as numbers
    assert np.all(told.margin < 0)
    assert np.all(told.certified_learning_rate == 0)
    assert np.all(told.usable_learning_rate > 0.4)
    with pytest.raises(ValueError, match="below 1e-10 of its largest"):
        tw.predict(tw.DeepLinear(target=[1.0, 0.0], widths=(2, 8, 2)), theory=tw.AroraCertificate())


@nightly
@pytest.mark.parametrize("name", ["certified", "violated"])
def test_presets_of_arora(name):
    preset = getattr(tw.Arora2019, name)
    problem = preset()
    result = tw.compare(problem, preset.times(problem), theory=tw.AroraCertificate(), seeds=2)
    assert result.attrs["verdict"] in {"certified": ("confirmed",), "violated": ("better than promised",)}[name]
