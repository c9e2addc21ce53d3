"""The lines of docs/conventions.md, on small cases in plain NumPy."""

import re
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
import scipy.special
from sklearn.linear_model import LogisticRegression, Ridge

import thalweg as tw
from thalweg.words.problem import seed_keys

N, P, DECAY = 9, 6, 0.3
RNG = np.random.default_rng(0)
DATA = tw.MixtureSample(
    inputs=RNG.normal(size=(N, P)), labels=RNG.choice([-1.0, 1.0], N), mean=np.full(P, 1 / np.sqrt(P))
)
START = RNG.normal(size=P)
X, Y = np.asarray(DATA.inputs), np.asarray(DATA.labels)


def run(rule, times, decay=0.0):
    problem = tw.LinearClassifier(dimension=P, samples=N, weight_decay=decay, rule=rule)
    return tw.train(problem, times, data=DATA, start=START).isel(seed=0)


def steps(count, rate, decay=0.0, half=0.5):
    """Plain descent on half/n |y - Xw|^2 + half decay |w|^2."""
    w = START
    for _ in range(count):
        w = w - rate * 2 * half * (X.T @ (X @ w - Y) / N + decay * w)
    return w


def weights(rule, last, decay=0.0):
    problem = tw.LinearClassifier(dimension=P, samples=N, weight_decay=decay, rule=rule)
    return tw.replay(problem, [0, last], data=DATA, start=START)


def test_c1_c2_c6_loss_and_penalty():
    """Half the mean squared error; the penalty is descended and not reported."""
    seen = run(tw.GradientDescent(0.1), [0, 7], DECAY)
    w = steps(7, 0.1, DECAY)
    assert 2 * float(seen.train_loss[-1]) == pytest.approx(np.mean((Y - X @ w) ** 2), rel=1e-12)
    assert float(seen.squared_norm[-1]) == pytest.approx(w @ w, rel=1e-12)
    overlap = np.asarray(DATA.mean) @ w
    assert 2 * float(seen.test_loss[-1]) == pytest.approx(1 - 2 * overlap + overlap**2 + w @ w, rel=1e-12)


def test_c3_c9_steps_of_a_small_rate_are_flow_time():
    """Flow time alpha t, up to the first order in alpha."""
    flow = float(run(tw.GradientFlow(), [0, 1.0]).test_loss[-1])
    for rate in (1e-2, 1e-3):
        descent = run(tw.GradientDescent(rate), [0, round(1 / rate)])
        assert float(descent.flow_time[-1]) == pytest.approx(1.0)
        assert float(descent.test_loss[-1]) == pytest.approx(flow, rel=10 * rate)


def test_c4_c10_start_variance():
    problem = tw.LinearClassifier(dimension=P, samples=N, init_variance=0.7)
    norms = tw.train(problem, [0.0], seeds=2000).squared_norm[:, 0]
    # |w|^2 has mean sigma^2 and standard deviation sigma^2 sqrt(2/p); four standard errors
    assert float(norms.mean()) == pytest.approx(0.7, abs=4 * 0.7 * np.sqrt(2 / P / 2000))


def test_c5_every_seed_has_its_own_start():
    problem = tw.LinearClassifier(dimension=P, samples=N)
    assert np.unique(tw.train(problem, [0.0], seeds=4).squared_norm).size == 4
    assert np.unique(tw.train(problem, [0.0], seeds=4, start=START).squared_norm).size == 1


def test_c7_only_the_norm_of_the_mean_counts():
    """Data, mean and start turned together: the same curves."""
    turn, _ = np.linalg.qr(RNG.normal(size=(P, P)))
    problem = tw.LinearClassifier(dimension=P, samples=N)
    turned = tw.MixtureSample(inputs=X @ turn, labels=Y, mean=np.asarray(DATA.mean) @ turn)
    here = tw.train(problem, [0.0, 1.0], data=DATA, start=START)
    there = tw.train(problem, [0.0, 1.0], data=turned, start=START @ turn)
    np.testing.assert_allclose(there.test_loss, here.test_loss, rtol=1e-6)


def test_c8_error_rates_are_one_minus_accuracy():
    told = tw.predict(tw.CouilletLiao2022.flow(), [0, 0.5], theory=tw.MarchenkoPastur())
    assert 1 - float(told.test_accuracy[-1]) == pytest.approx(0.24396132, abs=6e-9)


