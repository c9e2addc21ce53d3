"""The learning-rate study against closed forms, loops in NumPy, and rates that are known exactly."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import thalweg as tw
from thalweg.diagnostics.as_loss import as_loss
from thalweg.diagnostics.regimes import regimes
from thalweg.verbs.known_rates import known_rates, rates_known_of
from thalweg.words.problem import seed_keys

RNG = np.random.default_rng(3)
INPUTS, TARGETS = RNG.standard_normal((24, 4)) * [2.0, 1.0, 1.0, 0.5], RNG.standard_normal((24, 1))
HESSIAN = INPUTS.T @ INPUTS / 24
EDGE = 2 / np.linalg.eigvalsh(HESSIAN)[-1]
START = np.full((4, 1), 0.3)
RATES = EDGE * np.asarray([0.01, 0.1, 0.5, 0.9, 1.1, 2.0])
STEPS, THEN = 60, 20


def loss(params, batch):
    return 0.5 * jnp.mean(jnp.sum((batch[0] @ params - batch[1]) ** 2, axis=1))


def states(params, inputs):
    return [inputs @ params]


def descended(rate, steps, start=START):
    path = [start]
    for _ in range(steps):
        path.append(path[-1] - rate * INPUTS.T @ (INPUTS @ path[-1] - TARGETS) / 24)
    return np.asarray(path)


def value(weights):
    return 0.5 * np.mean((INPUTS @ weights - TARGETS) ** 2)


@pytest.fixture(scope="module")
def study():
    with jax.enable_x64():
        return tw.learning_rate_study(
            loss, START, [(INPUTS, TARGETS)], states, rates=RATES, steps=STEPS, then=THEN, known={"2 / sharpness": EDGE}
        )


def test_short_runs_and_what_follows_them(study):
    for i, rate in enumerate(RATES):
        path = descended(rate, STEPS + THEN)
        told = [value(path[k]) for k in study.step.values]
        np.testing.assert_allclose(study.loss[i], told, rtol=1e-9)
        small = descended(min(rate, 0.1 * RATES[3]), THEN, path[STEPS])[-1]
        assert float(study.fine_tuned_loss[i]) == pytest.approx(value(small), rel=1e-9)
        assert float(study.averaged_loss[i]) == pytest.approx(value(path[STEPS:].mean(axis=0)), rel=1e-9)
    assert study.regime.values.tolist() == ["convergent"] * 4 + ["divergent"] * 2


def test_marks_of_a_quadratic_loss(study):
    rate = study.mark_rate.to_series()
    rate.index = study.mark.values
    slope = INPUTS.T @ (INPUTS @ START - TARGETS) / 24
    exact = float((slope.T @ slope / (slope.T @ HESSIAN @ slope)).item())
    assert rate["stability limit"] == pytest.approx(EDGE, rel=1e-3)
    assert rate["2 / sharpness"] == EDGE
    assert rate["1 / curvature"] == pytest.approx(exact, rel=1e-9)
    assert rate["line search"] == pytest.approx(exact, rel=1e-6)
    assert np.isinf(rate[["linear range 0.1", "linear range 0.3", "linear range 1"]]).all()
    assert (rate["largest convergent"], rate["smallest divergent"]) == (RATES[3], RATES[4])


def test_the_finder(study):
    """The sweep in NumPy, and torch-lr-finder's average, stop and steepest descent written down again."""
    rates, w, losses = study.sweep_rate.values, START, []
    for rate in rates:
        losses.append(value(w))
        w = w - rate * INPUTS.T @ (INPUTS @ w - TARGETS) / 24
    average = [losses[0]]
    while len(average) < len(losses) and average[-1] <= 5 * min(average):
        average.append(0.05 * losses[len(average)] + 0.95 * average[-1])
    seen = np.isfinite(study.sweep_smoothed.values)
    np.testing.assert_allclose(study.sweep_smoothed.values[seen], average, rtol=1e-6)
    found = float(study.mark_rate[study.mark.values == "steepest of the sweep"].item())
    assert found == rates[np.gradient(average).argmin()]
    assert np.all(np.diff(np.log(rates)) == pytest.approx(np.log(rates[-1] / rates[0]) / 99))


