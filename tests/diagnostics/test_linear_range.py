"""Linear range: the card's values, closed forms, scaling, and what a user may get wrong."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from step_size_cases import RECTIFIED, TANH, downhill, formula_data, formula_network, half_square, layers_of

import thalweg as tw

d = tw.diagnostics
NET, DATA = formula_network(), formula_data(0, 5)
STATES, RELU = layers_of(TANH), layers_of(RECTIFIED)
LOSS, RELU_LOSS = half_square(STATES), half_square(RELU)


@pytest.fixture(scope="module")
def down():
    with jax.enable_x64():
        return downhill(LOSS, NET, DATA)


def close(found, told, digits=8):
    """Equal to the digits that the card gives."""
    np.testing.assert_allclose(found, told, rtol=0.6 * 10.0 ** (1 - digits))


def test_the_tanh_network_of_the_card(down):
    assert float(LOSS(NET, DATA)) == pytest.approx(1.36684219839, abs=1e-11)
    low = d.linear_range(STATES, NET, DATA[0], down, threshold=(0.1, 0.3, 1.0), method="root")
    close(low.step, [0.492158969, 2.664112554, 6.326761178], 9)
    close(low.nonlinearity([0.01, 0.1, 1.0]), [0.00237556071, 0.0234529110, 0.147507153])
    np.testing.assert_allclose(low.layer_nonlinearity(1.0), [0.02807113, 0.05461780, 0.35983253], atol=6e-9)
    np.testing.assert_allclose(np.mean(low.per_layer, axis=1), [0.1, 0.3, 1.0], rtol=1e-9)
    assert low.dead_units.tolist() == [0, 0, 0]
    assert not low.floored.any()
    high = d.linear_range(STATES, NET, DATA[0], down, (0.1, 0.3, 1.0), denominator="tangent", method="root")
    close(high.step, [0.494209157, 3.904022130, math.inf], 9)
    close(high.nonlinearity([0.01, 0.1, 1.0]), [0.00237551255, 0.0234481114, 0.144456505])
    np.testing.assert_allclose(high.layer_nonlinearity(1.0), [0.02732366, 0.05397847, 0.35206739], atol=6e-9)
    np.testing.assert_allclose(high.nonlinearity([1e2, 1e4, 1e6]), [0.8702, 0.99802, 0.99998], atol=6e-5)
    assert np.isnan(high.per_layer[2]).all()
    both = layers_of(TANH, before=True)
    for denominator, told in (("min", 0.00123181966), ("tangent", 0.00123178499)):
        seen = d.linear_range(both, NET, DATA[0], down, denominator=denominator, start_step=0.01)
        close(seen.nonlinearity(0.01), told, 9)


def test_the_loss_as_the_only_state(down):
    states = d.objective(LOSS)
    low = d.linear_range(states, NET, DATA, down, (0.1, 0.3, 1.0), method="root")
    close(low.step, [0.627800690, 0.897009339, 1.514208920], 9)
    high = d.linear_range(states, NET, DATA, down, (0.1, 0.3, 1.0), "tangent", "root")
    close(high.step, [0.646432718, 1.032130914, math.inf], 9)


def test_a_network_in_place_of_its_states(down):
    """Its outputs, from its start, downhill on its data."""

    def outputs(params, inputs):
        return STATES(params, inputs)[-1]

    network = tw.NetworkProblem(outputs, lambda key: NET, data=DATA)
    told = d.linear_range(lambda p, x: [outputs(p, x)], NET, DATA[0], down, (0.1, 1.0), method="root")
    np.testing.assert_allclose(d.linear_range(network, threshold=(0.1, 1.0), method="root").step, told.step, rtol=1e-9)
    with pytest.raises(ValueError, match="LinearClassifier does not say what its layers hold"):
        d.linear_range(tw.LinearClassifier(dimension=6, samples=9))


def test_one_shot_is_one_step_of_the_iteration_of_the_card(down):
    step, seen = 0.1, []
    for _ in range(5):
        step = d.linear_range(STATES, NET, DATA[0], down, threshold=0.3, start_step=step).step
        seen.append(step)
    np.testing.assert_allclose(seen, [1.279159, 2.377958, 2.791297, 2.608750, 2.688727], atol=6e-7)
    many = d.linear_range(STATES, NET, DATA[0], down, threshold=[0.15, 0.3], start_step=0.1)
    np.testing.assert_allclose(many.step, [seen[0] / 2, seen[0]], rtol=1e-14)


def test_the_rectified_network_of_the_card():
    assert float(RELU_LOSS(NET, DATA)) == pytest.approx(1.93992135970, abs=1e-11)
    down = downhill(RELU_LOSS, NET, DATA)
    low = d.linear_range(RELU, NET, DATA[0], down, (0.1, 0.3, 1.0), method="root")
    close(low.step, [0.243763616, 0.494502425, 0.663902595], 9)
    close(low.nonlinearity([0.01, 0.1, 1.0]), [0.00378810549, 0.0381945325, 1.53690464])
    high = d.linear_range(RELU, NET, DATA[0], down, (0.1, 0.3, 1.0), "tangent", "root")
    close(high.step, [0.250198054, 0.498551925, 0.684052674], 9)
    assert np.all(low.step <= high.step)
    # the range is exactly divided by the length of the direction, and by the factor of the loss
    for factor in (100.0, 1e-6):
        scaled = downhill(half_square(RELU, factor), NET, DATA)
        again = d.linear_range(RELU, NET, DATA[0], scaled, (0.1, 0.3, 1.0), method="root")
        np.testing.assert_allclose(again.step * factor, low.step, rtol=1e-9)


def test_the_root_does_not_know_where_it_started(down):
    for start in (1e-6, 1e6):
        found = d.linear_range(STATES, NET, DATA[0], down, 0.3, method="root", start_step=start)
        close(found.step, 2.664112554, 9)


@pytest.mark.parametrize(("w1", "w2", "y"), [(0.7, 1.3, -0.4), (0.7, 1.3, 2.0), (-1.1, 0.6, 0.1), (0.4, 0.5, 0.0)])
def test_two_scalar_layers_in_closed_form(w1, w2, y):
    x = 1.1
    inputs, params = np.array([[x]]), (np.array(w1), np.array(w2))

    def states(params, inputs):
        return [params[0] * inputs, params[1] * params[0] * inputs]

    down = downhill(half_square(states), params, (inputs, np.array([[y]])))
    squares, product = w1**2 + w2**2, w1 * w2
    pull, levels = ((product * x - y) * x * product) / squares, np.array([0.1, 0.3, 1.0])
    q = 2 * levels / (1 + 2 * levels) if pull > 0 else 2 * levels
    # past q = 1/2 the actual change is the shorter one; before it |1 - q| < 1 already
    low = d.linear_range(states, params, inputs, down, levels.tolist(), method="root")
    np.testing.assert_allclose(low.step, q / abs(pull), rtol=1e-8)
    high = d.linear_range(states, params, inputs, down, levels.tolist(), "tangent", "root")
    np.testing.assert_allclose(high.step, 2 * levels / abs(pull), rtol=1e-8)
    if (w1, y) == (0.7, -0.4):
        np.testing.assert_allclose(low.step, [0.259079, 0.582929, 1.036318], atol=6e-7)


def test_a_quadratic_loss_as_the_state():
    hessian = np.array([[3.0, 1.0], [1.0, 0.5]])

    def loss(params, batch):
        return 0.5 * params @ jnp.asarray(hessian) @ params

    params = np.array([0.4, -1.2])
    slope = hessian @ params
    bend = slope @ hessian @ slope / (slope @ slope)
    found = [
        d.linear_range(d.objective(loss), params, None, -slope, [0.3, 1.0], denominator, method).step * bend
        for denominator, method in (("tangent", "one-shot"), ("tangent", "root"), ("min", "root"))
    ]
    np.testing.assert_allclose(found[0], [0.6, 2.0], rtol=1e-10)
    np.testing.assert_allclose(found[1], [0.6, 2.0], rtol=1e-10)
    np.testing.assert_allclose(found[2], [2 * 0.3 / 1.3, 1.0], rtol=1e-10)
    assert d.curvature(loss, params, None, -slope) == pytest.approx(bend, rel=1e-13)


def test_one_sigmoid_neuron():
    def neuron(params, inputs):
        return jax.nn.sigmoid(inputs @ params[0] + params[1])

    params, step = (np.ones(2), np.array(1.0)), (np.ones(2), np.array(1.0))
    inputs = np.ones((1, 2), int)  # integer inputs are legal, and plain outputs are one layer
    told = [d.linear_range(neuron, params, inputs, step, denominator=name) for name in ("tangent", "min")]
    close([seen.nonlinearity(0.1) for seen in told], [0.1253091031, 0.1432610121], 9)
    assert float(0.1 * told[0].curve.tangent[0][0, 0]) == pytest.approx(0.0135529979, abs=1e-10)


def test_what_is_linear_has_no_end():
    rng = np.random.default_rng(0)
    params, step = rng.normal(size=(2, 40, 30))
    inputs = rng.normal(size=(7, 40))
    for cast in (np.float64, np.float32):
        for method in ("one-shot", "root"):
            for start in (1e-6, 1.0, 1e6):
                found = d.linear_range(
                    lambda w, x: [x @ w], cast(params), cast(inputs), cast(step), method=method, start_step=start
                )
                assert found.step == math.inf


@pytest.mark.parametrize("method", ["one-shot", "root"])
def test_a_direction_that_moves_nothing_is_said(down, method):
    still = jax.tree.map(lambda leaf: 0.0 * leaf, down)
    for threshold in (0.4, [0.2, 0.7]):
        with pytest.warns(UserWarning, match="moves no state"):
            found = d.linear_range(STATES, NET, DATA[0], still, threshold, method=method)
        assert np.all(np.isinf(found.step))


def test_a_wide_layer_follows_its_limit():
    """Hidden state of a.tanh(Wx/sqrt d)/sqrt n: eps -> 0.41971 eta |r| / sqrt n (card 2.1, closed form 5)."""
    n, inputs = 8192, np.ones((1, 4))
    rng = np.random.default_rng(1)
    params = (rng.normal(size=(4, n)), rng.normal(size=(n, 1)))

    def states(params, x):
        hidden = jnp.tanh(x @ params[0] / 2)
        return [hidden, hidden @ params[1] / math.sqrt(n)]

    down = downhill(half_square(states), params, (inputs, np.array([[5.0]])))
    miss = abs(float(states(params, inputs)[1][0, 0]) - 5.0)
    seen = d.linear_range(states, params, inputs, down, denominator="tangent", start_step=0.1)
    hidden, out = seen.layer_nonlinearity(0.1) / (0.1 * miss / math.sqrt(n))

    def average(power):  # of (second derivative)^power (first derivative)^4 over a standard normal number
        return quad(lambda z: np.exp(-z * z / 2) * (2 * np.tanh(z)) ** power / np.cosh(z) ** (8 + 2 * power), -12, 12)[
            0
        ]

    limit = 0.5 * math.sqrt(3 * average(2) / average(0))
    assert limit == pytest.approx(0.41971, abs=6e-6)
    assert hidden == pytest.approx(limit, rel=0.02)
    assert out < 0.1 * hidden


def test_silent_units_are_counted():
    """Three units: alive, dead for good, and one that wakes at the step; the last makes its denominator vanish."""
    params, step = np.array([[1.0, -1.0, -1.0]]), np.array([[1.0, -1.0, 2.0]])
    seen = d.linear_range(lambda w, x: [jax.nn.relu(x @ w)], params, np.array([[1.0]]), step)
    assert seen.dead_units.tolist() == [2]
    assert seen.floored.tolist() == [0]
    # without the unit that is alive the tangent is zero, and the change is not
    alone = d.linear_range(
        lambda w, x: [jax.nn.relu(x @ w)], params[:, 1:], np.array([[1.0], [2.0]]), step[:, 1:], start_step=0.75
    )
    assert alone.nonlinearity(0.75) > 1e10
    assert alone.step < 1e-9
    wakes = d.linear_range(
        lambda w, x: [jax.nn.relu(x @ w)], params[:, 1:], np.array([[1.0], [2.0]]), step[:, 1:], method="root"
    )
    assert wakes.step == pytest.approx(0.5, abs=1e-9)
    assert wakes.dead_units.tolist() == [2]


def test_rounding_is_told_in_float32(down):
    small = [tuple(np.float32(leaf) for leaf in layer) for layer in NET]
    inputs = np.float32(DATA[0])
    with pytest.warns(UserWarning, match="smallest safe step is") as caught:
        d.linear_range(STATES, small, inputs, down, start_step=1e-6)
    safe = float(str(caught[0].message).split("safe step is ")[1].split(".  ")[0].split(". ")[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        near = d.linear_range(STATES, small, inputs, down, start_step=1.2 * safe)
        found = d.linear_range(STATES, small, inputs, down, [0.1, 1.0], method="root")
    assert near.curve.precision() == "float32"
    exact = d.linear_range(STATES, NET, DATA[0], down, start_step=1.2 * safe)
    assert near.step == pytest.approx(exact.step, rel=0.15)
    np.testing.assert_allclose(found.step, [0.492158969, 6.326761178], rtol=1e-4)
    with pytest.warns(UserWarning, match="too short to be seen in float32"):
        d.linear_range(STATES, small, inputs, down, 1e-6, method="root")


def test_bad_input(down):
    inputs = DATA[0]

    def fails(words, states=STATES, params=NET, inputs=inputs, direction=down, **options):
        with pytest.raises(ValueError, match=words):
            d.linear_range(states, params, inputs, direction, **options)

    whole = [(np.round(w).astype(int), c) for w, c in NET]
    fails("depend on the parameters", states=lambda p, x: [x, *STATES(p, x)])
    fails("depend on the parameters", states=lambda p, x: [jax.jit(lambda y: jnp.tanh(y))(x), x @ p[0][0]])
    fails(r"params\[0\]\[0\] is of type int64", params=whole)
    fails(r"params\[1\]\[1\] has entries that are NaN", params=[NET[0], (NET[1][0], NET[1][1] * np.nan), NET[2]])
    fails("the direction of params.* NaN", direction=jax.tree.map(lambda leaf: leaf * np.inf, down))
    fails("batch is empty", inputs=inputs[:0])
    fails("another|structure", direction=down[:2])
    fails(r"has the shape \(4, 4\), the parameter \(3, 4\)", direction=[down[1], *down[1:]])
    fails("samples first", states=lambda p, x: jnp.sum(STATES(p, x)[-1]))
    fails("same number", states=lambda p, x: [STATES(p, x)[0], STATES(p, x)[1][1:]])
    fails("returned no array", states=lambda p, x: [])
    fails("of type int", states=lambda p, x: [jnp.argmax(STATES(p, x)[-1], axis=1)])
    fails("NaN or infinite at the given", states=lambda p, x: [jnp.log(-jnp.abs(STATES(p, x)[-1]))])
    fails("smaller start_step", states=lambda p, x: [jnp.exp(x @ p[0][0])], start_step=1e6)
    fails("threshold", threshold=0.0)
    fails("threshold", threshold=[])
    fails("start_step", start_step=-1.0)
    fails("no floating-point array", params=[], direction=[])
    with pytest.raises(Exception, match="denominator"):
        d.linear_range(STATES, NET, inputs, down, denominator="max")


MINI = [formula_data(2 * k, 2 * k + 2) for k in range(50)]


def test_the_procedure_of_the_card():
    found = d.suggest_learning_rate(LOSS, NET, MINI, STATES)
    close(found.values[:3], [5.06614438, 10.75512556, 6.47986837], 9)
    close(found.step, 1.56266869, 9)
    assert found.steps[0] == 1.0
    np.testing.assert_array_equal(found.steps[1:40], found.values[:39])
    assert found.step == min(found.values[-30:])
    for start in (1e-6, 1e-4, 1e6):
        close(d.suggest_learning_rate(LOSS, NET, MINI, STATES, start_step=start).step, 1.56266869, 9)
    close(d.suggest_learning_rate(half_square(STATES, 100.0), NET, iter(MINI), STATES).step, 0.0156266869, 9)
    runaway = d.suggest_learning_rate(LOSS, NET, MINI, STATES, denominator="tangent")
    assert runaway.step == pytest.approx(87.7, abs=0.05)
    braver = d.suggest_learning_rate(LOSS, NET, MINI, STATES, quantile=0.5, last=20)
    assert braver.values.size == 40
    assert braver.step in braver.values
    assert np.sum(braver.values[-20:] < braver.step) in (9, 10)
    half = d.suggest_learning_rate(
        LOSS, NET, MINI, STATES, direction=lambda p, b: jax.tree.map(lambda g: 2 * g, downhill(LOSS, p, b))
    )
    close(2 * half.step, found.step)


def test_the_procedure_says_what_it_lacks():
    with pytest.raises(ValueError, match=r"gave 3 minibatches; the procedure needs .* = 50"):
        d.suggest_learning_rate(LOSS, NET, MINI[:3], STATES)
    with pytest.raises(ValueError, match=r"pair \(inputs, targets\)"):
        d.suggest_learning_rate(LOSS, NET, [DATA[0]], STATES, direction=lambda p, b: p)
    with pytest.raises(ValueError, match="counts"):
        d.suggest_learning_rate(LOSS, NET, MINI, STATES, last=0)


@pytest.mark.nightly
def test_the_teacher_student_case():
    """Sigmoid 50-50-50-50, mean of 5 draws: within one half-decade step of the best constant rate, batch 1, 10, 100.

    All after 4 epochs: after one, at batch 1, one of the five draws still sits on a plateau at the smaller rates.
    """
    for batch, rates in ((1, (0.1, 0.3, 1)), (10, (0.3, 1, 3, 10, 30)), (100, (1, 3, 10, 30))):
        suggested, distances = zip(*(teacher_student(seed, batch, 4, rates) for seed in range(5)), strict=True)
        mean = np.mean(np.asarray(distances), axis=0)
        best, told = rates[int(np.nanargmin(mean))], float(np.mean(suggested))
        print(f"batch {batch}: suggested {told:.3g} ({np.std(suggested):.2g}), best {best}, distances {mean}")
        assert abs(math.log10(told / best)) <= 0.5


def teacher_student(seed, batch, epochs, rates):
    keys = jax.random.split(jax.random.key(seed), 5)
    states = layers_of((jax.nn.sigmoid,) * 3)
    loss = half_square(states)

    def network(key):
        draws = jax.random.split(key, 6)
        normal = jax.random.normal
        return [(normal(draws[i], (50, 50), "float32"), normal(draws[i + 3], (50,), "float32")) for i in range(3)]

    teacher, student = network(keys[0]), network(keys[1])
    inputs, tests = (jax.random.normal(k, (n, 50), "float32") for k, n in ((keys[2], 50_000), (keys[3], 10_000)))
    labels, told = states(teacher, inputs)[-1], states(teacher, tests)[-1]

    def epoch(params, order, rate):
        def step(now, rows):
            slope = jax.grad(loss)(now, (inputs[rows], labels[rows]))
            return jax.tree.map(lambda w, g: w - rate * g, now, slope), None

        return jax.lax.scan(step, params, order.reshape(-1, batch))[0]

    @jax.jit
    def final(rate):
        now = student
        for key in jax.random.split(keys[4], epochs):
            now = epoch(now, jax.random.permutation(key, 50_000), rate)
        return jnp.mean(jnp.linalg.norm(states(now, tests)[-1] - told, axis=1)) / math.sqrt(50)

    pick = np.random.default_rng(seed).permutation(50_000)[: 50 * batch].reshape(50, batch)
    found = d.suggest_learning_rate(loss, student, [(inputs[rows], labels[rows]) for rows in pick], states)
    return found.step, [float(final(jnp.float32(rate))) for rate in rates]