def test_c11_c12_ridge_is_the_end_of_decay():
    ours = weights(tw.GradientFlow(), 200.0, DECAY)
    ridge = np.linalg.solve(X.T @ X / N + DECAY * np.eye(P), X.T @ Y / N)
    np.testing.assert_allclose(ours, ridge, rtol=1e-6)
    theirs = Ridge(alpha=DECAY * N, fit_intercept=False, tol=1e-12).fit(X, Y).coef_
    np.testing.assert_allclose(ridge, theirs, rtol=1e-9)


def test_c13_a_loss_without_the_half():
    theirs = steps(5, 0.05, DECAY, half=1.0)
    np.testing.assert_allclose(weights(tw.GradientDescent(0.1), 5, DECAY), theirs, rtol=1e-12)


def test_c14_momentum_of_optax():
    ours = weights(tw.HeavyBall(0.1, 0.8), 12)
    theirs = weights(tw.Optax(optax.sgd, 0.1, {"momentum": 0.8}), 12)
    np.testing.assert_allclose(ours, theirs, rtol=1e-11)


def test_c15_nesterov_of_optax():
    now, before = weights(tw.Nesterov(0.1, 0.8), 12), weights(tw.Nesterov(0.1, 0.8), 11)
    theirs = weights(tw.Optax(optax.sgd, 0.1, {"momentum": 0.8, "nesterov": True}), 12)
    np.testing.assert_allclose(now + 0.8 * (now - before), theirs, rtol=1e-10)


def test_c16_descent_on_the_mean_square():
    """Plain steps on (1/n) sum (h - y)^2 at rate 1e-3, against the preset's own rate."""
    problem = tw.Boursier2022.toy_descent(scale=10.0)
    rows = np.array([[-0.5, 1.0], [2.0, 1.0]])
    w, a = 0.1 * np.cos(np.arange(120.0)).reshape(60, 2), 0.1 * np.sin(np.arange(60.0))
    start = tw.TwoLayer(hidden=w, output=a)
    for _ in range(500):
        missed = a @ np.maximum(w @ rows.T, 0) - problem.labels
        slope_w = ((a[:, None] * (w @ rows.T > 0)) * missed) @ rows
        w, a = w - 1e-3 * slope_w, a - 1e-3 * np.maximum(w @ rows.T, 0) @ missed
    seen = tw.train(problem, [500], start=start)
    np.testing.assert_allclose(seen.outputs[0, 0], a @ np.maximum(w @ rows.T, 0), rtol=1e-10)
    np.testing.assert_allclose(seen.flow_time, 2 * 1e-3 * 500)


def test_c17_deviation_of_an_entry():
    assert tw.Boursier2022.toy().init_scale == pytest.approx(1e-6 / 60**0.5)
    problem = tw.Boursier2022.toy()
    with jax.enable_x64():
        start = problem.initial(jax.random.key(0), problem.draw(jax.random.key(1)))
    # 120 entries: known to 6.5 %
    assert float(np.std(start.hidden)) == pytest.approx(1e-6 / 60**0.5, rel=0.25)
    np.testing.assert_allclose(np.abs(start.output), np.linalg.norm(start.hidden, axis=1), rtol=1e-12)


def on_line(problem, hidden, x, label):
    """The first layer after one step on the sample (x, label), teacher and output weights at 1."""
    from thalweg.systems.committee_machine.problem import Sample

    student = tw.TwoLayer(hidden=hidden, output=np.ones(2))
    with jax.enable_x64():
        count, x, label = (jax.numpy.asarray(part) for part in (0, x, label))
        moved, _ = problem.rule.step(problem, student, ((), ()), student, count, Sample(x, label))
    return np.asarray(moved.hidden)


POINT, LABEL = np.array([0.3, -1.2, 0.7, 2.0]), 0.4
HIDDEN = np.cos(np.arange(8.0)).reshape(2, 4)


def test_c24_weights_without_the_root_of_the_dimension():
    eta, n = 0.7, 4
    problem = tw.CommitteeMachine(dimension=n, rule=tw.OnePassSGD(eta))
    j = HIDDEN / np.sqrt(n)
    missed = scipy.special.erf(j @ POINT / np.sqrt(2)).sum() - LABEL
    slope = np.sqrt(2 / np.pi) * np.exp(-0.5 * (j @ POINT) ** 2)
    theirs = j - eta / n * np.outer(slope * missed, POINT)
    np.testing.assert_allclose(on_line(problem, HIDDEN, POINT, LABEL), np.sqrt(n) * theirs, rtol=1e-12)


