"""Sharpness against dense Hessians; stability limits against the spectral radius and against optax."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from step_size_cases import RECTIFIED, TANH, downhill, formula_data, formula_network, half_square, layers_of

import thalweg as tw
from thalweg.mathematics.lanczos import top_pair

d = tw.diagnostics
NET, DATA = formula_network(), formula_data(0, 5)
STATES = layers_of(TANH)
LOSS = half_square(STATES)


def as_arrays(net, kind="float64"):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), net)


def dense(loss, params, batch):
    flat, back = ravel_pytree(as_arrays(params))
    return np.asarray(jax.jit(jax.hessian(lambda now: loss(back(now), batch)))(flat))


def outputs(params, inputs):
    return STATES(params, inputs)[-1]


def criterion(told, wanted):
    return 0.5 * jnp.mean(jnp.sum((told - wanted) ** 2, axis=1))


def logistic(params, batch):
    told = layers_of(RECTIFIED)(params, batch[0])[-1]
    return jnp.mean(jnp.sum(jax.nn.softplus(-told * jnp.sign(batch[1] - 0.5)), axis=1))


@pytest.fixture(scope="module")
def hessian():
    with jax.enable_x64():
        return dense(LOSS, NET, DATA)


def test_the_tanh_network_of_the_card(hessian):
    found = d.sharpness(LOSS, NET, DATA)
    assert np.linalg.eigvalsh(hessian)[[0, -1]] == pytest.approx([-3.07807437, 1.15730720], abs=6e-9)
    assert found.value == pytest.approx(1.15730720, rel=1e-5)
    assert abs(found.value - np.linalg.eigvalsh(hessian)[-1]) <= found.error + 1e-12
    vector = np.asarray(ravel_pytree(found.vector)[0])
    assert np.linalg.norm(hessian @ vector - found.value * vector) < 0.05
    down = downhill(LOSS, NET, DATA)
    assert d.curvature(LOSS, NET, DATA, down) == pytest.approx(-0.53471792, abs=6e-9)
    exact = d.sharpness(LOSS, NET, DATA, tolerance=1e-13)
    assert exact.value == pytest.approx(float(np.linalg.eigvalsh(hessian)[-1]), rel=1e-11)
    again = d.sharpness(LOSS, NET, DATA, start=exact)
    assert again.products < exact.products
    assert again.value == pytest.approx(exact.value, rel=1e-5)


def test_a_problem_in_place_of_a_loss():
    """At its start or at given parameters, on its data or on some rows; in float64 whatever is switched on."""
    network = tw.NetworkProblem(outputs, lambda key: NET, data=DATA)
    with jax.enable_x64(False):
        assert d.sharpness(network).value == pytest.approx(1.15730720, rel=1e-5)
    some, halved = (DATA[0][:3], DATA[1][:3]), jax.tree.map(lambda leaf: 0.5 * leaf, NET)
    told = dense(LOSS, halved, some)
    assert d.sharpness(network, halved, some).value == pytest.approx(np.linalg.eigvalsh(told)[-1], rel=1e-5)
    way = downhill(LOSS, NET, DATA)
    assert d.curvature(network) == pytest.approx(d.curvature(LOSS, NET, DATA, way), rel=1e-12)
    assert d.curvature(LOSS, NET, DATA) == pytest.approx(d.curvature(LOSS, NET, DATA, way), rel=1e-12)
    library = tw.LinearClassifier(dimension=6, samples=9)
    edge = float(tw.train(library, [0.0]).largest_stable_rate[0])
    assert d.descent_limit(d.sharpness(library).value) == pytest.approx(edge, rel=1e-4)


def test_other_losses_a_preconditioner_and_gauss_newton(hessian):
    found = d.sharpness(logistic, NET, DATA)
    assert found.value == pytest.approx(np.linalg.eigvalsh(dense(logistic, NET, DATA))[-1], rel=1e-4)
    scale = jax.tree.map(lambda leaf: 0.1 + np.abs(leaf) ** 2, NET)
    diagonal = np.asarray(ravel_pytree(as_arrays(scale))[0])
    told = d.sharpness(LOSS, NET, DATA, preconditioner=scale)
    # P^-1 H is not symmetric; its eigenvalues are real all the same
    assert told.value == pytest.approx(np.max(np.linalg.eigvals(hessian / diagonal[:, None]).real), rel=1e-4)
    flat, back = ravel_pytree(as_arrays(NET))
    slope = np.asarray(jax.jacobian(lambda now: outputs(back(now), DATA[0]))(flat)).reshape(-1, flat.size)
    gauss = d.gauss_newton_sharpness(outputs, criterion, NET, DATA)
    assert gauss.value == pytest.approx(np.linalg.eigvalsh(slope.T @ slope / 5)[-1], rel=1e-4)
    # a linear network: nothing but Gauss-Newton
    plain = NET[:1]
    straight = layers_of((lambda z: z,))
    data = (DATA[0], np.ones((5, 4)))
    pair = [
        d.sharpness(half_square(straight), plain, data).value,
        d.gauss_newton_sharpness(lambda p, x: straight(p, x)[-1], criterion, plain, data).value,
    ]
    assert pair[0] == pytest.approx(pair[1], rel=1e-9)


def test_single_precision_is_kept():
    small = as_arrays(NET, "float32")
    found = d.sharpness(LOSS, small, jax.tree.map(np.float32, DATA))
    assert found.value == pytest.approx(1.15730720, rel=1e-4)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(found.vector)} == {"float32"}


@pytest.mark.parametrize("size", [1, 2, 5, 30, 200])
def test_lanczos_on_matrices(size):
    """Against LAPACK; negative definite and degenerate ones too."""
    rng = np.random.default_rng(size)
    basis = np.linalg.qr(rng.normal(size=(size, size)))[0]
    start = jnp.asarray(rng.normal(size=size))
    run = jax.jit(lambda matrix: top_pair(lambda v: matrix @ v, start, 1e-9, 2000))
    # the last has its largest eigenvalues within 1e-5 of each other, where the gap of the Ritz values is no true gap
    spectra = (rng.normal(size=size), -1 - rng.random(size), np.ones(size), 1 - np.linspace(0, 0.5, size) ** 2)
    for spectrum, within in zip(spectra, (1e-8, 1e-8, 1e-8, 1e-6), strict=True):
        pair = run(jnp.asarray(basis * spectrum @ basis.T))
        assert float(pair.value) == pytest.approx(np.max(spectrum), rel=within)
        assert float(jnp.linalg.norm(pair.vector)) == pytest.approx(1.0)


def test_a_warm_start_sees_an_eigenvalue_that_overtakes():
    """A quadratic loss whose second curvature grows past the first along a run."""

    def loss(params, curvatures):
        return 0.5 * jnp.sum(curvatures * params**2)

    spectrum, found = np.linspace(0.0, 1.0, 300), None
    for growth in np.linspace(0.9, 1.2, 13):
        spectrum[0] = growth
        found = d.sharpness(loss, np.zeros(300), spectrum, start=found)
        assert found.value == pytest.approx(max(1.0, growth), rel=1e-4)


def test_bad_input():
    with pytest.raises(ValueError, match="return one number"):
        d.sharpness(lambda p, b: STATES(p, b[0])[-1], NET, DATA)
    with pytest.raises(ValueError, match="is of type int64"):
        d.sharpness(LOSS, np.arange(3), DATA)
    with pytest.raises(ValueError, match="NaN or infinite"):
        d.sharpness(LOSS, jax.tree.map(lambda leaf: leaf * np.nan, NET), DATA)
    with pytest.raises(ValueError, match="the loss is nan here"):
        d.sharpness(lambda p, b: jnp.log(-jnp.sum(p**2)), np.ones(2), None)
    with pytest.raises(ValueError, match="positive entries"):
        d.sharpness(LOSS, NET, DATA, preconditioner=jax.tree.map(np.zeros_like, NET))
    with pytest.raises(ValueError, match="structure"):
        d.sharpness(LOSS, NET, DATA, preconditioner=NET[:1])
    with pytest.raises(ValueError, match="the same network"):
        d.sharpness(lambda p, b: jnp.sum(p**2), np.ones(2), None, start=d.sharpness(LOSS, NET, DATA))
    with pytest.raises(ValueError, match="direction is zero"):
        d.curvature(LOSS, NET, DATA, jax.tree.map(np.zeros_like, NET))
    with pytest.warns(UserWarning, match="after 4 products"):
        d.sharpness(LOSS, NET, DATA, most=4, tolerance=1e-12)


# ---- limits ----

RULES = {
    "descent": (lambda rate: optax.sgd(rate), lambda u: d.descent_limit(u)),
    "heavy ball .5": (lambda rate: optax.sgd(rate, 0.5), lambda u: d.momentum_limit(u, 0.5)),
    "heavy ball .9": (lambda rate: optax.sgd(rate, 0.9), lambda u: d.momentum_limit(u)),
    "Nesterov .5": (lambda rate: optax.sgd(rate, 0.5, nesterov=True), lambda u: d.nesterov_limit(u, 0.5)),
    "Nesterov .9": (lambda rate: optax.sgd(rate, 0.9, nesterov=True), lambda u: d.nesterov_limit(u)),
    "averaged .9": (
        lambda rate: optax.chain(optax.ema(0.9, debias=False), optax.scale(-rate)),
        lambda u: d.averaged_momentum_limit(u),
    ),
    "Adam, frozen": (
        lambda rate: optax.chain(optax.ema(0.9, debias=False), optax.scale(0.25), optax.scale(-rate)),
        lambda u: d.adam_limit(u / 4.0),
    ),
    "AdamW, frozen": (
        lambda rate: optax.chain(
            optax.ema(0.9, debias=False), optax.scale(0.25), optax.add_decayed_weights(0.1), optax.scale(-rate)
        ),
        lambda u: d.adamw_limit(u / 4.0, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_limits_against_optax(name):
    """On (1/2) u x^2 the rule of optax shrinks just below the limit and grows just above it."""
    make, limit = RULES[name]
    for u in (1.0, 7.0):

        @jax.jit
        def last(rate, u=u):
            rule = make(rate)

            def step(carry, _):
                updates, state = rule.update(u * carry[0], carry[1], carry[0])
                return (carry[0] + updates, state), carry[0]

            return jnp.max(jnp.abs(jax.lax.scan(step, (jnp.ones(()), rule.init(jnp.ones(()))), length=20_000)[1][-9:]))

        edge = float(limit(u))
        assert last(0.999 * edge) < 0.5
        assert last(1.001 * edge) > 2.0


def test_thresholds_of_the_card():
    assert d.momentum_limit(1.0, 0.5) == pytest.approx(3)
    assert d.nesterov_limit(1.0, 0.5) == pytest.approx(1.5)
    assert d.averaged_momentum_limit(1.0, 0.5) == pytest.approx(6)
    assert d.momentum_limit(1.0) == pytest.approx(3.8)
    assert d.nesterov_limit(1.0) == pytest.approx(1.3571428571, abs=1e-10)
    assert d.averaged_momentum_limit(1.0) == pytest.approx(38)
    assert d.adam_limit(1.0) == pytest.approx(38)
    assert d.adamw_limit(36.1, 0.9, 0.1) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_array_equal(d.descent_limit([4.0, 0.0, -1.0, np.nan]), [0.5, np.inf, np.inf, np.nan])
    for rule, ours in ((tw.GradientDescent, d.descent_limit), (tw.HeavyBall, d.momentum_limit)):
        assert float(rule(learning_rate=0.1).stable_rate(jnp.asarray(3.0))) == pytest.approx(ours(3.0))
    for call in (
        lambda: d.momentum_limit(1.0, 1.0),
        lambda: d.adamw_limit(1.0, 0.9, -1.0),
        lambda: d.adam_limit(1, -1),
    ):
        with pytest.raises(ValueError, match="give a number"):
            call()


@pytest.mark.parametrize("ratio", [10.0, 100.0])
def test_the_best_heavy_ball(ratio):
    rate, beta = d.best_momentum(1.0, ratio)
    told = (np.sqrt(ratio) - 1) / (np.sqrt(ratio) + 1)

    def slowest(rate, beta):
        curvatures = np.geomspace(1.0, ratio, 60)
        steps = [np.array([[1 + beta - rate * u, -beta], [1.0, 0.0]]) for u in curvatures]
        return max(np.max(np.abs(np.linalg.eigvals(step))) for step in steps)

    assert slowest(rate, beta) == pytest.approx(told, rel=1e-6)
    nearby = [(rate * a, beta + b) for a in (0.97, 1.0, 1.03) for b in (-0.02, 0.0, 0.02)]
    assert min(slowest(*pair) for pair in nearby) >= told - 1e-6
    with pytest.raises(ValueError, match="0 < lowest"):
        d.best_momentum(0.0, 1.0)


def test_fresh_batches_on_a_linear_teacher():
    """E |error|^2 is multiplied by 1 - 2 eta + eta^2 (1 + (d + 1)/B): checked on draws, the edge from it."""
    dimension, samples, draws = 4, 3, 400_000
    x = np.random.default_rng(0).normal(size=(draws, samples, dimension))
    error = np.array([1.0, 0, 0, 0])
    slope = np.einsum("nbi,nb->ni", x, x @ error) / samples
    edge = d.fresh_batch_limit(samples, dimension)
    assert edge == pytest.approx(2 / (1 + 5 / 3))
    for rate in (0.3, edge):
        squares = np.sum((error - rate * slope) ** 2, axis=1)
        told = 1 - 2 * rate + rate**2 * (1 + (dimension + 1) / samples)
        assert np.mean(squares) == pytest.approx(told, abs=5 * np.std(squares) / np.sqrt(draws))
    assert told == pytest.approx(1.0)
    with pytest.raises(ValueError, match="whole numbers"):
        d.fresh_batch_limit(0, 3)


def test_first_steps_of_optax_are_those_of_the_card():
    """L = (theta_1^2 + 4 theta_2^2)/2 from (1, -2), rate 0.1: which optax settings the limits speak about."""

    def path(rule, steps=3):
        params, seen = jnp.array([1.0, -2.0]), []
        state = rule.init(params)
        for _ in range(steps):
            updates, state = rule.update(jnp.array([1.0, 4.0]) * params, state, params)
            params = params + updates
            seen.append(np.asarray(params))
        return np.array(seen), state

    np.testing.assert_allclose(path(optax.sgd(0.1))[0], [(0.9, -1.2), (0.81, -0.72), (0.729, -0.432)], rtol=1e-12)
    heavy = [(0.9, -1.2), (0.72, 0), (0.486, 1.08)]
    np.testing.assert_allclose(path(optax.sgd(0.1, 0.9))[0], heavy, atol=1e-12)
    adagrad = path(optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0))[0][-1]
    np.testing.assert_allclose(adagrad, (0.7804561821, -1.7758215150), atol=2e-8)
    squares = optax.chain(optax.scale_by_rms(0.9, 1e-8, eps_in_sqrt=False), optax.scale(-0.1))
    np.testing.assert_allclose(path(squares)[0][-1], (0.3691805739, -1.3087178673), atol=1e-10)
    adam, state = path(optax.adam(0.1))
    np.testing.assert_allclose(adam[1], (0.8004122297, -1.8001664859), atol=1e-10)
    np.testing.assert_allclose(adam[2], (0.7015862745, -1.7006233917), atol=1e-10)
    scale = d.adam_preconditioner(state[0].nu, 3)
    moved = -0.1 * np.asarray(state[0].mu) / (1 - 0.9**3) / np.asarray(scale)
    np.testing.assert_allclose(moved, adam[2] - adam[1], rtol=1e-10)
    with pytest.raises(ValueError, match="before its first step"):
        d.adam_preconditioner(state[0].nu, 0)


def test_adam_on_a_quadratic_stops_at_its_edge():
    """Full-batch Adam at a fixed preconditioner is stable up to 38 / lambda(P^-1 H): the sharpness that it reports."""
    curvatures = np.array([1.0, 30.0, 400.0])
    scale = np.array([0.5, 3.0, 10.0])
    found = d.sharpness(lambda p, b: 0.5 * jnp.sum(b * p**2), np.zeros(3), curvatures, preconditioner=scale)
    assert found.value == pytest.approx(40.0, rel=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert d.adam_limit(found.value) == pytest.approx(38 / 40, rel=1e-6)