def test_table_file_and_picture(study, tmp_path):
    table = tw.rate_table(study)
    assert table["rate"].dropna().is_monotonic_increasing
    assert float(study.attrs["cost"]) > len(RATES) * STEPS
    tw.save(study, tmp_path / "run.nc")
    again = tw.load(tmp_path / "run.nc")
    assert again.equals(study)
    figure = tw.plot(again, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000
    words = [t.get_text() for axes in figure.axes for t in axes.get_yticklabels()]
    assert "2 / sharpness" in words
    with pytest.raises(ValueError, match="call it again"):
        tw.rerun(again)
    with pytest.raises(ValueError, match="learning_rate_study"):
        tw.rate_table(tw.predict(tw.LinearClassifier(dimension=6, samples=9)))


def test_an_optimiser_in_the_precision_of_the_user():
    """Float32 weights stay so even under float64, minibatch by minibatch, as in a loop of optax."""
    x, y = (jnp.asarray(a, jnp.float32).reshape(3, 8, -1) for a in (INPUTS, TARGETS))
    batches = list(zip(x, y, strict=True))
    start = {"w": jnp.asarray(START, jnp.float32)}

    def own(params, batch):
        assert params["w"].dtype == jnp.float32
        return loss(params["w"], batch)

    rates = [1e-3, 0.1]
    found = tw.learning_rate_study(own, start, batches, rule=tw.Optax(optax.adamw), rates=rates, steps=20)
    assert found.attrs["precision"] == "float32"
    assert not [n for n in found.mark.values if n.startswith("linear range")]
    transform = optax.adamw(0.1)
    w, state = start, transform.init(start)
    for k in range(20):
        update, state = transform.update(jax.grad(own)(w, batches[k % 3]), state, w)
        w = optax.apply_updates(w, update)
    told = np.mean([own(w, batch) for batch in batches])
    assert float(found.final_loss[1]) == pytest.approx(told, rel=1e-5)


def test_regimes_on_the_sphere():
    """L = (1/2) theta.A theta / |theta|^2 in two dimensions, normalised after each step: a two-cycle for kappa > 2."""
    low, high = 1.0, 3.0
    kappas = np.asarray([0.2, 0.8, 1.6, 3.0, 4.0, 8.0])
    losses = []
    for kappa in kappas:
        angle, path = 1.3, []
        for _ in range(200):
            path.append(0.5 * (low * np.cos(angle) ** 2 + high * np.sin(angle) ** 2))
            slope = 0.5 * (high - low) * np.sin(2 * angle)
            angle = angle - np.arctan(kappa / (high - low) * slope)
        losses.append(path)
        orbit = 0.5 * (low + (high - low) * max(0.0, kappa - 2) / (2 * kappa))
        assert path[-1] == pytest.approx(orbit, abs=1e-6)
    assert regimes(np.asarray(losses)[:, ::4]).tolist() == ["convergent"] * 3 + ["chaotic"] * 3


def test_regimes_of_restless_and_lost_runs():
    times = np.arange(24)
    noise = np.random.default_rng(0).standard_normal(24)
    rows = [
        np.exp(-times / 30),
        np.exp(-times / 3),
        0.4 + 0.1 * noise * (times > 0) + 0.6 * (times == 0),
        1.0 + 0.2 * times,
        np.where(times > 5, np.nan, 1.0),
    ]
    assert regimes(np.asarray(rows)).tolist() == ["convergent", "convergent", "chaotic", "divergent", "divergent"]
    with pytest.raises(ValueError, match="at least 5"):
        regimes(np.ones((2, 4)))


def test_known_rates_of_the_library():
    """Exact rates by hand: the draw's sample covariance, equal eigenvalues of a quadratic teacher, on-line learning."""
    problem = tw.LinearClassifier(dimension=6, samples=9, rule=tw.HeavyBall(momentum=0.5))
    with jax.enable_x64():
        (data,) = as_loss(problem).batches
        top = np.linalg.eigvalsh(np.asarray(data.inputs).T @ np.asarray(data.inputs) / 9)[-1]
        known = rates_known_of(problem)
        assert known["largest stable rate of the draw"] == pytest.approx(3 / top)
        assert known["Eigenmodes"] == pytest.approx(3 / top)
        online = tw.CommitteeMachine(dimension=16, rule=tw.OnePassSGD(learning_rate=0.5))
        task = as_loss(online, most=8)
        assert len(task.batches) == 8
        batch = task.batches[0]
        sample = jax.tree.map(lambda leaf: leaf[0], batch)
        slope = jax.grad(task.loss)(task.params, batch)
        data = online.draw(seed_keys(0)[0])
        plain = jax.grad(online.sample_objective)(task.params, data, sample)
        np.testing.assert_allclose(slope.hidden, plain.hidden, rtol=1e-12)
        assert not np.any(slope.output)
        assert float(task.loss(task.params, batch)) == pytest.approx(
            float(online.sample_objective(task.params, data, sample)), rel=1e-12
        )
        # on an orthonormal teacher the theory of on-line learning speaks, too: its critical rate is that of the draw
        teacher = 4.0 * jnp.eye(16)[:2]
        start = tw.TwoLayer(teacher + 0.1, jnp.ones(2))
        known = known_rates(online, tw.TwoLayer(teacher, jnp.ones(2)), start)
        assert known["CriticalRate"] == pytest.approx(known["largest stable rate of the draw"], rel=0.2)
        with pytest.raises(ValueError, match="fresh sample at every step"):
            as_loss(tw.LinearClassifier(dimension=6, samples=9, rule=tw.OnePassSGD()))


def linear(params, inputs):
    return inputs @ params


def begin(key):
    return jnp.full((4, 1), 0.3)


OWN = tw.NetworkProblem(linear, begin, data=(INPUTS, TARGETS), rule=tw.GradientDescent())


def test_a_network_is_studied_as_its_loss_is(study):
    told = tw.learning_rate_study(OWN, rates=RATES, steps=STEPS, then=THEN, known={"2 / sharpness": EDGE})
    xr.testing.assert_allclose(told, study, rtol=1e-9)
    assert told.attrs["precision"] == "float64"
    assert "2 / sharpness" not in tw.rate_study_of(OWN, rates=RATES, steps=8).mark


@pytest.mark.parametrize(
    ("rule", "order", "moves"),
    [
        (tw.SGD(0.1, batch=5), "drawn", tw.GradientDescent(0.1)),
        (tw.Minibatches(rule=tw.HeavyBall(0.2), batch=5), "cyclic", tw.HeavyBall(0.2)),
        (tw.Scheduled(rule=tw.SGD(0.1, batch=5)), "drawn", tw.Scheduled(rule=tw.GradientDescent(0.1))),
    ],
    ids=["sgd", "in turn", "scheduled"],
)
def test_minibatches_of_a_problem_are_those_of_its_rule(rule, order, moves):
    """Rows of a network's own data; indices, where a problem has no rows: the mean over batches is the objective."""
    problem = dataclasses.replace(OWN, rule=rule)
    library = tw.LinearClassifier(dimension=6, samples=20, rule=rule)
    with jax.enable_x64():
        one, other = as_loss(problem), as_loss(library)
        assert (one.order, one.rule) == (order, moves)
        rows = np.concatenate([np.asarray(batch[0]) for batch in one.batches])
        assert rows.shape == (20, 4)
        assert all(any(np.array_equal(row, x) for x in INPUTS) for row in rows)
        if order == "cyclic":
            np.testing.assert_array_equal(rows, INPUTS[:20])
        assert sorted(np.concatenate(other.batches)) == list(range(20))
        losses = [float(other.loss(other.params, batch)) for batch in other.batches]
        data = library.draw(seed_keys(0)[0])
        assert np.mean(losses) == pytest.approx(float(library.objective(other.params, data)), rel=1e-12)


def test_the_exact_edge_parts_the_regimes_of_a_quadratic_network():
    problem = tw.QuadraticNetwork(dimension=8, width=8, teacher_width=2, rule=tw.GradientDescent())
    with jax.enable_x64():
        edge = rates_known_of(problem)["StabilityEdge"]
    rates = edge * np.asarray([0.3, 0.8, 1.25, 1.6])
    found = tw.rate_study_of(problem, rates=rates, steps=400)
    assert found.regime.values[:2].tolist() == ["convergent"] * 2
    assert "convergent" not in found.regime.values[2:]
    assert "StabilityEdge" in found.mark.values


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": lambda p, b: b[0] @ p}, "one number is wanted"),
        ({"loss": OWN}, "has samples of its own"),
        ({"params": None}, "needs params and batches"),
        ({"loss": lambda p, b: jnp.sum(p) / 0.0}, "finite loss"),
        ({"params": np.asarray([1, 2])}, "floating-point"),
        ({"params": np.full((4, 1), np.nan)}, "NaN or infinite"),
        ({"batches": []}, "at least one batch"),
        ({"batches": [(INPUTS[:0], TARGETS[:0])]}, "at least one sample"),
        ({"batches": [(INPUTS[:3], TARGETS[:3]), (INPUTS[:2], TARGETS[:2])]}, "drop the last"),
        ({"rule": tw.GradientFlow()}, "whole steps"),
        ({"rule": tw.OnePassSGD()}, "descends the whole objective"),
        ({"rates": [0.1, -1.0]}, "increasing"),
        ({"rates": [0.1]}, "at least two"),
        ({"steps": 3}, "steps >= 8"),
        ({"then": -1}, "then >= 0"),
        ({"order": "sorted"}, "'cyclic', 'drawn' or 'shuffled'"),
        ({"states": lambda p, x: [x]}, "do not depend on the parameters"),
    ],
)
def test_bad_input(change, words):
    given = {"loss": loss, "params": START, "batches": [(INPUTS, TARGETS)], "steps": 10, "rates": [0.01, 0.02]}
    with pytest.raises(ValueError, match=words):
        tw.learning_rate_study(**{**given, **change})