def test_c25_decay_beside_the_step():
    eta, kappa, n = 0.7, 0.35, 4
    plain, decayed = (
        on_line(tw.CommitteeMachine(dimension=n, weight_decay=w, rule=tw.OnePassSGD(eta)), HIDDEN, POINT, LABEL)
        for w in (0.0, kappa / eta)
    )
    np.testing.assert_allclose(decayed, plain - kappa / n * HIDDEN, rtol=1e-12)


def test_c26_c27_ridge_and_flow_share_penalty_and_time():
    """Ridge of a large sample against its limit, both with the half and without; excess risk as a mean square."""
    dimension, samples, time = 30, 60, 4.0
    rng = np.random.default_rng(1)
    risks = []
    for _ in range(400):
        x, beta = rng.normal(size=(samples, dimension)), np.full(dimension, dimension**-0.5)
        y = x @ beta + 0.5 * rng.normal(size=samples)
        # (1/n)|y - Xw|^2 + lam |w|^2, lam = 1/t
        w = np.linalg.solve(x.T @ x / samples + np.eye(dimension) / time, x.T @ y / samples)
        risks.append((w - beta) @ (w - beta) + 0.25)
    problem = tw.LinearRegression(dimension=dimension, samples=samples, noise=0.5)
    told = float(tw.predict(problem, [0, time], theory=tw.RidgePath()).ridge_loss[-1])
    assert 2 * told == pytest.approx(np.mean(risks), abs=4 * np.std(risks) / 20 + 0.6 / dimension)
    fresh, targets = rng.normal(size=(400_000, dimension)), 0.5 * rng.normal(size=400_000)
    with jax.enable_x64():
        data = problem.draw(jax.random.key(0))
        loss = float(problem.observe(jax.numpy.zeros(dimension), data)["test_loss"])
    square = (fresh @ np.asarray(data.teacher) + targets) ** 2
    assert 2 * loss == pytest.approx(square.mean(), abs=4 * square.std() / 400_000**0.5)


def test_c28_c29_single_steps_of_regression():
    problem = tw.LinearRegression(dimension=4, samples=5, noise=0.3, rule=tw.SGD(learning_rate=0.8 / 4))
    with jax.enable_x64():
        draw, _, path = seed_keys(np.int64(0))
        data = problem.draw(draw)
        i = int(jax.random.randint(jax.random.fold_in(path, 0), (8, 1), 0, 5)[0, 0])
        fresh = problem.fresh(jax.random.fold_in(path, 0), data, 32)
    data = jax.tree.map(np.asarray, data)
    wanted = START[:4] + 0.8 / 4 * data.inputs[i] * (data.targets[i] - data.inputs[i] @ START[:4])
    np.testing.assert_allclose(tw.replay(problem, [0, 1], start=START[:4]), wanted, rtol=1e-12)
    x, y = np.asarray(fresh.inputs[0]), float(fresh.targets[0])
    once = tw.LinearRegression(dimension=4, samples=5, noise=0.3, rule=tw.OnePassSGD(0.8))
    wanted = START[:4] + 0.8 / 4 * x * (y - x @ START[:4])
    np.testing.assert_allclose(tw.replay(once, [0, 0.25], start=START[:4]), wanted, rtol=1e-12)
    assert float(tw.train(once, [0, 0.25]).flow_time[-1]) == pytest.approx(0.8 / 4)


def quadratic_steps(count: int, eta: float, rho: float = 0.0):
    """Descent of R = (1/4) E (f - y)^2 with step eta, in the source's own terms: R, phi and time at the end."""
    lam, w, phi = np.diag([0.5, 0.2, 0.0]), QUADRATIC, 0.0
    for _ in range(count):
        error = w @ w.T - lam
        phi += eta * np.trace(error)
        w = w - eta * ((2 * error + (np.trace(error) + rho) * np.eye(3)) @ w)
    error = w @ w.T - lam
    return 0.5 * np.sum(error**2) + 0.25 * np.trace(error) ** 2, phi, count * eta


QUADRATIC = np.array([[0.5, 0.2], [-0.1, 0.4], [0.3, 0.1]])


def quadratic(rule, times, decay=0.0):
    problem = tw.QuadraticNetwork(
        dimension=3, width=2, teacher_spectrum=(0.5, 0.2, 0.0), weight_decay=decay, noise=0.3, rule=rule
    )
    return tw.train(problem, times, data=np.diag([0.5, 0.2, 0.0]), start=QUADRATIC).isel(seed=0)


def test_c18_c20_c21_c22_quadratic_network():
    """Half the mean square, twice the source's risk, with half its step; the penalty doubles; noise is left out."""
    for rho in (0.0, 0.3):
        risk, phi, _ = quadratic_steps(30, 0.1, rho)
        seen = quadratic(tw.GradientDescent(0.05), [0, 30], 2 * rho)
        assert float(seen.test_loss[-1]) == pytest.approx(2 * risk, rel=1e-12)
        assert 2 * float(seen.trace_integral[-1]) == pytest.approx(phi, rel=1e-12)
    x = np.random.default_rng(0).normal(size=(200_000, 3))
    square = (np.sum((x @ QUADRATIC) ** 2, axis=1) - x**2 @ [0.5, 0.2, 0.0]) ** 2
    error = 4 * square.std() / np.sqrt(len(x))
    assert float(seen.test_loss[0]) == pytest.approx(square.mean() / 2, abs=error / 2)


def test_c19_flow_time_is_half_the_time_of_the_source():
    for eta in (1e-2, 1e-3):
        risk, phi, time = quadratic_steps(round(2 / eta), eta)
        flow = quadratic(tw.GradientFlow(), [0, time / 2])
        assert float(flow.test_loss[-1]) == pytest.approx(2 * risk, rel=5 * eta)
        assert 2 * float(flow.trace_integral[-1]) == pytest.approx(phi, rel=5 * eta)


def test_c23_one_pass_steps_of_the_quadratic_network():
    """One step on a sample descends a quarter of its square by nu/d with nu = 2 learning_rate."""
    problem = tw.QuadraticNetwork(
        dimension=4, width=2, teacher_spectrum=(0.5, 0.2, 0.0, 0.0), noise=0.3, rule=tw.OnePassSGD(0.35)
    )
    start = np.vstack([QUADRATIC, [[0.2, -0.3]]])
    told = tw.replay(problem, [0.25], seed=0, data=np.diag([0.5, 0.2, 0.0, 0.0]), start=start)
    with jax.enable_x64():
        key = jax.random.fold_in(seed_keys(0)[2], 0)
        sample = jax.tree.map(
            lambda leaf: np.asarray(leaf[0]), problem.fresh(key, problem.draw(key), problem.rule.block)
        )
    error = np.sum((sample.inputs @ start) ** 2) - sample.labels
    eta = 2 * 0.35 / 4
    wanted = start - eta * error * np.outer(sample.inputs, sample.inputs @ start)
    np.testing.assert_allclose(told.weights, wanted, rtol=1e-12)
    gap = np.sum(start**2) - 0.7
    assert 2 * float(told.trace_integral) == pytest.approx(eta * gap, rel=1e-12)


def test_c30_quadratic_regression():
    """One step of the source's flow on GOE matrices, its loss and its mean square error, in the library's units."""
    d, n, penalty, step, rng = 3, 40, 0.3, 1e-2, np.random.default_rng(0)
    raw = rng.normal(size=(n, d, d))
    x = (raw + raw.transpose(0, 2, 1)) / np.sqrt(2 * d)
    teacher, w = np.diag([2.0, 1.0, 0.0]), np.sqrt(2) * QUADRATIC
    y = np.einsum("kij,ij->k", x, teacher) + 0.4 * rng.normal(size=n)

    def error(w):
        return np.einsum("kij,ij->k", x, w @ w.T) - y

    moved = w - step * (d / n * np.einsum("k,kij->ij", error(w), x) @ w + 2 * penalty * w)
    problem = tw.QuadraticRegression(
        dimension=d, samples=n, width=2, teacher_spectrum=np.diag(teacher) / np.sqrt(d), inputs=tw.MatrixInputs(),
        weight_decay=4 * penalty / np.sqrt(d), rule=tw.GradientDescent(step * np.sqrt(d) / 2),
    )  # fmt: skip
    data = (np.sqrt(d) * x, y, teacher / np.sqrt(d))
    seen = tw.train(problem, [0, 1], data=data, start=w / d**0.25).isel(seed=0)
    for i, factor in enumerate((w, moved)):
        assert float(seen.train_loss[i]) == pytest.approx(2 * np.sum(error(factor) ** 2) / (4 * n), rel=1e-12)
        square = np.sum((factor @ factor.T - teacher) ** 2) / d
        assert float(seen.test_loss[i]) == pytest.approx(square, rel=1e-12)


LOGISTIC = tw.DatasetLogistic(
    inputs=np.array([[1.0, 0], [-0.6, 0], [0.8, 0], [0.5, 1.3]]), labels=[1.0, 1, -1, 1], rule=tw.GradientDescent(0.5)
)


def test_c31_steps_of_the_logistic_loss():
    """Their descent by hand; w = offset + ray/margin ln t + rest in their clock, ln(flow time) - ln(rate) = ln t."""
    z, w, count = -np.array([1.0, 1, -1, 1])[:, None] * np.asarray(LOGISTIC.inputs), np.zeros(2), 20_000
    for _ in range(count):
        w = w - 0.5 * z.T @ scipy.special.expit(z @ w) / 4
    np.testing.assert_allclose(tw.replay(LOGISTIC, [0, count]), w, rtol=1e-10)
    told = tw.predict(LOGISTIC, theory=tw.RayPlusOffset())
    found = tw.separation(LOGISTIC.inputs, LOGISTIC.labels)
    theirs = told.log_offset.values + found.ray / found.margin * np.log(0.5)
    np.testing.assert_allclose(found.offset + found.ray / found.margin * np.log(count) + theirs, w, atol=5e-3)


def test_c32_sums_instead_of_means():
    rows = np.asarray(LOGISTIC.inputs)[:3]
    found = tw.separation(rows[:, :1], LOGISTIC.labels[:3])
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, solver="newton-cholesky")
    model.fit(rows[:, :1], LOGISTIC.labels[:3])
    np.testing.assert_allclose(found.offset, model.coef_[0], rtol=1e-8)


LAYERS = 0.6 * np.cos(np.arange(12.0)).reshape(4, 3), 0.5 * np.sin(np.arange(8.0)).reshape(2, 4)


def linear_steps(count, eta, slope, decay=0.0):
    """Plain steps of two layers, `slope` the gradient of the source's loss in W."""
    first, second = LAYERS
    for _ in range(count):
        missed = slope(second @ first)
        first, second = (
            first - eta * (second.T @ missed + 2 * decay * first),
            second - eta * (missed @ first.T + 2 * decay * second),
        )
    return second @ first


def linear_end(rate, **more):
    problem = tw.DeepLinear(widths=(3, 4, 2), rule=tw.GradientDescent(rate), **more)
    first, second = tw.replay(problem, [0, 20], start=LAYERS)
    seen = tw.train(problem, [0, 20], start=LAYERS).train_loss
    return second @ first, float(seen[0, 1])


def test_c33_c35_white_deep_linear_losses():
    """(1/2)|W - Z|^2 is the loss as it is; |W - Z|^2 + sum lambda |W_l|^2 is twice the objective, at half the rate."""
    target = np.cos(np.arange(6.0)).reshape(2, 3)
    whole, loss = linear_end(0.1, target=target)
    np.testing.assert_allclose(whole, linear_steps(20, 0.1, lambda w: w - target), rtol=1e-12)
    assert loss == pytest.approx(0.5 * np.sum((whole - target) ** 2), rel=1e-12)
    whole, loss = linear_end(0.1, target=target, weight_decay=0.3)
    np.testing.assert_allclose(whole, linear_steps(20, 0.05, lambda w: 2 * (w - target), 0.3), rtol=1e-12)
    assert 2 * loss == pytest.approx(np.sum((whole - target) ** 2), rel=1e-12)


def test_c34_losses_that_sum_over_samples():
    x, y = np.cos(np.arange(15.0)).reshape(5, 3), np.sin(np.arange(10.0)).reshape(5, 2)
    whole, loss = linear_end(5 * 0.02, inputs=x, outputs=y)
    np.testing.assert_allclose(whole, linear_steps(20, 0.02, lambda w: (x @ w.T - y).T @ x), rtol=1e-12)
    assert 5 * loss == pytest.approx(0.5 * np.sum((y - x @ whole.T) ** 2), rel=1e-12)


def test_every_line_of_the_table_is_tested():
    table = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()
    named = re.findall(r"^\| (C\d+) \|", table, flags=re.MULTILINE)
    here = {f"C{number}" for number in re.findall(r"_c(\d+)", Path(__file__).read_text())}
    assert named
    assert set(named) <= here
